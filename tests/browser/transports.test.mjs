/**
 * Chromium's own EventSource, WebSocket and fetch, without any library, on one channel.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";

import { Relay } from "../foreign/support/relay.mjs";
import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { openPage, showOwnPage, startBrowser } from "./support/browser.mjs";

const SCRIPT = await readFile(new URL("pages/readers.js", import.meta.url), "utf8");
const READERS = ["eventSource", "webSocket", "fetchStream", "poll"];

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start();
after(() => server.stop());

test("EventSource, WebSocket, fetch and polling read the same messages under the same ids", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const earlier = await publishNumbered(channel, 1, 20);
  const page = await openReaderPage(test, server.origin);

  for (const reader of READERS) await read(page, reader, server.channel(channel));
  for (const reader of READERS) await heard(page, reader, 20);
  const live = await publishNumbered(channel, 21, 40);

  for (const reader of READERS) assert.deepEqual(await heard(page, reader, 40), [...earlier, ...live], reader);
  assert.deepEqual(page.faults, []);
});

test("EventSource resumes by itself on a line that is cut in the middle of events", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const published = await publishNumbered(channel, 1, 200);
  const relay = await Relay.start(server, { cutAfter: 3001 });
  test.after(() => relay.stop());
  const page = await openReaderPage(test, relay.origin);

  await read(page, "eventSource", `${relay.origin}/channels/${channel}`);

  assert.deepEqual(await heard(page, "eventSource", 200), published);
  assert.ok(relay.cuts >= 2, `the line was cut ${relay.cuts} times`);
});

test("EventSource outlives the server: it hears goodbye, finds the next one, and is told of the gap", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const first = await Server.start({ flags: ["--drain-time", "1s"] });
  test.after(() => first.stop());
  const page = await openReaderPage(test, first.origin);
  const cursor = await first.publish(channel, "before");
  await read(page, "eventSource", first.channel(channel));
  await heard(page, "eventSource", 1);
  await page.evaluate(() => {
    window.controls = [];
    for (const name of ["goodbye", "gap"]) {
      connection.addEventListener(name, ({ data }) => window.controls.push({ name, ...JSON.parse(data) }));
    }
  });

  await first.drain();
  const second = await Server.start({ port: first.port });
  test.after(() => second.stop());
  const id = await second.publish(channel, "after");

  assert.deepEqual((await heard(page, "eventSource", 2)).at(-1), [id, "after"]);
  const [goodbye, gap] = await page.evaluate(() => window.controls);
  assert.equal(goodbye.name, "goodbye");
  assert.deepEqual([gap.name, gap.after, gap.reason, gap.missed], ["gap", cursor, "epoch", null]);
});

test("a WebSocket is closed with 1012 when the server drains", HANG_GUARD, async (test) => {
  const draining = await Server.start({ flags: ["--drain-time", "1s"] });
  test.after(() => draining.stop());
  const page = await openReaderPage(test, draining.origin);
  await draining.publish("lobby", "hello");
  await read(page, "webSocket", draining.channel("lobby"));
  await heard(page, "webSocket", 1);

  const closed = page.evaluate(
    () => new Promise((resolve) => (connection.onclose = ({ code, wasClean }) => resolve({ code, wasClean }))),
  );
  await page.evaluate("1"); // The page has got the listener before the server drains.
  await draining.drain();

  assert.deepEqual(await closed, { code: 1012, wasClean: true });
});

test("one HTTP/2 connection carries more streams than the six connections of HTTP/1.1", HANG_GUARD, async (test) => {
  const STREAMS = 12;
  const encrypted = await Server.start({ flags: ["--tls-self-signed"] });
  test.after(() => encrypted.stop());
  const page = await openReaderPage(test, encrypted.origin);

  const channel = encrypted.channel(freshChannel());
  const heardBy = page.evaluate(hearInManyStreams, { channel, streams: STREAMS });

  assert.deepEqual(await heardBy, { protocol: "h2", heard: Array(STREAMS).fill("to all of you") });
});

/**
 * Runs in the page: opens the streams, publishes once all of them are open, and waits until each has heard it.
 */
async function hearInManyStreams({ channel, streams }) {
  const sources = Array.from({ length: streams }, () => new EventSource(`${channel}/sse`));
  const next = (source, event) => new Promise((resolve) => source.addEventListener(event, resolve, { once: true }));
  const messages = Promise.all(sources.map((source) => next(source, "message")));
  await Promise.all(sources.map((source) => next(source, "hello")));
  await fetch(channel, { method: "POST", body: "to all of you" });
  const heard = (await messages).map(({ data }) => data);
  const [navigation] = performance.getEntriesByType("navigation");
  return { protocol: navigation.nextHopProtocol, heard };
}

/**
 * Opens a page that has the readers of `pages/readers.js` at hand, and notes what they hear.
 *
 * @param {import("node:test").TestContext} test
 * @param {string} origin
 */
async function openReaderPage(test, origin) {
  const { page, faults, close } = await openPage(browser, origin, { bypassCSP: true });
  test.after(close);
  await showOwnPage(page, origin, `<!doctype html><script>${SCRIPT}; const heard = {}; let connection;</script>`);
  return Object.assign(page, { faults });
}

/**
 * Starts a reader in the page, at the beginning of the channel.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} reader
 * @param {string} channel
 */
async function read(page, reader, channel) {
  await page.evaluate(
    ([reader, channel]) => {
      heard[reader] = [];
      connection = readers[reader](channel, "start", (...message) => heard[reader].push(message));
      // What an async reader returns is a promise that settles when the channel ends; nobody waits for it.
      return undefined;
    },
    [reader, channel],
  );
}

/**
 * Waits until a reader has heard so many messages, and returns all that it has heard.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} reader
 * @param {number} count
 * @returns {Promise<[string, string][]>}
 */
async function heard(page, reader, count) {
  await page.waitForFunction(([reader, count]) => heard[reader].length >= count, [reader, count]);
  return page.evaluate((reader) => heard[reader], reader);
}

/**
 * Publishes texts, one after the other, and returns them behind their ids.
 *
 * @param {string} channel
 * @param {number} first
 * @param {number} last
 */
async function publishNumbered(channel, first, last) {
  const published = [];
  for (let number = first; number <= last; number += 1) {
    const text = `message ${number}`;
    published.push([await server.publish(channel, text), text]);
  }
  return published;
}
