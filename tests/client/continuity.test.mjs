/**
 * Nothing is lost and nothing is repeated, or the application is told: cursors, gaps, epochs, and lines that only seem
 * to live.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { cut, hang, holdAfter, holdLast, mute, refuse, sequence, serve, slow } from "./support/server.mjs";
import { numbers, world } from "./support/world.mjs";

const TRANSPORTS = ["websocket", "sse", "long-poll", "stream"];

/** A message as the server would send it. @param {string} id @param {any} data */
function messageWith(id, data) {
  return { message: { id, at: 0, content_type: "application/json", data } };
}

for (const transport of TRANSPORTS) {
  test(`${transport}: a line that breaks off is taken up where it ended`, async (test) => {
    const { clock, server, open } = world(test);
    const subscriber = await open({ transports: [transport], after: "start" }).isOn(transport);
    for (let first = 1; first <= 41; first += 10) {
      server.publishNumbers(first, first + 4);
      await subscriber.hears(first + 4);
      await clock.until(() => server.live.length === 1);
      server.live[0].cut();
      server.publishNumbers(first + 5, first + 9);
      await subscriber.hears(first + 9);
    }
    assert.deepEqual(subscriber.heard, numbers(1, 50));
    assert.deepEqual(subscriber.gaps, []);
    assert.equal(subscriber.channel.stats.losses, 5);
    assert.equal(subscriber.channel.stats.messages, 50);
  });

  test(`${transport}: what was evicted meanwhile is a gap, and the channel goes on behind it`, async (test) => {
    const { server, open } = world(test);
    const subscriber = await open({ transports: [transport], after: "start" }).isOn(transport);
    server.publishNumbers(1, 3);
    await subscriber.hears(3);
    server.live[0].cut();
    server.publishNumbers(4, 10);
    server.evict(8);

    assert.deepEqual(await subscriber.hears(5), [1, 2, 3, 9, 10]);
    assert.deepEqual(subscriber.gaps, [{ after: "e1.3", resume: "e1.8", missed: 5, reason: "evicted" }]);
    assert.equal(subscriber.channel.stats.gaps, 1);
    assert.match(subscriber.why("gap"), /5 .*e1\.3.*evicted/);
  });

  test(`${transport}: another epoch is a gap, even where its offsets are smaller`, async (test) => {
    const { server, open } = world(test);
    const subscriber = await open({ transports: [transport], after: "start" }).isOn(transport);
    server.publishNumbers(1, 5);
    await subscriber.hears(5);
    server.restart("e2");
    server.publishNumbers(6, 7);

    assert.deepEqual(await subscriber.hears(7), numbers(1, 7));
    assert.deepEqual(subscriber.gaps, [{ after: "e1.5", resume: "e2.0", missed: null, reason: "epoch" }]);
    assert.equal(subscriber.channel.cursor, "e2.2");
  });
}

test("a gap in the middle of a line moves the position, also backward in another epoch", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"] }).isOn("websocket");
  const [line] = server.live;
  line.send({ gap: { after: "e1.0", resume: "e1.10", missed: 10, reason: "slow" } }, messageWith("e1.11", "a"));
  line.send({ gap: { after: "e1.11", resume: "e2.3", missed: null, reason: "epoch" } }, messageWith("e2.4", "b"));
  assert.deepEqual(await subscriber.hears(2), ["a", "b"]);
  assert.deepEqual(subscriber.gaps.map(({ reason, missed }) => [reason, missed]), [["slow", 10], ["epoch", null]]);
});

test("the log that lost its end to a crash resumes at a smaller offset, and is not taken for repetition", async (test) => {
  // A cursor ahead of the head is answered by a gap of reason epoch that resumes at the head, within one epoch.
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"], after: "e1.9" }).isOn("websocket");
  const [line] = server.live;
  line.send({ gap: { after: "e1.9", resume: "e1.4", missed: null, reason: "epoch" } }, messageWith("e1.5", "anew"));
  assert.deepEqual(await subscriber.hears(1), ["anew"]);
  assert.equal(subscriber.channel.cursor, "e1.5");
});

