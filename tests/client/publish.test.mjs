/**
 * Publishing: over the open WebSocket or by POST, each message once, however often it must be sent for that.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PublishError } from "../../client/fallcast.js";
import { cut, hang, refuse, sequence, serve } from "./support/server.mjs";
import { numbers, world } from "./support/world.mjs";

/** Takes the publication, and loses the answer. */
const loseAnswer = (attempt, server) => {
  const { answerJson } = attempt;
  attempt.answerJson = () => attempt.cut();
  server.serve(attempt);
  attempt.answerJson = answerJson;
};

/** Takes the publication over a WebSocket, and the connection breaks before the answer. */
const takeAndCut = (attempt, server) => {
  const { publish } = attempt.command;
  delete attempt.command;
  attempt.cut();
  server.append(publish);
};

/** What the log holds. */
const published = (server) => server.log.map(({ data }) => data);

test("over an open WebSocket a publication needs no request of its own", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open().isOn("websocket");
  const { value } = await clock.outcome(channel.publish({ hello: 1 }, { type: "greeting" }));

  assert.deepEqual(value, { id: "e1.1" });
  assert.equal(server.of("publish").length, 0);
  const [{ publish }] = server.of("websocket")[0].commands;
  assert.deepEqual([publish.data, publish.type], [{ hello: 1 }, "greeting"]);
  assert.match(publish.key, /^[A-Za-z0-9_-]{1,64}$/);
});

test("over any other transport it is a POST", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { value } = await clock.outcome(channel.publish({ hello: 1 }, { type: "greeting" }));

  assert.deepEqual(value, { id: "e1.1" });
  const [post] = server.of("publish");
  assert.equal(post.url.pathname, "/channels/chat");
  assert.equal(post.query.type, "greeting");
  assert.equal(post.query.client, channel.client);
  assert.deepEqual(published(server), [{ hello: 1 }]);
});

