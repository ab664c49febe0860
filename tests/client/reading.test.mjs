/**
 * Reading with `for await`, and ending a channel: by `close`, by a signal, by leaving the loop.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { page } from "./support/page.mjs";
import { hang, refuse, sequence, serve } from "./support/server.mjs";
import { numbers, world } from "./support/world.mjs";

test("a loop reads every message, in order, also those that came while it was busy", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open({ after: "start" }).is("open");
  const read = [];
  const loop = (async () => {
    for await (const message of channel) {
      read.push(message.data);
      if (read.length === 2) await new Promise((resolve) => setTimeout(resolve, 1_000));
      if (read.length === 6) break;
    }
  })();
  server.publishNumbers(1, 2);
  await clock.settle();
  server.publishNumbers(3, 6);
  await clock.outcome(loop);
  assert.deepEqual(read, numbers(1, 6));
});

test("a loop gets whole messages, with their ids", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open({ after: "start" }).is("open");
  const next = channel[Symbol.asyncIterator]().next();
  server.publish({ hello: 1 }, { type: "greeting" });
  const { value } = await clock.outcome(next);
  assert.deepEqual([value.value.id, value.value.type, value.value.data], ["e1.1", "greeting", { hello: 1 }]);
});

test("every loop gets every message", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open({ after: "start" }).is("open");
  const readThree = async () => {
    const read = [];
    for await (const { data } of channel) if (read.push(data) === 3) return read;
  };
  const loops = Promise.all([readThree(), readThree()]);
  server.publishNumbers(1, 3);
  const { value } = await clock.outcome(loops);
  assert.deepEqual(value, [[1, 2, 3], [1, 2, 3]]);
});

test("close ends a loop that waits, after what has come already", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = await open({ after: "start" }).is("open");
  const read = [];
  const loop = (async () => {
    for await (const { data } of channel) read.push(data);
    return "ended";
  })();
  server.publishNumbers(1, 3);
  channel.close();
  assert.equal((await clock.outcome(loop)).value, "ended");
  assert.deepEqual(read, [1, 2, 3]);
});

test("a loop over a channel that is closed already ends at once", async (test) => {
  const { clock, open } = world(test);
  const { channel } = await open().is("open");
  channel.close();
  const loop = (async () => {
    for await (const message of channel) return message;
    return "ended";
  })();
  assert.equal((await clock.outcome(loop)).value, "ended");
});

test("leaving a loop does not close the channel", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ after: "start" }).is("open");
  const loop = (async () => {
    for await (const { data } of subscriber.channel) return data;
  })();
  server.publish(1);
  assert.equal((await clock.outcome(loop)).value, 1);
  server.publish(2);
  assert.deepEqual(await subscriber.hears(2), [1, 2]);
  assert.equal(subscriber.channel.state, "open");
});

test("a loop that falls too far behind is told so instead of filling the memory", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ after: "start" }).is("open");
  const messages = subscriber.channel[Symbol.asyncIterator]();
  server.publish(1);
  assert.equal((await clock.outcome(messages.next())).value.value.data, 1);
  server.publishNumbers(2, 20_000);

  const { fault } = await clock.outcome(messages.next());

  assert.match(fault.message, /behind/);
  assert.equal((await clock.outcome(messages.next())).value.done, true, "it stays ended");
  assert.equal(subscriber.heard.length, 20_000, "other readers are not disturbed");
});

// --- the end ----------------------------------------------------------------------------------------------------------

for (const [when, rules, state] of [
  ["open", {}, "open"],
  ["in a race", { websocket: hang, sse: hang, "long-poll": hang }, "connecting"],
  ["waiting for a race", { websocket: refuse(), sse: refuse(), "long-poll": refuse() }, "waiting"],
]) {
  for (const how of ["close", "signal"]) {
    test(`a channel that is ${when} is ended by ${how}: everything is closed and nothing is tried again`, async (test) => {
      const { clock, server, open } = world(test, { rules });
      const ending = new AbortController();
      const subscriber = await open({ signal: ending.signal }).is(state);
      if (how === "close") subscriber.channel.close();
      else ending.abort();
      const count = server.attempts.length;
      server.publish("too late");
      await clock.advance(3_600_000);

      assert.equal(subscriber.channel.state, "closed");
      assert.equal(subscriber.channel.transport, null);
      assert.equal(server.attempts.length, count);
      assert.deepEqual(server.live, []);
      assert.deepEqual(subscriber.heard, []);
      assert.equal(subscriber.states.at(-1), "closed");
      assert.equal(subscriber.decisions().at(-1), "stop");
    });
  }
}

test("a probe is ended with its channel", async (test) => {
  const { clock, server, open } = world(test, { rules: { websocket: refuse() } });
  const subscriber = await open({ reprobe: 1_000 }).isOn("sse");
  server.rules.websocket = hang;
  await clock.until(() => server.of("websocket").length === 2);
  subscriber.channel.close();
  assert.equal(server.of("websocket")[1].isCancelled, true);
});

test("a signal that is aborted already opens nothing", async (test) => {
  const { clock, server, open } = world(test);
  const { channel } = open({ signal: AbortSignal.abort() });
  await clock.advance(10_000);
  assert.equal(channel.state, "closed");
  assert.equal(server.attempts.length, 0);
});

test("closing twice is closing once", async (test) => {
  const { clock, open } = world(test);
  const subscriber = await open().is("open");
  subscriber.channel.close();
  subscriber.channel.close();
  await clock.settle();
  assert.deepEqual(subscriber.states, ["open", "closed"]);
});

test("a WebSocket is closed as one that is done, so that the member leaves at once", async (test) => {
  const { server, open } = world(test);
  const subscriber = await open({ as: "Ada" }).isOn("websocket");
  subscriber.channel.close();
  assert.equal(server.of("websocket")[0].closeCode, 1000);
  assert.equal(server.of("leave").length, 0);
});

test("a move to another transport is no leave", async (test) => {
  const { server, open } = world(test, { rules: { sse: refuse() } });
  const subscriber = await open({ transports: ["sse", "websocket"], as: "Ada", reprobe: 1_000 }).isOn("websocket");
  server.rules.sse = (attempt, server) => server.serve(attempt);
  await subscriber.isOn("sse");
  assert.notEqual(server.of("websocket")[0].closeCode, 1000);
  assert.equal(server.of("leave").length, 0);
});

test("over SSE a member says that it leaves", async (test) => {
  const { clock, server, open } = world(test);
  const subscriber = await open({ transports: ["sse"], as: "Ada" }).isOn("sse");
  subscriber.channel.close();
  await clock.settle();
  assert.deepEqual(server.of("leave").map(({ query }) => query.client), [subscriber.channel.client]);
});

/** A life in which everything happens: refusals, silence, a move, gaps, a goodbye, a pause, an outage. */
async function eventfulLife(test, listen) {
  const browser = page(test);
  const { clock, server, open } = world(test, { rules: { websocket: sequence(hang, serve), sse: sequence(refuse(), serve) } });
  const subscriber = open({ after: "start", reprobe: 1_000, presence: true });
  listen(subscriber.channel);
  await clock.advance(3_000);
  const happen = [
    () => server.publish(1),
    () => server.live.at(-1)?.send({ presence: { action: "leave", member: "m2", count: 1 } }),
    () => server.live.at(-1)?.cut(),
    () => server.evict(server.publish(2) ? 2 : 0),
    () => browser.goOffline(),
    () => browser.goOnline(),
    () => server.live.at(-1)?.send({ goodbye: { reason: "draining", reconnect_ms: 10 } }),
    () => server.restart("e2"),
    () => Object.assign(server.rules, { websocket: refuse(), sse: refuse(), "long-poll": refuse() }) && server.live.at(-1)?.cut(),
  ];
  for (const step of happen) {
    step();
    await clock.advance(3_000);
  }
  return { clock, server, subscriber };
}

