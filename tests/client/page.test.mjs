/**
 * The life of a page: offline and online, hidden and shown, put away and taken out again, reloaded.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { page, replace } from "./support/page.mjs";
import { hang, refuse, serve } from "./support/server.mjs";
import { numbers, world } from "./support/world.mjs";

const PAUSES = [
  { what: "offline", away: (page) => page.goOffline(), back: (page) => page.goOnline() },
  { what: "put away", away: (page) => page.putAway(), back: (page) => page.show() },
  { what: "hidden", away: (page) => page.setHidden(true), back: (page) => page.setHidden(false) },
];

for (const { what, away, back } of PAUSES) {
  test(`${what}: the channel lets go of its connection, and resumes with its cursor without waiting`, async (test) => {
    const browser = page(test);
    const { clock, server, open } = world(test);
    const subscriber = await open({ after: "start", pauseWhenHidden: true }).isOn("websocket");
    server.publishNumbers(1, 3);
    await subscriber.hears(3);

    away(browser);
    await clock.advance(60_000);
    assert.equal(subscriber.channel.state, "paused");
    assert.equal(subscriber.channel.transport, null);
    assert.deepEqual(server.live, []);
    assert.equal(server.attempts.length, 1);
    server.publishNumbers(4, 6);
    back(browser);
    await clock.settle();

    assert.equal(subscriber.channel.state, "open");
    assert.deepEqual(subscriber.heard, numbers(1, 6));
    assert.deepEqual(subscriber.decisions().slice(2, 4), ["pause", "resume"]);
    assert.equal(server.attempts[1].query.after, "e1.3");
  });

  test(`${what}: also while a race is on`, async (test) => {
    const browser = page(test);
    const { clock, server, open } = world(test, { rules: { websocket: hang, sse: hang, "long-poll": hang } });
    const subscriber = open({ pauseWhenHidden: true });
    await clock.advance(700);
    away(browser);
    await clock.advance(60_000);
    assert.deepEqual(server.attempts.map(({ isCancelled }) => isCancelled), [true, true]);
    assert.equal(subscriber.channel.state, "paused");
    server.rules.websocket = serve;
    back(browser);
    await subscriber.isOn("websocket");
  });

  test(`${what}: also while the channel waits for its next race`, async (test) => {
    const browser = page(test);
    const { clock, server, open } = world(test, { rules: { websocket: refuse() } });
    const subscriber = await open({ transports: ["websocket"], pauseWhenHidden: true }).is("waiting");
    away(browser);
    const count = server.attempts.length;
    await clock.advance(60_000);
    assert.equal(server.attempts.length, count);
    server.rules.websocket = serve;
    back(browser);
    await clock.settle();
    assert.equal(subscriber.channel.state, "open");
  });

  test(`${what}: a closed channel stays closed`, async (test) => {
    const browser = page(test);
    const { clock, server, open } = world(test);
    const subscriber = await open({ pauseWhenHidden: true }).is("open");
    subscriber.channel.close();
    away(browser);
    back(browser);
    await clock.advance(60_000);
    assert.equal(subscriber.channel.state, "closed");
    assert.equal(server.attempts.length, 1);
  });
}

test("of two reasons to pause, both must pass", async (test) => {
  const browser = page(test);
  const { clock, open } = world(test);
  const subscriber = await open({ pauseWhenHidden: true }).is("open");
  browser.setHidden(true);
  browser.goOffline();
  browser.setHidden(false);
  await clock.advance(60_000);
  assert.equal(subscriber.channel.state, "paused");
  browser.goOnline();
  await subscriber.is("open");
});

test("what was learned of one network is forgotten with it", async (test) => {
  const browser = page(test);
  const { server, open } = world(test, { rules: { websocket: refuse() } });
  const subscriber = await open({ reprobe: 60_000 }).isOn("sse");
  browser.goOffline();
  server.rules.websocket = serve;
  browser.goOnline();
  await subscriber.isOn("websocket");
  assert.equal(server.of("sse").length, 1);
});

test("a pause begins once, however often it is announced", async (test) => {
  const browser = page(test);
  const { clock, server, open } = world(test);
  const subscriber = await open().is("open");
  browser.goOffline();
  browser.goOffline();
  browser.goOnline();
  browser.goOnline();
  await clock.settle();
  assert.equal(subscriber.channel.state, "open");
  assert.equal(server.attempts.length, 2);
  assert.deepEqual(subscriber.states, ["open", "paused", "connecting", "open"]);
});

test("a hidden page keeps its channel unless told otherwise", async (test) => {
  const browser = page(test);
  const { clock, server, open } = world(test);
  const subscriber = await open().is("open");
  browser.setHidden(true);
  server.publish("for a page in the background");
  assert.deepEqual(await subscriber.hears(1), ["for a page in the background"]);
  await clock.advance(60_000);
  assert.equal(subscriber.channel.state, "open");
});

test("the first pageshow of a page, which every load brings, changes nothing", async (test) => {
  const browser = page(test);
  const { clock, server, open } = world(test);
  const subscriber = await open().is("open");
  browser.show(false);
  await clock.settle();
  assert.equal(server.attempts.length, 1);
  assert.deepEqual(subscriber.states, ["open"]);
});

test("a page that is put away while hidden comes back once it is shown", async (test) => {
  const browser = page(test);
  const { clock, open } = world(test);
  const subscriber = await open({ pauseWhenHidden: true }).is("open");
  browser.setHidden(true);
  browser.putAway();
  await clock.advance(1_000);
  browser.show();
  browser.setHidden(false);
  await subscriber.is("open");
});

test("without a network a server on the same machine is reached all the same", async (test) => {
  for (const host of ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"]) {
    await test.test(host, async (test) => {
      const browser = page(test);
      const { clock, open } = world(test);
      const subscriber = await open({}, `http://${host}/channels/chat`).is("open");
      browser.goOffline();
      await clock.advance(1_000);
      assert.equal(subscriber.channel.state, "open");
    });
  }
});

test("an address without a host is the page's own", async (test) => {
  page(test, { address: "https://fallcast.test/rooms/tea" });
  const { server, open } = world(test);
  await open({}, "/channels/chat").is("open");
  assert.equal(server.attempts[0].url.href.split("?")[0], "wss://fallcast.test/channels/chat/ws");
});

// --- reloads ----------------------------------------------------------------------------------------------------------

test("with resume a reload goes on where the page was left, under the same client name", async (test) => {
  const storage = new Map();
  const browser = page(test, { storage });
  const { clock, server, open } = world(test);
  const first = await open({ resume: true, after: "start" }).is("open");
  server.publishNumbers(1, 3);
  await first.hears(3);
  browser.putAway();
  server.publishNumbers(4, 6);
  await clock.advance(1_000);

  const second = open({ resume: true, after: "start" });

  assert.deepEqual(await second.hears(3), numbers(4, 6));
  assert.equal(second.channel.client, first.channel.client);
});

test("with resume the position is kept without waiting for the page's end, which may never be told", async (test) => {
  const storage = new Map();
  page(test, { storage });
  const { clock, server, open } = world(test);
  const first = await open({ resume: true, after: "start" }).is("open");
  server.publishNumbers(1, 3);
  await first.hears(3);
  await clock.advance(1_000);
  const kept = new Map(storage);
  assert.ok([...kept.values()].some((value) => value.includes("e1.3")), JSON.stringify([...kept]));
});

test("without resume nothing is stored", async (test) => {
  const storage = new Map();
  const browser = page(test, { storage });
  const { clock, server, open } = world(test);
  const subscriber = await open({ after: "start" }).is("open");
  server.publish(1);
  await subscriber.hears(1);
  browser.putAway();
  await clock.advance(1_000);
  assert.deepEqual([...storage], []);
});

test("channels with different resume names have different positions", async (test) => {
  page(test);
  const { clock, server, open } = world(test);
  const first = await open({ resume: "left", after: "start" }).is("open");
  server.publishNumbers(1, 2);
  await first.hears(2);
  first.channel.close();
  await clock.advance(1_000);
  const second = open({ resume: "right", after: "start" });
  assert.deepEqual(await second.hears(2), [1, 2]);
});

test("what is stored and cannot be read is as good as nothing", async (test) => {
  const storage = new Map();
  page(test, { storage });
  const { clock, server, open } = world(test);
  const first = await open({ resume: true, after: "start" }).is("open");
  server.publish(1);
  await first.hears(1);
  first.channel.close();
  await clock.advance(1_000);
  for (const damaged of ["", "{", "null", "7", '"e1.1"']) {
    for (const name of storage.keys()) storage.set(name, damaged);
    const subscriber = open({ resume: true, after: "start" });
    assert.deepEqual(await subscriber.hears(1), [1], damaged);
    subscriber.channel.close();
  }
});

test("where storage is switched off, resume costs nothing but a reload's memory", async (test) => {
  page(test, { storage: null });
  const { clock, server, open } = world(test);
  const subscriber = await open({ resume: true, after: "start" }).is("open");
  server.publish(1);
  assert.deepEqual(await subscriber.hears(1), [1]);
  await clock.advance(1_000);
  subscriber.channel.close();
  assert.equal(subscriber.channel.state, "closed");
});

// --- what a page on plain HTTP lacks ----------------------------------------------------------------------------------

test("a page on plain HTTP to another machine has no randomUUID, no subtle and no locks, and needs none", async (test) => {
  const { getRandomValues } = crypto;
  page(test);
  replace(test, "crypto", { value: { getRandomValues: getRandomValues.bind(crypto) } });
  replace(test, "navigator", { value: { onLine: true } });
  const { clock, server, open } = world(test);
  const subscriber = await open({ after: "start", resume: true }, "http://192.168.1.7:8080/channels/chat").is("open");
  await clock.outcome(subscriber.channel.publish("hi"));
  assert.deepEqual(await subscriber.hears(1), ["hi"]);
  assert.equal(server.attempts.length >= 1, true);
});
