/**
 * Every preset of the lab, twice: what it imitates happens on the wire, and the client survives it.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD } from "../foreign/support/server.mjs";
import { startBrowser } from "./support/browser.mjs";
import { comesBackInTime, fault, isCarriedBy, openPlace } from "./support/line.mjs";
import { NOTHING, PREFERRED, REFUSED, SILENT } from "./support/line.mjs";
import { HANDSHAKE } from "./support/wire.mjs";

const browser = await startBrowser();
after(() => browser.close());
const quick = await openPlace(browser, ["--heartbeat", "1s"]);
after(() => quick.server.stop());
/** Where heartbeats are too far apart to mean anything to a test. */
const calm = await openPlace(browser);
after(() => calm.server.stop());

/** The presets that have tests. @type {Set<string>} */
const seen = new Set();

/**
 * Declares the two tests of a preset.
 *
 * @param {string} preset
 * @param {import("./support/line.mjs").Place} place
 * @param {object} changes what a test cannot wait for
 * @param {Parameters<typeof fault>[3]} tests
 */
function preset(preset, place, changes, tests) {
  seen.add(preset);
  fault(preset, place, { preset, ...changes }, tests);
}

preset("nginx-default", quick, {}, {
  async wire(line) {
    assert.equal((await line.ask("/ws", { headers: HANDSHAKE }).answers()).status, 426);
    await line.ask("/sse").hears("hello");
  },
  client: isCarriedBy("sse", REFUSED),
});

preset("corporate-proxy", quick, {}, {
  async wire(line) {
    assert.equal((await line.ask("/ws", { headers: HANDSHAKE }).answers()).status, 403);
    const [held, healthy] = [line.ask("/sse?after=start"), await line.askDirectly("/sse").hears("hello")];
    await line.publish("to both");
    await healthy.hears("to both");
    assert.equal(held.received, "");
  },
  client: isCarriedBy(
    "long-poll",
    "websocket try · websocket refused · sse try · sse silent · long-poll try · long-poll alive · sse cancelled" +
      " · websocket beaten · sse beaten",
  ),
});

preset("antivirus", calm, {}, {
  async wire(line) {
    const [held, healthy] = [await line.ask("/sse").answers(), await line.askDirectly("/sse").hears("hello")];
    await line.publish("news");
    await Promise.all([held.hears("hello"), healthy.hears("news")]);
    assert.ok(!held.received.includes("news"));
  },
  client: isCarriedBy("websocket", PREFERRED),
});

/** A line to a channel on which something is open, and falls silent when a preset begins. */
async function fallsSilent(/** @type {Line} */ line, preset) {
  await line.link.heal();
  const [silent, healthy] = [line.ask("/stream"), line.askDirectly("/stream")];
  await Promise.all([silent.hears("hello"), healthy.hears("hello")]);
  await line.link.suffer({ preset });
  await line.publish("news");
  await healthy.hears("news");
  assert.ok(!silent.received.includes("news"));
  assert.equal(silent.ending, null);
}

/** A client that is well connected when a preset begins, and finds out by its watchdog. */
async function isCaughtBy(/** @type {Line} */ line, preset, options) {
  await line.link.heal();
  const subscriber = await line.subscribe(options);
  await subscriber.isOn("websocket");
  await line.link.suffer({ preset });
  await line.publishNumbers(20);
  await subscriber.decides("websocket lost");
  assert.match(await subscriber.why("lost"), SILENT);
  return subscriber;
}

preset("train-tunnel", quick, {}, {
  async wire(line) {
    await fallsSilent(line, "train-tunnel");
    assert.equal((await line.ask("/poll").ends()).ending, "rst");
  },
  async client(line) {
    const subscriber = await isCaughtBy(line, "train-tunnel", { backoff: { base: 4_000, cap: 4_000 } });
    await subscriber.decides("wait", 2);
    await line.link.heal();
    await subscriber.hearsAllUpTo(20);
    assert.equal(await subscriber.log(), `${PREFERRED} · websocket lost · wait · ${NOTHING} · wait · ${PREFERRED}`);
  },
});

preset("laptop-sleep", quick, {}, {
  async wire(line) {
    await fallsSilent(line, "laptop-sleep");
    await line.ask("/stream").hears("hello");
  },
  async client(line) {
    const subscriber = await isCaughtBy(line, "laptop-sleep");
    await subscriber.hearsAllUpTo(20);
    assert.equal(await subscriber.log(), `${PREFERRED} · websocket lost · wait · ${PREFERRED}`);
  },
});

preset("mobile-3g", quick, {}, {
  async wire(line) {
    const answer = await line.ask("/poll").answers();
    assert.ok(answer.age >= 600, `there and back twice: ${answer.age} ms`);
  },
  client: isCarriedBy("websocket", PREFERRED, { headStart: 5_000 }),
});

preset("load-balancer-60s", calm, { idle: { after_ms: 300 } }, {
  async wire(line) {
    assert.equal((await line.ask("/sse").ends()).ending, "fin");
  },
  client: comesBackInTime("websocket"),
});

test("every preset has been seen", HANG_GUARD, async () => {
  const { presets } = await (await fetch(`${quick.server.origin}/lab`)).json();
  assert.deepEqual(new Set(presets.map(({ name }) => name)), seen);
});
