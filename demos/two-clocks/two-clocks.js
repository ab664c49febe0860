// @ts-check
/**
 * Two clocks: what can be said about the way of a message when its two ends have different clocks.
 *
 * What to look at: `Comparison` is the whole method (Cristian's, and in essence that of NTP): the middle between "sent" and
 * "back" is when the server's stamp was made, give or take half of the round trip. It is used twice, over a link with
 * delays and directly, and the second one shows by how much the first one errs.
 */

import { hangUp } from "../frame/bare.js";
import { now } from "../frame/clock.js";
import { Demo, find, randomName } from "../frame/demo.js";
import { Diagram, signed } from "./diagram.js";

/** @typedef {import("../frame/demo.js").Run} Run */

/**
 * One message there and back, in ms since 1970.
 *
 * @typedef {object} Exchange
 * @property {number} sent by this device's clock
 * @property {number} stamp by the server's clock
 * @property {number} back by this device's clock
 */

/** Between two messages over the link, in ms. */
const EVERY = 250;

/** Between two messages on the direct connection, in ms: that one is busy for a moment only. */
const DIRECTLY_EVERY = 50;

/** So many exchanges are compared before the page says how good the estimate is. */
const ENOUGH = 20;

/** So many exchanges are kept: clocks drift, and what is long ago says nothing about now. */
const MOST = 200;

// ANCHOR: comparison
/** Compares this device's clock with the server's. */
class Comparison {
  /** @type {Exchange[]} */ exchanges = [];

  /** @param {Exchange} exchange */
  add(exchange) {
    this.exchanges.push(exchange);
    if (this.exchanges.length > MOST) this.exchanges.shift();
  }

  get n() {
    return this.exchanges.length;
  }

  /** The exchange with the shortest round trip: it has waited in the fewest queues. */
  get best() {
    return this.exchanges.reduce((best, one) => (roundTrip(one) < roundTrip(best) ? one : best));
  }

  /** By how much this device's clock is ahead of the server's, as far as one can tell. */
  get ahead() {
    const { sent, stamp, back } = this.best;
    return (sent + back) / 2 - stamp;
  }

  /** The most by which `ahead` may be wrong: the stamp was made between `sent` and `back`. */
  get bound() {
    return roundTrip(this.best) / 2;
  }
}
// ANCHOR_END: comparison

/** @param {Exchange} exchange */
function roundTrip({ sent, back }) {
  return back - sent;
}

const asStamped = new Diagram(find("#raw", SVGSVGElement));
const corrected = new Diagram(find("#corrected", SVGSVGElement));

/** The made-up error of this device's clock, in ms. */
let shift = 0;
/** Over the link, by the clock with the made-up error. */
let overLink = new Comparison();
/** Directly, and by the clock as it is. */
let direct = new Comparison();

/** Stamps of different conditions are not compared with each other. */
function measureAnew() {
  overLink = new Comparison();
}

new Demo({ name: "two-clocks", lanes: [] })
  .knob("shift", (ms) => {
    shift = ms;
    measureAnew();
  })
  .knob("up", setDelays)
  .knob("down", setDelays)
  .start((run) => {
    direct = new Comparison();
    measureAnew();
    const busy = directEcho(run);
    const echo = openEcho(run, run.link.url(`channels/${run.channel}/ws`, { format: "json" }), (exchange, comparison) => {
      if (comparison !== overLink) return;
      overLink.add(exchange);
      remember(run, "link", exchange);
      show(run, exchange);
    });
    run.every(EVERY, () => echo(() => now() + shift, overLink));
    run.every(DIRECTLY_EVERY, () => direct.n < ENOUGH && busy());
    run.every(EVERY * ENOUGH, busy);
  });

/** @param {number} _ @param {Run} run */
async function setDelays(_, run) {
  measureAnew();
  await run.link.suffer({ latency_ms: { up: run.value("up"), down: run.value("down") } });
  measureAnew();
}

