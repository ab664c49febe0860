// @ts-check
/**
 * The slow reader: three subscribers take a few bytes a second of a fast channel, and a fourth one keeps up.
 *
 * What to look at: the server's memory beside the queues that it does not have. The lab reads slowly for the three
 * (`slow_reader`), so their subscriptions are ordinary ones; the fast reader comes by the main port.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Chart } from "../frame/plot.js";
import { Publisher } from "../frame/publisher.js";
import { inBytes } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {{ resident_bytes: number | null, log_bytes: number }} Vitals */
/**
 * @typedef {{ at: number, memory: number, queues: number, log: number }} Point in seconds and bytes, since the readers are slow
 */

/** The log is filled first, so that its memory is not blamed on the readers: so many seconds at most. */
const MOST_FILLING = 10;

/** The log is full when it grows by less than this share in a second. */
const STILL = 0.02;

/** For how long the readers are slow before the page says what that cost, in seconds. */
const SLOW_FOR = 12;

/** Memory that still takes up more than this share of what is not taken, in the second half, rises without end. */
const RISES = 0.5;

/** Less than so many bytes of the whole process's memory are no growth that anybody could blame on something. */
const NOISE = 1_000_000;

/** Gaps that follow within so many ms share one label, or nobody could read it. */
const LABEL = 4_000;

const SLOW = TRANSPORTS.map(({ key, title }) => ({ key, title: `Slow ${title === "Long-poll" ? "long-poll" : title}` }));
/** @type {import("../frame/lanes.js").Lane} */
const FAST = { key: "fast", title: "Fast reader", look: "other" };

const chart = new Chart(find("#memory", HTMLElement), {
  title: "The server’s memory since the readers are slow",
  x: "seconds",
  y: "MB",
}, { yaxis: { autorangeoptions: { include: [0, 40] } }, xaxis: { autorangeoptions: { include: [0, SLOW_FOR] } } });
const slowButton = find("#slow", HTMLButtonElement);

/** One reader: what it got, and what it knows it has not. */
class Reader {
  read = 0;
  missed = 0;
  gaps = 0;
  worst = 0;
  /** When a gap was last written into its lane. */ toldAt = -Infinity;
  bytes = 0;
}

/** @type {Map<string, Reader>} */ let readers = new Map();
/** @type {Publisher | undefined} */ let publisher;
/** How many bytes the server has taken in. As good as all of a message is padding. */ let published = 0;
/** Since when the readers are slow, and what was so then. @type {Slowness | null} */ let slowness = null;
/** @type {(() => void) | undefined} */ let toggle;

new Demo({ name: "slow-reader", isTimed: false, lanes: [FAST, ...SLOW], seconds: 30, unit: "s", prepare: () => chart.prepare() })
  .knob("rate", (rate) => publisher?.set({ rate }))
  .knob("size", (size) => publisher?.set({ size: size * 1_000 }))
  .knob("taken", (_, run) => (slowness ? slowDown(run) : undefined))
  .start(async (run) => {
    readers = new Map([FAST, ...SLOW].map(({ key }) => [key, new Reader()]));
    run.signal.addEventListener("abort", end);
    subscribe(run, FAST.key, run.direct(`channels/${run.channel}`), "websocket");
    for (const { key } of SLOW) subscribe(run, key, run.link.url(`channels/${run.channel}`), key);
    publish(run);
    run.every(1_000, () => showRows());

    run.say("The log is filled first.");
    await fillTheLog(run);
    await slowDown(run);
    run.say(`Three readers take ${run.value("taken")} kB a second each.`);
    await measure(run);
    await heal(run);
    run.say("They may read again. Watch what they are told that they have missed.");
    toggle = () => {
      slowButton.disabled = true;
      const turned = slowness ? heal(run) : slowDown(run);
      void turned.catch((error) => run.fail(error)).finally(() => (slowButton.disabled = run.signal.aborted));
    };
    slowButton.disabled = false;
  });