test("repeated messages are dropped and counted", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  server.publishNumbers(1, 5);
  await subscriber.hears(5);
  server.live[0].send(messageWith("e1.5", "again"), messageWith("e1.1", "again"), messageWith("e1.3", "again"));
  server.publish(6);
  assert.deepEqual(await subscriber.hears(6), numbers(1, 6));
  assert.equal(subscriber.channel.stats.duplicates, 3);
  assert.equal(subscriber.channel.cursor, "e1.6");
});

test("a hole that nobody announced is found by its offsets and read again from the log, at once", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  server.publishNumbers(1, 3);
  await subscriber.hears(3);
  server.publishIntoTheVoid(4);
  server.publishIntoTheVoid(5);
  server.publish(6);

  await clock.advance(100);

  assert.deepEqual(await subscriber.hears(6), numbers(1, 6));
  assert.deepEqual(subscriber.gaps, []);
  assert.match(subscriber.why("lost"), /e1\.6.*e1\.3/);
  assert.equal(server.of("websocket")[1].query.after, "e1.3");
});

test("without echo a hole may be an own publication, and is none", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"], echo: false, after: "start" }).isOn("websocket");
  server.publish(1);
  await clock.outcome(subscriber.channel.publish("mine"));
  server.publish(2);
  assert.deepEqual(await subscriber.hears(2), [1, 2]);
  assert.equal(subscriber.channel.stats.losses, 0);
});

test("without echo a heartbeat carries the position over own publications", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 5_000 });
  const subscriber = await open({ transports: ["websocket"], echo: false, after: "start" }).isOn("websocket");
  await clock.outcome(subscriber.channel.publish("mine"));
  await clock.advance(6_000);
  assert.equal(subscriber.channel.cursor, "e1.1");
  assert.deepEqual(subscriber.heard, []);
  assert.equal(subscriber.channel.stats.losses, 0);
});

test("a message of another epoch that no gap announced is a gap of unknown size", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  server.publishNumbers(1, 2);
  await subscriber.hears(2);
  server.live[0].send(messageWith("e7.12", "elsewhere"));
  assert.deepEqual(await subscriber.hears(3), [1, 2, "elsewhere"]);
  assert.deepEqual(subscriber.gaps.map(({ missed, reason }) => [missed, reason]), [[null, "epoch"]]);
  assert.equal(subscriber.channel.cursor, "e7.12");
});

test("events, fields and reasons that this version does not know are ignored", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["websocket"] }).isOn("websocket");
  const [line] = server.live;
  line.send({ weather: { sun: true } }, { constructor: {} }, { message: { ...messageWith("e1.1", "a").message, more: 1 } });
  line.send({ gap: { after: "e1.1", resume: "e1.5", missed: 4, reason: "whim", more: 2 } });
  assert.deepEqual(await subscriber.hears(1), ["a"]);
  assert.equal(subscriber.gaps[0].reason, "whim");
  assert.equal(subscriber.channel.state, "open");
});

// --- lines that only seem to live -------------------------------------------------------------------------------------

for (const transport of ["websocket", "sse", "stream"]) {
  test(`${transport}: a line on which no heartbeat comes any more is left`, async (test) => {
    const { clock, server, open } = world(test, { heartbeat: 4_000 });
    const subscriber = await open({ transports: [transport] }).isOn(transport);
    const [line] = server.live;
    line.ended(); // The heartbeats stop, and the connection stays.
    await clock.advance(9_000);
    assert.equal(server.of(transport).length, 1, "two heartbeats may be late");
    await clock.advance(10_000);
    assert.equal(line.isCancelled, true);
    assert.match(subscriber.why("lost"), /nothing came/);
    server.publish("over a new one");
    assert.deepEqual(await subscriber.hears(1), ["over a new one"]);
  });

  test(`${transport}: heartbeats keep an idle line`, async (test) => {
    const { clock, server, open } = world(test, { heartbeat: 4_000 });
    const subscriber = await open({ transports: [transport] }).isOn(transport);
    await clock.advance(600_000);
    assert.equal(server.of(transport).length, 1);
    assert.equal(subscriber.channel.stats.losses, 0);
  });
}