/** A message to the server and back, past the link. @param {Run} run */
function directEcho(run) {
  const url = run.direct(`channels/${run.channel}-direct/ws?format=json`);
  const echo = openEcho(run, url, (exchange) => {
    direct.add(exchange);
    remember(run, "direct", exchange);
  });
  return () => echo(now, direct);
}

/**
 * Opens a WebSocket on which a message comes back with the server's stamp.
 *
 * @param {Run} run
 * @param {URL} url
 * @param {(exchange: Exchange, comparison: Comparison) => void} take
 * @returns {(clock: () => number, comparison: Comparison) => void} sends one message, stamped by this clock
 */
function openEcho(run, url, take) {
  const name = randomName();
  /** @type {Map<number, { sent: number, clock: () => number, comparison: Comparison }>} */ const underWay = new Map();
  let count = 0;
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    const { message } = JSON.parse(data);
    const asked = message?.data.name === name && underWay.get(message.data.count);
    if (!asked) return;
    underWay.delete(message.data.count);
    take({ sent: asked.sent, stamp: message.at / 1_000, back: asked.clock() }, asked.comparison);
  };
  socket.onclose = ({ code }) => run.signal.aborted || run.say(`A connection to the server is closed (${code}).`);
  run.signal.addEventListener("abort", () => hangUp(socket));
  return (clock, comparison) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    underWay.set(++count, { sent: clock(), clock, comparison });
    socket.send(JSON.stringify({ publish: { data: { name, count } } }));
  };
}

/** @param {Run} run @param {string} path @param {Exchange} exchange */
function remember(run, path, { sent, stamp, back }) {
  const [up_ms, down_ms] = [run.value("up"), run.value("down")];
  run.samples.add({ path, sent, stamp, back, made_up_ms: path === "link" ? shift : 0, up_ms, down_ms });
}

/** @param {Run} run @param {Exchange} exchange the newest */
function show(run, exchange) {
  const { sent, stamp, back } = exchange;
  asStamped.show({ sent, arrived: stamp, back });
  const way = stamp - sent;
  say("raw-number", `${signed(way)} ms`);
  find("#raw-number", HTMLElement).classList.toggle("before", way < 0);
  say("raw-note", way < 0 ? "arrived before it was sent" : "under way, it seems");

  const { ahead, bound, n } = overLink;
  const truth = direct.n > 0 ? stamp + direct.ahead + shift : undefined;
  corrected.show({ sent, arrived: stamp + ahead, back, bound, truth });
  say("corrected-number", `${signed(stamp + ahead - sent)} ± ${signed(bound)} ms`);
  say("corrected-note", `best of ${n}`);
  for (const lane of document.querySelectorAll("[data-lane]")) lane.setAttribute("data-count", String(n));
  say("round-trip", `${signed(back - sent)} ms`);
  say("estimate", `${signed(ahead)} ± ${signed(bound)} ms (N = ${n})`);
  if (direct.n > 0) compare(run);
}

/** How good the estimate is, by what the direct connection says. @param {Run} run */
function compare(run) {
  const truth = direct.ahead + shift;
  const error = overLink.ahead - truth;
  say("reference", `${signed(truth)} ± ${signed(direct.bound)} ms (N = ${direct.n})`);
  say("error", `${signed(error)} ms`);
  if (overLink.n < ENOUGH || direct.n < ENOUGH) return;
  const isWithin = Math.abs(error) <= overLink.bound + direct.bound;
  const text =
    `The best of ${overLink.n} estimates is off by ${signed(Math.abs(error))} ms, with ${run.value("up")} ms up and ` +
    `${run.value("down")} ms down. The bound of ± ${signed(overLink.bound)} ms ${isWithin ? "holds" : "does not hold"}.`;
  if (run.isAsBet("up", "down")) run.reveal(Math.abs(error), text);
  else run.tell(text);
}

/** @param {string} id @param {string} text */
function say(id, text) {
  const element = find(`#${id}`, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}