slowButton.addEventListener("click", () => toggle?.());
find("#picture", HTMLButtonElement).addEventListener("click", () => void chart.save("fallcast-slow-reader"));

function end() {
  publisher?.stop();
  slowness = null;
  toggle = undefined;
  slowButton.disabled = true;
}

/** @param {Run} run */
function publish(run) {
  let counted = 0;
  published = 0;
  publisher = new Publisher(run.channel, { rate: run.value("rate"), size: run.value("size") * 1_000 });
  publisher.onTally = ({ acknowledged, lag }) => {
    published += (acknowledged - counted) * run.value("size") * 1_000;
    counted = acknowledged;
    run.publisherLag = lag;
  };
  publisher.onEnd = (why) => run.say(why);
}

/** @param {Run} run @param {string} lane @param {URL} url @param {string} transport */
function subscribe(run, lane, url, transport) {
  const reader = /** @type {Reader} */ (readers.get(lane));
  const channel = connect(url, {
    transports: [/** @type {import("../../client/fallcast.js").Transport} */ (transport)],
    signal: run.signal,
  });
  run.showLog(channel, lane);
  channel.addEventListener("state", ({ detail: { state } }) => {
    if (!run.signal.aborted) run.lanes.state(lane, state === "open" ? "open" : "connecting", state);
  });
  channel.addEventListener("message", ({ data: { seq, t_plan, pad } }) => {
    const delay = (now() - t_plan) / 1_000;
    reader.read++;
    reader.bytes += pad.length;
    reader.worst = Math.max(reader.worst, delay);
    run.lanes.mark(lane, { value: delay, tone: delay > 1 ? "late" : "plain" });
    run.lanes.number(lane, `${delay.toFixed(1)} s`, `behind; ${reader.read} read, ${reader.missed} missed`);
    run.samples.add({ what: "message", reader: lane, seq, delay_s: delay, resident_bytes: null, log_bytes: null });
  });
  channel.addEventListener("gap", ({ detail: { missed, reason } }) => {
    reader.gaps++;
    reader.missed += missed ?? 0;
    run.lanes.mark(lane, { tone: "lost" });
    const isFirst = performance.now() - reader.toldAt > LABEL;
    if (isFirst) run.lanes.band({ label: `gap: ${missed ?? "some"} missed, ${reason}`, lane }).end();
    if (isFirst) reader.toldAt = performance.now();
    run.samples.add({ what: "gap", reader: lane, seq: missed, delay_s: null, resident_bytes: null, log_bytes: null });
  });
}

/** @param {Run} run @returns {Promise<Vitals>} */
async function vitals(run) {
  const answer = await fetch(run.direct("demos/vitals"), { signal: run.signal });
  const { resident_bytes, log_bytes } = await answer.json();
  run.samples.add({ what: "vitals", reader: "", seq: null, delay_s: null, resident_bytes, log_bytes });
  return { resident_bytes, log_bytes };
}

/** Waits until the log holds as much as it may. @param {Run} run */
async function fillTheLog(run) {
  let before = 0;
  for (let second = 0; second < MOST_FILLING; second++) {
    await run.wait(1_000);
    const { log_bytes } = await vitals(run);
    if (log_bytes > 0 && log_bytes - before < STILL * log_bytes) return;
    before = log_bytes;
  }
}

/** The time in which the readers are slow: what the server's memory was, and what they have not taken since. */
class Slowness {
  /** @type {Point[]} */ points = [];
  #began = performance.now();
  #published = published;
  #taken = taken();

  /** @param {Vitals} before @param {{ end: () => void }[]} bands */
  constructor(before, bands) {
    this.before = before;
    this.bands = bands;
  }

