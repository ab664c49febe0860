// @ts-check
/**
 * Cut the cable: numbered messages, three listeners, and an outage of two seconds.
 *
 * What to look at: a mark stands where its message was *sent*, not where it arrived. So what an outage has cost is a
 * cross in the row of numbers, and what was caught up with later fills its place, hollow.
 */

import { now } from "../frame/clock.js";
import { Demo, TRANSPORTS } from "../frame/demo.js";
import { Ledger } from "../frame/ledger.js";
import { Publisher } from "../frame/publisher.js";
import { listenByClient, listenByEventSource, listenByPolling, listenByWebSocket } from "./listeners.js";

/** @typedef {import("../frame/demo.js").Run} Run */

/** How long the large button cuts, in ms. */
const OUTAGE = 2_000;

/** A message that arrives so long after it was due has been held up, in ms. */
const LATE = 250;

/** A message that was due so long before the connection stood was sent while nobody was there, in ms. */
const AWAY = 50;

/** What each kind of cut does to the link, until it is healed. @type {Record<string, object>} */
const CUTS = {
  break: { cut: { after_ms: 0, how: "rst", open_only: true }, refuse_ms: 60_000 },
  halt: { slow_reader: { up: 0, down: 0 } },
};

/** @type {Map<string, Ledger>} */ let ledgers = new Map();
/** @type {Publisher | undefined} */ let publisher;
/** The present listener on WebSocket, since the switch replaces it. */ let webSocketEar = new AbortController();
/** The last outage, until it is judged. @type {{ until: number, lostBefore: Map<string, number> } | null} */ let outage = null;

const actions = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".actions button"));

// The axis is short enough for a number to stand in each mark.
const demo = new Demo({ name: "cut-cable", isTimed: false, seconds: matchMedia("(width < 44rem)").matches ? 4 : 10 })
  .knob("rate", (rate) => publisher?.set({ rate }))
  .knob("resume", (isOn, run) => listenOverWebSocket(run, isOn));

demo.start((run) => {
  listenByEventSource(earOf(run, "sse", new AbortController()));
  void listenByPolling(earOf(run, "long-poll", new AbortController()));
  publisher = new Publisher(run.channel, { rate: run.value("rate") });
  publisher.onTally = ({ lag }) => (run.publisherLag = lag);
  publisher.onEnd = (why) => run.say(why);
  allowCuts(run);
  run.signal.addEventListener("abort", () => {
    publisher?.stop();
    ledgers = new Map();
    outage = null;
    for (const button of actions) button.disabled = true;
  });
});

/** @param {Run} run @param {boolean} hasCursor */
function listenOverWebSocket(run, hasCursor) {
  webSocketEar.abort();
  webSocketEar = new AbortController();
  // Figures of different conditions are not mixed.
  for (const ledger of ledgers.values()) ledger.reset();
  const ear = earOf(run, "websocket", webSocketEar);
  if (hasCursor) run.showLog(listenByClient(ear));
  else void listenByWebSocket(ear);
}

/**
 * @param {Run} run
 * @param {string} lane
 * @param {AbortController} own
 * @returns {import("./listeners.js").Ear}
 */
function earOf(run, lane, own) {
  /** Since when the connection stands, or null while it does not. @type {number | null} */ let openSince = null;
  const ledger = ledgers.get(lane) ?? new Ledger(() => {});
  ledgers.set(lane, ledger);
  ledger.onEntry = ({ seq, t_plan }, isLost) => {
    const late = isLost ? null : now() - t_plan;
    const isCaughtUp = (late ?? 0) > LATE || t_plan + AWAY < (openSince ?? 0);
    const tone = isLost ? "lost" : isCaughtUp ? "caught-up" : "plain";
    run.lanes.mark(lane, { at: t_plan - performance.timeOrigin, label: String(seq), tone });
    run.lanes.number(lane, `${ledger.lost.length} lost`, `of ${ledger.seen}`);
    run.samples.add({ transport: lane, seq, t_plan, is_lost: isLost, late_ms: late, resume: run.value("resume") });
  };
  run.signal.addEventListener("abort", () => own.abort());
  return {
    url: (door, query) => run.link.url(`channels/${run.channel}/${door}`.replace(/\/$/, ""), query),
    signal: own.signal,
    take: (message) => {
      if (own.signal.aborted) return;
      ledger.take(message);
      judge(run);
    },
    tell: (phase, words) => {
      if (own.signal.aborted) return;
      openSince = phase === "open" ? (openSince ?? now()) : null;
      run.lanes.state(lane, phase, words);
    },
  };
}

/** @param {Run} run */
function allowCuts(run) {
  const [forSeconds, forOne] = actions;
  /** @param {() => Promise<void>} cut */
  const one = (cut) => async () => {
    for (const button of actions) button.disabled = true;
    await cut().catch((error) => run.fail(error));
    for (const button of actions) button.disabled = run.signal.aborted;
  };
  forSeconds.onclick = one(() => cut(run, "cable cut", OUTAGE));
  forOne.onclick = one(() => loseOne(run));
  for (const button of actions) button.disabled = false;
}

/** @param {Run} run @param {string} label @param {number} ms */
async function cut(run, label, ms) {
  const lostBefore = new Map([...ledgers].map(([lane, { lost }]) => [lane, lost.length]));
  const band = run.lanes.band({ label });
  await run.link.suffer(CUTS[run.value("how")]);
  await run.wait(ms);
  await run.link.heal();
  band.end();
  outage = { until: now(), lostBefore };
}

/**
 * Cuts from before one message is due until shortly after. The cut has nearly half a period to take effect, and the
 * listeners have nearly a whole one to come back before the next message.
 *
 * @param {Run} run
 */
async function loseOne(run) {
  const last = ledgers.get("websocket")?.last;
  if (!last) return;
  const period = 1_000 / run.value("rate");
  const [before, after] = [0.45 * period, 0.1 * period];
  const soonest = now() + before;
  const due = last.t_plan + period * Math.ceil((soonest - last.t_plan) / period);
  await run.wait(due - before - now());
  await cut(run, "cut", before + after);
}

/** Who has lost anything, once all have heard what was sent after the outage. @param {Run} run */
function judge(run) {
  if (!outage) return;
  const { until, lostBefore } = outage;
  if (TRANSPORTS.some(({ key }) => (ledgers.get(key)?.last?.t_plan ?? 0) < until)) return;
  outage = null;
  const lost = TRANSPORTS.map(({ key, title }) => {
    return { key, title, numbers: ledgers.get(key)?.lost.slice(lostBefore.get(key)) ?? [] };
  });
  const losers = lost.filter(({ numbers }) => numbers.length > 0);
  const truth = losers.length === lost.length ? "all" : losers.map(({ key }) => key).join(" ") || "nobody";
  const seen = Math.min(...[...ledgers.values()].map(({ seen }) => seen));
  const sentence = lost.map(({ title, numbers }) => `${title} lost ${listed(numbers)}`).join(", ");
  const text = `${sentence} (N = ${seen} messages so far).`;
  if (run.isAsBet("how", "resume")) run.reveal(truth, text);
  else run.tell(text);
}

/** @param {number[]} numbers that follow one another */
function listed(numbers) {
  if (numbers.length < 2) return numbers.length === 0 ? "nothing" : `exactly one, number ${numbers[0]}`;
  return `${numbers.length}, numbers ${numbers[0]} to ${numbers.at(-1)}`;
}
