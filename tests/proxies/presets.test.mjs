/**
 * The presets of the lab beside what they imitate: where there is a real proxy, both show a client the same symptoms;
 * where there is none to install, the preset shows what its description promises.
 */

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Lab } from "../browser/support/lab.mjs";
import { Exchange, HANDSHAKE } from "../browser/support/wire.mjs";
import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { Proxy } from "./support/proxy.mjs";
import { directly, idleSymptomsOf, symptomsOf } from "./support/symptoms.mjs";
import { tableOf } from "./support/table.mjs";

/** The idle limit of every proxy here, in place of their 60 or 50 s. Nothing depends on how long it is. */
const LIMIT = 2_000;

// One worker, so that what comes first goes first; and no heartbeat or end of a poll that would break the silence.
const FLAGS = ["--heartbeat", "1h", "--poll-hold", "1h", "--presence-grace", "2h", "--lab-port", "auto"];
const server = await Server.start({ workers: 1, flags: FLAGS });
after(() => server.stop());
const lab = await Lab.of(server);

/** Most of the time passes in waiting, so tests wait together. */
const TOGETHER = { concurrency: true };

const HEALTHY = {
  upgrade: "101",
  websocket: "at once",
  sse: "at once",
  stream: "at once",
  poll: "whole",
  "64 KiB": "whole",
};
const PATIENT = { websocket: "lives", sse: "lives", stream: "lives", poll: "lives" };
const CUT = { websocket: "fin", sse: "fin", stream: "fin", poll: "504 by a proxy" };

/** How each is told the limit. The real ones have no other change to their configuration. */
const SHORT = {
  nginx: `proxy_read_timeout ${LIMIT}ms;`,
  haproxy: (/** @type {string} */ config) => config.replaceAll("50000", String(LIMIT)),
  lab: { idle: { after_ms: LIMIT } },
};

/** Deaf to `X-Accel-Buffering: no`: what becomes of a server that does not say it. */
const UNMARKED = {
  nginx: { changes: "proxy_ignore_headers X-Accel-Buffering;" },
  lab: { buffer: { until_bytes: 4096, honor_accel: false } },
};

// --- beside the real thing -------------------------------------------------------------------------------------------

/** Everything that was seen, to be shown at the end. @type {Record<string, Record<string, string>>} */
const seen = {};
/** @type {Record<string, Record<string, string>>} */
const seenIdle = {};
after(() => console.log(`\n${tableOf(seen)}\n\nWhen the server is silent:\n\n${tableOf(seenIdle)}\n`));

const BARE_NGINX = { ...HEALTHY, upgrade: "426 by the server", websocket: "none" };
const BLOCKS = { sse: "in blocks of 4096 bytes", stream: "in blocks of 4096 bytes" };

test("there are no symptoms where nothing is between", HANG_GUARD, async () => {
  seen.directly = await symptomsOf(directly(server), server);
  assert.deepEqual(seen.directly, HEALTHY);
});

suite("a preset and what it imitates show the same symptoms", TOGETHER, () => {
  compare({
    real: ["nginx, bare proxy_pass", () => Proxy.start("nginx-default.conf", server)],
    lab: ["nginx-default", () => lab.link({ preset: "nginx-default" })],
    show: BARE_NGINX,
  });
  compare({
    real: ["nginx, bare proxy_pass, unmarked", () => Proxy.start("nginx-default.conf", server, UNMARKED.nginx)],
    lab: ["nginx-default, unmarked", () => lab.link({ preset: "nginx-default", ...UNMARKED.lab })],
    show: { ...BARE_NGINX, ...BLOCKS },
  });
  compare({
    real: ["nginx, configured", () => Proxy.start("nginx-correct.conf", server)],
    lab: ["healthy link", () => lab.link()],
    show: HEALTHY,
  });
  // HAProxy's defaults also gather chunks for 200 ms. Other balancers do not, so it is left out here and shown below.
  compare({
    real: ["HAProxy, Debian, no delay", () => Proxy.start("haproxy-default.cfg", server, { edit: withoutDelay })],
    lab: ["load-balancer-60s", () => lab.link({ preset: "load-balancer-60s" })],
    show: HEALTHY,
  });
  compare({
    real: ["HAProxy, configured", () => Proxy.start("haproxy-correct.cfg", server)],
    lab: ["healthy link", () => lab.link()],
    show: HEALTHY,
  });

  test("HAProxy as Debian configures it sends chunks late, which no preset does", HANG_GUARD, async (test) => {
    const proxy = await Proxy.start("haproxy-default.cfg", server);
    test.after(() => proxy.stop());
    const symptoms = await symptomsOf(proxy, server);
    seen["HAProxy, Debian"] = symptoms;
    assert.deepEqual(symptoms, { ...HEALTHY, sse: "late", stream: "late" });
  });
});