test("long-poll: idle polls that are answered keep the line", async (test) => {
  const { clock, open } = world(test, { heartbeat: 4_000 });
  const subscriber = await open({ transports: ["long-poll"] }).isOn("long-poll");
  await clock.advance(600_000);
  assert.equal(subscriber.channel.stats.losses, 0);
  assert.equal(subscriber.channel.state, "open");
});

test("long-poll: a poll that is never answered is left", async (test) => {
  const { server, open, clock } = world(test, {
    heartbeat: 4_000,
    rules: { "long-poll": sequence(serve, hang, serve) },
  });
  const subscriber = await open({ transports: ["long-poll"] }).isOn("long-poll");
  const [, hanging] = server.of("long-poll");
  await clock.until(() => hanging.isCancelled);
  assert.match(subscriber.why("lost"), /nothing came/);
  server.publish("over a new one");
  assert.deepEqual(await subscriber.hears(1), ["over a new one"]);
});

test("a heartbeat that stands ahead of what came shows a loss, which is read again at once", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 4_000 });
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  server.publishNumbers(1, 2);
  await subscriber.hears(2);
  server.publishIntoTheVoid(3);
  server.beat(server.live[0]);
  await clock.advance(100);
  assert.deepEqual(await subscriber.hears(3), [1, 2, 3]);
  assert.match(subscriber.why("lost"), /stands at e1\.3.*e1\.2/);
});

test("a zombie that stays behind the head for two heartbeats is left", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 4_000 });
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  const [zombie] = server.live;
  // The server's side of this subscription has died: its position stays where it is, and its heart beats on.
  zombie.ended();
  zombie.isOver = true;
  const beat = () => zombie.socket.emit(new MessageEvent("message", { data: heartbeat("e1.0", server.head) }));
  server.publishNumbers(1, 3);

  beat();
  await clock.advance(100);
  assert.equal(subscriber.channel.stats.losses, 0, "messages may be on their way when a heartbeat is sent");
  beat();

  assert.deepEqual(await subscriber.hears(3), [1, 2, 3]);
  assert.match(subscriber.why("lost"), /behind the head/);
});

test("a line that was behind and has caught up is no zombie", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 60_000 });
  const subscriber = await open({ transports: ["websocket"], after: "start" }).isOn("websocket");
  const [line] = server.live;
  for (let number = 1; number <= 10; number += 1) {
    line.send({ heartbeat: { cursor: server.cursor(number - 1), head: server.cursor(number) } });
    server.publish(number);
    await subscriber.hears(number);
    line.send({ heartbeat: { cursor: server.cursor(number), head: server.cursor(number) } });
  }
  await clock.advance(100);
  assert.equal(subscriber.channel.stats.losses, 0);
});

test("a poll's answer from a cache, older than what is known, is not believed", async (test) => {
  const { server, open } = world(test, {
    rules: {
      "long-poll": sequence(serve, serve, (attempt) => attempt.answerJson(200, { cursor: "e1.1", events: [], more: false }), serve),
    },
  });
  server.publishNumbers(1, 3);
  const subscriber = await open({ transports: ["long-poll"], after: "start" }).isOn("long-poll");
  await subscriber.hears(3);
  server.publish(4);
  await subscriber.hears(4);
  server.publish(5);
  assert.deepEqual(await subscriber.hears(5), numbers(1, 5));
  assert.match(subscriber.why("lost"), /cache/);
});

