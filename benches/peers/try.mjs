#!/usr/bin/env node
/**
 * Tries the peers: each must deliver to all subscribers, on each of its transports, what is published, in order.
 *
 *     benches/peers/try.mjs nchan bun    these two
 *     benches/peers/try.mjs --all        all of them
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Publisher } from "./try/publisher.mjs";
import { subscribe } from "./try/subscriber.mjs";

const FOLDER = new URL("./", import.meta.url);
const CHANNEL = "lab";
const SUBSCRIBERS = 3;
const MESSAGES = ["one", "two", "three", "x".repeat(1024), "Umlaut: ä"];
/** How long anything may take, in milliseconds, before it counts as lost. */
const PATIENCE = 10_000;

/** @typedef {{ framing: string, first: string, next?: string }} Subscription */
/**
 * @typedef {object} Peer what a `peer.json` holds
 * @property {string} name
 * @property {string} version a command that prints it
 * @property {{ framing: string, path: string }} publish
 * @property {Record<string, Subscription>} subscribe
 * @property {string[]} fairness
 */

/** @param {string} id */
async function tryPeer(id) {
  const folder = new URL(`${id}/`, FOLDER);
  /** @type {Peer} */
  const peer = JSON.parse(readFileSync(new URL("peer.json", folder), "utf8"));
  execFileSync(fileURLToPath(new URL("install", folder)), [], { stdio: ["ignore", 2, 2] });
  const version = execFileSync("sh", ["-c", peer.version], { cwd: folder, encoding: "utf8" }).trim();
  console.log(`${peer.name} (${version})`);
  for (const [transport, subscription] of Object.entries(peer.subscribe)) {
    const port = await freePort();
    const server = spawn(fileURLToPath(new URL("start", folder)), [String(port), "1"], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = await within(once(createInterface({ input: server.stdout }), "line"), "the first line");
      if (line !== "ready") throw new Error(`it began with ${line} instead of ready`);
      await deliver(`127.0.0.1:${port}`, peer, subscription);
    } finally {
      server.kill("SIGTERM");
      if (server.exitCode === null && server.signalCode === null) await within(once(server, "exit"), "the end");
    }
    await freePort(port);
    console.log(`  ${transport}: ${MESSAGES.length} messages reached ${SUBSCRIBERS} subscribers`);
  }
}

/**
 * @param {string} host
 * @param {Peer} peer
 * @param {Subscription} subscription
 */
async function deliver(host, peer, subscription) {
  /** @param {string} template */
  const fill = (template) => `//${host}${template.replace("{channel}", CHANNEL)}`;
  const publisher = await within(Publisher.connect(peer.publish.framing, fill(peer.publish.path)), "the publisher");
  // Nchan answers no first poll before there is a message.
  if (subscription.framing === "nchan") publisher.publish("opening");

  const { framing, first, next = first } = subscription;
  const subscribers = Array.from({ length: SUBSCRIBERS }, () => subscribe(framing, fill(first), fill(next)));
  await within(Promise.all(subscribers.map((subscriber) => subscriber.subscribed)), "the subscription");
  for (const message of MESSAGES) publisher.publish(message);
  for (const subscriber of subscribers) {
    for (const message of MESSAGES) {
      const { value } = await within(subscriber.messages.next(), message);
      if (value !== message) throw new Error(`${value} arrived instead of ${message}`);
    }
    subscriber.close();
  }
  publisher.close();
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
async function within(promise, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** Proves that a port is free, or finds one. @param {number} [port] @returns {Promise<number>} */
async function freePort(port = 0) {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const found = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  server.close();
  await once(server, "close");
  return found;
}

const peers = readdirSync(FOLDER).filter((name) => existsSync(new URL(`${name}/peer.json`, FOLDER)));
const wanted = process.argv.slice(2);
if (wanted.length === 0 || wanted.some((name) => name !== "--all" && !peers.includes(name))) {
  console.error(`usage: try.mjs --all | PEER...\n\nThe peers: ${peers.join(" ")}`);
  process.exit(2);
}
let failures = 0;
for (const id of wanted.includes("--all") ? peers : wanted) {
  try {
    await tryPeer(id);
  } catch (error) {
    failures += 1;
    console.log(`  FAILED: ${error instanceof Error ? error.message : error}`);
  }
}
process.exit(failures === 0 ? 0 : 1);
