/**
 * Falling back: which transport is tried when, which one wins, and what becomes of the others.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { after, closeWith, cut, hang, mute, refuse, sequence, serve } from "./support/server.mjs";
import { numbers, world } from "./support/world.mjs";

test("where everything works, nothing but the preferred transport is tried", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open().isOn("websocket");

  await clock.advance(600_000);

  assert.equal(server.attempts.length, 1);
  assert.deepEqual(subscriber.decisions(), ["websocket try", "websocket alive"]);
  assert.deepEqual(subscriber.states, ["open"]);
});

test("the order of preference is the application's", async (test) => {
  const { open, server } = world(test);
  await open({ transports: ["long-poll", "websocket"] }).isOn("long-poll");
  assert.deepEqual(server.of("websocket"), []);
});

for (const [first, ...others] of [
  ["websocket", "sse", "long-poll"],
  ["sse", "stream", "websocket"],
  ["stream", "long-poll"],
  ["long-poll", "stream"],
]) {
  test(`${first} carries a channel by itself`, async (test) => {
    const { server, open } = world(test);
    server.publishNumbers(1, 3);
    const subscriber = await open({ transports: [first, ...others], after: "start" }).isOn(first);
    await subscriber.hears(3);
    server.publishNumbers(4, 6);
    assert.deepEqual(await subscriber.hears(6), numbers(1, 6));
    assert.equal(subscriber.channel.cursor, "e1.6");
  });
}

test("SSE is read by fetch where there is no EventSource", async (test) => {
  const { server, open } = world(test);
  server.publishNumbers(1, 2);
  const subscriber = await open({ transports: ["sse"], after: "start", EventSource: null }).isOn("sse");
  await subscriber.hears(2);
  server.publish(3);
  assert.deepEqual(await subscriber.hears(3), [1, 2, 3]);
  assert.equal(server.of("sse")[0].headers !== undefined, true);
});

test("a runtime without WebSocket falls back at once, and says why", async (test) => {
  const { clock, open } = world(test);
  const had = globalThis.WebSocket;
  globalThis.WebSocket = undefined;
  test.after(() => (globalThis.WebSocket = had));
  const subscriber = open({ WebSocket: undefined });
  await clock.settle();
  assert.equal(subscriber.channel.transport, "sse");
  assert.match(subscriber.why("refused", "websocket"), /WebSocket/);
});

test("an outright refusal starts the next transport at once, without the head start", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: refuse(), sse: refuse() } });
  const subscriber = open();

  await clock.settle();

  assert.equal(subscriber.channel.transport, "long-poll");
  const begun = server.attempts[0].at;
  assert.deepEqual(server.attempts.slice(0, 3).map(({ at }) => at - begun), [0, 0, 0]);
  assert.deepEqual(subscriber.decisions({ except: ["beaten"] }), [
    "websocket try",
    "websocket refused",
    "sse try",
    "sse refused",
    "long-poll try",
    "long-poll alive",
  ]);
});

test("a refused connection counts as a refusal, too", async (test) => {
  const { clock, open } = world(test, { rules: { "long-poll": cut } });
  const subscriber = open({ transports: ["long-poll", "sse"] });
  await clock.settle();
  assert.equal(subscriber.channel.transport, "sse");
});

test("silence costs one head start for each silent transport", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: hang, sse: hang } });
  const subscriber = open({ headStart: 500 });

  await clock.advance(490);
  assert.deepEqual(server.attempts.map(({ kind }) => kind), ["websocket"]);
  await clock.advance(20);
  assert.deepEqual(server.attempts.map(({ kind }) => kind), ["websocket", "sse"]);
  await clock.advance(470);
  assert.equal(server.of("long-poll").length, 0);
  await clock.advance(30);

  assert.equal(subscriber.channel.transport, "long-poll");
  assert.deepEqual(subscriber.decisions({ except: ["beaten"] }), [
    "websocket try",
    "websocket silent",
    "sse try",
    "sse silent",
    "long-poll try",
    "long-poll alive",
    "websocket cancelled",
    "sse cancelled",
  ]);
});

test("the head start is a setting", async (test) => {
  const { clock, open } = world(test, { rules: { websocket: hang } });
  const subscriber = open({ headStart: 2_000 });
  await clock.advance(1_980);
  assert.equal(subscriber.channel.transport, null);
  await clock.advance(40);
  assert.equal(subscriber.channel.transport, "sse");
});

test("a refusal during another's head start ends that head start only if it is its own", async (test) => {
  // WebSocket is silent, then refused while SSE has its head start: long-polling must wait for SSE's to end.
  const { clock, server, open } = world(test, { rules: { websocket: after(700, refuse()), sse: hang } });
  open({ headStart: 500 });
  await clock.advance(800);
  assert.deepEqual(server.attempts.map(({ kind }) => kind), ["websocket", "sse"]);
  await clock.advance(300);
  assert.equal(server.of("long-poll").length > 0, true);
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport} that opens and says nothing is no better than one that does not open`, async (test) => {
    const { open } = world(test, { rules: { [transport]: mute } });
    const subscriber = await open({ transports: [transport, "long-poll"] }).isOn("long-poll");
    assert.match(subscriber.why("silent", transport), /hello/);
  });
}

test("the first hello wins, whoever was preferred, and the losers are closed", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: after(900, serve), sse: after(200, serve) } });
  const subscriber = await open({ headStart: 500, reprobe: 0 }).isOn("sse");
  const [socket] = server.of("websocket");

  assert.equal(socket.isCancelled, true);
  await clock.advance(60_000);
  assert.equal(subscriber.channel.transport, "sse");
  assert.deepEqual(server.live.map(({ kind }) => kind), ["sse"]);
});

test("a late but living preferred transport wins over one that was started after it", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: after(600, serve), sse: after(1_000, serve) } });
  const subscriber = await open().isOn("websocket");
  await clock.advance(60_000);
  assert.deepEqual(server.live.map(({ kind }) => kind), ["websocket"]);
  assert.equal(subscriber.decisions().includes("websocket beaten"), false);
});

test("what a loser still says is not heard", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: mute } });
  const subscriber = await open({ after: "start", reprobe: 0 }).isOn("sse");
  const [socket] = server.of("websocket");
  const message = { id: "e1.1", at: 0, content_type: "text/plain", data: "from the past" };

  socket.send({ hello: { protocol: 1, cursor: "e1.0", client: "x".repeat(16) } }, { message });
  await clock.settle();

  assert.equal(subscriber.channel.transport, "sse");
  assert.deepEqual(subscriber.heard, []);
  assert.notEqual(subscriber.channel.client, "x".repeat(16));
});

test("the race is safe: a message that comes over two transports is heard once", async (test) => {
  const { server, open } = world(test, { rules: { websocket: after(501, serve), sse: serve } });
  server.publishNumbers(1, 5);
  const subscriber = await open({ after: "start", headStart: 500 }).is("open");
  await subscriber.hears(5);
  server.publishNumbers(6, 10);
  assert.deepEqual(await subscriber.hears(10), numbers(1, 10));
});

test("a transport that failed while another one lived is beaten, and the log says why", async (test) => {
  const { open } = world(test, { rules: { websocket: refuse(), sse: mute } });
  const subscriber = await open().isOn("long-poll");
  assert.match(subscriber.why("beaten", "websocket"), /handshake/);
  assert.match(subscriber.why("beaten", "sse"), /silent/);
});

test("a page's WebSocket that is closed before it was greeted counts as refused", async (test) => {
  const { clock, open } = world(test, { rules: { websocket: closeWith(4129, "too many") } });
  const subscriber = open();
  await clock.settle();
  assert.equal(subscriber.channel.transport, "sse");
  assert.match(subscriber.why("refused", "websocket"), /4129.*too many/);
});

test("the channel's own query travels with every request", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: refuse(), sse: refuse() } });
  const subscriber = await open({}, "http://fallcast.test/channels/chat?link=train").isOn("long-poll");
  subscriber.channel.publish("hi");
  await clock.settle();
  assert.ok(server.attempts.length >= 4);
  for (const { query } of server.attempts) assert.equal(query.link, "train");
});

test("every request carries the same secret client name, which is random unless given", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: refuse(), sse: refuse() } });
  const given = await open({ client: "a-secret-name-of-mine" }).isOn("long-poll");
  given.channel.publish("hi");
  await clock.settle();
  for (const { query } of server.attempts) assert.equal(query.client, "a-secret-name-of-mine");

  const [first, second] = [open(), open()].map(({ channel }) => channel.client);
  assert.match(first, /^[A-Za-z0-9_-]{16,64}$/);
  assert.notEqual(first, second);
});

test("what the application asked for is asked of the server", async (test) => {
  const { server, open } = world(test, { rules: { websocket: refuse(), sse: refuse() } });
  await open({ as: "Ada", presence: true, echo: false, after: "start" }).isOn("long-poll");
  for (const { kind, query } of server.attempts.slice(0, 3)) {
    assert.deepEqual([query.as, query.presence, query.echo, query.after], ["Ada", "1", "0", "start"], kind);
  }
});

test("transports that nobody knows, and none at all, are refused by connect", (test) => {
  const { open } = world(test);
  assert.throws(() => open({ transports: ["carrier-pigeon"] }), /carrier-pigeon/);
  assert.throws(() => open({ transports: [] }), TypeError);
  assert.throws(() => open({}, "ftp://fallcast.test/channels/chat"), /http/);
});

// --- outages ----------------------------------------------------------------------------------------------------------

test("a race that nobody wins is an outage: nothing is remembered, and the next one begins with the preferred transport", async (test) => {
  const down = refuse(502);
  const { clock, server, open } = world(test, {
    rules: { websocket: sequence(down, down, serve), sse: down, "long-poll": down },
  });
  const subscriber = await open().is("waiting");
  assert.equal(subscriber.channel.transport, null);

  await subscriber.isOn("websocket");

  assert.equal(subscriber.decisions().some((decision) => decision.endsWith("beaten")), false);
  const kinds = server.attempts.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["websocket", "sse", "long-poll", "websocket", "sse", "long-poll", "websocket"]);
  await clock.advance(600_000);
  assert.equal(server.attempts.length, 7);
});

test("a race in which everybody is silent is given up after its patience, and everything is closed", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: hang, sse: mute, "long-poll": hang } });
  const subscriber = open({ headStart: 500, patience: 10_000 });
  await clock.advance(10_000);
  assert.equal(subscriber.channel.state, "connecting");
  await subscriber.is("waiting");
  assert.equal(subscriber.decisions().includes("sse beaten"), false);
  assert.deepEqual(server.attempts.map(({ isCancelled }) => isCancelled), [true, true, true]);
});

test("waits between races grow up to the cap, with full jitter", async (test) => {
  const down = refuse(502);
  const { clock, server, open } = world(test, { rules: { websocket: down, sse: down, "long-poll": down } });
  open({ backoff: { base: 1_000, cap: 8_000 } });
  await clock.until(() => server.of("websocket").length === 7);
  const at = server.of("websocket").map((attempt) => attempt.at);
  // Math.random is one half here.
  const waits = at.slice(1).map((time, index) => time - at[index]);
  for (const [index, expected] of [500, 1_000, 2_000, 4_000, 4_000, 4_000].entries()) {
    assert.ok(Math.abs(waits[index] - expected) <= 20, `wait ${index} is ${waits[index]}, not about ${expected}`);
  }
});

test("after a success the waits begin small again", async (test) => {
  const down = refuse(502);
  const { clock, server, open } = world(test, { rules: { websocket: sequence(down, down, down, down, serve, down, serve) } });
  const subscriber = open({ transports: ["websocket"], backoff: { base: 1_000, cap: 30_000 } });
  await subscriber.isOn("websocket");
  await clock.advance(60_000);
  const before = Date.now();
  server.live[0].cut();
  await clock.until(() => server.of("websocket").length === 6);
  assert.ok(Date.now() - before <= 520, "the first wait is at most half of the base here");
});

// --- back up ----------------------------------------------------------------------------------------------------------

test("a beaten transport is tried again, and when it lives the channel moves up without loss or repetition", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: sequence(refuse(), serve) } });
  const subscriber = await open({ after: "start", reprobe: 30_000 }).isOn("sse");
  server.publishNumbers(1, 10);
  await subscriber.hears(10);
  await clock.advance(29_000);
  assert.equal(subscriber.channel.transport, "sse");

  await subscriber.isOn("websocket");
  server.publishNumbers(11, 20);

  assert.deepEqual(await subscriber.hears(20), numbers(1, 20));
  assert.deepEqual(server.live.map(({ kind }) => kind), ["websocket"]);
  assert.deepEqual(subscriber.transports, ["sse", "websocket"]);
  assert.deepEqual(subscriber.decisions().slice(-4), ["probe", "websocket try", "websocket alive", "websocket moved"]);
  assert.equal(subscriber.channel.stats.moves, 1);
  assert.equal(server.of("websocket")[1].query.after, "e1.10");
});

test("the old transport delivers until the better one lives, and what both bring is heard once", async (test) => {
  const { server, open } = world(test, { rules: { websocket: sequence(refuse(), after(400, serve)) } });
  const subscriber = await open({ after: "start", reprobe: 1_000 }).isOn("sse");
  server.publishNumbers(1, 3);
  await subscriber.clock.until(() => server.of("websocket").length === 2);
  server.publishNumbers(4, 6);
  await subscriber.hears(6);
  assert.equal(subscriber.channel.transport, "sse");

  await subscriber.isOn("websocket");
  server.publishNumbers(7, 9);

  assert.deepEqual(await subscriber.hears(9), numbers(1, 9));
  assert.equal(subscriber.channel.state, "open");
  assert.deepEqual(subscriber.states, ["open"]);
});

test("from long-polling the channel moves up to the best transport that lives", async (test) => {
  const { server, open } = world(test, {
    rules: { websocket: refuse(), sse: sequence(refuse(), serve) },
  });
  const subscriber = await open({ after: "start", reprobe: 5_000 }).isOn("long-poll");
  server.publishNumbers(1, 3);
  await subscriber.isOn("sse");
  server.publishNumbers(4, 6);
  assert.deepEqual(await subscriber.hears(6), numbers(1, 6));
  server.rules.websocket = serve;
  await subscriber.isOn("websocket");
  server.publishNumbers(7, 9);
  assert.deepEqual(await subscriber.hears(9), numbers(1, 9));
});

test("a failed probe disturbs nothing, and the next one waits twice as long, up to ten times", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: refuse() } });
  const subscriber = await open({ reprobe: 10_000 }).isOn("sse");
  await clock.until(() => server.of("websocket").length === 8);
  const at = server.of("websocket").map((attempt) => attempt.at);
  const waits = at.slice(1).map((time, index) => time - at[index]);
  for (const [index, expected] of [10_000, 20_000, 40_000, 80_000, 100_000, 100_000, 100_000].entries()) {
    assert.ok(Math.abs(waits[index] - expected) <= 20, `wait ${index} is ${waits[index]}, not about ${expected}`);
  }
  assert.equal(server.of("sse").length, 1);
  assert.deepEqual(subscriber.states, ["open"]);
  assert.equal(subscriber.channel.stats.losses, 0);
});

test("a probe that stays silent is given up, and the line lives on", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: sequence(refuse(), mute) } });
  const subscriber = await open({ reprobe: 10_000, patience: 5_000 }).isOn("sse");
  await clock.advance(20_000);
  assert.equal(server.of("websocket")[1].isCancelled, true);
  assert.equal(subscriber.channel.transport, "sse");
  server.publish("still here");
  assert.deepEqual(await subscriber.hears(1), ["still here"]);
});

test("a probe that is turned away for good does not end a channel that lives", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: sequence(refuse(), closeWith(4001, "no"), serve) } });
  const subscriber = await open({ reprobe: 1_000 }).isOn("sse");
  await clock.until(() => server.of("websocket").length === 2);
  await clock.settle();
  assert.equal(subscriber.channel.state, "open");
  server.publish("still here");
  assert.deepEqual(await subscriber.hears(1), ["still here"]);
  await subscriber.isOn("websocket");
});

test("with reprobe 0 the channel stays where it is", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: sequence(refuse(), serve) } });
  const subscriber = await open({ reprobe: 0 }).isOn("sse");
  await clock.advance(3_600_000);
  assert.equal(server.of("websocket").length, 1);
  assert.equal(subscriber.channel.transport, "sse");
});

test("a line that dies during a probe does not end the channel", async (test) => {
  const { server, open } = world(test, { rules: { websocket: sequence(refuse(), hang) } });
  server.publishNumbers(1, 2);
  const subscriber = await open({ after: "start", reprobe: 1_000 }).isOn("sse");
  await subscriber.clock.until(() => server.of("websocket").length === 2);
  server.of("sse")[0].cut();
  server.publishNumbers(3, 4);
  assert.deepEqual(await subscriber.hears(4), numbers(1, 4));
});

test("a reconnect does not pay again for what was beaten before", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: hang } });
  const subscriber = await open({ reprobe: 60_000 }).isOn("sse");
  await clock.advance(10_000);
  server.of("sse")[0].cut();
  const count = server.attempts.length;
  await subscriber.isOn("sse");
  assert.equal(server.attempts[count].kind, "sse");
});

test("a transport that has won its place back is tried first again", async (test) => {
  const { server, open } = world(test, { rules: { websocket: sequence(refuse(), serve) } });
  const subscriber = await open({ reprobe: 1_000 }).isOn("sse");
  await subscriber.isOn("websocket");
  const count = server.attempts.length;
  server.live[0].cut();
  await subscriber.isOn("websocket");
  assert.equal(server.attempts[count].kind, "websocket");
});

test("a transport that dies again and again without delivering anything is no better than a blocked one", async (test) => {
  const shortLived = (attempt, server) => {
    server.serve(attempt);
    setTimeout(() => attempt.cut(), 100);
  };
  const { clock, server, open } = world(test, { rules: { websocket: shortLived } });
  const subscriber = open();
  await clock.until(() => subscriber.channel.transport === "sse");
  server.publish("at last");
  assert.deepEqual(await subscriber.hears(1), ["at last"]);
  assert.ok(server.of("websocket").length <= 3);
});
