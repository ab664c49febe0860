/**
 * How the tests of faults are told: a line to a channel that has a fault, a healthy way beside it, and clients that are
 * expected to survive.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { freshChannel, HANG_GUARD, Server } from "../../foreign/support/server.mjs";
import { Lab } from "./lab.mjs";
import { Publisher } from "./publisher.mjs";
import { stored } from "./stored.mjs";
import { openBlankPage, openProfile, Subscriber } from "./subscriber.mjs";
import { Exchange } from "./wire.mjs";

/** The decision log of a client that has no reason to fall back. */
export const PREFERRED = "websocket try · websocket alive";
/** That of a client that takes the next best, at once. */
export const REFUSED = "websocket try · websocket refused · sse try · sse alive · websocket beaten";
/** That of a race that nobody wins. */
export const NOTHING = "websocket try · websocket refused · sse try · sse refused · long-poll try · long-poll refused";

/** That of a client that finds nothing, and then what it prefers: an outage says nothing about transports. */
export const OUTAGE = `${NOTHING} · wait · ${PREFERRED}`;

/** Why the watchdog ends a line. */
export const SILENT = /^nothing came for \d+ ms/;

/** @typedef {{ server: Server, lab: Lab, browser: import("playwright-core").Browser }} Place where tests take place */

/**
 * Starts a server with a lab. Whoever starts it, stops it.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string[]} [flags]
 * @returns {Promise<Place>}
 */
export async function openPlace(browser, flags = []) {
  const server = await Server.start({ flags: ["--lab-port", "auto", ...flags] });
  return { server, lab: await Lab.of(server), browser };
}

/**
 * Declares the two tests of a fault.
 *
 * @param {string} name
 * @param {Place} place
 * @param {object} faults
 * @param {{ wire(line: Line): Promise<void>, client(line: Line): Promise<void> }} what happens, and how it is survived
 */
export function fault(name, place, faults, { wire, client }) {
  test(`${name}: so it is on the wire`, HANG_GUARD, async (test) => wire(await Line.open(test, place, faults)));
  test(`${name}: the client survives it`, HANG_GUARD, async (test) => client(await Line.open(test, place, faults)));
}

/** A channel, a link to it that may have faults, and a healthy way to it for comparison. */
export class Line {
  /**
   * @param {import("node:test").TestContext} test
   * @param {Place} place
   * @param {object} [faults]
   */
  static async open(test, place, faults) {
    return new Line(test, place, await place.lab.link(faults));
  }

  /** @param {import("node:test").TestContext} test @param {Place} place @param {import("./lab.mjs").Link} link */
  constructor(test, { server, browser }, link) {
    this.channel = freshChannel();
    this.link = link;
    this.server = server;
    this.browser = browser;
    this.test = test;
  }

  /**
   * Sends a request over the link.
   *
   * @param {string} path
   * @param {ConstructorParameters<typeof Exchange>[1]} [request]
   */
  ask(path, request) {
    return this.#exchange(this.link.url(`/channels/${this.channel}${path}`), request);
  }

  /**
   * Sends a request that meets no fault.
   *
   * @param {string} path
   * @param {ConstructorParameters<typeof Exchange>[1]} [request]
   */
  askDirectly(path, request) {
    return this.#exchange(this.server.channel(this.channel) + path, request);
  }

  /** Publishes over the link. @param {string} text @param {Record<string, string>} [headers] */
  post(text, headers) {
    return this.ask("", { method: "POST", body: text, headers });
  }

  /** Publishes without the link. @param {string} text */
  async publish(text) {
    await this.server.publish(this.channel, text);
  }

  /** Publishes so many numbers without the link. @param {number} count @param {object} [how] */
  async publishNumbers(count, how) {
    this.publisher ??= await Publisher.open(this.test, this.server, this.channel);
    await this.publisher.publish(count, how);
  }

  /** What the channel holds. @returns {Promise<any[]>} */
  async stored() {
    return (await stored(this.server, this.channel)).map(({ data }) => data);
  }

  /** Subscribes a page over the link. @param {object} [options] */
  async subscribe(options) {
    const page = await openBlankPage(await openProfile(this.test, this.browser), this.link.origin);
    return Subscriber.of(page, this.link.channel(this.channel), options);
  }

  /** @param {URL | string} address @param {ConstructorParameters<typeof Exchange>[1]} [request] */
  #exchange(address, request) {
    const exchange = new Exchange(address, request);
    this.test.after(() => exchange.close());
    return exchange;
  }
}

/**
 * A client that is carried by one transport from its first decisions on, and hears what was published before and after.
 *
 * @param {string} transport
 * @param {string} log
 * @param {object} [options]
 */
export function isCarriedBy(transport, log, options) {
  return async (/** @type {Line} */ line) => {
    await line.publishNumbers(50);
    const subscriber = await line.subscribe(options);
    await subscriber.isOn(transport);
    await line.publishNumbers(50);
    await subscriber.hearsAllUpTo(100);
    assert.equal(await subscriber.log(), log);
  };
}

/**
 * A client that loses its line in the midst of what it hears, once or many times, and comes back over the same
 * transport.
 *
 * @param {string} transport
 * @param {{ why?: RegExp, headStart?: number }} [expected] what it says about its losses, and options
 */
export function comesBackOver(transport, { why, ...options } = {}) {
  return async (/** @type {Line} */ line) => {
    const subscriber = await line.subscribe({ transports: [transport], ...options });
    await line.publishNumbers(200);
    await subscriber.hearsAllUpTo(200);
    await hasComeBackOver(transport, line, subscriber, why);
  };
}

/**
 * A client whose line is cut for no other reason than time, again and again, and which comes back over the same
 * transport.
 *
 * @param {string} transport
 * @param {object} [options]
 */
export function comesBackInTime(transport, options) {
  return async (/** @type {Line} */ line) => {
    await line.publishNumbers(10);
    const subscriber = await line.subscribe(options);
    for (const round of [1, 2, 3]) {
      await subscriber.decides(`${transport} lost`, round);
      await line.publishNumbers(10);
      await subscriber.hearsAllUpTo(10 + 10 * round);
    }
    await hasComeBackOver(transport, line, subscriber);
  };
}

/**
 * @param {string} transport
 * @param {Line} line
 * @param {Subscriber} subscriber
 * @param {RegExp} [why]
 */
async function hasComeBackOver(transport, line, subscriber, why = /./) {
  await line.link.heal();
  await subscriber.isOn(transport);
  // A reset may overtake the hello that was sent before it.
  const vain = "T try · (T alive · T lost|T refused) · wait · ";
  assert.match(await subscriber.log(), new RegExp(`^(${vain})+T try · T alive$`.replaceAll("T", transport)));
  assert.match(await subscriber.why("lost"), why);
}
