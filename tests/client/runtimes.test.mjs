/**
 * The same file outside of browsers: in Node.js 22 as it is, in Node.js 20 with a WebSocket passed in, and in Deno.
 * The server is the real one.
 *
 * Which programs these are, `NODE_20`, `NODE_22` and `DENO` say. Without them, the Node.js that runs this test stands for
 * its own version, and Deno comes from npm.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Relay } from "../foreign/support/relay.mjs";
import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";

const PROGRAM = fileURLToPath(new URL("runtimes/program.mjs", import.meta.url));
const DENO = fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url));

const RUNTIMES = [
  { name: "Node.js 20 with ws", command: () => [nodeOf(20)] },
  { name: "Node.js 22 or newer", command: () => [nodeOf(22)] },
  { name: "Deno", command: () => [process.env.DENO || DENO, "run", "--quiet", "--no-config", "--allow-net"] },
];
const TRANSPORTS = ["websocket", "sse", "long-poll", "stream"];

const server = await Server.start();
after(() => server.stop());

for (const { name, command } of RUNTIMES) {
  for (const transport of TRANSPORTS) {
    test(`${name}: publishes and receives over ${transport}`, HANG_GUARD, async () => {
      const channel = freshChannel();
      const earlier = await publishNumbered(channel, 10);

      const { heard, end } = await run(command(), server.channel(channel), transport, 10, 10);

      assert.deepEqual(heard.slice(0, 10), earlier);
      assert.deepEqual(heard.slice(10).map(([, data]) => data), ownTexts(10));
      assertDense(heard);
      assert.equal(end, `over ${transport}, lost 0`);
    });

    test(`${name}: over ${transport}, on a line that is cut in the middle of events`, HANG_GUARD, async (test) => {
      const channel = freshChannel();
      // Few enough for one poll's answer, which comes whole or not at all.
      const earlier = await publishNumbered(channel, 10);
      const relay = await Relay.start(server, { cutAfter: 3001 });
      test.after(() => relay.stop());

      const address = `${relay.origin}/channels/${channel}`;
      const { heard } = await run(command(), address, transport, 10, 100);

      assertDense(heard);
      assert.deepEqual(heard.filter(([, data]) => data.startsWith("earlier")), earlier);
      assert.deepEqual(heard.map(([, data]) => data).filter((data) => data.startsWith("own")), ownTexts(100));
      assert.ok(relay.cuts >= 2, `the line was cut ${relay.cuts} times`);
    });
  }
}

test("the runtimes are what they are called", async () => {
  const ask = async (/** @type {string} */ program, /** @type {string} */ flag) =>
    (await promisify(execFile)(program, [flag])).stdout;
  assert.match(await ask(nodeOf(20), "--version"), /^v20\./);
  assert.ok(Number.parseInt((await ask(nodeOf(22), "--version")).slice(1), 10) >= 22);
  assert.match(await ask(process.env.DENO || DENO, "--version"), /^deno /);
});

/**
 * Runs the program to its end, and returns what it printed.
 *
 * @param {string[]} runtime
 * @param {string} address
 * @param {string} transport
 * @param {number} others
 * @param {number} own
 */
async function run([program, ...words], address, transport, others, own) {
  const settings = [PROGRAM, address, transport, String(others), String(own)];
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1" };
  const { stdout } = await promisify(execFile)(program, [...words, ...settings], { ...HANG_GUARD, env });
  const lines = stdout.trimEnd().split("\n");
  const end = lines.pop();
  return { heard: lines.map((line) => line.split("\t")), end };
}

/**
 * Node.js of version 20, or of version 22 or newer.
 *
 * @param {20 | 22} version
 */
function nodeOf(version) {
  const named = process.env[`NODE_${version}`];
  if (named) return named;
  const own = Number.parseInt(process.versions.node, 10);
  if (own === version || (version === 22 && own > 22)) return process.execPath;
  throw new Error(`Node.js ${version} is missing: name it in NODE_${version}, or run tests/run client`);
}

/** @param {string} channel @param {number} count */
async function publishNumbered(channel, count) {
  const published = [];
  for (let number = 1; number <= count; number += 1) {
    const text = `earlier ${number}`;
    published.push([await server.publish(channel, text), text]);
  }
  return published;
}

/** What the program publishes. @param {number} count */
function ownTexts(count) {
  return Array.from({ length: count }, (_, index) => `own ${index + 1}: "é € 🚀"`);
}

/** Nothing lost and nothing repeated: the offsets count from one, all in one epoch. @param {string[][]} heard */
function assertDense(heard) {
  const [epoch] = heard[0][0].split(".");
  assert.deepEqual(
    heard.map(([id]) => id),
    heard.map((_, index) => `${epoch}.${index + 1}`),
  );
}
