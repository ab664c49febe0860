/**
 * Servers of exercises, and programs that run to their end, as processes.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** No test takes this long: it ends one that hangs. */
export const HANG_GUARD = { timeout: 240_000 };

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const EXERCISES = resolve(PROJECT, "book/exercises");
const TARGET = resolve(PROJECT, process.env.CARGO_TARGET_DIR || "target");
const FALLCAST = resolve(PROJECT, process.env.FALLCAST_BIN || `${TARGET}/debug/fallcast`);

/** The programs that serve the exercises. */
const PROGRAMS = {
  Rust: [`${TARGET}/debug/exercise`],
  JavaScript: [process.execPath, "run.mjs"],
  Python: [process.env.PYTHON || "python3", "-B", "run.py"],
};

/** @typedef {keyof typeof PROGRAMS} Language */
/** @typedef {"start" | "solution"} Which what the students begin with, or the solution */

/** The server of an exercise, on a free port. Whoever starts it, stops it. */
export class ExerciseServer {
  #process;
  url = "";

  /**
   * @param {string} name
   * @param {Language} language
   * @param {Which} which
   */
  static async start(name, language, which) {
    const [program, ...words] = [...PROGRAMS[language], name, ...(which === "solution" ? [which] : []), "--port", "0"];
    const server = new ExerciseServer(spawn(program, words, { cwd: EXERCISES }));
    await server.#listening();
    return server;
  }

  /** @param {import("node:child_process").ChildProcessWithoutNullStreams} process */
  constructor(process) {
    this.#process = process;
  }

  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async #listening() {
    let complaints = "";
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
    const ended = once(this.#process, "close").then(() => Promise.reject(new Error(`no start\n${complaints}`)));
    const [first] = await Promise.race([once(createInterface({ input: this.#process.stdout }), "line"), ended]);
    ended.catch(() => "the server may end once it has listened");
    this.url = first.replace(/^listening on /, "");
  }
}

/**
 * Runs checks against a server, and returns the exit code and what each property has come to.
 *
 * @param {string[]} checks
 * @param {string} exercise whose profile it is
 * @param {string} url
 */
export async function check(checks, exercise, url) {
  const options = ["--url", url, "--profile", `${exercise}/profile.toml`, "--seed", "1", "--json"];
  const { code, output, complaints } = await run([FALLCAST, "check", ...checks, ...options]);
  if (code !== 0 && code !== 1) throw new Error(`fallcast check ended with ${code}\n${complaints}`);
  /** @type {{ checks: { properties: Property[] }[] }} */
  const report = JSON.parse(output);
  return { code, properties: report.checks.flatMap(({ properties }) => properties) };
}

/** @typedef {{ id: string, verdict: "passed" | "failed" | "skipped", says?: string, trace?: object[] }} Property */

/**
 * Runs the tests of an exercise in Rust that is no server.
 *
 * @param {string} name
 * @param {Which} which
 */
export async function cargoTest(name, which) {
  const target = which === "start" ? name : `${name}-solution`;
  const ended = await run(["cargo", "test", "--locked", "--test", target]);
  const line = /^test check::(?<name>\w+) \.\.\. (?<verdict>ok|FAILED)$/gm;
  return verdicts(ended, line);
}

/**
 * Runs the tests of an exercise in JavaScript that is no server.
 *
 * @param {string} name
 * @param {Which} which
 */
export async function nodeTest(name, which) {
  // Node.js would otherwise report to the test that runs this one.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const ended = await run([process.execPath, "--test-reporter=tap", `${name}/check.mjs`, which], environment);
  return verdicts(ended, /^(?<verdict>ok|not ok) \d+ - (?<name>.*)$/gm);
}

/**
 * The names of the tests that passed, and of those that failed, with everything that was said.
 *
 * @param {{ output: string, complaints: string }} ended
 * @param {RegExp} line which tells a `name` and a `verdict`
 */
function verdicts({ output, complaints }, line) {
  const passed = [];
  const failed = [];
  for (const { groups } of output.matchAll(line)) (groups?.verdict === "ok" ? passed : failed).push(groups?.name);
  return { passed: passed.sort(), failed: failed.sort(), says: output + complaints };
}

/**
 * Runs a program in the exercises' folder to its end.
 *
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} [environment]
 */
async function run([program, ...words], environment = process.env) {
  const options = { cwd: EXERCISES, env: { ...environment, CARGO_TARGET_DIR: TARGET }, ...HANG_GUARD };
  const child = spawn(program, words, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let complaints = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
  const [code] = await once(child, "close");
  return { code, output, complaints };
}