test("an eventful life has every decision and every event", async (test) => {
  const seen = new Set();
  const { subscriber } = await eventfulLife(test, (channel) => {
    for (const type of EVENTS) channel.addEventListener(type, () => seen.add(type));
  });
  assert.deepEqual([...seen].sort(), [...EVENTS].sort());
  const words = new Set(subscriber.channel.log.map(({ what }) => what));
  for (const word of DECISIONS) assert.ok(words.has(word), word);
  assert.deepEqual(new Set(subscriber.states), new Set(["connecting", "open", "waiting", "paused"]));
});

const EVENTS = ["message", "gap", "presence", "goodbye", "state", "transport", "log"];
const DECISIONS = "try refused silent alive cancelled beaten lost wait probe moved gap pause resume goodbye".split(" ");
const STATES = ["connecting", "open", "waiting", "paused"];

for (const [event, field, values] of [
  ["message", "type", ["message"]],
  ["gap", "type", ["gap"]],
  ["presence", "type", ["presence"]],
  ["goodbye", "type", ["goodbye"]],
  ["state", "state", STATES],
  ["transport", "transport", [null, "websocket", "long-poll"]],
  ["log", "what", DECISIONS],
]) {
  for (const value of values) {
    test(`a channel that is closed while it tells "${event}" of ${value} stays closed, and leaves nothing open`, async (test) => {
      let attempts = -1;
      let told = "";
      const life = eventfulLife(test, (channel) => {
        channel.addEventListener(event, (news) => {
          if (attempts >= 0 || (news.detail?.[field] ?? news[field] ?? null) !== value) return;
          channel.close();
          attempts = channel.stats.attempts;
          channel.addEventListener("state", ({ detail }) => (told = detail.state));
        });
      });
      const { clock, server, subscriber } = await life;
      await clock.advance(600_000);

      assert.ok(attempts >= 0, "it was never told");
      assert.equal(subscriber.channel.state, "closed");
      assert.equal(subscriber.channel.transport, null);
      assert.ok(["", "closed"].includes(told), `a closed channel has no other state, such as ${told}`);
      assert.equal(subscriber.channel.stats.attempts, attempts);
      assert.deepEqual(server.live.map(({ kind }) => kind), []);
    });
  }
}

test("a listener that closes the channel hears nothing more", async (test) => {
  const { clock, server, open } = world(test);
  server.publishNumbers(1, 5);
  const subscriber = open({ transports: ["long-poll"], after: "start" });
  subscriber.channel.addEventListener("message", ({ data }) => data === 2 && subscriber.channel.close());
  await clock.advance(1_000);
  assert.deepEqual(subscriber.heard, [1, 2]);
});
