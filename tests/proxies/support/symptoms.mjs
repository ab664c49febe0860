/**
 * What a client notices of the way to its server. The same questions go to real proxies and to links of the lab, over
 * raw sockets, so that nothing between hides an answer. What comes out are plain words, which can be compared and printed.
 *
 * Hardly any answer depends on time. Whether an event has been held is told by what has overtaken it: when two whole
 * answers, asked for one after the other when the event had been published, have come over the same way, then what is
 * still missing was not passed on when it came. The proxies, the lab and the server work on one thread each for that.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { Exchange, HANDSHAKE } from "../../browser/support/wire.mjs";
import { freshChannel } from "../../foreign/support/server.mjs";
import { contentOf, isComplete } from "./content.mjs";

/**
 * What has been overtaken is waited for so long, in ms. That is longer than any timer of a kernel or a proxy that sends
 * what has gathered, and tells what comes late by itself from what waits for more.
 */
const PATIENCE = 1_500;

/** The bytes of a published event, of which several fit into any buffer. */
const EVENT = 500;

/** So many bytes have to be published in vain before a way counts as mute. */
const ENOUGH = 20_000;

/** How many times the idle limit of others a way must live through to count as patient. */
const FAR_BEYOND = 3;

/**
 * @typedef {{ url(path: string): URL | string }} Way how a path of the server is reached
 * @typedef {import("../../foreign/support/server.mjs").Server} Server
 * @typedef {"ws" | "sse" | "stream"} Endless
 */

/** The way on which nothing is between. @param {Server} server @returns {Way} */
export function directly(server) {
  return { url: (path) => server.origin + path };
}

/**
 * Everything that a way does to a client that is not idle.
 *
 * @param {Way} way
 * @param {Server} server with one worker
 */
export async function symptomsOf(way, server) {
  const upgrade = await upgradeOver(way);
  return {
    upgrade,
    websocket: upgrade === "101" ? await arrivalOver(way, server, "ws") : "none",
    sse: await arrivalOver(way, server, "sse"),
    stream: await arrivalOver(way, server, "stream"),
    poll: await pollOver(way, server),
    "64 KiB": await largeMessageOver(way, server),
  };
}

/**
 * What a way does when a server has nothing to say and sends no heartbeats.
 *
 * @param {Way} way
 * @param {Server} server with one worker, and with hours between heartbeats
 * @param {number} limit the time in ms after which the way is expected to lose its patience, if it ever does
 */
export async function idleSymptomsOf(way, server, limit) {
  const upgrade = await upgradeOver(way);
  const [websocket, sse, stream, poll] = await Promise.all([
    upgrade === "101" ? silenceOver(way, server, "ws", limit) : "none",
    silenceOver(way, server, "sse", limit),
    silenceOver(way, server, "stream", limit),
    silenceOver(way, server, "poll", limit),
  ]);
  return { websocket, sse, stream, poll };
}

// --- the questions ---------------------------------------------------------------------------------------------------

/** What a handshake is answered, and by whom. @param {Way} way */
async function upgradeOver(way) {
  const exchange = new Exchange(way.url(`/channels/${freshChannel()}/ws`), { headers: HANDSHAKE });
  try {
    await exchange.answers();
    return exchange.status === 101 ? "101" : `${exchange.status} by ${speakerOf(exchange)}`;
  } finally {
    exchange.close();
  }
}

/** When the events of a subscription come. @param {Way} way @param {Server} server @param {Endless} transport */
async function arrivalOver(way, server, transport) {
  const subscription = await Subscription.open(way, server, transport);
  try {
    const arrivals = [await subscription.arrivalOf("hello")];
    for (let number = 1; number <= 3; number += 1) {
      arrivals.push(await subscription.arrivalOf(await subscription.publish(number)));
      if (number > 1 && arrivals[number - 1] === "held" && subscription.hears(endOf(number - 1))) {
        arrivals[number - 1] = "with the next one";
      }
    }
    return await inWords(arrivals, subscription);
  } finally {
    subscription.close();
  }
}

/** Whether the answer to a poll that was held comes as it was sent. @param {Way} way @param {Server} server */
async function pollOver(way, server) {
  const subscription = await Subscription.open(way, server, "poll");
  try {
    const event = await subscription.publish(1);
    await subscription.exchange.hears(event).catch(() => "what is missing is seen below");
    return isComplete(subscription.exchange) ? "whole" : "cut short";
  } finally {
    subscription.close();
  }
}

/** Whether a large message comes through, up and down. @param {Way} way @param {Server} server */
async function largeMessageOver(way, server) {
  const channel = freshChannel();
  const text = "0123456789abcdef".repeat(4096);
  const published = await fetch(way.url(`/channels/${channel}`), { method: "POST", body: text });
  if (published.status !== 201) return `${published.status} to the publisher`;
  const answer = await fetch(way.url(`/channels/${channel}/poll?after=start&wait=0`));
  const { events } = await answer.json();
  return events.some((/** @type {any} */ { message }) => message?.data === text) ? "whole" : "changed";
}

/**
 * What becomes of a subscription on which nothing happens.
 *
 * @param {Way} way
 * @param {Server} server
 * @param {Endless | "poll"} transport
 * @param {number} limit
 */
