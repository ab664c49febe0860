// @ts-check
/**
 * Talk while listening: three clients that hear ticks and send some of their own, over one connection or by POST.
 *
 * What to look at: the three run the same lines of code. `channel.publish` uses the WebSocket where there is one, and
 * otherwise a POST, of which each waits for the answer to the one before, so that no message overtakes another.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";
import { Demo, TRANSPORTS } from "../frame/demo.js";
import { inBytes, inMs, summarize } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run @typedef {import("../../client/fallcast.js").Transport} Transport */

/** Messages that are sent while connections are still young are drawn, but not counted, in ms. */
const WARM_UP = 1_500;

/** How many messages must have found their way free, of each kind, before the page says what a POST adds. */
const ENOUGH = 40;

/** After so many POSTs, too few of which found their way free, the page says why there is no answer. */
const TOO_MANY = 200;

/** How many of the newest messages the figures are about, at most. */
const MOST_COUNTED = 10_000;

/** So many messages wait in one client at most. */
const MOST_WAITING = 200;

/** What carries messages upwards, in the lab's counters. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "publish", "long-poll": "publish" };

/** A conversation over one transport: a client behind the lab's link, and its partner beside the server. */
class Conversation {
  /** How many messages have been handed over and not been answered. */ waiting = 0;
  /** How long messages were under way, by direction. @type {{ up: number[], down: number[] }} */ times = { up: [], down: [] };
  /** The same for those on the way up that found no other one under way: what they took is no queue's fault. @type {number[]} */
  free = [];
  #answered = 0;
  /** What had gone up when measuring began. @type {{ bytes: number, answered: number } | null} */ #before = null;
  #client;
  #partner;
  #run;