suite("a preset and what it imitates bear silence in the same way", TOGETHER, () => {
  compareIdle({
    real: ["nginx, bare proxy_pass", () => Proxy.start("nginx-default.conf", server, { changes: SHORT.nginx })],
    lab: ["nginx-default", () => lab.link({ preset: "nginx-default", ...SHORT.lab })],
    show: { ...CUT, websocket: "none" },
  });
  compareIdle({
    real: [
      "nginx, bare proxy_pass, unmarked",
      () => Proxy.start("nginx-default.conf", server, { changes: UNMARKED.nginx.changes + SHORT.nginx }),
    ],
    lab: ["nginx-default, unmarked", () => lab.link({ preset: "nginx-default", ...UNMARKED.lab, ...SHORT.lab })],
    show: { ...CUT, websocket: "none", sse: "fin without hello", stream: "fin without hello" },
  });
  compareIdle({
    real: ["HAProxy, Debian", () => Proxy.start("haproxy-default.cfg", server, { edit: SHORT.haproxy })],
    lab: ["load-balancer-60s", () => lab.link({ preset: "load-balancer-60s", ...SHORT.lab })],
    show: CUT,
  });
  compareIdle({
    real: ["nginx, configured", () => Proxy.start("nginx-correct.conf", server)],
    lab: ["healthy link", () => lab.link()],
    show: PATIENT,
  });
  compareIdle({
    real: ["HAProxy, configured", () => Proxy.start("haproxy-correct.cfg", server)],
    lab: ["healthy link", () => lab.link()],
    show: PATIENT,
  });
});

test("nginx-default and load-balancer-60s wait for 60 s, as the real ones do", HANG_GUARD, async () => {
  const { presets } = await (await fetch(`${server.origin}/lab`)).json();
  for (const name of ["nginx-default", "load-balancer-60s"]) {
    const { faults } = presets.find((/** @type {any} */ preset) => preset.name === name);
    assert.deepEqual(faults.idle, { after_ms: 60_000, how: "fin" }, name);
  }
});

// --- where there is nothing to install -------------------------------------------------------------------------------

/** @type {Record<string, Record<string, string>>} */
const PROMISED = {
  "corporate-proxy": { ...HEALTHY, upgrade: "403 by a proxy", websocket: "none", sse: "held", stream: "held" },
  antivirus: { ...HEALTHY, sse: "each with the next one" },
  "mobile-3g": HEALTHY,
};

suite("a preset keeps what its description promises", TOGETHER, () => {
  for (const [preset, promised] of Object.entries(PROMISED)) {
    test(preset, HANG_GUARD, async () => {
      const symptoms = await symptomsOf(await lab.link({ preset }), server);
      seen[preset] = symptoms;
      assert.deepEqual(symptoms, promised);
    });
  }
});

test("corporate-proxy cuts what is silent", HANG_GUARD, async () => {
  const symptoms = await idleSymptomsOf(await lab.link({ preset: "corporate-proxy", ...SHORT.lab }), server, LIMIT);
  seenIdle["corporate-proxy"] = symptoms;
  assert.ok(!Object.values(symptoms).includes("lives"), JSON.stringify(symptoms));
});

test("mobile-3g takes its time: 300 ms there and back, and no more than 1.6 Mbit/s down", HANG_GUARD, async (test) => {
  const link = await lab.link({ preset: "mobile-3g" });
  const channel = freshChannel();
  const size = 256 * 1024;
  await server.publish(channel, "x".repeat(size));
  const exchange = ask(test, link.url(`/channels/${channel}/poll?after=start&wait=0`));
  await exchange.answers();
  // TCP's handshake is one round trip, the request and the head of its answer are another.
  const headAt = exchange.age;
  assert.ok(headAt >= 2 * 300, `the head came after ${headAt} ms`);
  await exchange.hears("x".repeat(size));
  const bodyTook = exchange.age - headAt;
  // A part of the body may have come with the head.
  assert.ok(bodyTook >= (size * 8 * 1000) / 1_600_000 / 2, `the body took ${bodyTook} ms`);
});

test("train-tunnel: what was open is silent for good, and nobody connects before its end", HANG_GUARD, async (test) => {
  const link = await lab.link();
  const channel = freshChannel();
  const riders = await board(test, link, channel);
  const tunnel = 2_000;
  const entered = performance.now();
  await link.suffer({ preset: "train-tunnel", refuse_ms: tunnel });
  await server.publish(channel, "into the tunnel");

  const turnedAway = ask(test, link.channel(channel));
  await turnedAway.ends();
  assert.deepEqual([turnedAway.received, turnedAway.ending], ["", "rst"]);

  await connects(test, link);
  assert.ok(performance.now() - entered >= tunnel);
  assert.equal(await missed(link, channel), "into the tunnel");
  assertForgotten(riders);
});