async function silenceOver(way, server, transport, limit) {
  const began = performance.now();
  const subscription = await Subscription.open(way, server, transport);
  try {
    const { exchange } = subscription;
    await Promise.race([exchange.ends(), exchange.hears("HTTP/1.1 5").catch(() => "ended"), sleep(FAR_BEYOND * limit)]);
    const isEarly = performance.now() - began < limit ? ", too early" : "";
    return (await fateOf(subscription)) + isEarly;
  } finally {
    subscription.close();
  }
}

// --- the words for the answers ---------------------------------------------------------------------------------------

/**
 * Who has written an answer: the server's faults are problem documents, a proxy's are pages.
 *
 * @param {Exchange} exchange
 */
function speakerOf(exchange) {
  return exchange.header("Content-Type") === "application/problem+json" ? "the server" : "a proxy";
}

/**
 * @param {string[]} arrivals of `hello` and some events, each of which was published when the one before had been seen
 * @param {Subscription} subscription
 */
async function inWords(arrivals, subscription) {
  if (arrivals.every((arrival) => arrival === "at once")) return "at once";
  if (arrivals.every((arrival) => arrival === "late" || arrival === "at once")) return "late";
  const [newest, ...before] = arrivals.slice(1).reverse();
  if (newest === "held" && before.every((arrival) => arrival === "with the next one")) return "each with the next one";
  return inBlocks(await growthOf(subscription));
}

/**
 * How the content of an answer grows while events are published one by one.
 *
 * @param {Subscription} subscription
 */
async function growthOf(subscription) {
  const steps = [];
  let [length, number] = [contentOf(subscription.exchange).length, 3];
  while ((number += 1) * EVENT < ENOUGH) {
    await subscription.arrivalOf(await subscription.publish(number), 0);
    const grown = contentOf(subscription.exchange).length;
    if (grown > length) steps.push(grown - length);
    length = grown;
  }
  return steps;
}

/**
 * The first block is left out: the head and what came before the count began took a part of the buffer.
 *
 * @param {number[]} steps
 */
function inBlocks([first, ...steps]) {
  if (first === undefined) return "held";
  if (steps.length === 0) return `in one block of ${first} bytes`;
  const [least, most] = [Math.min(...steps), Math.max(...steps)];
  return least === most ? `in blocks of ${least} bytes` : `in blocks of ${least} to ${most} bytes`;
}

/** @param {Subscription} subscription on which nothing has happened for long */
async function fateOf(subscription) {
  const { exchange, transport } = subscription;
  if (exchange.status >= 500) return `${exchange.status} by ${speakerOf(exchange)}`;
  if (exchange.ending === null) {
    await exchange.hears(await subscription.publish(1));
    return "lives";
  }
  if (exchange.received === "") return `${exchange.ending} without an answer`;
  if (transport !== "poll" && !subscription.hears("hello")) return `${exchange.ending} without hello`;
  return exchange.ending;
}

// --- one subscription ------------------------------------------------------------------------------------------------

/** One exchange with a channel of its own, and a publisher who takes the direct way. */
class Subscription {
  /**
   * Subscribes, and waits until the server knows of it, whatever the client may have been told.
   *
   * @param {Way} way
   * @param {Server} server
   * @param {Endless | "poll"} transport
   */
  static async open(way, server, transport) {
    const channel = freshChannel();
    // A poll waits if it names the head.
    const { cursor } = await (await fetch(`${server.channel(channel)}/poll`)).json();
    const subscription = new Subscription(way, server, channel, transport, cursor);
    while (!(await subscription.#isKnown())) await sleep(10);
    return subscription;
  }

  /**
   * @param {Way} way
   * @param {Server} server
   * @param {string} channel
   * @param {Endless | "poll"} transport
   * @param {string} cursor
   */
  constructor(way, server, channel, transport, cursor) {
    this.way = way;
    this.server = server;
    this.transport = transport;
    this.channel = channel;
    const query = { ws: "?format=json", sse: "", stream: "", poll: `?wait=600&after=${cursor}` }[transport];
    const headers = transport === "ws" ? HANDSHAKE : {};
    this.exchange = new Exchange(way.url(`/channels/${channel}/${transport}${query}`), { headers });
  }

  /** Publishes an event, and returns what has come when it has come to its end. @param {number} number */
  async publish(number) {
    await this.server.publish(this.channel, endOf(number).padStart(EVENT, "."));
    return endOf(number);
  }

  /** Whether a text has come. @param {string} text */
  hears(text) {
    return contentOf(this.exchange).includes(text);
  }

  /**
   * Whether a text that the server has sent comes at once, late, or not before there is more.
   *
   * @param {string} text
   * @param {number} [patience]
   */
  async arrivalOf(text, patience = PATIENCE) {
    for (let answer = 1; answer <= 2; answer += 1) await this.#overtake();
    if (this.hears(text)) return "at once";
    await Promise.race([this.exchange.hears(text).catch(() => "it has ended"), sleep(patience)]);
    return this.hears(text) ? "late" : "held";
  }

  close() {
    this.exchange.close();
  }

  async #isKnown() {
    const { channels } = await (await fetch(`${this.server.origin}/channels`)).json();
    const mine = channels.find((/** @type {any} */ { channel }) => channel === this.channel);
    return Object.values(mine.subscribers).some((count) => count > 0);
  }

  /** Asks for something else over the same way, and waits for the answer. */
  async #overtake() {
    const other = new Exchange(this.way.url("/healthz"));
    await other.hears("ok\n");
    other.close();
  }
}

/** The end of an event's text. @param {number} number */
function endOf(number) {
  return `<event ${number}>`;
}
