/**
 * Several tabs of one browser, in one process: each has a copy of the client of its own, and they meet in what tabs of a
 * browser share, which is locks and broadcasts.
 */

import { replace } from "./page.mjs";

let opened = 0;

/**
 * Makes a browser without SharedWorker, whose tabs reach the world over the server's transports only. It ends
 * with the test, and all of its tabs with it.
 *
 * @param {import("node:test").TestContext} test
 * @param {import("./server.mjs").FakeServer} server
 * @returns {(address: string, options: object) => Promise<any>} connects in a new tab
 */
export function tabs(test, server) {
  /** @type {BroadcastChannel[]} */ const broadcasts = [];
  /** @type {MessageChannel[]} */ const pairs = [];
  /** @type {any[]} */ const channels = [];
  for (const [name, value] of Object.entries(server.transports)) replace(test, name, { value });
  replace(test, "navigator", { value: { locks: new Locks() } });
  replace(test, "BroadcastChannel", { value: recording(BroadcastChannel, broadcasts) });
  replace(test, "MessageChannel", { value: recording(MessageChannel, pairs) });
  test.after(() => {
    for (const channel of channels) channel.close();
    for (const { port1, port2 } of pairs) for (const port of [port1, port2]) port.close();
    for (const broadcast of broadcasts) broadcast.close();
  });
  return async (/** @type {string} */ address, /** @type {object} */ options) => {
    const { connect } = await copyOfClient();
    channels.push(connect(address, options));
    return channels.at(-1);
  };
}

/** The client as another tab loads it: a copy that knows nothing of the others. */
async function copyOfClient() {
  opened += 1;
  return import(`../../../client/fallcast.js?tab=${opened}`);
}

/** A class that notes what is made of it. @param {any} original @param {any[]} made */
function recording(original, made) {
  return class extends original {
    /** @param {any[]} settings */
    constructor(...settings) {
      super(...settings);
      made.push(this);
    }
  };
}

/** Locks that are held until the end of the page, which is that of the test (W3C Web Locks). */
class Locks {
  /** @type {Map<string, Promise<unknown>>} */ #held = new Map();

  /** @param {string} name @param {() => Promise<unknown>} hold */
  request(name, hold) {
    const held = (this.#held.get(name) ?? Promise.resolve()).then(hold);
    this.#held.set(name, held);
    return held;
  }
}
