/**
 * The client in a page: it falls back and comes up again, and outlives reloads, outages and whatever else browsers do to
 * pages.
 */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";

import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "./support/browser.mjs";
import { Lab } from "./support/lab.mjs";
import { OUTAGE, PREFERRED } from "./support/line.mjs";
import { numbers, Publisher } from "./support/publisher.mjs";
import { openBlankPage, openProfile, Subscriber } from "./support/subscriber.mjs";

const QUICK_HEARTBEAT = ["--heartbeat", "1s"];

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto", ...QUICK_HEARTBEAT] });
after(() => server.stop());
const lab = await Lab.of(server);

/** A fresh channel of a server, somebody who publishes numbers to it, and a page. */
async function open(test, { at = server, origin = at.origin, profile = openProfile(test, browser) } = {}) {
  const channel = freshChannel();
  const publisher = await Publisher.open(test, at, channel);
  const page = await openBlankPage(await profile, origin);
  return { channel, publisher, page };
}

// --- down and up again -----------------------------------------------------------------------------------------------

const WEBSOCKET_BLOCKED = { only: ["websocket"], upgrade: "403", cut: { after_ms: 0, how: "rst", open_only: true } };
const SSE_HELD_TOO = { upgrade: "403", buffer: {} };

test("WebSocket blocked, SSE held too, all healed: 10,000 messages, none lost, none twice", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test, { origin: lab.origin });
  const link = await lab.link();
  const subscriber = await Subscriber.of(page, link.channel(channel), { reprobe: 300 });
  await subscriber.isOn("websocket");

  const flood = publisher.publish(9_000);
  await subscriber.hears(1_000);
  await link.suffer(WEBSOCKET_BLOCKED);
  await subscriber.isOn("sse");
  await subscriber.hears(2_000);
  await link.suffer(SSE_HELD_TOO);
  await subscriber.isOn("long-poll");
  // The first silence was the reason to fall back; the second is that of a probe, and the next one is far away.
  await subscriber.decides("sse silent", 2);
  await link.heal();
  await subscriber.isOn("websocket");
  await flood;
  await publisher.publish(1_000);

  await subscriber.hearsAllUpTo(10_000);
  assert.deepEqual(await subscriber.record("transports"), ["websocket", "sse", "long-poll", "websocket"]);
});

test("a page of the main port travels over links, too, and moves up when it can", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test);
  const link = await lab.link({ upgrade: "403" });
  const subscriber = await Subscriber.of(page, link.channel(channel), { reprobe: 500 });
  await subscriber.isOn("sse");
  const flood = publisher.publish(500);
  await subscriber.publish("from the page");

  await link.heal();
  await subscriber.decides("websocket moved");
  await flood;
  await publisher.publish(500);

  assert.deepEqual((await subscriber.hears(1_001)).filter((data) => data !== "from the page"), numbers(1, 1_000));
  await subscriber.isSound();
  assert.deepEqual(await subscriber.record("transports"), ["sse", "websocket"]);
});

// --- servers that go away --------------------------------------------------------------------------------------------

/** A server that a test may end, and the next one at the same place. */
async function shortLived(test) {
  const first = await Server.start({ flags: [...QUICK_HEARTBEAT, "--drain-time", "1s"] });
  test.after(() => first.stop());
  const follow = async () => {
    const second = await Server.start({ port: first.port, flags: QUICK_HEARTBEAT });
    test.after(() => second.stop());
    return second;
  };
  return { first, follow };
}

/** Long waits between races, so that a server can come back between two of them. */
const CALM = { backoff: { base: 4_000, cap: 4_000 } };

test("a server that crashes loses its log: the client comes back and tells of the gap", HANG_GUARD, async (test) => {
  const { first, follow } = await shortLived(test);
  const { channel, publisher, page } = await open(test, { at: first });
  const subscriber = await Subscriber.of(page, first.channel(channel), CALM);
  await publisher.publish(10);
  await subscriber.hearsAllUpTo(10);
  const cursor = await subscriber.now("cursor");

  await first.stop();
  await subscriber.decides("wait", 2);
  const second = await follow();
  await second.publish(channel, "after");

  assert.equal((await subscriber.hears(11)).at(-1), "after");
  await subscriber.isSound();
  const [gap, ...others] = await subscriber.record("gaps");
  assert.deepEqual([gap.after, gap.missed, gap.reason], [cursor, null, "epoch"]);
  assert.deepEqual(others, []);
  assert.equal(await subscriber.log(), `${PREFERRED} · websocket lost · wait · ${OUTAGE} · websocket gap`);
});

test("a server that drains says goodbye, and the client finds the next one", HANG_GUARD, async (test) => {
  const { first, follow } = await shortLived(test);
  const { channel, publisher, page } = await open(test, { at: first });
  const subscriber = await Subscriber.of(page, first.channel(channel), { transports: ["sse"] });
  await publisher.publish(10);
  await subscriber.hearsAllUpTo(10);

  await first.drain();
  const second = await follow();
  await second.publish(channel, "after");

  assert.equal((await subscriber.hears(11)).at(-1), "after");
  await subscriber.isSound();
  assert.deepEqual(await subscriber.record("goodbyes"), ["draining"]);
  assert.match(await subscriber.log(), /^sse try · sse alive · sse goodbye · sse lost · wait · /);
});

