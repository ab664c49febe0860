/**
 * Clients that know nothing of fallcast read and write one channel: curl, Python and Node.js, each with the library
 * that people use there. Every one of them is a small program in `readers/` or `publishers/`.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Program, programsIn } from "./support/program.mjs";
import { Relay } from "./support/relay.mjs";
import { freshChannel, HANG_GUARD, Server } from "./support/server.mjs";

const READERS = programsIn("readers");
const PUBLISHERS = programsIn("publishers");

const server = await Server.start();
after(() => server.stop());

test("every reader hears what every publisher says, complete, in one order and under the same ids", HANG_GUARD, async () => {
  const channel = server.channel(freshChannel());
  const earlier = await publishTogether(channel, "earlier", 20);

  const readers = READERS.map((name) => new Program(name, channel, "start", 2 * earlier.size));
  // A reader that has spoken is connected, so what comes now reaches it live.
  await Promise.all(readers.map((reader) => reader.spoke()));
  const live = await publishTogether(channel, "live", 20);

  const [first, ...others] = await Promise.all(readers.map(async (reader) => parsed(await reader.output())));
  for (const [index, other] of others.entries()) assert.deepEqual(other, first, READERS[index + 1]);
  assertDense(first.map(([id]) => id));
  assert.deepEqual(new Map(first), new Map([...earlier, ...live]));
  assertOrderOfEachPublisher([...earlier.values(), ...live.values()], first.map(([, text]) => text));
});

for (const name of READERS) {
  test(`${name} leaves, and comes back to the message after its last one`, HANG_GUARD, async () => {
    const channel = freshChannel();
    const published = await publishNumbered(channel, 30);

    const before = parsed(await new Program(name, server.channel(channel), "start", 10).output());
    const [cursor] = before.at(-1);
    const after = parsed(await new Program(name, server.channel(channel), cursor, 20).output());

    assert.deepEqual([...before, ...after], published);
  });
}

test("a subscription goes from client to client, and from transport to transport, by its cursor alone", HANG_GUARD, async () => {
  const channel = freshChannel();
  const published = await publishNumbered(channel, 7 * READERS.length);

  const heard = [];
  let cursor = "start";
  for (const name of READERS) {
    heard.push(...parsed(await new Program(name, server.channel(channel), cursor, 7).output()));
    [cursor] = heard.at(-1);
  }
  assert.deepEqual(heard, published);
});

test("eventsource resumes by itself on a line that is cut in the middle of events", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const published = await publishNumbered(channel, 200);
  const relay = await Relay.start(server, { cutAfter: 3001 });
  test.after(() => relay.stop());

  const reader = new Program("readers/node-eventsource.mjs", `${relay.origin}/channels/${channel}`, "start", 200);
  assert.deepEqual(parsed(await reader.output()), published);
  assert.ok(relay.cuts >= 2, `the line was cut ${relay.cuts} times`);
});

/**
 * Publishes texts, one after the other, and returns them behind their ids.
 *
 * @param {string} channel
 * @param {number} count
 */
async function publishNumbered(channel, count) {
  const published = [];
  for (let number = 1; number <= count; number += 1) {
    const text = `message ${number}`;
    published.push([await server.publish(channel, text), text]);
  }
  return published;
}

/**
 * Lets all publishers speak at once, and returns what they said under the ids that they were told.
 *
 * The texts hold what a careless encoder would trip over: quotes, a backslash, and characters of one to four bytes.
 *
 * @param {string} channel
 * @param {string} when
 * @param {number} count of messages for each publisher
 */
async function publishTogether(channel, when, count) {
  const said = await Promise.all(
    PUBLISHERS.map(async (name) => {
      const texts = Array.from({ length: count }, (_, index) => `${name} ${when} ${index}: "quoted" \\n é € 🚀`);
      const ids = await new Program(name, channel).feed(texts).output();
      return texts.map((text, index) => /** @type {const} */ ([ids[index], text]));
    }),
  );
  return new Map(said.flat());
}

/**
 * What a reader printed, as pairs of id and text.
 *
 * @param {string[]} lines
 */
function parsed(lines) {
  return lines.map((line) => line.split("\t"));
}

/**
 * Nothing lost and nothing repeated: the offsets count from one, all in one epoch.
 *
 * @param {string[]} ids
 */
function assertDense(ids) {
  const [epoch] = ids[0].split(".");
  const dense = ids.map((_, index) => `${epoch}.${index + 1}`);
  assert.deepEqual(ids, dense);
}

/**
 * Publishers may overtake each other, but none overtakes itself.
 *
 * @param {string[]} said with the texts of each publisher in its order
 * @param {string[]} heard
 */
function assertOrderOfEachPublisher(said, heard) {
  for (const publisher of PUBLISHERS) {
    const of = (/** @type {string[]} */ texts) => texts.filter((text) => text.startsWith(publisher));
    assert.deepEqual(of(heard), of(said));
  }
}
