// @ts-check
/**
 * The lying benchmark: one server, stopped for a second, as two senders see it. The one waits for the server, the other
 * does not.
 *
 * What to look at: the two have sent at the same rate in the same seconds. They differ in what they have not sent.
 */

import { Demo, find } from "../frame/demo.js";
import { experiment } from "../frame/experiment.js";
import { Chart, extent } from "../frame/plot.js";
import { inMs } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run */

/**
 * What one sender has measured. Percentiles are null where too few values lie beyond.
 *
 * @typedef {object} Loop
 * @property {"open" | "closed"} loop
 * @property {number} rate
 * @property {number} subscribers
 * @property {number} stopped_after_ms
 * @property {number} freeze_ms
 * @property {number} planned how many messages its rate asked for
 * @property {number} sent
 * @property {number} n deliveries
 * @property {number | null} p50_ms
 * @property {number | null} p90_ms
 * @property {number | null} p99_ms
 * @property {number | null} p999_ms
 * @property {number} max_ms
 * @property {{ until_ms: number, n: number, p50_ms: number, max_ms: number }[]} timeline
 * @property {[number, number][]} curve shares of all deliveries, and the latency that so many do not exceed
 * @property {{ bottleneck: string | null }} generator
 */

/** No transports here: the one is plain, the other is at fault. */
const LOOKS = {
  closed: { title: "waits (closed loop)", short: "waits", color: "fault" },
  open: { title: "has a schedule (open loop)", short: "has a schedule", color: "ink" },
};

/** The bet is about such a freeze, in ms, and such a rate. */
const BET = { freeze_ms: 1_000, rate: 100, subscribers: 10 };

const timeline = new Chart(find("#timeline", HTMLElement), {
  title: "Latency over time",
  x: "seconds",
  y: "ms",
});
/** Percentiles, in equal steps for each nine. */
const NINES = [0.5, 0.9, 0.99, 0.999, 0.9999];
const curve = new Chart(
  find("#curve", HTMLElement),
  { title: "Percentiles, as each reports them", x: "percentile", y: "ms" },
  {
    xaxis: { type: "log", tickvals: NINES.map(nines), ticktext: NINES.map((share) => `p${Number((share * 100).toFixed(2))}`) },
    yaxis: { type: "log", dtick: 1, exponentformat: "none", separatethousands: true },
  },
);

/** @type {Partial<Record<"open" | "closed", Loop>>} */ let loops = {};

new Demo({ name: "lying", lanes: [], lab: false, isTimed: false, whenHidden: "go on", prepare: () => Promise.all([timeline.prepare(), curve.prepare()]) }).start(async (run) => {
  loops = {};
  await experiment(run, ({ subscribers }) => within(run, subscribers), ({ what, ...facts }) => {
    if (what === "running") showRunning(facts);
    if (what === "loop") take(run, /** @type {Loop} */ (/** @type {unknown} */ (facts)));
  });
  judge(run);
  return "The experiment is complete.";
});

find("#picture", HTMLButtonElement).addEventListener("click", () => void curve.save("fallcast-lying"));

/** @param {Run} run @param {number} most @returns {import("../frame/experiment.js").Order} */
function within(run, most) {
  // Each of two senders has listeners of its own.
  const subscribers = Math.min(run.value("subscribers"), Math.max(1, Math.floor(most / 2)));
  return { kind: "freeze", freeze_ms: run.value("freeze"), rate: run.value("rate"), subscribers };
}

/** What is known while it goes on. @param {Record<string, any>} facts */
function showRunning({ loop, n, p50_ms, p99_ms, max_ms }) {
  fillRow(loop, ["–", "–", n.toLocaleString("en"), inMs(p50_ms ?? undefined), "–", inMs(p99_ms ?? undefined), "–", inMs(max_ms)]);
}