// --- what browsers do to pages ---------------------------------------------------------------------------------------

test("a page that is loaded again goes on where it was, if that was asked for", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test);
  const subscriber = await Subscriber.of(page, server.channel(channel), { resume: true });
  await publisher.publish(10);
  await subscriber.hearsAllUpTo(10);
  const client = await subscriber.now("client");

  await page.reload();
  await publisher.publish(10);
  await subscriber.subscribe(server.channel(channel), { resume: true });

  assert.deepEqual(await subscriber.hears(10), numbers(11, 20));
  await subscriber.isSound();
  assert.equal(await subscriber.now("client"), client);
});

test("a page that was put away and is shown again goes on where it was", HANG_GUARD, async (test) => {
  const keeping = await startBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  test.after(() => keeping.close());
  for (const transport of ["websocket", "sse", "long-poll", "stream"]) {
    const { channel, publisher, page } = await open(test, { profile: openProfile(test, keeping) });
    const subscriber = await Subscriber.of(page, server.channel(channel), { transports: [transport] });
    await publisher.publish(10);
    await subscriber.hearsAllUpTo(10);

    await page.goto(`${server.origin}/readyz`);
    await publisher.publish(10);
    // It is not loaded again, so nothing but the first moment of the navigation can be waited for.
    await page.goBack({ waitUntil: "commit" });

    // That it has a record at all proves that it is the same page. A browser keeps none that has a connection.
    await subscriber.hearsAllUpTo(20);
    const carried = `${transport} try · ${transport} alive`;
    assert.equal(await subscriber.log(), `${carried} · pause · resume · ${carried}`);
  }
});

test("a page without a network waits for it", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test, await onThisNetwork(test));
  const subscriber = await Subscriber.of(page, `/channels/${channel}`);
  await publisher.publish(10);
  await subscriber.hearsAllUpTo(10);

  await page.context().setOffline(true);
  await subscriber.is("paused");
  await publisher.publish(10);
  await page.context().setOffline(false);

  await subscriber.hearsAllUpTo(20);
  const pause = "(websocket lost · wait · )?pause · resume";
  assert.match(await subscriber.log(), new RegExp(`^${PREFERRED} · ${pause} · ${PREFERRED}$`));
});

test("without a network, a server on the same machine is still there", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test);
  const subscriber = await Subscriber.of(page, server.channel(channel));
  await subscriber.isOn("websocket");

  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await publisher.publish(10);

  await subscriber.hearsAllUpTo(10);
  assert.equal(await subscriber.log(), PREFERRED);
});

test("a page that is hidden lets go of its connection, if that was asked for", HANG_GUARD, async (test) => {
  const { channel, publisher, page } = await open(test);
  const subscriber = await Subscriber.of(page, server.channel(channel), { pauseWhenHidden: true });
  await publisher.publish(10);
  await subscriber.hearsAllUpTo(10);

  await turn(page, { hidden: true });
  await subscriber.is("paused");
  await publisher.publish(10);
  await turn(page, { hidden: false });

  await subscriber.hearsAllUpTo(20);
  assert.equal(await subscriber.log(), `${PREFERRED} · pause · resume · ${PREFERRED}`);
});

/** Hides a page or shows it. Playwright keeps every page visible, so the page is only told so. */
async function turn(page, { hidden }) {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

// --- phones in a classroom -------------------------------------------------------------------------------------------

/** A server that this machine's network reaches, and its address there: plain HTTP, and so no secure context. */
async function onThisNetwork(test) {
  const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const address = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  assert.ok(address, "this machine is on no network, and so the tests for phones cannot be run");
  const at = await Server.start({ host: "0.0.0.0", flags: QUICK_HEARTBEAT });
  test.after(() => at.stop());
  return { at, origin: `http://${address}:${at.port}` };
}

for (const shared of [false, true]) {
  const connection = shared ? "a shared connection" : "a connection of its own";
  test(`a page that is no secure context subscribes and publishes over ${connection}`, HANG_GUARD, async (test) => {
    const { channel, publisher, page } = await open(test, await onThisNetwork(test));
    assert.equal(await page.evaluate(() => isSecureContext), false);
    const subscriber = await Subscriber.of(page, `/channels/${channel}`, { shared });
    await subscriber.isOn("websocket");

    await publisher.publish(10);
    await subscriber.hearsAllUpTo(10);
    const id = await subscriber.publish(11);

    await subscriber.hearsAllUpTo(11);
    assert.equal(await subscriber.now("cursor"), id);
    assert.match(await subscriber.log(), shared ? /^shared try · / : /^websocket try · /);
  });
}
