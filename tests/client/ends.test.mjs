/**
 * How lines end, and what the client makes of it: come back at once, after a while, when the server says, or never.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { closeWith, cut, hang, refuse, sequence, serve } from "./support/server.mjs";
import { table } from "./support/tables.mjs";
import { world } from "./support/world.mjs";

/** How long it takes the client to come back after what `end` does to its line. */
async function timeToReturn({ clock, server }, transport, end) {
  const count = server.of(transport).length;
  const before = Date.now();
  end(server.live[0]);
  await clock.until(() => server.of(transport).length > count);
  return Date.now() - before;
}

// --- close codes ------------------------------------------------------------------------------------------------------

for (const { code, verdict, why } of table("close-codes").cases.filter(({ verdict }) => verdict === "stop")) {
  test(`a line closed with ${code} (${why}) ends the channel for good`, async (test) => {
    const { clock, server, open } = world(test);
    const subscriber = await open().isOn("websocket");
    server.live[0].close(code, "the reason");
    await clock.advance(3_600_000);
    assert.equal(subscriber.channel.state, "closed");
    assert.equal(server.attempts.length, 1);
    assert.match(subscriber.why("stop"), new RegExp(`${code}.*the reason`));
  });
}

for (const { code, verdict } of table("close-codes").cases.filter(({ verdict }) => verdict === "at-once")) {
  test(`a line closed with ${code} (${verdict}) comes back without waiting`, async (test) => {
    const whole = world(test);
    await whole.open().isOn("websocket");
    assert.ok((await timeToReturn(whole, "websocket", (line) => line.close(code))) <= 10);
  });
}

for (const { code, verdict } of table("close-codes").cases.filter(({ verdict }) => /back-off|retry/.test(verdict))) {
  test(`a line closed with ${code} (${verdict}) comes back after a random wait`, async (test) => {
    const whole = world(test);
    await whole.open({ backoff: { base: 1_000, cap: 30_000 } }).isOn("websocket");
    const wait = await timeToReturn(whole, "websocket", (line) => line.close(code));
    assert.ok(wait >= 490 && wait <= 520, `it came back after ${wait} ms`);
  });
}

test("a server that sends everybody away at once, again and again, is not hammered", async (test) => {
  const sendAway = (attempt, server) => {
    server.serve(attempt);
    attempt.close(4200, "elsewhere");
  };
  const { clock, server, open } = world(test, {
    rules: { websocket: sendAway, sse: refuse(), "long-poll": refuse() },
  });
  open({ transports: ["websocket"] });
  await clock.advance(60_000);
  assert.ok(server.attempts.length < 30, `it came ${server.attempts.length} times in a minute`);
});

test("4000 before the greeting stops the channel, too: the request itself is bad", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: closeWith(4000, "after is no cursor") } });
  const subscriber = open();
  await clock.advance(60_000);
  assert.equal(subscriber.channel.state, "closed");
  assert.equal(server.attempts.length, 1);
  assert.match(subscriber.why("stop"), /after is no cursor/);
});

// --- goodbye ----------------------------------------------------------------------------------------------------------

for (const transport of ["websocket", "sse", "stream", "long-poll"]) {
  test(`${transport}: after a goodbye the client comes back when the server said, and with its cursor`, async (test) => {
    const whole = world(test);
    const { server, open, clock } = whole;
    server.publish("before");
    const subscriber = await open({ transports: [transport], after: "start" }).isOn(transport);
    await subscriber.hears(1);
    await clock.until(() => server.live.length === 1);
    const goodbye = { reason: "draining", reconnect_ms: 7_000 };
    const wait = await timeToReturn(whole, transport, (line) => {
      if (transport === "long-poll") line.answerJson(200, { cursor: server.head, events: [{ goodbye }], more: false });
      else line.send({ goodbye });
    });
    assert.ok(wait >= 6_990 && wait <= 7_050, `it came back after ${wait} ms`);
    assert.equal(server.of(transport).at(-1).query.after, "e1.1");
    assert.equal(subscriber.decisions().includes(`${transport} goodbye`), true);
    assert.match(subscriber.why("goodbye"), /draining/);
    server.publish("after");
    assert.deepEqual(await subscriber.hears(2), ["before", "after"]);
  });
}

test("a goodbye is an event for the application, with the server's reason", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open().isOn("websocket");
  const goodbyes = [];
  subscriber.channel.addEventListener("goodbye", ({ detail }) => goodbyes.push(detail));
  server.live[0].send({ goodbye: { reason: "draining", reconnect_ms: 100 } });
  await clock.settle();
  assert.deepEqual(goodbyes.map(({ reason }) => reason), ["draining"]);
});

