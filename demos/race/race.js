// @ts-check
/**
 * The race: one sender, one channel, and three subscribers of which each uses one transport.
 *
 * What to look at: every message carries the time at which it was *due* (`t_plan`), and latency counts from there. A
 * sender that is late makes all three look slow, not fast, and the page says when it was.
 */

import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Chart } from "../frame/plot.js";
import { Publisher } from "../frame/publisher.js";
import { inBytes, inMs, quantile, summarize } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { Racer } from "./racer.js";

/** Messages that arrive while connections are still young are not counted, in ms. */
const WARM_UP = 1_500;

/** The bet is about this much of a difference: less is a tie. */
const TIE = 1.1;

/** How many messages each transport must have delivered before the page says who is behind. */
const ENOUGH = 60;

/** So many messages are plenty; then the page begins anew, or it would have more and more to sort. */
const MOST = 20_000;

/** In the lab's counters, a kind of exchange for each transport. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "sse", "long-poll": "poll" };

const chart = new Chart(find("#distribution", HTMLElement), {
  title: "How many messages took how long",
  x: "latency in ms",
  y: "share as fast as that",
}, { yaxis: { tickformat: ".0%", range: [0, 1.02] }, xaxis: { rangemode: "tozero" } });

find("#picture", HTMLButtonElement).addEventListener("click", () => void chart.save("fallcast-race"));

new Demo({ name: "race", unit: "ms", prepare: () => chart.prepare() })
  .knob("delay", (latency_ms, run) => {
    measureAnew();
    return run.link.suffer({ latency_ms });
  })
  .knob("rate", (rate) => {
    measureAnew();
    publisher?.set({ rate });
  })
  .knob("size", (size) => {
    measureAnew();
    publisher?.set({ size });
  })
  .start(async (run) => {
    racers = new Map(TRANSPORTS.map(({ key }) => [key, race(run, key)]));
    publisher = new Publisher(run.channel, { rate: run.value("rate"), size: run.value("size") });
    publisher.onTally = ({ lag }) => (run.publisherLag = lag);
    publisher.onEnd = (why) => run.say(why);
    run.signal.addEventListener("abort", () => publisher?.stop());
    measureAnew();
    run.every(1_000, () => report(run));
  });

/** @type {Publisher | undefined} */ let publisher;
/** @type {Map<string, Racer>} */ let racers = new Map();
/** What the lab had counted when the bill began. @type {Record<string, import("../frame/link.js").Traffic> | null} */
let before = null;
/** How many messages each transport had brought by then. @type {Map<string, number>} */ let broughtBefore = new Map();
let measuresFrom = Infinity;

/** Figures of different conditions are not mixed: a turned knob begins a new measurement. */
function measureAnew() {
  before = null;
  measuresFrom = performance.now() + WARM_UP;
  for (const racer of racers.values()) racer.countAnew(WARM_UP);
}

/** @param {import("../frame/demo.js").Run} run @param {string} transport */
function race(run, transport) {
  const url = run.link.url(`channels/${run.channel}`);
  const racer = new Racer(url, /** @type {import("../../client/fallcast.js").Transport} */ (transport), { signal: run.signal });
  racer.channel.addEventListener("state", ({ detail: { state } }) => {
    if (!run.signal.aborted) run.lanes.state(transport, state === "open" ? "open" : "connecting", state);
  });
  racer.onArrival = ({ seq, t_plan, latency }, counts) => {
    run.lanes.mark(transport, { value: latency });
    if (!counts) return;
    const [delay_ms, rate, padding] = ["delay", "rate", "size"].map((knob) => run.value(knob));
    run.samples.add({ transport, seq, t_plan, latency_ms: latency, delay_ms, rate, padding });
  };
  return racer;
}

/** @param {import("../frame/demo.js").Run} run */
async function report(run) {
  if (performance.now() < measuresFrom) return;
  const traffic = await run.link.traffic();
  if (run.signal.aborted) return;
  if (!before) {
    before = traffic;
    broughtBefore = new Map([...racers].map(([transport, { latencies }]) => [transport, latencies.length]));
  }
  for (const [transport, racer] of racers) {
    const { n, median } = summarize(racer.latencies);
    if (n > 0) run.lanes.number(transport, inMs(median), `median of ${n}`);
    showRow(transport, racer, since(before, traffic, KINDS[transport]));
  }
  if ([...racers.values()].some(({ latencies }) => latencies.length >= MOST)) measureAnew();
  await chart.draw((colors) =>
    TRANSPORTS.map(({ key, title }) => distribution(title, racers.get(key)?.latencies ?? [], colors[key])),
  );
  judge(run);
}

/**
 * What has gone over the link since the bill began.
 *
 * @param {Record<string, any>} before
 * @param {Record<string, any>} after
 * @param {string} kind
 */
function since(before, after, kind) {
  const none = { exchanges: 0, up: { bytes: 0 }, down: { bytes: 0 } };
  const [old, young] = [before[kind] ?? none, after[kind] ?? none];
  return {
    requests: young.exchanges - old.exchanges,
    bytes: young.up.bytes - old.up.bytes + young.down.bytes - old.down.bytes,
  };
}

/** @param {string} transport @param {Racer} racer @param {{ requests: number, bytes: number }} cost */
function showRow(transport, racer, { requests, bytes }) {
  const { n, median, p90, p99, max } = summarize(racer.latencies);
  if (n === 0) return;
  const billed = n - (broughtBefore.get(transport) ?? 0);
  const cells = [
    n.toLocaleString("en"),
    inMs(median),
    inMs(p90),
    inMs(p99),
    inMs(max),
    billed > 0 ? inBytes(bytes / billed) : "–",
    billed > 0 ? (requests / billed).toFixed(2) : "–",
    `${racer.lost}, ${racer.repeated}`,
  ];
  fillRow(transport, cells);
}

/**
 * The share of messages that were as fast as each value, in at most 200 steps.
 *
 * @param {string} name
 * @param {number[]} values
 * @param {string} color
 */
function distribution(name, values, color) {
  const sorted = Array.from(Float64Array.from(values).sort());
  const steps = Math.min(200, sorted.length);
  const shares = Array.from({ length: steps }, (_, step) => (step + 1) / steps);
  const line = { color, width: 4, shape: "hv" };
  return { name, x: shares.map((share) => quantile(sorted, share)), y: shares, mode: "lines", line };
}

/** Who is behind, once enough has come. @param {import("../frame/demo.js").Run} run */
function judge(run) {
  const means = [...racers].map(([transport, { latencies }]) => ({
    transport,
    n: latencies.length,
    mean: latencies.reduce((sum, latency) => sum + latency, 0) / latencies.length,
  }));
  if (means.some(({ n }) => n < ENOUGH)) return;
  means.sort((one, other) => one.mean - other.mean);
  const [first, , last] = means;
  const title = TRANSPORTS.find(({ key }) => key === last.transport)?.title;
  const isTie = last.mean <= TIE * first.mean;
  const factor = (last.mean / first.mean).toFixed(1);
  const text = isTie
    ? `On average all three are within 10 % of each other (${inMs(first.mean)} to ${inMs(last.mean)}, N = ${first.n}).`
    : `${title} took ${inMs(last.mean)} on average, ${factor} times the ${inMs(first.mean)} of the fastest (N = ${last.n}).`;
  if (run.isAsBet("rate", "delay", "size")) run.reveal(isTie ? "nobody" : last.transport, text);
  else run.tell(text);
}
