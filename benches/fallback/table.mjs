/**
 * The report as Markdown.
 */

import { median } from "./statistics.mjs";
import { wayOf } from "./ways.mjs";

const NAMES = { websocket: "WebSocket", sse: "SSE", "long-poll": "long-poll" };
const VERDICTS = { below: "below", even: "even", above: "**above**", unclear: "too few pairs" };

/** @param {ReturnType<import("./report.mjs").report>} report */
export function render({ date, command, machine, plan, load, summary }) {
  const lines = [
    `\`${command}\` at ${date}, commit ${machine.commit}, Chromium ${machine.chromium}, Node.js ${machine.node}`,
    `on ${machine.cores} × ${machine.processor}, ${machine.memory_gib} GiB, Linux ${machine.kernel}: ` +
      `${plan.pairs} pairs, a head start of ${plan.head_start_ms} ms.`,
    `The machine's load average was ${number(median(load))} in the median round and at most ${number(Math.max(...load))}.`,
  ];
  for (const latency of plan.latencies_ms) {
    const rows = summary.filter(({ latency_ms }) => latency_ms === latency);
    lines.push("", `${titleOf(latency)}:`, "", ...table(rows));
  }
  return `${[...lines, ...strays(summary, plan.pairs)].join("\n")}\n`;
}

/** @param {number} latency */
function titleOf(latency) {
  if (latency === 0) return "A link without latency";
  return `A link with ${latency} ms each way, so with ${2 * latency} ms a round trip`;
}

const COLUMNS = {
  "what fails": "---",
  "the winner": "---",
  "first message, ms: client": "--:",
  alone: "--:",
  "price, ms": "--:",
  "round trips": "--:",
  "bound, ms": "--:",
  "over it, ms": "--:",
  "to the bound": "---",
};

/** @param {import("./report.mjs").Row[]} rows */
function table(rows) {
  return [Object.keys(COLUMNS), Object.values(COLUMNS), ...rows.map(cellsOf)].map(line);
}

/** @param {import("./report.mjs").Row} row */
function cellsOf(row) {
  const { words } = wayOf(row.way);
  return [
    words,
    NAMES[row.winner],
    number(row.client.median),
    number(row.alone.median),
    `**${number(row.price.median)}** ${interval(row.price)}`,
    row.price_in_round_trips === null ? "–" : number(row.price_in_round_trips.median, 2),
    row.obstacles === null ? "0" : number(row.obstacles.median),
    `${number(row.over.median)} ${interval(row.over)}`,
    VERDICTS[row.verdict],
  ];
}

/** Says where the client took another path, for then its time is not that of the path in the table. */
function* strays(summary, pairs) {
  for (const { way, latency_ms, strayed } of summary.filter((row) => row.strayed > 0)) {
    const cell = `${wayOf(way).words}, ${latency_ms} ms each way`;
    yield `\n${cell}: in ${strayed} of ${pairs} pairs the client decided something else than it should.`;
  }
}

/** @param {string[]} cells */
const line = (cells) => `| ${cells.join(" | ")} |`;

/** @param {import("./statistics.mjs").Estimate} estimate */
const interval = ({ low, high }) => `(${number(low)} to ${number(high)})`;

/** With a proper minus sign. @param {number} value @param {number} [decimals] */
export function number(value, decimals = 1) {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}