test("a goodbye instead of a greeting is no success: SSE of a draining server", async (test) => {
  const bidFarewell = (attempt) => {
    attempt.open();
    attempt.send({ goodbye: { reason: "draining", reconnect_ms: 3_000 } });
    attempt.end();
  };
  const { clock, server, open } = world(test, { rules: { sse: sequence(bidFarewell, serve) } });
  const subscriber = open({ transports: ["sse"] });
  await clock.advance(2_900);
  assert.equal(server.attempts.length, 1);
  assert.equal(subscriber.channel.state, "waiting");
  await subscriber.isOn("sse");
});

test("close 1012 after a goodbye counts once", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open().isOn("websocket");
  const [line] = server.live;
  line.send({ goodbye: { reason: "draining", reconnect_ms: 2_000 } });
  line.close(1012, "draining");
  await clock.advance(10_000);
  assert.equal(subscriber.channel.stats.losses, 1);
  assert.equal(server.attempts.length, 2);
});

// --- statuses ---------------------------------------------------------------------------------------------------------

test("Retry-After in seconds is a lower bound, with jitter on top", async (test) => {
  const busy = refuse(503, { headers: { "Retry-After": "20" } });
  const { clock, server, open } = world(test, { rules: { "long-poll": sequence(busy, serve) } });
  open({ transports: ["long-poll"] });
  await clock.advance(19_900);
  assert.equal(server.attempts.length, 1);
  await clock.advance(10_200);
  assert.ok(server.attempts.length > 1);
});

test("Retry-After as a date is understood, too", async (test) => {
  const { clock, server, open } = world(test, {
    rules: {
      stream: sequence(
        (attempt) => attempt.refuse(503, { headers: { "Retry-After": new Date(Date.now() + 20_000).toUTCString() } }),
        serve,
      ),
    },
  });
  open({ transports: ["stream"] });
  await clock.advance(18_900);
  assert.equal(server.of("stream").length, 1);
  await clock.advance(10_000);
  assert.equal(server.of("stream").length, 2);
});

test("a Retry-After of years does not turn into none", async (test) => {
  const years = refuse(503, { headers: { "Retry-After": "100000000" } });
  const { clock, server, open } = world(test, { rules: { stream: sequence(years, years, years, serve) } });
  open({ transports: ["stream"] });
  await clock.advance(600_000);
  assert.equal(server.attempts.length, 1);
});

test("a Retry-After that is no time is ignored", async (test) => {
  const odd = refuse(503, { headers: { "Retry-After": "soon" } });
  const { clock, server, open } = world(test, { rules: { stream: sequence(odd, serve) } });
  open({ transports: ["stream"] });
  await clock.advance(1_000);
  assert.equal(server.of("stream").length, 2);
});

for (const status of [400, 401, 403, 404, 410, 422]) {
  test(`a problem document with ${status} ends the channel: the server itself says that trying again is of no use`, async (test) => {
    const problem = { title: "No such thing", detail: "after is no cursor" };
    const { clock, server, open } = world(test, { rules: { "long-poll": refuse(status, { problem }) } });
    const subscriber = open({ transports: ["long-poll", "stream"] });
    await clock.advance(60_000);
    assert.equal(subscriber.channel.state, "closed");
    assert.equal(server.attempts.length, 1);
    assert.match(subscriber.why("stop"), new RegExp(`${status}.*No such thing.*after is no cursor`));
  });
}

for (const status of [400, 403, 404, 407, 502]) {
  test(`${status} without a problem document is somebody on the way, and the next transport is tried`, async (test) => {
    const { clock, open } = world(test, { rules: { "long-poll": refuse(status) } });
    const subscriber = open({ transports: ["long-poll", "stream"] });
    await clock.settle();
    assert.equal(subscriber.channel.transport, "stream");
    assert.match(subscriber.why("refused", "long-poll"), new RegExp(String(status)));
  });
}

for (const status of [408, 425, 429, 500, 503]) {
  test(`a problem document with ${status} is about the moment: the client comes back`, async (test) => {
    const { server, open } = world(test, { rules: { stream: sequence(refuse(status, { problem: {} }), serve) } });
    const subscriber = await open({ transports: ["stream"] }).isOn("stream");
    assert.equal(server.attempts.length, 2);
    assert.match(subscriber.why("refused"), new RegExp(String(status)));
  });
}

test("a poll that is refused in the middle of a channel stops it if the problem is final", async (test) => {
  const gone = refuse(401, { problem: { title: "Unauthorized" } });
  const { clock, open } = world(test, { rules: { "long-poll": sequence(serve, gone) } });
  const subscriber = open({ transports: ["long-poll"] });
  await clock.advance(60_000);
  assert.equal(subscriber.channel.state, "closed");
  assert.equal(subscriber.states.includes("open"), true);
});

