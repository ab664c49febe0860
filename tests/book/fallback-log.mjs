/**
 * Sends the client over a link that gets worse, heals and breaks, and keeps its decision log for the book's chapter on
 * falling back. The server, the lab, the client and the times are real; no step waits for a time, each waits for the
 * decision that the one before must lead to.
 *
 *     node tests/book/fallback-log.mjs    writes measurements/fallback-log.json
 */

import { writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { argv, version } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

import { connect } from "../../client/fallcast.js";
import { freshChannel, Server } from "../foreign/support/server.mjs";

/** Where the book reads it. */
export const KEPT = new URL("../../measurements/fallback-log.json", import.meta.url);

/** Both are shorter than they would be in earnest, so that a run takes a quarter of a minute. */
const HEARTBEAT_MS = 1000;
const REPROBE_MS = 2000;

const PUBLISH_EVERY_MS = 20;

/** Nothing that is waited for takes nearly as long. */
const HANG_MS = 30_000;

/** Node.js 20 has no WebSocket of its own, and then the client is given one. */
const own = globalThis.WebSocket;
const WebSocket = own ?? (await import("ws")).WebSocket;

/** Records all runs, with what somebody needs to judge them. */
export async function record() {
  const flags = ["--lab-port", "auto", "--heartbeat", `${HEARTBEAT_MS}ms`];
  const server = await Server.start({ flags });
  try {
    const { port } = await (await fetch(`${server.origin}/lab`)).json();
    const lab = { server, origin: `http://127.0.0.1:${port}` };
    return {
      date: new Date().toISOString().slice(0, 10),
      machine: { processor: cpus()[0].model, cores: cpus().length, kernel: release() },
      runtime: `Node.js ${version} with ${own ? "its own WebSocket" : "the WebSocket of ws"}`,
      command: "node tests/book/fallback-log.mjs",
      heartbeat_ms: HEARTBEAT_MS,
      reprobe_ms: REPROBE_MS,
      silence: await silence(lab),
      journey: await journey(lab),
    };
  } finally {
    await server.stop();
  }
}

/** A first connect over a link on which two of three transports say nothing at all. */
async function silence(lab) {
  const trip = new Trip(lab);
  await trip.setFaults({ upgrade: "mute", buffer: {} });
  trip.depart();
  await trip.decision({ what: "beaten", transport: "sse" });
  const log = trip.lines(0);
  trip.end();
  return { faults: trip.faults, log, alive_ms: trip.time({ what: "alive" }) };
}

/** One connect, and a link that changes under it four times, while somebody publishes all the time. */
async function journey(lab) {
  const trip = new Trip(lab);
  const acts = [];
  const act = async (name, faults, ...decisions) => {
    await trip.message();
    const from = trip.log.length;
    await trip.setFaults(faults);
    trip.depart();
    for (const decision of decisions) await trip.decision(decision, from);
    acts.push({ name, faults: trip.faults, log: trip.lines(from) });
  };
  await act("blocked", { upgrade: "403" }, { what: "beaten" }, { what: "probe" }, { what: "refused", nth: 2 });
  await act("held", { upgrade: "403", buffer: {} }, { what: "lost" }, { what: "alive", transport: "long-poll" });
  await act("healed", null, { what: "moved" });
  const outage = { cut: { after_ms: 0, how: "rst", open_only: true }, unavailable_ms: 3000 };
  await act("outage", outage, { what: "lost" }, { what: "alive", transport: "websocket" });
  const delivered = await trip.arrive();
  return { acts, ...delivered };
}

/** A client on a link of its own. */
class Trip {
  #lab;
  #name = freshChannel();
  #channel;
  #received = [];
  #published = 0;
  #publishing;
  #isThere = false;
  /** The faults of its link, as the server has understood them. */
  faults = "none";

  constructor(lab) {
    this.#lab = lab;
  }

  get log() {
    return this.#channel?.log ?? [];
  }

  /** Sets the link's faults, or heals it. */
  async setFaults(faults) {
    const address = `${this.#lab.server.origin}/lab/links/${this.#name}`;
    const body = faults && JSON.stringify(faults);
    const answer = await fetch(address, { method: faults ? "PUT" : "DELETE", body });
    if (!answer.ok) throw new Error(await answer.text());
    this.faults = body ?? "none";
  }

  /** Connects, unless that has been done, and begins to publish by the healthy port. */
  depart() {
    if (this.#channel) return;
    const url = `${this.#lab.origin}/channels/${this.#name}?link=${this.#name}`;
    this.#channel = connect(url, { after: "start", reprobe: REPROBE_MS, WebSocket });
    this.#channel.addEventListener("message", ({ data }) => this.#received.push(data));
    this.#publishing = this.#publish();
  }

  async #publish() {
    while (!this.#isThere) {
      await this.#lab.server.publish(this.#name, String(++this.#published));
      await new Promise((resolve) => setTimeout(resolve, PUBLISH_EVERY_MS));
    }
  }

  /** Waits until the log has an entry, from some place on. */
  async decision({ what, transport, nth = 1 }, from = 0) {
    const fits = (entry) => entry.what === what && (transport === undefined || entry.transport === transport);
    while (this.log.slice(from).filter(fits).length < nth) await this.#next("log");
  }

  /** Waits until the line has delivered something, once there is a line. */
  async message() {
    if (this.#channel) await this.#next("message");
  }

  /** Waits for the channel's next event of a type. */
  #next(type) {
    return new Promise((resolve, reject) => {
      const hangs = () => reject(new Error(`no ${type} after\n${this.lines(0).join("\n")}`));
      const guard = setTimeout(hangs, HANG_MS);
      this.#channel.addEventListener(type, () => resolve(clearTimeout(guard)), { once: true });
    });
  }

  /** Ends publishing, waits for the last message, and says how many came how often. */
  async arrive() {
    this.#isThere = true;
    await this.#publishing;
    while (!this.#received.includes(String(this.#published))) await this.message();
    this.end();
    const different = new Set(this.#received).size;
    return {
      published: this.#published,
      missing: this.#published - different,
      repeated: this.#received.length - different,
      gaps: this.#channel.stats.gaps,
      dropped: this.#channel.stats.duplicates,
    };
  }

  end() {
    this.#isThere = true;
    this.#channel.close();
  }

  /** When the log has its first entry of a kind, in ms since `connect`. */
  time({ what }) {
    return this.log.find((entry) => entry.what === what).at;
  }

  /** The log from some place on, in columns. */
  lines(from) {
    return this.log.slice(from).map(({ at, transport, what, why }) => {
      return `${at.toFixed(1).padStart(8)} ms  ${(transport ?? "").padEnd(10)} ${what.padEnd(9)}  ${why}`;
    });
  }
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  await writeFile(KEPT, `${JSON.stringify(await record(), null, 2)}\n`);
  console.log(`written: ${fileURLToPath(KEPT)}`);
}
