// @ts-check
/**
 * The poll dial: the same news for a client that asks again and again, one that asks and waits, and one with a WebSocket.
 *
 * What to look at: asking again and asking to wait are the same loop, `Poller`. They differ in two numbers: how long the
 * server may hold the answer back, and how long the client pauses before it asks again.
 */

import { hangUp } from "../frame/bare.js";
import { now } from "../frame/clock.js";
import { Demo, find } from "../frame/demo.js";
import { Chart } from "../frame/plot.js";
import { Publisher } from "../frame/publisher.js";
import { inBytes, inMs } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run @typedef {import("../frame/link.js").Link} Link */

/** For how long a request of long-polling may be held, in ms: below the time-outs of common proxies. */
const HOLD = 25_000;

/** Requests are drawn as a strip at the top of a lane, above the messages. */
const STRIP = { row: 0, rows: 5 };

/** After a failed request, in ms. */
const RETRY = 1_000;

/** So many messages each must have brought before the page says who was sooner. */
const ENOUGH = 8;

const LANES = [
  { key: "short", title: "Ask again" },
  { key: "long-poll", title: "Ask and wait" },
  { key: "websocket", title: "WebSocket" },
];

/** An axis with 1, 2 and 5 of each power of ten. */
const LOGARITHMIC = { type: "log", dtick: "D2", tickformat: "~s" };

const chart = new Chart(
  find("#prices", HTMLElement),
  { title: "What freshness costs, dial by dial", x: "bytes a minute, both ways", y: "age of news in ms" },
  { xaxis: LOGARITHMIC, yaxis: LOGARITHMIC },
);
find("#picture", HTMLButtonElement).addEventListener("click", () => void chart.save("fallcast-poll-dial"));

/** What one client got, and what that cost, since it was last asked to begin anew. */
class Tally {
  /** @type {number[]} */ ages = [];
  answers = 0;
  inVain = 0;
  /**
   * What the lab had counted when this tally began.
   *
   * @type {{ at: number, requests: number, bytes: number } | null}
   */
  #before = null;
  /** What a minute costs. @type {{ requests: number, bytes: number } | null} */ bill = null;

