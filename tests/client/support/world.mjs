/**
 * A channel under test, with its server, its network and its time, and a record of all that the application hears.
 */

import { connect } from "../../../client/fallcast.js";
import { Clock } from "./clock.mjs";
import { FakeServer } from "./server.mjs";

export const ADDRESS = "http://fallcast.test/channels/chat";

/**
 * Stops the time of a test and makes a server for it.
 *
 * @param {import("node:test").TestContext} test
 * @param {{ rules?: Record<string, import("./server.mjs").Rule>, heartbeat?: number, keyWindow?: number }} [settings]
 */
export function world(test, { rules = {}, ...settings } = {}) {
  const clock = new Clock(test);
  const server = new FakeServer(settings);
  Object.assign(server.rules, rules);
  // Every random wait is half of what it could be.
  test.mock.method(Math, "random", () => 0.5);
  const open = (/** @type {object} */ options = {}, address = ADDRESS) => {
    const channel = connect(address, { ...server.transports, ...options });
    test.after(() => channel.close());
    return new Subscriber(channel, clock);
  };
  return { clock, server, open };
}

/** A channel, and what it has said so far. */
export class Subscriber {
  /** @type {any[]} the data of the messages */
  heard = [];
  /** @type {any[]} */ gaps = [];
  /** @type {string[]} */ states = [];
  /** @type {(string | null)[]} */ transports = [];
  /** @type {any[]} */ presence = [];
  /** @type {string[]} the cursors of the messages */
  ids = [];

  /** @param {import("../../../client/fallcast.js").Channel} channel @param {Clock} clock */
  constructor(channel, clock) {
    this.channel = channel;
    this.clock = clock;
    channel.addEventListener("message", ({ data, lastEventId }) => {
      this.heard.push(data);
      this.ids.push(lastEventId);
    });
    channel.addEventListener("gap", ({ detail }) => this.gaps.push(detail));
    channel.addEventListener("presence", ({ detail }) => this.presence.push(detail));
    channel.addEventListener("state", ({ detail }) => this.states.push(detail.state));
    channel.addEventListener("transport", ({ detail }) => this.transports.push(detail.transport));
  }

  /** Lets time pass until the channel is in a state. @param {string} state */
  async is(state) {
    await this.clock.until(() => this.channel.state === state);
    return this;
  }

  /** Lets time pass until the channel is open over a transport. @param {string} transport */
  async isOn(transport) {
    await this.clock.until(() => this.channel.transport === transport);
    return this;
  }

  /** Lets time pass until so many messages have been heard. @param {number} count */
  async hears(count) {
    await this.clock.until(() => this.heard.length >= count);
    return this.heard;
  }

  /**
   * The decision log as `transport what`, so that a test can state it.
   *
   * @param {{ except?: string[] }} [filter]
   */
  decisions({ except = [] } = {}) {
    const entries = this.channel.log.filter(({ what }) => !except.includes(what));
    return entries.map(({ transport, what }) => (transport ? `${transport} ${what}` : what));
  }

  /** Why something was decided last. @param {string} what @param {string | null} [transport] */
  why(what, transport) {
    const isMeant = (/** @type {any} */ entry) =>
      entry.what === what && (transport === undefined || entry.transport === transport);
    return this.channel.log.findLast(isMeant)?.why;
  }
}

/** The numbers from one to another. @param {number} first @param {number} last */
export function numbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
