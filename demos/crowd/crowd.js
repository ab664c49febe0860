// @ts-check
/**
 * Crowd: what thousands of subscribers cost who hear nothing, and what they cost when messages come.
 *
 * The page makes no connection but one: the server lets the crowd listen to a server of its own, and tells here what that
 * one uses. What to look at: two lines that begin together, and part by a factor of a hundred.
 */

import { Demo, find } from "../frame/demo.js";
import { experiment } from "../frame/experiment.js";
import { Chart, extent } from "../frame/plot.js";
import { inBytes, inMs } from "../frame/statistics.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("../frame/experiment.js").News} News */

/**
 * What so many subscribers cost. Shares are of one core; what the system does not tell is null.
 *
 * @typedef {object} Point
 * @property {"websocket" | "sse" | "long-poll"} transport
 * @property {number} subscribers
 * @property {number} rate messages a second, each to everybody
 * @property {number | null} idle_cpu_share
 * @property {number | null} memory_per_connection in bytes
 * @property {number | null} active_cpu_share
 * @property {number} deliveries_per_second
 * @property {number} late deliveries that had not taken place when the wait was over
 * @property {number | null} p50_ms
 * @property {number | null} p99_ms
 * @property {{ cpu_share: number | null, bottleneck: string | null }} generator
 */

const TITLES = { websocket: "WebSocket", sse: "SSE", "long-poll": "Long-poll" };

/** A core that is idle uses a little, and the system's clock is not finer. Less is drawn, and compared, as this. */
const LEAST = 0.0001;

/** The one costs more than the other if it costs so many times as much. */
const MORE = 2;

/** With fewer subscribers in the end, the bet is not decided: a tenth of them would be nobody. */
const ENOUGH = 1_000;

/** The bet is about so many messages a second. */
const RATE_OF_BET = 10;

const log = { type: "log", dtick: 1, exponentformat: "none", separatethousands: true };
const costs = new Chart(
  find("#costs", HTMLElement),
  { title: "What the server uses", x: "subscribers", y: "% of a core" },
  { xaxis: log, yaxis: log },
);
const delays = new Chart(
  find("#delays", HTMLElement),
  { title: "How late messages are", x: "subscribers", y: "ms" },
  { xaxis: log, yaxis: log },
);

/** What was measured with each transport at this rate: kept from run to run, to be compared. @type {Map<string, Point[]>} */
const measured = new Map();
let rateOfCharts = NaN;

new Demo({ name: "crowd", lanes: [], lab: false, isTimed: false, whenHidden: "go on", prepare: () => Promise.all([costs.prepare(), delays.prepare()]) }).start(async (run) => {
  /** @type {Point[]} */ const points = [];
  const order = await experiment(run, ({ subscribers }) => within(run, subscribers), ({ what, ...facts }) => {
    if (what === "point") take(run, points, /** @type {Point} */ (/** @type {unknown} */ (facts)));
  });
  judge(run, points, order);
  return "The experiment is complete. Turn a knob and start again: what was measured stays in the charts.";
});

find("#picture", HTMLButtonElement).addEventListener("click", () => void costs.save("fallcast-crowd"));

/** What the knobs ask for, within what this server's file descriptors allow. @param {Run} run @param {number} most @returns {import("../frame/experiment.js").Order} */
function within(run, most) {
  return { kind: "crowd", subscribers: Math.min(run.value("subscribers"), most), rate: run.value("rate"), transport: run.value("transport") };
}

/** @param {Run} run @param {Point[]} points @param {Point} point */
function take(run, points, point) {
  if (point.rate !== rateOfCharts) measured.clear();
  rateOfCharts = point.rate;
  if (points.length === 0) find("#points", HTMLElement).replaceChildren();
  points.push(point);
  measured.set(point.transport, points);
  run.samples.add({ ...point, generator: point.generator.bottleneck ?? "sound" });
  addRow(point);
  draw();
}

function draw() {
  const all = [...measured].map(([transport, points]) => ({ transport, points, title: TITLES[transport] }));
  const x = (/** @type {Point[]} */ points) => points.map(({ subscribers }) => subscribers);
  const percent = (/** @type {number | null} */ share) => (share === null ? null : 100 * Math.max(share, LEAST));
  void costs.draw((colors) => [
    extent([8, 12_000], [0.01, 100]),
    ...all.flatMap(({ transport, points, title }) => [
      line(`${title}, ${rateOfCharts} messages a second`, x(points), points.map((point) => percent(point.active_cpu_share)), colors[transport]),
      line(`${title}, idle`, x(points), points.map((point) => percent(point.idle_cpu_share)), colors[transport], "dot"),
    ]),
  ]);
  void delays.draw((colors) => [
    extent([8, 12_000], [0.1, 10]),
    ...all.flatMap(({ transport, points, title }) => [
      line(`${title}, p99`, x(points), points.map(({ p99_ms }) => p99_ms), colors[transport]),
      line(`${title}, p50`, x(points), points.map(({ p50_ms }) => p50_ms), colors[transport], "dot"),
    ]),
  ]);
}