  /** What arrives before the first bill is not counted: the bill would miss it. @param {number} age */
  add(age) {
    if (this.#before) this.ages.push(age);
  }

  /** @param {number} messages how many the answer brought */
  addAnswer(messages) {
    if (!this.#before) return;
    this.answers++;
    if (messages === 0) this.inVain++;
  }

  /** @param {{ requests: number, bytes: number }} sum so far */
  update({ requests, bytes }) {
    const at = performance.now();
    this.#before ??= { at, requests, bytes };
    const minutes = (at - this.#before.at) / 60_000;
    if (minutes === 0) return;
    this.bill = { requests: (requests - this.#before.requests) / minutes, bytes: (bytes - this.#before.bytes) / minutes };
  }

  get mean() {
    return this.ages.reduce((sum, age) => sum + age, 0) / this.ages.length;
  }
}

/** @type {Map<string, Tally>} */ let tallies = new Map();
/** What each position of the dial has cost. @type {Map<number, { mean: number, bytes: number }>} */ let positions = new Map();
/** The link of the client that asks again: its bytes are counted apart. @type {Link | undefined} */ let shortLink;
/** @type {Poller | undefined} */ let shortPoller;
/** @type {Publisher | undefined} */ let publisher;

/** Figures of different conditions are not mixed. */
function measureAnew() {
  tallies = new Map(LANES.map(({ key }) => [key, new Tally()]));
  positions = new Map();
}

new Demo({ name: "poll-dial", lanes: LANES, unit: "ms", prepare: () => chart.prepare() })
  .knob("delay", async (latency_ms, run) => {
    measureAnew();
    await Promise.all([run.link.suffer({ latency_ms }), shortLink?.suffer({ latency_ms })]);
  })
  .knob("news", (news) => {
    measureAnew();
    publisher?.set({ rate: news / 60 });
  })
  .knob("every", (every) => {
    tallies.set("short", new Tally());
    shortPoller?.turn(every);
  })
  .start(async (run) => {
    measureAnew();
    const link = (shortLink = run.addLink("again"));
    run.signal.addEventListener("abort", () => (shortLink = undefined));
    await link.suffer({ latency_ms: run.value("delay") });
    run.signal.throwIfAborted();
    shortPoller = new Poller(run, link, "short", { hold: 0, pause: run.value("every") });
    const longPoller = new Poller(run, run.link, "long-poll", { hold: HOLD, pause: 0 });
    void shortPoller.follow();
    void longPoller.follow();
    listen(run);
    publisher = new Publisher(run.channel, { rate: run.value("news") / 60, isIrregular: true });
    publisher.onTally = ({ lag }) => (run.publisherLag = lag);
    publisher.onEnd = (why) => run.say(why);
    run.signal.addEventListener("abort", () => publisher?.stop());
    run.every(1_000, () => report(run));
  });

// ANCHOR: poller
/** Asks, takes what comes, pauses, and asks for what came after that. */
class Poller {
  /** @type {string | undefined} */ #cursor;
  #wake = () => {};

  /**
   * @param {Run} run
   * @param {Link} link
   * @param {string} lane
   * @param {{ hold: number, pause: number }} habits in ms: how long the server may hold the answer, and from asking to asking
   */
  constructor(run, link, lane, { hold, pause }) {
    this.run = run;
    this.link = link;
    this.lane = lane;
    this.hold = hold;
    this.pause = pause;
    run.signal.addEventListener("abort", () => this.#wake());
  }

  async follow() {
    while (!this.run.signal.aborted) {
      const due = performance.now() + this.pause;
      // The first question is for the cursor, and is always answered at once.
      const isFirst = this.#cursor === undefined;
      const request = this.run.lanes.bar(this.lane, { tone: "quiet", ...STRIP });
      const count = await this.#ask().catch(() => null);
      const isAnswered = count !== null;
      request.until = performance.now();
      if (!isFirst) request.tone = count ? "plain" : "late";
      if (this.run.signal.aborted) return;
      this.run.lanes.state(this.lane, isAnswered ? "open" : "retrying", isAnswered ? this.#habit() : "no answer");
      await this.#sleepUntil(isAnswered ? due : performance.now() + RETRY);
    }
  }

  /** @returns {Promise<number>} how many messages the answer brought */
  async #ask() {
    // Each request has an address of its own, since browsers let the second of two equal ones wait for the first.
    const query = { after: this.#cursor, wait: `${this.hold}ms`, _: String(performance.now()) };
    const url = this.link.url(`channels/${this.run.channel}/poll`, query);
    const response = await fetch(url, { signal: this.run.signal, cache: "no-store" });
    const { cursor, events } = await response.json();
    this.#cursor = cursor;
    const messages = events.flatMap(({ message }) => message ?? []);
    for (const { data } of messages) take(this.run, this.lane, data);
    tallies.get(this.lane)?.addAnswer(messages.length);
    return messages.length;
  }

  /** Asks at once, and at another pace from then on. @param {number} pause */
  turn(pause) {
    this.pause = pause;
    this.#wake();
  }

  /** @param {number} time */
  #sleepUntil(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, time - performance.now()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve(null);
      };
    });
  }

  #habit() {
    return this.pause === 0 ? "one request waits, always" : `a request every ${this.pause.toLocaleString("en")} ms`;
  }
}
// ANCHOR_END: poller

/** The WebSocket, for contrast. @param {Run} run */
function listen(run) {
  const url = run.link.url(`channels/${run.channel}/ws`, { format: "json" });
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const connection = run.lanes.bar("websocket", { tone: "plain", ...STRIP });
  socket.onopen = () => run.lanes.state("websocket", "open", "one connection");
  socket.onmessage = ({ data }) => {
    const { message } = JSON.parse(data);
    if (message) take(run, "websocket", message.data);
  };
  socket.onclose = ({ code }) => {
    connection.until = performance.now();
    if (!run.signal.aborted) run.lanes.state("websocket", "refused", `closed (${code})`);
  };
  run.signal.addEventListener("abort", () => hangUp(socket));
}

/** A message is here. @param {Run} run @param {string} lane @param {{ seq: number, t_plan: number }} message */
function take(run, lane, { seq, t_plan }) {
  const age = now() - t_plan;
  run.lanes.mark(lane, { value: age, label: age.toFixed(0) });
  tallies.get(lane)?.add(age);
  const [ask_every_ms, news_a_minute, delay_ms] = ["every", "news", "delay"].map((knob) => run.value(knob));
  run.samples.add({ lane, seq, t_plan, age_ms: age, ask_every_ms, news_a_minute, delay_ms });
}

/** @param {Run} run */
async function report(run) {
  const asked = tallies;
  const [traffic, shortTraffic] = await Promise.all([run.link.traffic(), shortLink?.traffic()]);
  // A knob that was turned meanwhile has begun a new measurement.
  if (run.signal.aborted || asked !== tallies) return;
  tallies.get("short")?.update(sumOf(shortTraffic?.poll));
  tallies.get("long-poll")?.update(sumOf(traffic.poll));
  tallies.get("websocket")?.update(sumOf(traffic.websocket));
  for (const [lane, tally] of tallies) showRow(run, lane, tally);
  judge(run);
  await drawPrices(run);
}

/** @param {import("../frame/link.js").Traffic} [traffic] */
function sumOf(traffic) {
  return traffic ? { requests: traffic.exchanges, bytes: traffic.up.bytes + traffic.down.bytes } : { requests: 0, bytes: 0 };
}

/** @param {Run} run @param {string} lane @param {Tally} tally */
function showRow(run, lane, { ages, mean, answers, inVain, bill }) {
  if (ages.length === 0 || !bill) return;
  const requests = Math.round(bill.requests).toLocaleString("en");
  run.lanes.number(lane, inMs(mean), `old on average, N = ${ages.length}; ${requests} requests a minute`);
  const vain = answers > 0 ? `${Math.round((100 * inVain) / answers)} %` : "–";
  const cells = [ages.length, inMs(mean), inMs(Math.max(...ages)), requests, vain, inBytes(bill.bytes)];
  fillRow(lane, cells);
}

/** @param {Run} run */
async function drawPrices(run) {
  const short = tallies.get("short");
  if (short?.bill && short.ages.length > 0) positions.set(run.value("every"), { mean: short.mean, bytes: short.bill.bytes });
  const dial = [...positions].sort(([one], [other]) => one - other);
  const point = (/** @type {string} */ lane) => {
    const { ages, mean, bill } = /** @type {Tally} */ (tallies.get(lane));
    return ages.length > 0 && bill ? { x: [bill.bytes], y: [mean] } : { x: [], y: [] };
  };
  const marker = (/** @type {string} */ color, /** @type {string} */ symbol) => ({ color, symbol, size: 20 });
  await chart.draw((colors) => [
    {
      name: "ask again",
      x: dial.map(([, { bytes }]) => bytes),
      y: dial.map(([, { mean }]) => mean),
      text: dial.map(([every]) => `every ${every.toLocaleString("en")} ms`),
      mode: "lines+markers+text",
      line: { color: colors.ink, dash: "dot", width: 3 },
      marker: marker(colors.ink, "diamond"),
      textposition: "top center",
      cliponaxis: false,
    },
    { name: "ask and wait", ...point("long-poll"), mode: "markers", marker: marker(colors["long-poll"], "hexagon") },
    { name: "WebSocket", ...point("websocket"), mode: "markers", marker: marker(colors.websocket, "circle") },
  ]);
}

/** Who was sooner, and who sent fewer requests, once enough has come. @param {Run} run */
function judge(run) {
  const short = tallies.get("short");
  const long = tallies.get("long-poll");
  if (!short?.bill || !long?.bill || Math.min(short.ages.length, long.ages.length) < ENOUGH) return;
  const sooner = short.mean < long.mean ? "short" : "long";
  const fewer = short.bill.requests < long.bill.requests ? "short" : "long";
  const every = run.value("every").toLocaleString("en");
  const [often, seldom] = [short, long].map(({ bill }) => Math.round(bill?.requests ?? NaN));
  const text =
    `Asking every ${every} ms: ${inMs(short.mean)} old for ${often} requests a minute (N = ${short.ages.length}). ` +
    `Asking and waiting: ${inMs(long.mean)} for ${seldom} (N = ${long.ages.length}).`;
  if (run.isAsBet("every", "news", "delay")) run.reveal(`${sooner}, ${fewer}`, text);
  else run.tell(text);
}
