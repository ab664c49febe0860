// @ts-check
/**
 * The ticker: more changes than a line can carry, and what is left when fewer are sent.
 *
 * What to look at: `look`. It measures how far behind a screen is by the newest change that has come, and it measures so
 * whether something comes or not: a board that gets nothing at all does not look fresh.
 */

import { listen } from "../frame/bare.js";
import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inBytes, inMs, summarize } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { Board } from "./board.js";
import { Market } from "./market.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {"each" | "batch" | "latest"} Mode */
/**
 * What was measured while one thing was sent.
 *
 * @typedef {{ behind: Record<string, number[]>, rates: Record<string, number>, frames: number }} Finding
 */

const SYMBOLS = 200;

/** @type {Mode[]} */
const MODES = ["each", "batch", "latest"];

/** How often the page looks how far behind the boards are, in ms. */
const LOOK = 100;

/** What comes so soon after a change of conditions is not counted, in ms. */
const SETTLING = 3_000;

/** So many looks make a finding, and so many are kept: those of the last minute. */
const ENOUGH = 30;
const MOST = 600;

/** Less than this factor is no difference. */
const TIE = 1.2;

/** In the lab's counters, a kind of exchange for each transport. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "sse", "long-poll": "poll" };

const less = find("button.less", HTMLButtonElement);
const modeKnob = find("select[name=mode]", HTMLSelectElement);
/** @type {Record<string, Board>} */ let boards = {};
/** @type {Market | undefined} */ let market;
/** Ends the subscriptions to what is sent at present. */ let subscriptions = new AbortController();
/** @type {Map<Mode, Finding>} */ let findings = new Map();
/** When counting begins, what had been moved then, and how many frames had been painted. */
let since = { time: Infinity, traffic: /** @type {Record<string, any> | null} */ (null), frames: 0 };
let frames = 0;

less.addEventListener("click", () => {
  modeKnob.value = modeKnob.value === "latest" ? "each" : "latest";
  modeKnob.dispatchEvent(new Event("input"));
});

new Demo({ name: "ticker", unit: "ms", seconds: 20 })
  .knob("mode", (_, run) => market && subscribe(run))
  .knob("rate", (rate, run) => {
    findings.clear();
    market?.set(rate);
    if (market) return subscribe(run);
  })
  .knob("bandwidth", async (kilobytes, run) => {
    findings.clear();
    await run.link.suffer({ bandwidth: { down: 1_000 * kilobytes } });
    if (market) await subscribe(run);
  })
  .start(async (run) => {
    const own = (market = new Market(SYMBOLS, MODES.map((mode) => run.direct(nameOf(run, mode)))));
    own.onEnd = (why) => run.say(why);
    run.signal.addEventListener("abort", () => {
      own.stop();
      subscriptions.abort();
      if (market === own) market = undefined;
      less.disabled = true;
    });
    const boardOf = (/** @type {string} */ key) => new Board(find(`[data-board="${key}"]`, HTMLElement), SYMBOLS);
    boards = Object.fromEntries(TRANSPORTS.map(({ key }) => [key, boardOf(key)]));
    findings.clear();
    own.set(run.value("rate"));
    await own.opened;
    await subscribe(run);
    run.every(LOOK, () => look(run, own));
    run.every(500, () => count(run));
    paintEachFrame(run, own);
  });

/** @param {Run} run @param {Mode} mode */
function nameOf(run, mode) {
  return `channels/${run.channel}-${mode}`;
}

/** Leaves the channels of before, with all that is queued there, and gets all prices once. @param {Run} run */
async function subscribe(run) {
  if (run.signal.aborted) return;
  subscriptions.abort();
  const { signal } = (subscriptions = new AbortController());
  since = { time: Infinity, traffic: null, frames };
  const channel = run.link.url(nameOf(run, run.value("mode")));
  const opened = TRANSPORTS.map(({ key }) =>
    listen(key, channel, {
      signal,
      onState: (phase, words) => signal.aborted || run.lanes.state(key, phase, words),
      onMessage: (changes) => signal.aborted || boards[key].take(changes),
    }).opened,
  );
  await Promise.all(opened);
  if (signal.aborted) return;
  market?.sendSnapshot();
  since.time = performance.now() + SETTLING;
  less.textContent = run.value("mode") === "latest" ? "Send every change again" : "Now send only the latest prices";
}