test("laptop-sleep: what was open is silent for good, and what is new is fine", HANG_GUARD, async (test) => {
  const link = await lab.link();
  const channel = freshChannel();
  const sleepers = await board(test, link, channel);
  await link.suffer({ preset: "laptop-sleep" });
  await server.publish(channel, "while you slept");

  assert.equal(await missed(link, channel), "while you slept");
  assert.deepEqual(await symptomsOf(link, server), HEALTHY);
  assertForgotten(sleepers);
});

test("every preset is compared here, or kept to its word", HANG_GUARD, async () => {
  const { presets } = await (await fetch(`${server.origin}/lab`)).json();
  const named = ["nginx-default", "load-balancer-60s", "train-tunnel", "laptop-sleep", ...Object.keys(PROMISED)];
  assert.deepEqual(presets.map((/** @type {any} */ preset) => preset.name).sort(), named.sort());
});

// --- how it is told --------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Comparison
 * @property {[string, () => Promise<Proxy>]} real a proxy, and its name
 * @property {[string, () => Promise<import("./support/symptoms.mjs").Way>]} lab a link, and its name
 * @property {Record<string, string>} show what both are expected to do to a client
 */

/** Declares that a real proxy and a link show the same symptoms. @param {Comparison} ways */
function compare(ways) {
  test(nameOf(ways), HANG_GUARD, (test) => compareBy(symptomsOf, ways, seen, test));
}

/** The same for a server that is silent. @param {Comparison} ways */
function compareIdle(ways) {
  const probe = (/** @type {any} */ way, /** @type {Server} */ behind) => idleSymptomsOf(way, behind, LIMIT);
  test(nameOf(ways), HANG_GUARD, (test) => compareBy(probe, ways, seenIdle, test));
}

/** @param {Comparison} ways */
function nameOf({ real: [proxy], lab: [link] }) {
  return `${link} beside ${proxy}`;
}

/**
 * @param {(way: any, behind: Server) => Promise<Record<string, string>>} probe
 * @param {Comparison} ways
 * @param {Record<string, Record<string, string>>} table
 * @param {import("node:test").TestContext} test
 */
async function compareBy(probe, { real: [proxyName, start], lab: [linkName, open], show }, table, test) {
  const proxy = await start();
  test.after(() => proxy.stop());
  const link = await open();
  const [ofProxy, ofLink] = await Promise.all([probe(proxy, server), probe(link, server)]);
  Object.assign(table, { [linkName]: ofLink, [proxyName]: ofProxy });
  assert.deepEqual(ofLink, ofProxy);
  assert.deepEqual(ofProxy, show);
}

/** @param {string} config */
function withoutDelay(config) {
  return config.replace("mode http", "mode http\n  option http-no-delay");
}

/**
 * @param {import("node:test").TestContext} test
 * @param {URL | string} address
 * @param {ConstructorParameters<typeof Exchange>[1]} [request]
 */
function ask(test, address, request) {
  const exchange = new Exchange(address, request);
  test.after(() => exchange.close());
  return exchange;
}

/**
 * Subscribes over a link by each transport that lasts, and waits until all have heard.
 *
 * @param {import("node:test").TestContext} test
 * @param {import("../browser/support/lab.mjs").Link} link
 * @param {string} channel
 */
async function board(test, link, channel) {
  const open = [
    ask(test, link.url(`/channels/${channel}/ws?format=json`), { headers: HANDSHAKE }),
    ask(test, link.url(`/channels/${channel}/sse`)),
    ask(test, link.url(`/channels/${channel}/stream`)),
  ];
  for (const exchange of open) await exchange.hears("hello");
  return open.map((exchange) => ({ exchange, heard: exchange.received }));
}

/** Nothing has come since, and no end either. @param {Awaited<ReturnType<typeof board>>} open */
function assertForgotten(open) {
  for (const { exchange, heard } of open) {
    assert.equal(exchange.ending, null);
    assert.equal(exchange.received, heard);
  }
}

/**
 * Comes back over a link, and returns what was published.
 *
 * @param {import("../browser/support/lab.mjs").Link} link
 * @param {string} channel
 */
async function missed(link, channel) {
  const { events } = await (await fetch(link.url(`/channels/${channel}/poll?after=start&wait=0`))).json();
  return events.flatMap((/** @type {any} */ { message }) => (message ? [message.data] : [])).join();
}

/**
 * Tries again and again until somebody answers.
 *
 * @param {import("node:test").TestContext} test
 * @param {import("../browser/support/lab.mjs").Link} link
 */
async function connects(test, link) {
  for (;;) {
    const attempt = ask(test, link.url("/healthz"));
    await attempt.hears("ok\n").catch(() => "refused");
    if (attempt.status === 200) return;
    await sleep(50);
  }
}
