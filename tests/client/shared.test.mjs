/**
 * One connection for all tabs, where a lock decides which of them holds it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { refuse } from "./support/server.mjs";
import { tabs } from "./support/tabs.mjs";
import { ADDRESS, numbers, Subscriber, world } from "./support/world.mjs";

/** A browser with so many tabs, each of which shares the channel. */
async function browser(test, count, { options = {}, ...settings } = {}) {
  const { clock, server } = world(test, settings);
  const connectInNewTab = tabs(test, server);
  const open = async (more = {}) => {
    const channel = await connectInNewTab(ADDRESS, { shared: true, after: "start", ...options, ...more });
    return new Subscriber(channel, clock);
  };
  const subscribers = [];
  for (let opened = 0; opened < count; opened += 1) subscribers.push(await open());
  await clock.until(() => subscribers.every(({ channel }) => channel.state === "open"));
  return { clock, server, subscribers, open };
}

test("three tabs share one connection, and each hears everything once", async (test) => {
  const { server, subscribers } = await browser(test, 3);
  server.publishNumbers(1, 20);
  for (const subscriber of subscribers) assert.deepEqual(await subscriber.hears(20), numbers(1, 20));
  assert.equal(server.of("websocket").length, 1);
  assert.deepEqual(server.live.map(({ kind }) => kind), ["websocket"]);
  for (const { channel } of subscribers) assert.deepEqual([channel.transport, channel.cursor], ["websocket", "e1.20"]);
});

test("a tab that comes later is brought up to date from its own position, while others hear what is live", async (test) => {
  const { clock, server, subscribers, open } = await browser(test, 1);
  server.publishNumbers(1, 10);
  await subscribers[0].hears(10);

  const fromStart = await open();
  const fromCursor = await open({ after: "e1.7" });
  const fromEnd = await open({ after: "end" });
  await clock.until(() => fromEnd.channel.cursor === "e1.10");
  server.publishNumbers(11, 15);

  assert.deepEqual(await fromStart.hears(15), numbers(1, 15));
  assert.deepEqual(await fromCursor.hears(8), numbers(8, 15));
  assert.deepEqual(await fromEnd.hears(5), numbers(11, 15));
  assert.deepEqual(await subscribers[0].hears(15), numbers(1, 15));
  assert.equal(server.of("websocket").length, 1);
  for (const { channel } of [fromStart, fromCursor, fromEnd]) assert.equal(channel.stats.losses, 0);
});

test("every tab publishes over the shared connection", async (test) => {
  const { clock, server, subscribers } = await browser(test, 3);
  const publishing = subscribers.map(({ channel }, index) => channel.publish({ from: index }));
  const { value } = await clock.outcome(Promise.all(publishing));
  assert.equal(new Set(value.map(({ id }) => id)).size, 3);
  assert.equal(server.of("publish").length, 0);
  for (const subscriber of subscribers) {
    const heard = await subscriber.hears(3);
    assert.deepEqual(heard.map(({ from }) => from).toSorted(), [0, 1, 2]);
  }
});

test("a refusal reaches the tab that published", async (test) => {
  const problem = { title: "Payload Too Large", status: 413, detail: "at most 1 MiB" };
  const refuseCommand = (attempt) => attempt.send({ error: problem, ref: attempt.command.ref });
  const { clock, subscribers } = await browser(test, 2, { rules: { command: refuseCommand } });
  for (const { channel } of subscribers) {
    const { fault } = await clock.outcome(channel.publish("x"));
    assert.deepEqual([fault.status, fault.outcome, fault.message], [413, "refused", "at most 1 MiB"]);
  }
});

test("text, JSON and bytes pass between tabs as what they are", async (test) => {
  const { clock, subscribers } = await browser(test, 2);
  const values = ["a text", { a: [1, null, "é"] }, Uint8Array.of(0, 255), 7, null];
  for (const value of values) await clock.outcome(subscribers[1].channel.publish(value));
  for (const subscriber of subscribers) {
    const heard = await subscriber.hears(values.length);
    assert.deepEqual(heard, values);
    assert.ok(heard[2] instanceof Uint8Array);
  }
});

test("a shared connection falls back like any other, once for all, and says why", async (test) => {
  const { clock, server, subscribers } = await browser(test, 2, { rules: { websocket: refuse() } });
  await clock.until(() => subscribers.every(({ channel }) => channel.transport === "sse"));
  assert.equal(server.of("sse").length, 1);
  server.publish("over SSE");
  for (const subscriber of subscribers) assert.deepEqual(await subscriber.hears(1), ["over SSE"]);
  assert.match(subscribers[0].why("beaten", "websocket"), /handshake.*shared/);
});

test("a shared connection that breaks is taken up once for all, and no tab loses anything", async (test) => {
  const { clock, server, subscribers } = await browser(test, 3);
  server.publishNumbers(1, 3);
  for (const subscriber of subscribers) await subscriber.hears(3);
  server.live[0].cut();
  server.publishNumbers(4, 6);
  for (const subscriber of subscribers) assert.deepEqual(await subscriber.hears(6), numbers(1, 6));
  await clock.until(() => subscribers.every(({ channel }) => channel.state === "open"));
  assert.equal(server.of("websocket").length, 2);
});

test("gaps reach every tab", async (test) => {
  const { server, subscribers } = await browser(test, 2);
  server.publishNumbers(1, 3);
  for (const subscriber of subscribers) await subscriber.hears(3);
  server.restart("e2");
  server.publishNumbers(4, 5);
  for (const subscriber of subscribers) {
    assert.deepEqual(await subscriber.hears(5), numbers(1, 5));
    assert.deepEqual(subscriber.gaps.map(({ after, resume, reason }) => [after, resume, reason]), [["e1.3", "e2.0", "epoch"]]);
  }
});

test("a tab that closes leaves the others their connection, and the last one takes it along", async (test) => {
  const { clock, server, subscribers } = await browser(test, 3);
  const [first, second, third] = subscribers;
  second.channel.close();
  first.channel.close();
  await clock.advance(10_000);
  server.publish("for one");
  assert.deepEqual(await third.hears(1), ["for one"]);
  assert.equal(server.of("websocket").length, 1);

  third.channel.close();
  await clock.until(() => server.live.length === 0);
  await clock.advance(60_000);
  assert.equal(server.of("websocket").length, 1);
  assert.deepEqual([first.heard, second.heard], [[], []]);
});

test("an idle shared connection is kept by all of its tabs", async (test) => {
  const { clock, server, subscribers } = await browser(test, 3);
  await clock.advance(600_000);
  assert.equal(server.of("websocket").length, 1);
  for (const { channel } of subscribers) assert.deepEqual([channel.state, channel.stats.losses], ["open", 0]);
});

test("tabs that want different things share nothing", async (test) => {
  const { clock, server, open } = await browser(test, 1);
  const other = await open({ echo: false });
  await other.is("open");
  await clock.advance(1_000);
  assert.equal(server.of("websocket").length, 2);
});

test("without SharedWorker and locks each tab has a connection of its own", async (test) => {
  const { clock, server, open } = await browser(test, 0);
  navigator.locks = undefined;
  const subscribers = [await open(), await open()];
  for (const subscriber of subscribers) await subscriber.isOn("websocket");
  await clock.advance(1_000);
  assert.equal(server.of("websocket").length, 2);
  server.publish("for both");
  for (const subscriber of subscribers) assert.deepEqual(await subscriber.hears(1), ["for both"]);
});