test("no two polls have the same address, so no cache and no queue of the browser joins them", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 4_000 });
  await open({ transports: ["long-poll"] }).isOn("long-poll");
  await clock.advance(60_000);
  const addresses = server.of("long-poll").map(({ url }) => url.href);
  assert.ok(addresses.length > 5);
  assert.equal(new Set(addresses).size, addresses.length);
});

for (const transport of ["sse", "stream"]) {
  test(`${transport}: what holds back everything after the beginning is found out, and the next transport brings it`, async (test) => {
    const { server, open } = world(test, { rules: { [transport]: holdAfter(2) } });
    server.publishNumbers(1, 3);
    const subscriber = open({ transports: [transport, "long-poll"], after: "start", reprobe: 0 });
    assert.deepEqual(await subscriber.hears(3), numbers(1, 3));
    server.publishNumbers(4, 5);
    assert.deepEqual(await subscriber.hears(5), numbers(1, 5));
    assert.equal(subscriber.channel.transport, "long-poll");
    assert.match(subscriber.why("beaten", transport), /held back/);
    assert.deepEqual(server.of(transport).map(({ isCancelled }) => isCancelled), [true]);
  });

  test(`${transport}: what holds each event back until the next one comes is found out by the head that hello tells`, async (test) => {
    const { clock, server, open } = world(test, { rules: { [transport]: holdLast } });
    server.publishNumbers(1, 3);
    const subscriber = open({ transports: [transport, "long-poll"], after: "start", reprobe: 0 });
    await clock.advance(100);
    assert.deepEqual([subscriber.channel.transport, subscriber.heard], [transport, [1, 2]]);
    await clock.advance(1_000);
    assert.deepEqual(subscriber.heard, [1, 2, 3]);
    assert.equal(subscriber.channel.transport, "long-poll");
    assert.match(subscriber.why("beaten", transport), /e1\.3 is held back/);
  });

  test(`${transport}: what begins to hold back in the middle is found out by asking beside it, sooner than by silence`, async (test) => {
    const { clock, server, open } = world(test, { heartbeat: 20_000 });
    const subscriber = await open({ transports: [transport, "long-poll"], after: "start", reprobe: 0 }).isOn(transport);
    server.publish(1);
    await subscriber.hears(1);
    const [line] = server.of(transport);
    line.send = () => {};
    server.publish(2);
    await clock.advance(21_000);
    assert.deepEqual(subscriber.heard, [1, 2]);
    assert.equal(subscriber.channel.transport, "long-poll");
  });

  test(`${transport}: what holds back even the hello loses the race`, async (test) => {
    const { clock, server, open } = world(test, { rules: { [transport]: holdLast } });
    const subscriber = open({ transports: [transport, "long-poll"], reprobe: 0 });
    await clock.advance(600);
    assert.equal(subscriber.channel.transport, "long-poll");
    server.publish("at once");
    await clock.settle();
    assert.deepEqual(subscriber.heard, ["at once"]);
  });

  test(`${transport}: a slow line, over which something comes all the time, is not suspected`, async (test) => {
    const { clock, server, open } = world(test, { rules: { [transport]: slow(400) } });
    server.publishNumbers(1, 10);
    const subscriber = await open({ transports: [transport, "long-poll"], after: "start" }).isOn(transport);
    assert.deepEqual(await subscriber.hears(10), numbers(1, 10));
    await clock.advance(2_000);
    assert.deepEqual(subscriber.decisions(), [`${transport} try`, `${transport} alive`]);
  });

  test(`${transport}: a line over which everything comes is not suspected, however busy it is`, async (test) => {
    const { clock, server, open } = world(test, { heartbeat: 4_000 });
    server.publishNumbers(1, 10);
    const subscriber = await open({ transports: [transport, "long-poll"], after: "start" }).isOn(transport);
    for (let number = 11; number <= 200; number += 1) {
      server.publish(number);
      await clock.advance(90);
    }
    assert.deepEqual(await subscriber.hears(200), numbers(1, 200));
    assert.deepEqual(subscriber.decisions(), [`${transport} try`, `${transport} alive`]);
  });
}

