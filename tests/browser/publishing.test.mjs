/**
 * Publishing from a page through lines that repeat, cut and lose: each message is there once, and in order.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "./support/browser.mjs";
import { Lab } from "./support/lab.mjs";
import { numbers } from "./support/publisher.mjs";
import { stored } from "./support/stored.mjs";
import { openBlankPage, openProfile, Subscriber } from "./support/subscriber.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "1s"] });
after(() => server.stop());

/** A page that subscribes to a fresh channel, over a link of its own. */
async function open(test, { at = server, ...options }) {
  const channel = freshChannel();
  const lab = await Lab.of(at);
  const link = await lab.link();
  const page = await openBlankPage(await openProfile(test, browser), lab.origin);
  const subscriber = await Subscriber.of(page, link.channel(channel), options);
  await subscriber.is("open");
  return { channel, link, subscriber, inChannel: () => stored(at, channel) };
}

// --- once, and in order ----------------------------------------------------------------------------------------------

/** Requests are repeated, answers are lost, lines are cut, and everything is a little late. */
const STORM = {
  seed: 1,
  duplicate: 0.3,
  drop_answer: 0.3,
  jitter_ms: 2,
  cut: { after_messages: [20, 60], how: "rst" },
};
/** What happens one after the other, while messages are published in the storm. */
const TROUBLES = [
  { ...STORM, refuse_ms: 300 },
  { ...STORM, unavailable_ms: 300 },
  { cut: { after_ms: 0, how: "silence", open_only: true } },
  STORM,
];

for (const { over, transports } of [
  { over: "a WebSocket", transports: ["websocket"] },
  { over: "POST", transports: ["sse"] },
]) {
  test(`1,000 messages over ${over}, through all of that, are there once and in order`, HANG_GUARD, async (test) => {
    const { link, subscriber, inChannel } = await open(test, { transports, backoff: { base: 10, cap: 1_000 } });

    await link.suffer(STORM);
    const published = subscriber.publishAll(numbers(1, 1_000));
    for (const [index, trouble] of TROUBLES.entries()) {
      await subscriber.hears(200 * (index + 1));
      await link.suffer(trouble);
    }
    const ids = await published;

    await subscriber.hearsAllUpTo(1_000);
    const { losses } = await subscriber.now("stats");
    assert.ok(losses > 5, `the line was lost ${losses} times`);
    assert.deepEqual(await inChannel(), numbers(1, 1_000).map((number, index) => ({ id: ids[index], data: number })));
  });
}

// --- what cannot be known, and what is refused -----------------------------------------------------------------------

for (const { way, faults, inTheChannel } of [
  { way: "every answer is lost", faults: { only: ["publish"], drop_answer: 1 }, inTheChannel: ["once at most"] },
  { way: "the server cannot be reached", faults: { only: ["publish"], refuse_ms: 60_000 }, inTheChannel: [] },
]) {
  test(`when the server may have forgotten the key, the outcome is unknown: ${way}`, HANG_GUARD, async (test) => {
    const forgetful = await Server.start({ flags: ["--lab-port", "auto", "--key-window", "4s"] });
    test.after(() => forgetful.stop());
    const { link, subscriber, inChannel } = await open(test, { at: forgetful, transports: ["sse"] });
    await link.suffer(faults);

    const { name, outcome, problem } = await subscriber.publishInVain("once at most");

    assert.deepEqual([name, outcome, problem], ["PublishError", "unknown", null]);
    assert.deepEqual((await inChannel()).map(({ data }) => data), inTheChannel);
    assert.ok((await link.look()).total > 2, "it has been tried more than once");
  });
}

for (const transport of ["websocket", "sse"]) {
  test(`a refusal comes with its reasons, and what follows is published (${transport})`, HANG_GUARD, async (test) => {
    const { subscriber, inChannel } = await open(test, { transports: [transport] });

    const refused = subscriber.publishInVain("no label has spaces", { type: "not a label" });
    const id = await subscriber.publish("a good one");

    const { name, outcome, status, problem } = await refused;
    assert.deepEqual([name, outcome, status], ["PublishError", "refused", 400]);
    assert.ok(problem.detail);
    assert.deepEqual(await inChannel(), [{ id, data: "a good one" }]);
  });
}

for (const { transport, isInOrder, order } of [
  { transport: "sse", isInOrder: isAscending, order: "in order" },
  // The server refuses one by one what came too fast, and may have room again before it has refused all of them.
  { transport: "websocket", isInOrder: isAscendingTwice, order: "and only what was on its way already may be early" },
]) {
  test(`what is published too fast (${transport}) is there once, ${order}`, HANG_GUARD, async (test) => {
    const strict = await Server.start({ flags: ["--lab-port", "auto", "--publish-rate", "50"] });
    test.after(() => strict.stop());
    const { subscriber, inChannel } = await open(test, { at: strict, transports: [transport] });

    await subscriber.publishAll(numbers(1, 200));

    const published = (await inChannel()).map(({ data }) => data);
    assert.deepEqual(published.toSorted((a, b) => a - b), numbers(1, 200));
    assert.ok(isInOrder(published), `${published}`);
  });
}

/** @param {number[]} numbers */
function isAscending(numbers) {
  return numbers.every((number, index) => index === 0 || number > numbers[index - 1]);
}

/** Whether they are two ascending sequences, one woven into the other. @param {number[]} numbers */
function isAscendingTwice(numbers) {
  const newest = [0, 0];
  return numbers.every((number) => {
    const [high, low] = newest[0] > newest[1] ? [0, 1] : [1, 0];
    const fits = number > newest[high] ? high : low;
    const isAscending = number > newest[fits];
    newest[fits] = number;
    return isAscending;
  });
}

// --- every kind of data ----------------------------------------------------------------------------------------------

for (const transport of ["websocket", "sse", "long-poll", "stream"]) {
  test(`JSON, text and bytes come out as they went in (${transport})`, HANG_GUARD, async (test) => {
    const { subscriber } = await open(test, { transports: [transport] });

    const heard = await subscriber.page.evaluate(async () => {
      const { channel } = subscriber;
      const bytes = new Uint8Array([0, 127, 128, 255]);
      const all = [{ hello: [1, null, "ü"] }, "a line\r\nand another", bytes, bytes.buffer];
      for (const data of all) await channel.publish(data);
      await channel.publish("labeled", { type: "greeting", contentType: "text/markdown" });
      await subscriber.until("five messages", ({ heard }) => heard.length === 5);
      const isBytes = (data) => data instanceof Uint8Array;
      return subscriber.heard.map(([, data]) => (isBytes(data) ? [...data] : data));
    });

    const bytes = [0, 127, 128, 255];
    assert.deepEqual(heard, [{ hello: [1, null, "ü"] }, "a line\r\nand another", bytes, bytes, "labeled"]);
    await subscriber.isSound();
  });
}