/** @param {string} name @param {number[]} x @param {(number | null)[]} y @param {string} color @param {string} [dash] */
function line(name, x, y, color, dash = "solid") {
  return { name, x, y, mode: "lines+markers", line: { width: 5, color, dash }, marker: { size: 13, color } };
}

/** @param {Point} point */
function addRow(point) {
  const { subscribers, transport, idle_cpu_share, memory_per_connection, active_cpu_share, deliveries_per_second, late, p50_ms, p99_ms, generator } = point;
  const row = document.createElement("tr");
  row.dataset.row = String(subscribers);
  const cells = [
    TITLES[transport],
    inPercent(idle_cpu_share),
    memory_per_connection === null ? "–" : inBytes(memory_per_connection),
    inPercent(active_cpu_share),
    `${Math.round(deliveries_per_second).toLocaleString("en")}${late > 0 ? `, and ${late.toLocaleString("en")} came too late to count` : ""}`,
    inMs(p50_ms ?? undefined),
    inMs(p99_ms ?? undefined),
    isStarved(point) ? "kept waiting for a core" : generator.bottleneck ? "was the bottleneck" : "kept up",
  ];
  row.append(Object.assign(document.createElement("th"), { textContent: subscribers.toLocaleString("en") }));
  row.append(...cells.map((textContent) => Object.assign(document.createElement("td"), { textContent })));
  row.title = generator.bottleneck ?? "";
  find("#points", HTMLElement).append(row);
}

/**
 * Whether messages were late though neither server nor generator had much to do: something else on this machine was busy.
 * Late is what arrives when the next message is due already.
 *
 * @param {Point} point
 */
function isStarved({ rate, p99_ms, active_cpu_share, generator }) {
  const isLate = p99_ms !== null && p99_ms > 1_000 / rate;
  return isLate && active_cpu_share !== null && generator.cpu_share !== null && active_cpu_share + generator.cpu_share < 1;
}

/** @param {number | null} share */
function inPercent(share) {
  if (share === null) return "–";
  const percent = share * 100;
  return `${percent < 0.01 ? "under 0.01" : percent.toPrecision(2 + Number(percent >= 100))} %`;
}

/** Compares all who are idle with a tenth of them who are sent to. @param {Run} run @param {Point[]} points @param {import("../frame/experiment.js").Order} order */
function judge(run, points, order) {
  const all = points.at(-1);
  if (!all) return;
  const tenth = points.find(({ subscribers }) => subscribers === all.subscribers / 10) ?? points.at(-2) ?? all;
  if (all.idle_cpu_share === null || tenth.active_cpu_share === null) {
    return run.tell("This system does not tell how much processor time a process has used, so the bet stays open. The delays are in the table.");
  }
  const ratio = Math.max(tenth.active_cpu_share, LEAST) / Math.max(all.idle_cpu_share, LEAST);
  const truth = ratio > MORE ? "active" : ratio < 1 / MORE ? "idle" : "equal";
  const memory = all.memory_per_connection === null ? "" : ` An idle one takes ${inBytes(all.memory_per_connection)} of memory.`;
  const doubtful = points.filter((point) => point.generator.bottleneck || isStarved(point));
  const warning = doubtful.length === 0 ? "" : ` Don’t trust the delays with ${listed(doubtful)} subscribers: see the last column.`;
  const text =
    `${all.subscribers.toLocaleString("en")} idle subscribers used ${inPercent(all.idle_cpu_share)} of a core, and ` +
    `${tenth.subscribers.toLocaleString("en")} with ${tenth.rate} messages a second ${inPercent(tenth.active_cpu_share)}` +
    `${ratio > MORE ? `, ${Math.round(ratio).toLocaleString("en")} times as much` : ""} (one run of 2 s and 3 s each).${memory}` +
    `${wall(all)}${warning}`;
  const isAsBet = order.rate === RATE_OF_BET && order.transport === "websocket" && all.subscribers >= ENOUGH;
  if (isAsBet) run.reveal(truth, text);
  else run.tell(text);
}

/** What the largest crowd came up to when it was sent to. @param {Point} point */
function wall({ subscribers, rate, active_cpu_share, deliveries_per_second, late, p99_ms }) {
  const asked = subscribers * rate;
  const many = (/** @type {number} */ count) => Math.round(count).toLocaleString("en");
  const end = ` ${many(subscribers)} with ${rate} a second are ${many(asked)} deliveries a second`;
  if (late > 0) return `${end}: too many. ${many(deliveries_per_second)} came through.`;
  return `${end}: ${inPercent(active_cpu_share)} of a core, p99 ${inMs(p99_ms ?? undefined)}.`;
}

/** @param {Point[]} points */
function listed(points) {
  return new Intl.ListFormat("en").format(points.map(({ subscribers }) => subscribers.toLocaleString("en")));
}