/** @param {Run} run @param {Loop} loop */
function take(run, loop) {
  loops[loop.loop] = loop;
  for (const { until_ms, n, p50_ms, max_ms } of loop.timeline) run.samples.add({ loop: loop.loop, until_ms, n, p50_ms, max_ms });
  const { planned, sent, n, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = loop;
  const counts = [planned, sent, n].map((count) => count.toLocaleString("en"));
  fillRow(loop.loop, [...counts, ...[p50_ms, p90_ms, p99_ms, p999_ms, max_ms].map((ms) => inMs(ms ?? undefined))]);
  draw();
}

function draw() {
  const drawn = /** @type {Loop[]} */ ([loops.open, loops.closed].filter(Boolean));
  const { stopped_after_ms, freeze_ms } = drawn[0];
  const [from, to] = [stopped_after_ms, stopped_after_ms + freeze_ms].map((ms) => ms / 1_000);
  const highest = Math.max(...drawn.flatMap(({ timeline }) => timeline.map(({ max_ms }) => max_ms)), 1);
  void timeline.draw((colors) => [
    { name: "the server is stopped", x: [from, from, to, to], y: [0, highest, highest, 0], mode: "lines", fill: "toself", line: { width: 0, color: colors.line } },
    ...drawn.flatMap(({ loop, timeline }) => {
      const x = timeline.map(({ until_ms }) => (until_ms - stepOf(timeline) / 2) / 1_000);
      const text = timeline.map(({ n }) => `${n} deliveries`);
      const color = colors[LOOKS[loop].color];
      const symbol = loop === "open" ? "circle" : "diamond";
      const size = timeline.map(({ n }) => sizeOf(n, timeline));
      return [
        { name: `${LOOKS[loop].short}: median of 0.2 s, and largest (hollow)`, x, y: timeline.map(({ p50_ms }) => p50_ms), text, mode: "markers", marker: { color, symbol, size } },
        { name: "its largest", x, y: timeline.map(({ max_ms }) => max_ms), text, mode: "markers", showlegend: false, marker: { color, symbol: `${symbol}-open`, size: 10, line: { width: 2 } } },
      ];
    }),
  ]);
  void curve.draw((colors) => [
    extent([1, nines(0.999)], [0.1, 1_000]),
    ...drawn.map(({ loop, curve }) => ({
      name: LOOKS[loop].title,
      x: curve.map(([share]) => nines(share)),
      y: curve.map(([, ms]) => ms),
      mode: "lines",
      line: { width: 6, color: colors[LOOKS[loop].color], dash: loop === "open" ? "solid" : "dash" },
    })),
  ]);
}

/** How rare what lies beyond a percentile is: 1 in 10, 1 in 100. @param {number} share */
function nines(share) {
  return 1 / (1 - share);
}

/** @param {{ until_ms: number }[]} timeline */
function stepOf(timeline) {
  return timeline.length > 1 ? timeline[1].until_ms - timeline[0].until_ms : 0;
}

/** A dot's area is the number of its deliveries. @param {number} n @param {{ n: number }[]} timeline */
function sizeOf(n, timeline) {
  const most = Math.max(...timeline.map(({ n }) => n), 1);
  return Math.max(5, 20 * Math.sqrt(n / most));
}

/** @param {Run} run */
function judge(run) {
  const { open, closed } = loops;
  if (!open || !closed) return;
  if (open.p99_ms === null || closed.p99_ms === null) {
    return run.tell(`Too few deliveries for a p99: it needs 1,000, and there were ${closed.n.toLocaleString("en")} and ${open.n.toLocaleString("en")}. Turn up the rate.`);
  }
  const bottleneck = open.generator.bottleneck ?? closed.generator.bottleneck;
  const warning = bottleneck ? ` Don’t trust the smaller figures. ${bottleneck}` : "";
  const text =
    `p99 is ${inMs(closed.p99_ms)} for the sender that waits and ${inMs(open.p99_ms)} for the one with a schedule, about the same seconds of ` +
    `the same server (N = ${closed.n.toLocaleString("en")} and ${open.n.toLocaleString("en")} deliveries).${warning}`;
  explain(open, closed);
  const isAsBet = open.freeze_ms === BET.freeze_ms && open.rate === BET.rate && open.subscribers === BET.subscribers;
  if (isAsBet) run.reveal({ closed: closed.p99_ms, open: open.p99_ms }, text);
  else run.tell(text);
}

/** Says where the difference comes from, with the numbers of this run. @param {Loop} open @param {Loop} closed */
function explain(open, closed) {
  const own = find("#own-numbers", HTMLElement);
  own.hidden = closed.freeze_ms === 0;
  const due = Math.round((open.rate * open.freeze_ms) / 1_000);
  const share = (/** @type {number} */ part, /** @type {number} */ whole) => `${((100 * part) / whole).toPrecision(2)} %`;
  own.textContent =
    `In this run ${due.toLocaleString("en")} messages were due while the server stood still. The sender with a schedule sent all ` +
    `${open.sent.toLocaleString("en")} of its messages, so ${share(due, open.sent)} of them met the freeze: far more than the one in a hundred that p99 looks at. ` +
    `The one that waits sent ${closed.sent.toLocaleString("en")} of ${closed.planned.toLocaleString("en")}. One of them met the freeze, ${share(1, closed.sent)}; ` +
    `the other ${(closed.planned - closed.sent).toLocaleString("en")} do not exist, and nobody has measured what they would have waited.`;
}