// --- WebSocket, SSE, long-polling and back ----------------------------------------------------------------------------

test("under 1,000 messages the channel goes down to long-polling and back up, with none lost and none twice", async (test) => {
  const { clock, server, open } = world(test, { heartbeat: 4_000 });
  const subscriber = await open({ after: "start", reprobe: 5_000 }).isOn("websocket");
  let published = 0;
  const publishDuring = async (milliseconds) => {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      published += 1;
      server.publish(published);
      await clock.advance(50);
    }
  };

  await publishDuring(5_000);
  server.rules.websocket = refuse();
  server.live[0].cut();
  await publishDuring(10_000);
  assert.equal(subscriber.channel.transport, "sse");
  server.rules.sse = mute;
  for (const line of server.live) line.cut();
  await publishDuring(10_000);
  assert.equal(subscriber.channel.transport, "long-poll");
  server.rules.websocket = server.rules.sse = serve;
  await publishDuring(25_000);

  assert.equal(published, 1_000);
  assert.deepEqual(await subscriber.hears(1_000), numbers(1, 1_000));
  assert.equal(subscriber.channel.transport, "websocket");
  assert.deepEqual(subscriber.gaps, []);
  assert.deepEqual(subscriber.transports.filter(Boolean), ["websocket", "sse", "long-poll", "websocket"]);
});

test("a server that begins anew while everything is down is a gap, and the rest follows", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ after: "start" }).isOn("websocket");
  server.publishNumbers(1, 4);
  await subscriber.hears(4);
  Object.assign(server.rules, { websocket: refuse(), sse: cut, "long-poll": cut });
  server.restart("e2");
  await clock.advance(20_000);
  server.publishNumbers(5, 8);
  Object.assign(server.rules, { websocket: serve, sse: serve, "long-poll": serve });
  assert.deepEqual(await subscriber.hears(8), numbers(1, 8));
  assert.equal(subscriber.gaps.length, 1);
  assert.equal(subscriber.channel.transport, "websocket");
});

// --- data -------------------------------------------------------------------------------------------------------------

for (const transport of TRANSPORTS) {
  test(`${transport}: JSON, text and bytes arrive as what they are`, async (test) => {
    const { server, open } = world(test);
    const subscriber = open({ transports: [transport], after: "start" });
    const whole = [];
    subscriber.channel.addEventListener("message", ({ message }) => whole.push(message));
    server.publish({ a: [1, null, "é"] }, { type: "greeting" });
    server.publish("a text", { content_type: "text/plain" });
    server.publish("AAH/gA==", { content_type: "application/octet-stream", encoding: "base64" });
    server.publish(null);
    await subscriber.hears(4);
    assert.deepEqual(subscriber.heard, [{ a: [1, null, "é"] }, "a text", Uint8Array.of(0, 1, 255, 128), null]);
    assert.deepEqual(subscriber.ids, ["e1.1", "e1.2", "e1.3", "e1.4"]);
    assert.deepEqual([whole[0].type, whole[0].id, whole[1].content_type], ["greeting", "e1.1", "text/plain"]);
    assert.ok(whole[2].data instanceof Uint8Array);
  });
}

test("presence is passed on", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ transports: ["sse"], presence: true }).isOn("sse");
  const here = { action: "here", members: [{ member: "m1", as: "Ada", transport: "sse" }], count: 1 };
  server.live[0].send({ presence: here });
  await subscriber.clock.settle();
  assert.deepEqual(subscriber.presence, [here]);
});

test("hello tells the client its public name, and its secret one if it brought none", async (test) => {
  const { open } = world(test);
  const subscriber = await open({ client: "my-own-secret-name" }).is("open");
  assert.equal(subscriber.channel.client, "my-own-secret-name");
  assert.equal(subscriber.channel.member, "m1");
});

/** @param {string} cursor @param {string} head */
function heartbeat(cursor, head) {
  return JSON.stringify({ heartbeat: { cursor, head } });
}