/** @param {Run} run @param {Market} market */
function look(run, market) {
  run.publisherLag = market.lag;
  const time = now();
  const mode = /** @type {Mode} */ (run.value("mode"));
  const counts = performance.now() >= since.time;
  for (const { key } of TRANSPORTS) {
    if (boards[key].newest === 0) continue;
    const behind = Math.max(0, time - boards[key].newest);
    run.lanes.mark(key, { value: behind, tone: behind > 1_000 ? "late" : "plain" });
    run.lanes.number(key, inMs(behind), counts ? `behind, N = ${behindOf(mode, key).length}` : "behind");
    if (!counts) continue;
    const looks = behindOf(mode, key);
    looks.push(behind);
    if (looks.length > MOST) looks.shift();
    const conditions = { rate: run.value("rate"), bandwidth_kB: run.value("bandwidth") };
    run.samples.add({ transport: key, mode, at: time, behind_ms: behind, ...conditions });
  }
}

/** @param {Mode} mode @param {string} transport */
function behindOf(mode, transport) {
  const finding = findings.get(mode) ?? { behind: {}, rates: {}, frames: 0 };
  findings.set(mode, finding);
  return (finding.behind[transport] ??= []);
}

/** @param {Mode} mode @param {string} transport */
function medianOf(mode, transport) {
  return summarize(behindOf(mode, transport)).median;
}

/** @param {Run} run @param {Market} market */
function paintEachFrame(run, market) {
  const paint = () => {
    if (run.signal.aborted) return;
    frames++;
    const time = now();
    for (const { key } of TRANSPORTS) {
      const wrong = boards[key].paint((symbol, version) => market.wrongFor(symbol, version, time));
      boards[key].say(`${Math.round(100 * wrong)} % wrong`);
    }
    requestAnimationFrame(paint);
  };
  requestAnimationFrame(paint);
}

/** What is moved in a second, and the verdict when there is enough for one. @param {Run} run */
async function count(run) {
  const own = since;
  if (performance.now() < own.time) return;
  const mode = /** @type {Mode} */ (run.value("mode"));
  const traffic = await run.link.traffic();
  if (own !== since || run.signal.aborted) return;
  if (!own.traffic) return void Object.assign(own, { traffic, frames, time: performance.now() });
  const seconds = (performance.now() - own.time) / 1_000;
  const finding = findings.get(mode);
  if (!finding) return;
  finding.frames = (frames - own.frames) / seconds;
  for (const { key } of TRANSPORTS) {
    const moved = (/** @type {Record<string, any>} */ from) => from[KINDS[key]]?.up.bytes + from[KINDS[key]]?.down.bytes;
    finding.rates[key] = (moved(traffic) - moved(own.traffic)) / seconds;
  }
  showRow(mode, finding);
  if (behindOf(mode, "sse").length < ENOUGH) return;
  less.disabled = false;
  judge(run);
}

/** @param {Mode} mode @param {Finding} finding */
function showRow(mode, { behind, rates, frames }) {
  const cells = TRANSPORTS.map(({ key }) => `${inMs(medianOf(mode, key))}, ${inBytes(rates[key])}/s`);
  cells.push(String(behind.sse.length), frames.toFixed(0));
  fillRow(mode, cells);
}

/** @param {Run} run */
function judge(run) {
  const isMeasured = (/** @type {Mode} */ mode) => (findings.get(mode)?.behind.sse.length ?? 0) >= ENOUGH;
  if (!isMeasured("each") || !isMeasured("latest")) return;
  const mean = (/** @type {Mode} */ mode) =>
    TRANSPORTS.reduce((sum, { key }) => sum + medianOf(mode, key), 0) / TRANSPORTS.length;
  const [each, latest] = [mean("each"), mean("latest")];
  const truth = each > TIE * latest ? "latest" : latest > TIE * each ? "each" : "tie";
  const list = (/** @type {Mode} */ mode) =>
    TRANSPORTS.map(({ key, title }) => `${title} ${inMs(medianOf(mode, key))}`).join(", ");
  const n = Math.min(behindOf("each", "sse").length, behindOf("latest", "sse").length);
  const text = `Behind, with every change: ${list("each")}. With the latest prices: ${list("latest")} (medians, N ≥ ${n}).`;
  if (run.isAsBet("rate", "bandwidth")) run.reveal(truth, text);
  else run.tell(text);
}
