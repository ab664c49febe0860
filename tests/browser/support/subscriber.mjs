/**
 * Pages in Chromium that subscribe with the client, seen from the test.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { numbers } from "./publisher.mjs";

const SCRIPT = await readFile(new URL("../pages/subscriber.js", import.meta.url), "utf8");

/**
 * A client that does not lose time: what takes minutes in the field takes seconds here. It never probes for a better
 * transport unless its test asks for that, so that its decisions do not depend on how fast the machine is. Neither is
 * its head start as short as it could be: on a busy machine, what is healthy must not seem silent.
 */
const QUICK = { headStart: 1_000, patience: 2_000, reprobe: 0, backoff: { base: 100, cap: 1_000 } };

/**
 * Opens a browser profile of its own, whose pages can subscribe.
 *
 * @param {import("node:test").TestContext} test
 * @param {import("playwright-core").Browser} browser
 * @param {string} [preparation] a script that runs before everything else in each page
 */
export async function openProfile(test, browser, preparation = "") {
  const profile = await browser.newContext();
  test.after(() => profile.close());
  await profile.addInitScript(`${preparation}\n${SCRIPT}`);
  return profile;
}

/**
 * Opens a page of a server that runs no script of its own, and yet may do what the server's pages may do: a text.
 *
 * @param {import("playwright-core").BrowserContext} profile
 * @param {string} origin
 */
export async function openBlankPage(profile, origin) {
  const page = await profile.newPage();
  await page.goto(`${origin}/client/fallcast.js`);
  return page;
}

/**
 * How many subscribers a server itself sees on a channel, by transport.
 *
 * @param {import("../../foreign/support/server.mjs").Server} server
 * @param {string} name
 */
export async function subscribersOf(server, name) {
  const { channels } = await (await fetch(`${server.origin}/channels`)).json();
  return channels.find(({ channel }) => channel === name).subscribers;
}

/** A page that subscribes to a channel. */
export class Subscriber {
  /** @type {string[]} */
  #uncaught = [];

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.#uncaught.push(error.message));
  }

  /**
   * Subscribes a page, from the beginning of the channel unless its options say otherwise.
   *
   * @param {import("playwright-core").Page} page
   * @param {string} url
   * @param {object} [options]
   */
  static async of(page, url, options) {
    const subscriber = new Subscriber(page);
    await subscriber.subscribe(url, options);
    return subscriber;
  }

  /** @param {string} url @param {object} [options] */
  async subscribe(url, options) {
    const settings = { ...QUICK, after: "start", ...options };
    await this.page.evaluate(([url, settings]) => subscribe(url, settings), [url, settings]);
  }

  /** Waits until the channel is open over a transport. @param {string} transport */
  async isOn(transport) {
    await this.page.evaluate(
      (transport) => subscriber.until(`${transport}`, ({ channel }) => channel.transport === transport),
      transport,
    );
  }

  /** Waits until the channel is in a state. @param {string} state */
  async is(state) {
    await this.page.evaluate((state) => subscriber.until(state, ({ channel }) => channel.state === state), state);
  }

  /**
   * Waits until the client has decided something so many times.
   *
   * @param {string} decision as `decisions` writes it
   * @param {number} [times]
   */
  async decides(decision, times = 1) {
    await this.page.evaluate(
      ([decision, times]) =>
        subscriber.until(decision, ({ decisions }) => decisions.filter((one) => one === decision).length >= times),
      /** @type {const} */ ([decision, times]),
    );
  }

  /** Waits until so many messages have been heard, and returns their data. @param {number} count */
  async hears(count) {
    await this.page.evaluate(
      (count) => subscriber.until(`${count} messages`, ({ heard }) => heard.length >= count),
      count,
    );
    return this.page.evaluate(() => subscriber.heard.map(([, data]) => data));
  }

  /** Waits until the newest message has a number. @param {number} last */
  async hearsNumber(last) {
    await this.page.evaluate(
      (last) => subscriber.until(`the number ${last}`, ({ heard }) => heard.at(-1)?.[1].number === last),
      last,
    );
  }

  /** Waits until it has heard the numbers up to one, and proves that it heard each of them once. @param {number} last */
  async hearsAllUpTo(last) {
    assert.deepEqual(await this.hears(last), numbers(1, last));
    await this.isSound();
    assert.deepEqual(await this.record("gaps"), []);
  }

  /** Proves that no message was lost or repeated in silence. */
  async isSound() {
    assert.deepEqual(await this.record("faults"), []);
    assert.deepEqual(this.#uncaught, []);
  }

  /**
   * A part of the record that the page keeps.
   *
   * @param {"gaps" | "states" | "transports" | "goodbyes" | "faults" | "decisions"} part
   * @returns {Promise<any[]>}
   */
  async record(part) {
    return this.page.evaluate((part) => subscriber[part], part);
  }

  /** The decision log in one line, so that a test can state it. */
  async log() {
    return (await this.record("decisions")).join(" · ");
  }

  /** Why something was decided last. @param {string} what @param {string} [transport] @returns {Promise<string>} */
  async why(what, transport) {
    const log = await this.page.evaluate(() => subscriber.channel.log);
    return log.findLast((entry) => entry.what === what && (transport ?? entry.transport) === entry.transport)?.why;
  }

  /** What the channel says of itself now: `state`, `transport`, `cursor`, `stats`. @param {string} name */
  async now(name) {
    return this.page.evaluate((name) => subscriber.channel[name], name);
  }

  /** Publishes from the page, and returns the cursor. @param {any} data @param {object} [options] */
  async publish(data, options) {
    return this.page.evaluate(
      async ([data, options]) => (await subscriber.channel.publish(data, options)).id,
      [data, options],
    );
  }

  /** Publishes from the page, all at once, and returns the cursors. @param {any[]} all @returns {Promise<string[]>} */
  async publishAll(all) {
    return this.page.evaluate(
      async (all) => (await Promise.all(all.map((data) => subscriber.channel.publish(data)))).map(({ id }) => id),
      all,
    );
  }

  /** Publishes from the page in vain, and returns what is said about it. @param {any} data @param {object} [options] */
  async publishInVain(data, options) {
    return this.page.evaluate(
      ([data, options]) =>
        subscriber.channel.publish(data, options).then(
          ({ id }) => ({ id }),
          ({ name, outcome, status, problem }) => ({ name, outcome, status, problem }),
        ),
      [data, options],
    );
  }
}