test("an answer that is no answer of the protocol is a failure like any other", async (test) => {
  const portal = (attempt) => attempt.answer(200, "<h1>Welcome to the hotel</h1>", { "Content-Type": "text/html" });
  const { clock, server, open } = world(test, { rules: { "long-poll": portal, stream: portal, sse: portal } });
  const subscriber = open({ transports: ["long-poll", "stream", "sse"], EventSource: null });
  await clock.advance(120_000);
  assert.notEqual(subscriber.channel.state, "closed");
  assert.equal(subscriber.states.includes("open"), false);
  assert.ok(server.attempts.length > 3);
  Object.assign(server.rules, { "long-poll": serve, stream: serve, sse: serve });
  await subscriber.is("open");
});

test("an empty answer to a poll is a failure, and does not make the client spin", async (test) => {
  const empty = (attempt) => attempt.answer(200, "");
  const { clock, server, open } = world(test, { rules: { "long-poll": sequence(serve, empty) } });
  open({ transports: ["long-poll"], backoff: { base: 1_000, cap: 8_000 } });
  await clock.advance(60_000);
  assert.ok(server.attempts.length < 40, `it asked ${server.attempts.length} times in a minute`);
});

test("what is no JSON on a line ends the line, and not the program", async (test) => {
  for (const transport of ["websocket", "sse", "stream"]) {
    await test.test(transport, async (test) => {
      const { server, open } = world(test);
      const subscriber = await open({ transports: [transport] }).isOn(transport);
      const [line] = server.live;
      const broken = new MessageEvent("message", { data: "{broken" });
      if (transport === "stream") line.sendText("{broken\n");
      else (line.socket ?? line.source).emit(broken);
      await subscriber.is("waiting");
      server.publish("over a new one");
      assert.deepEqual(await subscriber.hears(1), ["over a new one"]);
    });
  }
});

// --- states -----------------------------------------------------------------------------------------------------------

test("every change of state is told, with where it came from and why", async (test) => {
  const { server, open } = world(test, { rules: { websocket: sequence(cut, serve, serve) } });
  const subscriber = open({ transports: ["websocket"] });
  const changes = [];
  subscriber.channel.addEventListener("state", ({ detail }) => changes.push(detail));
  assert.equal(subscriber.channel.state, "connecting");
  await subscriber.is("open");
  server.live[0].cut();
  await subscriber.is("waiting");
  await subscriber.is("open");
  subscriber.channel.close();
  await null;

  const states = ["connecting", "waiting", "connecting", "open", "waiting", "connecting", "open", "closed"];
  assert.deepEqual(changes.map(({ from, state }) => [from, state]), states.slice(1).map((to, at) => [states[at], to]));
  for (const { why } of changes) assert.ok(why.length > 0);
});

test("every change of transport is told, also that there is none", async (test) => {
  const { server, open } = world(test, { rules: { websocket: refuse() } });
  const subscriber = open({ transports: ["websocket", "sse"], reprobe: 0 });
  const changes = [];
  subscriber.channel.addEventListener("transport", ({ detail }) => changes.push([detail.from, detail.transport]));
  await subscriber.isOn("sse");
  server.live[0].cut();
  await subscriber.isOn("sse");
  subscriber.channel.close();
  await null;
  assert.deepEqual(changes, [[null, "sse"], ["sse", null], [null, "sse"], ["sse", null]]);
});

test("the log is told as it grows, and reads as sentences with their times", async (test) => {
  const { server, open } = world(test, { rules: { websocket: hang } });
  const subscriber = open({ headStart: 500 });
  const told = [];
  subscriber.channel.addEventListener("log", ({ detail }) => told.push(detail));
  await subscriber.isOn("sse");
  server.live[0].cut();
  await subscriber.isOn("sse");

  const { log } = subscriber.channel;
  assert.deepEqual(told, log.slice(-told.length));
  for (const entry of log) {
    assert.deepEqual(Object.keys(entry).sort(), ["at", "transport", "what", "why"]);
    assert.equal(entry.at, Math.round(entry.at * 10) / 10);
    assert.ok(String(entry).includes(entry.what) && String(entry).includes(entry.why), String(entry));
  }
  const times = log.map(({ at }) => at);
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
  const silent = log.find(({ what }) => what === "silent");
  assert.ok(silent.at >= 500 && silent.at <= 520);
});

test("the log is bounded", async (test) => {
  const down = cut;
  const { clock, server, open } = world(test, { rules: { websocket: down, sse: down, "long-poll": down } });
  const subscriber = open({ backoff: { base: 1, cap: 10 } });
  await clock.until(() => server.attempts.length > 3_000);
  assert.ok(subscriber.channel.log.length <= 1_000);
  assert.equal(subscriber.channel.stats.attempts > 3_000, true);
});