test("a publication does not wait for a connection", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: hang, sse: hang, "long-poll": hang } });
  const { channel } = open();
  const { value } = await clock.outcome(channel.publish("early"));
  assert.deepEqual(value, { id: "e1.1" });
  assert.equal(channel.state, "connecting");
  assert.deepEqual(published(server), ["early"]);
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport}: text, JSON and bytes arrive as what they are`, async (test) => {
    const { clock, server, open } = world(test);
    const subscriber = await open({ transports: [transport], after: "start" }).isOn(transport);
    const { channel } = subscriber;
    const values = ["a text", { a: [1, "é"] }, null, 7, Uint8Array.of(0, 255), Uint8Array.of(1, 2).buffer, ""];
    for (const value of values) await clock.outcome(channel.publish(value));
    await clock.outcome(channel.publish("<b>", { contentType: "text/html" }));
    await clock.outcome(channel.publish("a JSON string", { contentType: "application/json" }));
    await clock.outcome(channel.publish({ a: 1 }, { contentType: "application/geo+json" }));

    const expected = ["a text", { a: [1, "é"] }, null, 7, Uint8Array.of(0, 255), Uint8Array.of(1, 2), "", "<b>", "a JSON string", { a: 1 }];
    assert.deepEqual(await subscriber.hears(expected.length), expected);
    const types = server.log.map(({ content_type }) => content_type);
    assert.deepEqual(types.map((type) => type.split(";")[0]), [
      "text/plain",
      ...Array(3).fill("application/json"),
      ...Array(2).fill("application/octet-stream"),
      "text/plain",
      "text/html",
      "application/json",
      "application/geo+json",
    ]);
  });
}

test("what has no form in JSON is refused at once", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open().isOn("websocket");
  for (const value of [undefined, () => {}, Symbol("s"), 1n]) {
    assert.ok((await clock.outcome(channel.publish(value))).fault instanceof Error, String(value));
  }
  assert.deepEqual(published(server), []);
});

test("what is published in one breath keeps its order", async (test) => {
  for (const transport of ["websocket", "sse"]) {
    await test.test(transport, async (test) => {
      const { clock, server, open } = world(test);
      const { channel } = await open({ transports: [transport] }).isOn(transport);
      await clock.outcome(Promise.all(numbers(1, 20).map((number) => channel.publish(number))));
      assert.deepEqual(published(server), numbers(1, 20));
    });
  }
});

test("what is published is not what the application makes of its object later", async (test) => {
  const { clock, server, open } = world(test, { rules: { publish: sequence(cut, serve) } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const bytes = Uint8Array.of(1, 2, 3);
  const object = { count: 1 };
  const both = Promise.all([channel.publish(object), channel.publish(bytes)]);
  object.count = 99;
  bytes.fill(9);
  await clock.outcome(both);
  assert.deepEqual(published(server), [{ count: 1 }, Buffer.from([1, 2, 3]).toString("base64")]);
});

// --- once -------------------------------------------------------------------------------------------------------------

test("a POST that gets no answer is sent again under the same key, and is published once", async (test) => {
  const { clock, server, open } = world(test, { rules: { publish: sequence(loseAnswer, cut, hang, refuse(502), serve) } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { value } = await clock.outcome(channel.publish("once"));

  assert.deepEqual(value, { id: "e1.1" });
  assert.deepEqual(published(server), ["once"]);
  const keys = server.of("publish").map(({ query, headers }) => query.key ?? headers.get("idempotency-key"));
  assert.equal(keys.length, 5);
  assert.equal(new Set(keys).size, 1);
});

test("what was sent over a WebSocket that breaks is sent again, over whatever there is", async (test) => {
  for (const then of ["websocket", "sse"]) {
    await test.test(`then over ${then}`, async (test) => {
      const { clock, server, open } = world(test, { rules: { command: sequence(takeAndCut, serve) } });
      const { channel } = await open().isOn("websocket");
      server.rules.websocket = then === "websocket" ? serve : refuse();
      const { value } = await clock.outcome(channel.publish("once"));
      assert.deepEqual(value, { id: "e1.1" });
      assert.deepEqual(published(server), ["once"]);
    });
  }
});

test("a WebSocket that takes publications and never answers is not waited for for ever", async (test) => {
  const { clock, server, open } = world(test, { rules: { command: hang } });
  const { channel } = await open().isOn("websocket");
  const { value } = await clock.outcome(channel.publish("by another way"));
  assert.deepEqual(value, { id: "e1.1" });
  assert.deepEqual(published(server), ["by another way"]);
});

test("an application's own key makes two publications one", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open().isOn("websocket");
  const first = await clock.outcome(channel.publish("a", { key: "order-7" }));
  const second = await clock.outcome(channel.publish("a", { key: "order-7" }));
  assert.deepEqual(first, second);
  assert.deepEqual(published(server), ["a"]);
});

test("through cuts, lost answers and refusals, each of 100 messages is there exactly once", async (test) => {
  const troubles = [loseAnswer, cut, serve, refuse(503), serve, hang, serve];
  let turn = 0;
  const { clock, server, open } = world(test, {
    rules: { publish: (attempt, server) => troubles[turn++ % troubles.length](attempt, server) },
  });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { value } = await clock.outcome(Promise.all(numbers(1, 100).map((number) => channel.publish(number))));
  assert.deepEqual(published(server).toSorted((a, b) => a - b), numbers(1, 100));
  assert.equal(new Set(value.map(({ id }) => id)).size, 100);
});

test("with echo off an own publication is not heard", async (test) => {
  const { clock, server, open } = world(test);
  for (const transport of ["websocket", "sse"]) {
    const subscriber = await open({ transports: [transport], echo: false }).isOn(transport);
    await clock.outcome(subscriber.channel.publish("mine"));
    server.publish("another's");
    assert.deepEqual(await subscriber.hears(1), ["another's"]);
    subscriber.channel.close();
  }
});

// --- refusals ---------------------------------------------------------------------------------------------------------

const PROBLEM = { type: "about:blank", title: "Payload Too Large", status: 413, detail: "at most 1 MiB" };

test("a refusal rejects with the server's problem document, and is final", async (test) => {
  const { clock, server, open } = world(test, { rules: { publish: refuse(413, { problem: PROBLEM }) } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { fault } = await clock.outcome(channel.publish("x"));

  assert.ok(fault instanceof PublishError);
  assert.equal(fault.name, "PublishError");
  assert.deepEqual(fault.problem, PROBLEM);
  assert.equal(fault.status, 413);
  assert.equal(fault.outcome, "refused");
  assert.match(fault.message, /1 MiB/);
  assert.equal(server.of("publish").length, 1);
  assert.equal(channel.state, "open");
});

test("a refusal over a WebSocket is the same", async (test) => {
  const refuseCommand = (attempt) => attempt.send({ error: PROBLEM, ref: attempt.command.ref });
  const { clock, open } = world(test, { rules: { command: refuseCommand } });
  const { channel } = await open().isOn("websocket");
  const { fault } = await clock.outcome(channel.publish("x"));
  assert.ok(fault instanceof PublishError);
  assert.deepEqual([fault.problem, fault.status, fault.outcome], [PROBLEM, 413, "refused"]);
});

test("answers find their publications, in whatever order they come", async (test) => {
  const { clock, server, open } = world(test, { rules: { command: hang } });
  const { channel } = await open().isOn("websocket");
  const both = Promise.allSettled([channel.publish("a"), channel.publish("b")]);
  await clock.settle();
  const [line] = server.of("websocket");
  const [first, second] = line.commands;
  line.send({ error: PROBLEM, ref: second.ref }, { published: { id: "e1.1" }, ref: first.ref });
  const [one, two] = (await clock.outcome(both)).value;
  assert.deepEqual(one.value, { id: "e1.1" });
  assert.equal(two.reason.status, 413);
});

test("a refusal for the moment is waited out, for as long as the server says", async (test) => {
  const busy = refuse(429, { problem: {}, headers: { "Retry-After": "5" } });
  const { clock, server, open } = world(test, { rules: { publish: sequence(busy, serve) } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const publishing = channel.publish("later");
  await clock.advance(4_900);
  assert.equal(server.of("publish").length, 1);
  assert.deepEqual((await clock.outcome(publishing)).value, { id: "e1.1" });
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport}: who publishes too fast is slowed down, and keeps the order`, async (test) => {
    // Five at once, and then one every 100 ms.
    let [tokens, filledAt] = [5, 0];
    const limited = (attempt, server) => {
      filledAt ||= Date.now();
      for (; tokens < 5 && Date.now() - filledAt >= 100; filledAt += 100) tokens += 1;
      const tooFast = { type: "about:blank", title: "Too Many Requests", status: 429, detail: "slow down" };
      if (tokens > 0) {
        tokens -= 1;
        server.serve(attempt);
      } else if (attempt.command) attempt.send({ error: tooFast, ref: attempt.command.ref });
      else attempt.refuse(429, { problem: tooFast });
    };
    const { clock, server, open } = world(test, { rules: { command: limited, publish: limited } });
    const { channel } = await open({ transports: [transport] }).isOn(transport);
    const { value } = await clock.outcome(Promise.all(numbers(1, 40).map((number) => channel.publish(number))));
    assert.equal(value.length, 40);
    assert.deepEqual(published(server), numbers(1, 40));
  });
}