  /** @param {Run} run @param {Transport} transport @param {import("../frame/link.js").Link} link its own, so that its bytes are counted apart */
  constructor(run, transport, link) {
    this.#run = run;
    this.transport = transport;
    this.link = link;
    const path = `channels/${run.channel}.${transport}`;
    const { signal } = run;
    this.#client = connect(link.url(path), { transports: [transport], echo: false, signal });
    this.#partner = connect(run.direct(path), { transports: ["websocket"], echo: false, signal });
    this.#client.addEventListener("state", ({ detail: { state } }) => {
      if (!signal.aborted) run.lanes.state(transport, state === "open" ? "open" : "connecting", state);
    });
    this.#client.addEventListener("message", ({ data }) => this.#arrived("down", data));
    this.#partner.addEventListener("message", ({ data }) => this.#arrived("up", data));
  }

  /** Figures of different conditions are not mixed. */
  measureAnew() {
    this.times = { up: [], down: [] };
    this.free = [];
    this.#before = null;
  }

  /** The client says something. @param {number} due when that was planned */
  async talk(due) {
    if (this.#client.state !== "open" || this.waiting >= MOST_WAITING) return;
    const isFree = this.waiting++ === 0;
    await this.#client.publish({ t_plan: due, text: "tick", isFree }).catch(() => {}); // the demo has been stopped
    this.waiting--;
    this.#answered++;
  }

  /** The partner says something. @param {number} due */
  answer(due) {
    if (this.#partner.state === "open") void this.#partner.publish({ t_plan: due, text: "tock" }).catch(() => {});
  }

  /** @param {"up" | "down"} direction @param {{ t_plan: number, isFree?: boolean }} data */
  #arrived(direction, { t_plan, isFree = true }) {
    const latency = now() - t_plan;
    if (direction === "up") this.#run.lanes.mark(this.transport, { value: latency });
    if (t_plan < countsFrom) return;
    const lists = direction === "up" && isFree ? [this.times.up, this.free] : [this.times[direction]];
    for (const list of lists) if (list.push(latency) > MOST_COUNTED) list.shift();
    const [rate, delay_ms] = [this.#run.value("rate"), this.#run.value("delay")];
    this.#run.samples.add({ transport: this.transport, direction, t_plan, latency_ms: latency, is_free: isFree, rate, delay_ms });
  }

  /** What the lab has counted: bytes for each message up, and connections. */
  async cost() {
    const traffic = await this.link.traffic();
    const up = { bytes: traffic[KINDS[this.transport]]?.up.bytes ?? 0, answered: this.#answered };
    if (now() > countsFrom) this.#before ??= up;
    const before = this.#before ?? up;
    const name = (/** @type {string} */ kind) => (kind === "publish" ? "POST" : kind);
    const connections = Object.entries(traffic).map(([kind, { connections }]) => `${name(kind)} ${connections}`);
    return { bytes: (up.bytes - before.bytes) / (up.answered - before.answered), connections: connections.join(", ") };
  }
}

/** @type {Map<string, Conversation>} */ let conversations = new Map();
let countsFrom = Infinity;

function measureAnew() {
  for (const conversation of conversations.values()) conversation.measureAnew();
  countsFrom = now() + WARM_UP;
}

const LANES = TRANSPORTS.map(({ key, title }) => ({ key, title: key === "websocket" ? title : `${title} + POST` }));

new Demo({ name: "talk", unit: "ms", lanes: LANES })
  .knob("delay", async (latency_ms) => {
    await Promise.all([...conversations.values()].map(({ link }) => link.suffer({ latency_ms })));
    measureAnew();
  })
  .knob("rate", measureAnew)
  .start(async (run) => {
    const latency_ms = run.value("delay");
    conversations = new Map();
    for (const { key } of TRANSPORTS) {
      const link = key === "websocket" ? run.link : run.addLink(key);
      await link.suffer({ latency_ms });
      conversations.set(key, new Conversation(run, /** @type {Transport} */ (key), link));
    }
    measureAnew();
    bySchedule(run, "rate", (conversation, due) => void conversation.talk(due));
    bySchedule(run, "down", (conversation, due) => conversation.answer(due));
    run.every(1_000, () => report(run));
  });

/**
 * Lets all say something so many times a second, by a fixed schedule.
 *
 * @param {Run} run
 * @param {string} knob with the rate
 * @param {(conversation: Conversation, due: number) => void} say
 */
function bySchedule(run, knob, say) {
  let due = now();
  run.every(4, () => {
    const rate = run.value(knob);
    if (rate === 0) due = now();
    // What became due while the page was busy is said at once, with its plan.
    for (; rate > 0 && due <= now(); due += 1_000 / rate) {
      for (const conversation of conversations.values()) say(conversation, due);
    }
  });
}

/** @param {Run} run */
async function report(run) {
  for (const conversation of conversations.values()) {
    const { bytes, connections } = await conversation.cost();
    if (run.signal.aborted) return;
    const [up, down] = [summarize(conversation.times.up), summarize(conversation.times.down)];
    if (up.n > 0) run.lanes.number(conversation.transport, inMs(up.median), `up, median of ${up.n}`);
    else run.lanes.number(conversation.transport, String(conversation.waiting), "messages wait");
    fillRow(conversation.transport, [
      up.n.toLocaleString("en"),
      inMs(up.median),
      inMs(up.max),
      Number.isFinite(bytes) ? inBytes(bytes) : "–",
      conversation.waiting,
      connections,
      down.n.toLocaleString("en"),
      inMs(down.median),
    ]);
  }
  judge(run);
}

/**
 * What a POST adds to a message that need not wait for another one: a queue, wherever it comes from, decides no bet.
 *
 * @param {Run} run
 */
function judge(run) {
  const [socket, ...posting] = conversations.values();
  const [frames, posts] = [summarize(socket.free), summarize(posting.flatMap(({ free }) => free))];
  if (!run.isAsBet("rate", "delay")) return tellAll(run, socket, posting);
  const queued = posting.reduce((sum, { times, free }) => sum + times.up.length - free.length, 0);
  if (frames.n < ENOUGH || posts.n < ENOUGH) {
    if (queued > TOO_MANY) run.say("Most POSTs wait for the one before them: this machine is too busy to decide the bet.");
    return;
  }
  const more = posts.median - frames.median;
  const text =
    `A POST took ${inMs(posts.median)} up (N = ${posts.n}), a WebSocket's message ${inMs(frames.median)} (N = ${frames.n}): ` +
    `${inMs(Math.abs(more))} ${more < 0 ? "less" : "more"}. Left out: ${queued} POSTs that waited for the one before.`;
  // The slider begins at 1 ms: what is less can't be bet on.
  run.reveal(Math.max(1, more), text);
  run.say("And now: turn the messages upwards to 60 a second.");
}

/**
 * What the knobs as they are make of it, with a queue and all.
 *
 * @param {Run} run
 * @param {Conversation} socket
 * @param {Conversation[]} posting
 */
function tellAll(run, socket, posting) {
  const [frames, posts] = [summarize(socket.times.up), summarize(posting.flatMap(({ times }) => times.up))];
  if (frames.n < ENOUGH || posts.n < ENOUGH) return;
  const text =
    `at ${run.value("rate")} a second a POST took ${inMs(posts.median)} up (N = ${posts.n}), ` +
    `a WebSocket's message ${inMs(frames.median)} (N = ${frames.n}).`;
  run.tell(text);
  run.say("Each dot shows how long its message took, its time in the queue included.");
}
