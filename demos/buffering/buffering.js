// @ts-check
/**
 * The buffering proxy: an event stream is an answer that never ends, and somebody on the way waits for its end.
 *
 * What to look at: the lamp of the SSE lane. It counts what the browser tells the page about its EventSource. While
 * everything is held back that is nothing at all: neither `open` nor `error`.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Publisher } from "../frame/publisher.js";
import { inMs, summarize } from "../frame/statistics.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("../../client/fallcast.js").Transport} Transport */

/**
 * What may stand between the server and the page, with its name in the lanes.
 *
 * @type {Record<string, { label: string, faults: (honors: boolean) => object }>}
 */
const MIDDLEBOXES = {
  buffer: { label: "proxy collects 4 kB", faults: (honors) => ({ buffer: { until_bytes: 4096, honor_accel: honors } }) },
  whole: { label: "proxy waits for the end", faults: (honors) => ({ buffer: { honor_accel: honors } }) },
  scanner: { label: "scanner holds the last event", faults: () => ({ hold_events: true }) },
};

/** A lane that has been owed a message for so long is shown as starving, in ms. */
const STARVING = 1_000;

/** How often the page looks, in ms. */
const STEP = 100;

/** The client tries sooner whether the event stream passes again, and gives up sooner, than it does by itself. In ms. */
const IMPATIENT = { reprobe: 3_000, patience: 2_000 };

/** How many latencies a lane keeps at most, in ms: the newest. */
const MOST = 2_000;

/** What came in a lane, and since when nothing comes. */
class Lane {
  received = 0;
  /** Those of messages that were due since the conditions have changed. @type {number[]} */ latencies = [];
  #since = now();
  lastSeq = 0;
  heardAt = performance.now();
  /** The bar that grows while nothing comes. @type {import("../frame/lanes.js").Bar | null} */ #silence = null;

  /** @param {Run} run @param {string} key */
  constructor(run, key) {
    this.run = run;
    this.key = key;
  }

