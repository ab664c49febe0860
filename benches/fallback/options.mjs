/**
 * The command line.
 */

import { parseArgs } from "node:util";
import { WAYS, wayOf } from "./ways.mjs";

export const HELP = `\
Measures what falling back costs: the time from connect() to the first message, for each way in which the preferred
transports fail, against the transport that wins when it is asked for alone.

Usage: node benches/fallback/main.mjs [OPTION]...

  --pairs N          how often everything is measured; the table shows medians [default: 40]
  --latency MS,…     one-way latencies of the link, in ms [default: 0,25]
  --ways NAME,…      ways of failing, of those below [default: all]
  --head-start MS    the client's option headStart [default: 500, the client's own]
  --server FILE      the server to measure [default: target/release/fallcast]
  --results FILE     where every sample goes [default: measurements/fallback.json]
  -h, --help         this help

Ways of failing:
${WAYS.map(({ name, words }) => `  ${name.padEnd(17)}  ${words}`).join("\n")}

Examples:
  cargo build --release && node benches/fallback/main.mjs                  the whole table, in about 20 minutes
  node benches/fallback/main.mjs --pairs 3 --results /tmp/fallback.json    a quick look
  node benches/fallback/main.mjs --ways ws-403 --latency 100               a refusal on a slow line

It needs Chromium, and the packages of tests/package.json (npm ci, in tests/). CHROMIUM names another browser.
The table goes to standard output, progress to standard error.`;

/** What is wrong with the command line. */
export class UsageError extends Error {}

/** Each round is measured three times a way; more rounds than this are a slip of the finger. */
const MOST_PAIRS = 1000;
const LONGEST_MS = 10_000;

/**
 * @typedef {object} Plan
 * @property {number} pairs
 * @property {number[]} latencies_ms one way
 * @property {string[]} ways
 * @property {number} head_start_ms
 *
 * @param {string[]} args
 * @returns {{ help: true } | { help: false, plan: Plan, server: string, results: string }}
 */
export function readArguments(args) {
  const { values } = parse(args);
  if (values.help) return { help: true };
  const plan = {
    pairs: wholeNumber("pairs", values.pairs, 1, MOST_PAIRS),
    latencies_ms: list(values.latency).map((text) => wholeNumber("latency", text, 0, LONGEST_MS)),
    ways: values.ways === undefined ? WAYS.map(({ name }) => name) : list(values.ways).map(knownWay),
    head_start_ms: wholeNumber("head-start", values["head-start"], 1, LONGEST_MS),
  };
  return { help: false, plan, server: values.server, results: values.results };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        pairs: { type: "string", default: "40" },
        latency: { type: "string", default: "0,25" },
        ways: { type: "string" },
        "head-start": { type: "string", default: "500" },
        server: { type: "string", default: "target/release/fallcast" },
        results: { type: "string", default: "measurements/fallback.json" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (fault) {
    throw new UsageError(fault.message);
  }
}

/** The parts of a list, each once. @param {string} text */
const list = (text) => [...new Set(text.split(",").map((part) => part.trim()))];

/** @param {string} option @param {string} text @param {number} least @param {number} most */
function wholeNumber(option, text, least, most) {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} takes whole numbers from ${least} to ${most}, unlike "${text}"`);
}

/** @param {string} name */
function knownWay(name) {
  if (wayOf(name)) return name;
  throw new UsageError(`--ways knows ${WAYS.map((way) => way.name).join(", ")}, but not "${name}"`);
}
