/**
 * Several tabs, and one connection for all of them.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "./support/browser.mjs";
import { Lab } from "./support/lab.mjs";
import { Publisher } from "./support/publisher.mjs";
import { openBlankPage, openProfile, Subscriber, subscribersOf } from "./support/subscriber.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "1s"] });
after(() => server.stop());
const lab = await Lab.of(server);

const WITHOUT_WORKERS = "delete globalThis.SharedWorker;";
const WITHOUT_LOCKS = "delete Navigator.prototype.locks;";

/** What tabs find each other by, and what else must be missing for them to use it. */
const WAYS = [
  { way: "a SharedWorker", preparation: "" },
  { way: "Web Locks", preparation: WITHOUT_WORKERS },
];

/** How the first tab ends. It is the one that holds the lock, and the worker may live in its process. */
const ENDS = [
  { end: "is closed", leave: (page) => page.close() },
  { end: "crashes", leave: (page) => page.goto("chrome://crash").catch(() => "it has crashed") },
];

/** A fresh channel over a link of its own, somebody who publishes numbers to it, and tabs that share a connection. */
async function open(test, { preparation, tabs }) {
  const channel = freshChannel();
  const link = await lab.link();
  const publisher = await Publisher.open(test, server, channel);
  const profile = await openProfile(test, browser, preparation);
  const openTab = async () => {
    const page = await openBlankPage(profile, lab.origin);
    return Subscriber.of(page, link.channel(channel), { shared: true, reprobe: 300 });
  };
  const subscribers = [];
  while (subscribers.length < tabs) subscribers.push(await openTab());
  const all = (run) => Promise.all(subscribers.map(run));
  await all((subscriber) => subscriber.is("open"));
  return { channel, link, publisher, openTab, subscribers, all };
}

/** How many connections the server sees, beside that of the publisher. @param {string} channel */
async function connections(channel) {
  const counts = Object.values(await subscribersOf(server, channel));
  return counts.reduce((sum, count) => sum + count, -1);
}

/** Waits until the server sees one connection. It may be a moment behind. @param {string} channel */
async function isOneConnection(channel) {
  while ((await connections(channel)) !== 1) await sleep(20);
}

for (const { way, preparation } of WAYS) {
  test(`two tabs share one connection by ${way}, down to long-polling and up again`, HANG_GUARD, async (test) => {
    const { channel, link, publisher, all } = await open(test, { preparation, tabs: 2 });
    assert.equal(await connections(channel), 1);

    const flood = publisher.publish(9_000);
    await all((subscriber) => subscriber.hears(1_000));
    await link.suffer({ only: ["websocket"], upgrade: "403", cut: { after_ms: 0, how: "rst", open_only: true } });
    await all((subscriber) => subscriber.isOn("sse"));
    await all((subscriber) => subscriber.hears(2_000));
    assert.equal(await connections(channel), 1);
    await link.suffer({ upgrade: "403", buffer: {} });
    await all((subscriber) => subscriber.isOn("long-poll"));
    await all((subscriber) => subscriber.decides("sse silent", 2));
    await link.heal();
    await all((subscriber) => subscriber.isOn("websocket"));
    await flood;
    await publisher.publish(1_000);

    await all((subscriber) => subscriber.hearsAllUpTo(10_000));
    const transports = await all((subscriber) => subscriber.record("transports"));
    for (const one of transports) assert.deepEqual(one, ["websocket", "sse", "long-poll", "websocket"]);
    await isOneConnection(channel);
  });

  for (const { end, leave } of ENDS) {
    test(`a tab that ${end} takes nothing from the others (${way})`, HANG_GUARD, async (test) => {
      const { channel, publisher, openTab, subscribers } = await open(test, { preparation, tabs: 2 });
      const [first, second] = subscribers;

      const flood = publisher.publish(9_000, { atOnce: 4 });
      await Promise.all([first.hears(3_000), second.hears(3_000)]);
      await leave(first.page);
      await second.hears(6_000);
      const third = await openTab();
      await flood;
      await publisher.publish(1_000, { atOnce: 4 });

      await Promise.all([second.hearsAllUpTo(10_000), third.hearsAllUpTo(10_000)]);
      await isOneConnection(channel);
    });
  }

  test(`what one tab publishes, all tabs hear once (${way})`, HANG_GUARD, async (test) => {
    const { subscribers, all } = await open(test, { preparation, tabs: 3 });
    for (const [index, subscriber] of subscribers.entries()) {
      await subscriber.publish(index + 1);
      await all((subscriber) => subscriber.hearsAllUpTo(index + 1));
    }
  });
}

test("where tabs cannot find each other, each has a connection of its own", HANG_GUARD, async (test) => {
  const preparation = WITHOUT_WORKERS + WITHOUT_LOCKS;
  const { channel, publisher, all } = await open(test, { preparation, tabs: 2 });
  assert.equal(await connections(channel), 2);

  await publisher.publish(10_000, { atOnce: 4 });

  await all((subscriber) => subscriber.hearsAllUpTo(10_000));
});