  /** @param {{ seq: number, t_plan: number }} message */
  take({ seq, t_plan }) {
    const latency = now() - t_plan;
    this.received++;
    this.lastSeq = Math.max(this.lastSeq, seq);
    if (t_plan >= this.#since) this.latencies.push(latency);
    if (this.latencies.length > MOST) this.latencies.shift();
    this.heardAt = performance.now();
    if (this.#silence) this.#silence.until = this.heardAt;
    this.#silence = null;
    this.run.lanes.mark(this.key, { value: latency / 1_000 });
    this.run.samples.add({ transport: this.key, seq, t_plan, latency_ms: latency, between: this.run.value("between") });
    this.show();
  }

  /** @param {number} sent how many messages there are by now */
  look(sent) {
    const silence = performance.now() - this.heardAt;
    if (sent <= this.lastSeq || silence < STARVING) return;
    this.#silence ??= this.run.lanes.bar(this.key, { from: this.heardAt, tone: "late" });
    this.#silence.label = `nothing for ${Math.floor(silence / 1_000)} s`;
    this.run.lanes.number(this.key, `${sent - this.lastSeq} held back`, `of ${sent}`);
  }

  show() {
    const { n, median } = summarize(this.latencies);
    this.run.lanes.number(this.key, inMs(median), `median of ${n}`);
  }

  /** Figures of different conditions are not mixed. */
  reset() {
    this.latencies = [];
    this.#since = now();
    this.heardAt = performance.now();
  }
}

/** @type {Map<string, Lane>} */ let lanes = new Map();
/** @type {Publisher | undefined} */ let publisher;
/** @type {{ end(): void } | null} */ let band = null;
let isAway = false;
/** How the others did until the proxy was taken away. */ let othersBefore = "";

const remove = find("#remove", HTMLButtonElement);
const hint = find("#hint", HTMLElement);

// A value stands as high as its message was late, in seconds.
const demo = new Demo({
  name: "buffering",
  lanes: [...TRANSPORTS, { key: "client", title: "fallcast.js" }],
  seconds: matchMedia("(width < 44rem)").matches ? 12 : 20,
  unit: "s",
})
  .knob("between", (_, run) => suffer(run))
  .knob("honors", (_, run) => suffer(run))
  .knob("rate", (rate) => {
    for (const lane of lanes.values()) lane.reset();
    publisher?.set({ rate });
  });

demo.start((run) => {
  lanes = new Map(run.lanes.keys.map((key) => [key, new Lane(run, key)]));
  listen(run, "websocket", ["websocket"]);
  listen(run, "long-poll", ["long-poll"]);
  run.showLog(listen(run, "client", ["sse", "long-poll"]));
  listenByEventSource(run);
  publisher = new Publisher(run.channel, { rate: run.value("rate") });
  publisher.onTally = ({ lag }) => (run.publisherLag = lag);
  publisher.onEnd = (why) => run.say(why);
  run.every(STEP, () => {
    for (const lane of lanes.values()) lane.look(publisher?.tally.sent ?? 0);
  });
  remove.disabled = false;
  remove.onclick = () => {
    isAway = !isAway;
    suffer(run).catch((error) => run.fail(error));
  };
  run.signal.addEventListener("abort", () => {
    publisher?.stop();
    lanes = new Map();
    band = null;
    isAway = false;
    nameButton();
    remove.disabled = true;
  });
});

/** Puts between the server and the page what the knobs say, on connections that are open, too. @param {Run} run */
async function suffer(run) {
  const { label, faults } = MIDDLEBOXES[run.value("between")];
  if (isAway) othersBefore = howOthersDid();
  await run.link.suffer(isAway ? {} : faults(run.value("honors")));
  if (run.signal.aborted) return;
  band?.end();
  band = isAway ? null : run.lanes.band({ label });
  for (const lane of lanes.values()) lane.reset();
  nameButton();
}

function nameButton() {
  remove.textContent = isAway ? "Put it back" : "Take it out of the way";
  hint.hidden = isAway;
}

/** @param {Run} run @param {string} key @param {Transport[]} transports */
function listen(run, key, transports) {
  const channel = connect(run.link.url(`channels/${run.channel}`), { transports, ...IMPATIENT, signal: run.signal });
  channel.addEventListener("message", ({ data }) => lanes.get(key)?.take(data));
  const tell = () => {
    const { state, transport } = channel;
    if (run.signal.aborted) return;
    if (state === "open") run.lanes.state(key, "open", `open by ${transport}`);
    else run.lanes.state(key, "connecting", state);
  };
  channel.addEventListener("state", tell);
  channel.addEventListener("transport", tell);
  return channel;
}

/** What tutorials write, and what the browser tells it. @param {Run} run */
function listenByEventSource(run) {
  const source = new EventSource(run.link.url(`channels/${run.channel}/sse`));
  const told = { open: 0, error: 0 };
  const tell = () => {
    const phase = source.readyState === 1 ? "open" : "connecting";
    if (!run.signal.aborted) run.lanes.state("sse", phase, `onopen ${told.open} ×, onerror ${told.error} ×`);
  };
  tell();
  source.onopen = () => {
    told.open++;
    tell();
  };
  source.onerror = () => {
    told.error++;
    tell();
  };
  source.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    const isFirst = lanes.get("sse")?.received === 0;
    lanes.get("sse")?.take(message);
    if (isFirst) reveal(run, now() - message.t_plan, told).catch(() => {}); // stopped meanwhile
  };
  run.signal.addEventListener("abort", () => source.close());
}

/** The first event has come, so late. @param {Run} run @param {number} late in ms @param {{ error: number }} told */
async function reveal(run, late, told) {
  // What was passed on with it follows in the same moment.
  await run.wait(STEP);
  const others = (lanes.get("sse")?.received ?? 1) - 1;
  const along = others > 0 ? `, together with ${others} ${others === 1 ? "other" : "others"}` : "";
  const why = isAway ? ", when the proxy was taken out of the way" : "";
  const errors = `onerror was called ${told.error} times`;
  const meanwhile = isAway ? othersBefore : howOthersDid();
  const text = `Event 1 showed after ${inMs(late)}${why}${along}. ${errors}. ${meanwhile}`;
  if (!isAway && run.isAsBet("between", "honors", "rate")) run.reveal(late / 1_000, text);
  else run.tell(text);
}

function howOthersDid() {
  const passed = ["websocket", "long-poll"].map((key) => {
    const { n, median } = summarize(lanes.get(key)?.latencies ?? []);
    return `${TRANSPORTS.find((lane) => lane.key === key)?.title} took ${inMs(median)} (median, N = ${n})`;
  });
  return `${passed.join(", ")}.`;
}