  /** @param {Vitals} vitals */
  add({ resident_bytes, log_bytes }) {
    const at = (performance.now() - this.#began) / 1_000;
    const sent = published - this.#published;
    const queues = SLOW.length * sent - (taken() - this.#taken);
    const memory = (resident_bytes ?? NaN) - (this.before.resident_bytes ?? NaN);
    this.points.push({ at, memory, queues, log: log_bytes });
    if (this.points.length > 600) this.points.shift();
  }
}

/** How many bytes the slow readers have taken, in all. */
function taken() {
  return SLOW.reduce((sum, { key }) => sum + (readers.get(key)?.bytes ?? 0), 0);
}

/** @param {Run} run */
async function slowDown(run) {
  await run.link.suffer({ slow_reader: run.value("taken") * 1_000 });
  if (slowness) return;
  const label = "reads slowly";
  slowness = new Slowness(await vitals(run), SLOW.map(({ key }) => run.lanes.band({ label, lane: key })));
  slowButton.textContent = "Let them read again";
  slowButton.setAttribute("aria-pressed", "true");
  watch(run, slowness).catch((error) => run.fail(error));
}

/** @param {Run} run */
async function heal(run) {
  for (const band of slowness?.bands ?? []) band.end();
  slowness = null;
  slowButton.textContent = "Slow them down again";
  slowButton.setAttribute("aria-pressed", "false");
  await run.link.heal();
}

/**
 * Asks for the server's memory each second, and draws it, as long as the readers are slow.
 *
 * @param {Run} run
 * @param {Slowness} current
 */
async function watch(run, current) {
  while (slowness === current && !run.signal.aborted) {
    current.add(await vitals(run));
    await draw(current.points);
    await run.wait(1_000).catch(() => {});
  }
}

/** @param {Point[]} points */
function draw(points) {
  const queues = { name: "a queue for each reader would hold (computed)", values: points.map(({ queues }) => queues) };
  const memory = { name: "the server’s memory grew by (measured)", values: points.map(({ memory }) => memory) };
  const seconds = points.map(({ at }) => at);
  return chart.draw((colors) => [
    line(seconds, queues, { color: colors.fault, dash: "dash" }),
    line(seconds, memory, { color: colors["long-poll"] }),
  ]);
}

/**
 * One line of the chart, with its newest value written at its end.
 *
 * @param {number[]} seconds
 * @param {{ name: string, values: number[] }} bytes
 * @param {{ color: string, dash?: string }} style
 */
function line(seconds, { name, values }, style) {
  return {
    name,
    x: seconds,
    y: values.map((bytes) => bytes / 1e6),
    text: values.map((bytes, index) => (index === values.length - 1 ? inBytes(bytes) : "")),
    mode: "lines+text",
    cliponaxis: false,
    textposition: "top left",
    textfont: { size: 28, color: style.color },
    line: { width: 7, ...style },
  };
}

/** Whether memory rises as the queues would, rises and stops, or does not rise. @param {Point[]} points */
function verdict(points) {
  const last = points[points.length - 1];
  const middle = points.find(({ at }) => at >= last.at / 2) ?? last;
  if (last.memory - middle.memory > RISES * (last.queues - middle.queues)) return "rises";
  return last.memory > NOISE ? "stops" : "none";
}

/** Says what the slow readers cost, once that can be seen. @param {Run} run */
async function measure(run) {
  await run.wait(SLOW_FOR * 1_000);
  const last = slowness?.points.at(-1);
  if (!last) return;
  if (Number.isNaN(last.memory)) return run.say("This system does not tell how much memory the server has.");
  const truth = verdict(slowness?.points ?? []);
  const grew = last.memory < 0 ? `shrank by ${inBytes(-last.memory)}` : `grew by ${inBytes(last.memory)}`;
  const text =
    `In ${last.at.toFixed(0)} s the readers left ${inBytes(last.queues)} untaken, and that would go on. The server’s memory ` +
    `${grew}. The one log that all share holds ${inBytes(last.log)} (N = ${slowness?.points.length} looks at the memory).`;
  if (run.isAsBet("rate", "size", "taken")) run.reveal(truth, text);
  else run.tell(text);
}

function showRows() {
  for (const [key, { read, missed, gaps, worst }] of readers) {
    fillRow(key, [read, missed, gaps, `${worst.toFixed(1)} s`].map((value) => value.toLocaleString("en")));
  }
}