test("a refusal by somebody on the way is told with its status", async (test) => {
  const { clock, open } = world(test, { rules: { publish: refuse(403) } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { fault } = await clock.outcome(channel.publish("x"));
  assert.ok(fault instanceof PublishError);
  assert.equal(fault.status, 403);
  assert.match(fault.message, /403/);
});

test("one refused publication does not hold up the next", async (test) => {
  const { clock, server, open } = world(test, {
    rules: { publish: sequence(refuse(413, { problem: PROBLEM }), serve) },
  });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const { value } = await clock.outcome(Promise.allSettled([channel.publish("too large"), channel.publish("small")]));
  assert.deepEqual(value.map(({ status }) => status), ["rejected", "fulfilled"]);
  assert.deepEqual(published(server), ["small"]);
});

// --- unknown outcomes -------------------------------------------------------------------------------------------------

test("beyond the key window nobody can know, and publish says so instead of guessing", async (test) => {
  const { clock, server, open } = world(test, { keyWindow: 60_000, rules: { publish: cut } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const before = Date.now();
  const { fault } = await clock.outcome(channel.publish("?"));
  const passed = Date.now() - before;

  assert.ok(fault instanceof PublishError);
  assert.equal(fault.outcome, "unknown");
  assert.equal(fault.problem, null);
  assert.ok(passed >= 30_000 && passed <= 100_000, `it gave up after ${passed} ms`);
  const last = server.of("publish").at(-1).at;
  assert.ok(last - before <= 60_000, "it was sent when the server might have forgotten the key");
  await clock.advance(600_000);
  assert.equal(server.of("publish").at(-1).at, last, "it was sent again after it was given up");
});

test("an outage shorter than the key window loses no publication", async (test) => {
  const { clock, server, open } = world(test, { keyWindow: 300_000, rules: { publish: cut } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const publishing = Promise.all(numbers(1, 5).map((number) => channel.publish(number)));
  await clock.advance(120_000);
  server.rules.publish = serve;
  assert.equal((await clock.outcome(publishing)).value.length, 5);
  assert.deepEqual(published(server), numbers(1, 5));
});

for (const transport of ["websocket", "sse"]) {
  test(`${transport}: closing with a publication on its way rejects it, and says that its outcome is unknown`, async (test) => {
    const { clock, open } = world(test, { rules: { publish: hang, command: hang } });
    const { channel } = await open({ transports: [transport] }).isOn(transport);
    const publishing = channel.publish("?");
    await clock.advance(100);
    const outcome = clock.outcome(publishing);
    const before = Date.now();
    channel.close();
    const { fault } = await outcome;
    assert.ok(fault instanceof PublishError);
    assert.equal(fault.outcome, "unknown");
    assert.ok(Date.now() - before < 100, `it was told after ${Date.now() - before} ms`);
  });
}

test("a closed channel publishes nothing", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open().is("open");
  channel.close();
  const { fault } = await clock.outcome(channel.publish("x"));
  assert.ok(fault instanceof PublishError);
  assert.equal(fault.outcome, "refused");
  await clock.advance(1_000);
  assert.deepEqual(published(server), []);
});

test("a publication can be given up, which says that its outcome is unknown, and it is not sent again", async (test) => {
  const { clock, server, open } = world(test, { rules: { publish: cut } });
  const { channel } = await open({ transports: ["sse"] }).isOn("sse");
  const giving = new AbortController();
  const publishing = clock.outcome(channel.publish("?", { signal: giving.signal }));
  await clock.advance(3_000);
  giving.abort();
  const { fault } = await publishing;
  assert.equal(fault.outcome, "unknown");
  const count = server.of("publish").length;
  await clock.advance(60_000);
  assert.equal(server.of("publish").length, count);
});

test("a publication that is given up before it is made is not made", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open().is("open");
  const { fault } = await clock.outcome(channel.publish("x", { signal: AbortSignal.abort() }));
  assert.ok(fault instanceof Error);
  await clock.advance(1_000);
  assert.deepEqual(published(server), []);
});
