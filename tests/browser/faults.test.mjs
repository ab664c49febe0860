/**
 * Every fault of the lab, twice: it happens on the wire, seen without the client; and the client survives it over the
 * right transport, with every message exactly once, and can say why.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { HANG_GUARD } from "../foreign/support/server.mjs";
import { startBrowser } from "./support/browser.mjs";
import { comesBackInTime, comesBackOver, fault, isCarriedBy, Line, openPlace } from "./support/line.mjs";
import { OUTAGE, PREFERRED, REFUSED, SILENT } from "./support/line.mjs";
import { numbers } from "./support/publisher.mjs";
import { subscribersOf } from "./support/subscriber.mjs";
import { ACCEPTED, HANDSHAKE } from "./support/wire.mjs";

const browser = await startBrowser();
after(() => browser.close());
const quick = await openPlace(browser, ["--heartbeat", "1s"]);
after(() => quick.server.stop());
/** Where heartbeats are too far apart to mean anything to a test. */
const calm = await openPlace(browser);
after(() => calm.server.stop());

// --- latency, jitter and bandwidth -----------------------------------------------------------------------------------

fault("latency", quick, { latency_ms: 100 }, {
  async wire(line) {
    const answer = await line.ask("/poll").answers();
    assert.ok(answer.age >= 400, `there and back twice, for TCP has its handshake: ${answer.age} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

fault("latency of the answers alone", quick, { latency_ms: { down: 600 } }, {
  async wire(line) {
    const live = await line.askDirectly("/sse?after=start").answers();
    const answer = line.post("sent and stored at once");
    await live.hears("sent and stored at once");
    assert.equal(answer.received, "", "and not yet answered");
    assert.equal((await answer.answers()).status, 201);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

fault("jitter", quick, { jitter_ms: 300, seed: 1 }, {
  async wire(line) {
    const answers = await Promise.all(numbers(1, 10).map(() => line.ask("/poll").answers()));
    const slowest = Math.max(...answers.map(({ age }) => age));
    assert.ok(slowest >= 100, `of ten answers, the slowest was under way for ${slowest} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

fault("bandwidth", quick, { bandwidth: { down: 10_000 } }, {
  async wire(line) {
    await line.publish("x".repeat(5_000));
    const answer = await line.ask("/poll?after=start").hears('"more":false');
    assert.ok(answer.age >= 500, `5,000 bytes at 10,000 a second take half a second: ${answer.age} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

fault("bandwidth of what is sent", quick, { bandwidth: { up: 10_000 } }, {
  async wire(line) {
    const answer = await line.post("x".repeat(5_000)).answers();
    assert.equal(answer.status, 201);
    assert.ok(answer.age >= 500, `5,000 bytes at 10,000 a second take half a second: ${answer.age} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

// --- upgrades --------------------------------------------------------------------------------------------------------

fault("a proxy that strips the upgrade", quick, { upgrade: "strip" }, {
  async wire(line) {
    const answer = await line.ask("/ws", { headers: HANDSHAKE }).answers();
    assert.equal(answer.status, 426, "the server itself says what is missing");
  },
  client: isCarriedBy("sse", REFUSED),
});

for (const status of [400, 403]) {
  fault(`a proxy that answers an upgrade with ${status}`, quick, { upgrade: String(status) }, {
    async wire(line) {
      const answer = await line.ask("/ws", { headers: HANDSHAKE }).answers();
      assert.deepEqual([answer.status, answer.header("Content-Type")], [status, "text/html"]);
    },
    client: isCarriedBy("sse", REFUSED),
  });
}

fault("a proxy that accepts the upgrade and lets nothing through", quick, { upgrade: "mute" }, {
  async wire(line) {
    const socket = await line.ask("/ws?format=json", { headers: HANDSHAKE }).answers();
    const healthy = await line.askDirectly("/ws?format=json", { headers: HANDSHAKE }).hears("hello");
    await line.publish("to both");
    await healthy.hears("to both");
    assert.equal(socket.status, 101);
    assert.ok(socket.received.includes(ACCEPTED));
    assert.deepEqual([socket.body, socket.ending], ["", null]);
  },
  client: isCarriedBy(
    "sse",
    "websocket try · websocket silent · sse try · sse alive · websocket cancelled · websocket beaten",
  ),
});

// --- buffers ---------------------------------------------------------------------------------------------------------

/** The log of a client that is left with long-polling. */
const SSE_SILENT = "sse try · sse silent · long-poll try · long-poll alive · sse cancelled · sse beaten";
const WITHOUT_WEBSOCKET = { transports: ["sse", "long-poll"] };

fault("a proxy that holds an answer until it is whole", quick, { buffer: {} }, {
  async wire(line) {
    const [held, healthy] = [line.ask("/sse?after=start"), await line.askDirectly("/sse").hears("hello")];
    await line.publish("to both");
    await healthy.hears("to both");
    assert.equal(held.received, "", "not even the head");
    assert.equal((await line.ask("/poll").answers()).status, 200, "an answer that ends passes");
    await line.link.heal();
    await held.hears("to both");
  },
  client: isCarriedBy("long-poll", SSE_SILENT, WITHOUT_WEBSOCKET),
});

fault("a proxy that holds an answer until its buffer is full", quick, { buffer: { until_bytes: 20_000 } }, {
  async wire(line) {
    const [held, healthy] = [line.ask("/sse?after=start"), await line.askDirectly("/sse").hears("hello")];
    await line.publish(`${"x".repeat(10_000)}, half`);
    await healthy.hears("half");
    assert.equal(held.received, "");
    await line.publish("x".repeat(10_000));
    await held.hears("half");
  },
  client: isCarriedBy("long-poll", SSE_SILENT, WITHOUT_WEBSOCKET),
});

fault("a proxy that holds answers, unless they ask it not to", quick, { buffer: { honor_accel: true } }, {
  async wire(line) {
    const stream = await line.ask("/sse").hears("hello");
    assert.equal(stream.header("X-Accel-Buffering"), "no");
    await line.publish("at once");
    await stream.hears("at once");
  },
  client: isCarriedBy("sse", "sse try · sse alive", WITHOUT_WEBSOCKET),
});

fault("a virus scanner that holds each event until the next", calm, { hold_events: true }, {
  async wire(line) {
    const [held, healthy] = [await line.ask("/sse").answers(), await line.askDirectly("/sse").hears("hello")];
    await line.publish("first");
    await Promise.all([held.hears("hello"), healthy.hears("first")]);
    assert.ok(!held.received.includes("first"));
    await line.publish("second");
    await Promise.all([held.hears("first"), healthy.hears("second")]);
    assert.ok(!held.received.includes("second"));
  },
  async client(line) {
    // The hello is held, too.
    const subscriber = await line.subscribe(WITHOUT_WEBSOCKET);
    await subscriber.isOn("long-poll");
    await line.publishNumbers(100);
    await subscriber.hearsAllUpTo(100);
    assert.equal(await subscriber.log(), SSE_SILENT);
  },
});

test("whoever has nothing but SSE hears everything through a virus scanner, but later", HANG_GUARD, async (test) => {
  const line = await Line.open(test, quick, { hold_events: true });
  await isCarriedBy("sse", "sse try · sse alive", { transports: ["sse"], headStart: 5_000 })(line);
});

test("an event that a virus scanner holds is missed, and fetched over another transport", HANG_GUARD, async (test) => {
  const line = await Line.open(test, calm, { hold_events: true });
  await line.publishNumbers(10);

  const subscriber = await line.subscribe(WITHOUT_WEBSOCKET);

  await subscriber.hearsAllUpTo(10);
  const held = "sse try · sse alive · sse beaten · sse lost · wait";
  assert.equal(await subscriber.log(), `${held} · long-poll try · long-poll alive`);
  assert.match(await subscriber.why("lost"), /is held back/);
});

// --- lines that are cut ----------------------------------------------------------------------------------------------

for (const how of ["fin", "rst"]) {
  fault(`a line that is cut when it is idle, by ${how}`, calm, { idle: { after_ms: 300, how } }, {
    async wire(line) {
      const stream = await line.ask("/sse").ends();
      assert.equal(stream.ending, how);
      assert.ok(stream.received.includes("hello"));
    },
    client: comesBackInTime("websocket"),
  });
}

fault("a line that is cut when it is idle for longer than the heartbeat is", quick, { idle: { after_ms: 3_000 } }, {
  async wire(line) {
    const stream = await line.ask("/stream").hears('{"heartbeat"', 4);
    assert.equal(stream.ending, null);
  },
  async client(line) {
    const subscriber = await line.subscribe();
    await line.ask("/stream").hears('{"heartbeat"', 4);
    await line.publishNumbers(10);
    await subscriber.hearsAllUpTo(10);
    assert.equal(await subscriber.log(), PREFERRED);
  },
});

for (const how of ["fin", "rst"]) {
  fault(`a line that is cut after some bytes, by ${how}`, quick, { cut: { after_bytes: 3_000, how } }, {
    async wire(line) {
      await line.publish("x".repeat(5_000));
      const stream = await line.ask("/sse?after=start").ends();
      assert.deepEqual([stream.ending, stream.received.length], [how, 3_000]);
    },
    client: comesBackOver("sse"),
  });

  fault(`a line that is cut after some messages, by ${how}`, quick, { cut: { after_messages: 20, how } }, {
    async wire(line) {
      for (const number of numbers(1, 30)) await line.publish(`message ${number}.`);
      const stream = await line.ask("/stream?after=start").ends();
      assert.equal(stream.ending, how);
      assert.equal(stream.received.match(/"hello"|"message"/g)?.length, 20);
      assert.ok(stream.received.includes('"message 19."}}'), "the last one is whole");
    },
    client: comesBackOver("websocket"),
  });

  fault(`a line that is cut after some time, by ${how}`, quick, { cut: { after_ms: 500, how } }, {
    async wire(line) {
      const stream = await line.ask("/stream").ends();
      assert.equal(stream.ending, how);
      assert.ok(stream.age >= 500, `${stream.age} ms`);
    },
    client: comesBackInTime("stream", { transports: ["stream"] }),
  });
}

fault("a line that falls silent", quick, { cut: { after_messages: 150, how: "silence" } }, {
  async wire(line) {
    const lines = [line.ask("/stream"), line.askDirectly("/stream")];
    const [silent, healthy] = await Promise.all(lines.map((stream) => stream.hears("hello")));
    for (const number of numbers(1, 151)) await line.publish(`message ${number}.`);
    await Promise.all([silent.hears("message 149."), healthy.hears("message 151.")]);
    assert.ok(!silent.received.includes("message 150."));
    assert.equal(silent.ending, null);
  },
  client: comesBackOver("websocket", { why: SILENT }),
});

fault("a line that falls silent after some bytes", quick, { cut: { after_bytes: 20_000, how: "silence" } }, {
  async wire(line) {
    await line.publish("x".repeat(30_000));
    const [silent, healthy] = [line.ask("/stream?after=start"), line.askDirectly("/stream?after=start")];
    await healthy.hears('{"heartbeat"');
    await silent.hears("x".repeat(100));
    assert.deepEqual([silent.ending, silent.received.length], [null, 20_000]);
  },
  client: comesBackOver("websocket", { why: SILENT }),
});

for (const transport of ["sse", "stream"]) {
  test(`${transport} that falls silent is noticed by its watchdog`, HANG_GUARD, async (test) => {
    const line = await Line.open(test, quick, { cut: { after_messages: 150, how: "silence" } });
    // Before the head start is over, it does not ask beside the stream whether anything is held back.
    await comesBackOver(transport, { why: SILENT, headStart: 20_000 })(line);
  });
}

const AFTER_HELLO = { after_messages: 1, how: "silence" };

fault("silence on the way up", quick, { only: ["websocket"], cut: { ...AFTER_HELLO, direction: "up" } }, {
  async wire(line) {
    const socket = await line.ask("/ws?format=json", { headers: HANDSHAKE }).hears("hello");
    socket.sendFrame('{"publish":{"data":"from below"}}');
    await line.publish("from above");
    await socket.hears("from above");
    assert.deepEqual(await line.stored(), ["from above"]);
  },
  async client(line) {
    const subscriber = await line.subscribe();
    await subscriber.isOn("websocket");
    await subscriber.publish(1);
    await subscriber.decides("websocket lost");
    await subscriber.publish(2);
    await subscriber.hearsAllUpTo(2);
  },
});

fault("silence on the way down", quick, { only: ["websocket"], cut: { ...AFTER_HELLO, direction: "down" } }, {
  async wire(line) {
    const [socket, healthy] = [line.ask("/ws?format=json", { headers: HANDSHAKE }), line.askDirectly("/stream")];
    await Promise.all([socket.hears("hello"), healthy.hears("hello")]);
    socket.sendFrame('{"publish":{"data":"from below"}}');
    await healthy.hears("from below");
    assert.ok(!socket.received.includes("from below"));
  },
  async client(line) {
    const subscriber = await line.subscribe();
    await subscriber.isOn("sse");
    await line.publishNumbers(10);
    await subscriber.hearsAllUpTo(10);
    const died = "websocket try · websocket alive · websocket lost";
    assert.equal(await subscriber.log(), `${died} · wait · ${died} · websocket beaten · wait · sse try · sse alive`);
  },
});

test("only what is open is cut, if that is what was asked for", HANG_GUARD, async (test) => {
  const line = await Line.open(test, quick);
  const earlier = await line.ask("/sse").hears("hello");
  await line.link.suffer({ cut: { after_ms: 0, open_only: true } });
  await earlier.ends();
  const later = await line.ask("/sse").hears("hello");
  await line.publish("news");
  await later.hears("news");
});

// --- a server that cannot be reached ---------------------------------------------------------------------------------

fault("new exchanges are refused for a while", quick, { refuse_ms: 60_000 }, {
  async wire(line) {
    const refused = await line.ask("/poll").ends();
    assert.deepEqual([refused.ending, refused.received], ["rst", ""]);
    await line.link.suffer({ refuse_ms: 200 });
    let later = refused;
    while (later.ending === "rst") later = await line.ask("/poll").begins();
    assert.equal(later.status, 200);
  },
  async client(line) {
    const subscriber = await line.subscribe({ backoff: { base: 4_000, cap: 4_000 } });
    await subscriber.decides("wait");
    await line.link.heal();
    await line.publishNumbers(10);
    await subscriber.hearsAllUpTo(10);
    assert.equal(await subscriber.log(), OUTAGE);
  },
});

fault("503 for a while", quick, { unavailable_ms: 60_000 }, {
  async wire(line) {
    await line.link.suffer({ unavailable_ms: 200 });
    const answer = await line.ask("/poll").answers();
    assert.deepEqual([answer.status, answer.header("Retry-After")], [503, "1"]);
    let later = answer;
    while (later.status === 503) later = await line.ask("/poll").answers();
    assert.equal(later.status, 200);
  },
  async client(line) {
    const subscriber = await line.subscribe({ transports: ["sse", "long-poll"] });
    await subscriber.decides("wait");
    const [, wait] = /^(\d+) ms/.exec(await subscriber.why("wait")) ?? [];
    assert.ok(Number(wait) >= 50_000, `Retry-After was 60 s or a little less, and the client waits for ${wait} ms`);
  },
});

// --- slow peers ------------------------------------------------------------------------------------------------------

/** A server that retains next to nothing, and has little patience. */
const meager = await openPlace(browser, ["--heartbeat", "1s", "--stall-timeout", "1s", "--log-messages", "10"]);
after(() => meager.server.stop());

const LARGE = { padding: "x".repeat(64 * 1024) };

test("a reader that takes nothing: so it is on the wire", HANG_GUARD, async (test) => {
  const line = await Line.open(test, meager);
  await line.ask("/stream").hears("hello");
  await line.link.suffer({ slow_reader: 0 });
  await line.publishNumbers(200, LARGE);
  while ((await subscribersOf(line.server, line.channel)).stream > 0) await sleep(50);
});

test("a reader that takes little: the client survives it", HANG_GUARD, async (test) => {
  const line = await Line.open(test, meager);
  const subscriber = await line.subscribe();
  await subscriber.isOn("websocket");
  await line.link.suffer({ slow_reader: 1_000 });
  await line.publishNumbers(200, LARGE);
  await line.link.heal();
  await subscriber.hearsNumber(200);
  await subscriber.isSound();
  const gaps = await subscriber.record("gaps");
  assert.ok(gaps.length > 0);
  for (const { reason } of gaps) assert.match(reason, /^(slow|evicted)$/);
});

fault("a reader that takes little of what is sent", quick, { slow_reader: { up: 50_000 } }, {
  async wire(line) {
    const answer = await line.post("x".repeat(50_000)).answers();
    assert.equal(answer.status, 201);
    assert.ok(answer.age >= 500, `${answer.age} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED),
});

// --- requests and answers --------------------------------------------------------------------------------------------

fault("a proxy that sends a request twice", quick, { duplicate: 1 }, {
  async wire(line) {
    assert.equal((await line.post("twice").answers()).status, 201);
    assert.equal((await line.post("once", { "Idempotency-Key": "a-key" }).answers()).status, 201);
    assert.deepEqual(await line.stored(), ["twice", "twice", "once"]);
  },
  async client(line) {
    const subscriber = await line.subscribe(WITHOUT_WEBSOCKET);
    for (const number of numbers(1, 20)) await subscriber.publish(number);
    await subscriber.hearsAllUpTo(20);
    assert.deepEqual(await line.stored(), numbers(1, 20));
  },
});

fault("an answer that loses its second half", quick, { truncate: 0.5, seed: 1 }, {
  async wire(line) {
    await line.link.suffer({ truncate: 1 });
    const answer = await line.ask("/poll").ends();
    assert.equal(answer.ending, "fin");
    assert.equal(answer.body.length, Math.floor(Number(answer.header("Content-Length")) / 2));
  },
  client: comesBackOverLongPoll,
});

fault("an answer that never comes", quick, { drop_answer: 0.5, seed: 1 }, {
  async wire(line) {
    await line.link.suffer({ drop_answer: 1 });
    const answer = await line.post("stored all the same").ends();
    assert.deepEqual([answer.ending, answer.received], ["rst", ""]);
    assert.deepEqual(await line.stored(), ["stored all the same"]);
  },
  client: comesBackOverLongPoll,
});

/**
 * A client whose polls fail now and then, and which hears everything. It polls often, for there is much to hear. Not
 * every failure is seen: Chromium itself asks again when a connection that it has used before is reset.
 */
async function comesBackOverLongPoll(/** @type {Line} */ line) {
  const subscriber = await line.subscribe({ transports: ["long-poll"], backoff: { base: 10, cap: 10 } });
  for (let count = 50; (await subscriber.now("stats")).losses < 3; count += 50) {
    await line.publishNumbers(50);
    await subscriber.hearsAllUpTo(count);
  }
}

// --- what all faults have in common ----------------------------------------------------------------------------------

test("the same seed gives the same luck", HANG_GUARD, async (test) => {
  const line = await Line.open(test, quick);
  const run = async () => {
    await line.link.suffer({ drop_answer: 0.5, seed: 7 });
    const endings = [];
    for (const number of numbers(1, 20)) {
      const answer = await line.post(`${number}`, { Connection: "close" }).ends();
      endings.push(answer.ending);
    }
    return endings;
  };

  const first = await run();

  assert.deepEqual(await run(), first);
  assert.deepEqual(new Set(first), new Set(["fin", "rst"]));
});

test("faults are for the kinds of exchange that they name", HANG_GUARD, async (test) => {
  const line = await Line.open(test, quick, { only: ["sse", "publish"], refuse_ms: 60_000 });
  for (const refused of [line.ask("/sse"), line.post("no")]) assert.equal((await refused.ends()).ending, "rst");
  for (const path of ["/poll", "/stream", "/presence"]) assert.equal((await line.ask(path).answers()).status, 200);
  assert.equal((await line.ask("/ws", { headers: HANDSHAKE }).answers()).status, 101);
});
