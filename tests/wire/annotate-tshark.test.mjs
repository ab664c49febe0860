/**
 * The wire view's annotation and Wireshark's `tshark` say the same about the same recording: every request and response
 * with its header fields, every chunk's size, every frame's bits, mask and payload, every line of an event stream, in
 * their order; nothing is missing and nothing is made up.
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { WebSocket } from "ws";

import { annotate } from "../../demos/wire/annotate.js";
import { HANG_GUARD, Server, freshChannel } from "../foreign/support/server.mjs";
import { dissect } from "./support/pdml.mjs";
import { checkCoverage } from "./support/wire.mjs";

/** What is wrong with each link. A narrow one cuts everything into many pieces. */
const LINKS = { healthy: {}, narrow: { bandwidth: 300_000, latency_ms: 5 } };
const LAST = "the last message";

/** @type {Server} */ let server;
/** Where the lab listens. @type {string} */ let port;
/** @type {string} */ let folder;
/** @type {Map<string, { items: any[], bars: any[], streams: Map<string, any[]> }>} */ const recordings = new Map();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fallcast-wire-"));
  server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "1s", "--drain-time", "4s"] });
  port = String((await (await fetch(`${server.origin}/lab`)).json()).port);
  const talks = await Promise.all(Object.entries(LINKS).map(([link, faults]) => talk(link, faults)));
  // Draining ends the streams in order: tshark takes a chunked body apart only when its last chunk is there.
  const drained = server.drain();
  await Promise.all(talks.map(({ ended }) => ended));
  const kept = await Promise.all(Object.keys(LINKS).map(download));
  await drained;
  for (const { link, items, capture } of kept) {
    recordings.set(link, { items, bars: annotate(items), streams: await dissect(capture, port) });
  }
}, HANG_GUARD);

after(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

// --- the conversation ---------------------------------------------------------------------------------------------------

/**
 * Uses everything that there is over a link. The event stream, the stream and the WebSocket remain open.
 *
 * @returns {Promise<{ ended: Promise<unknown> }>} when the server has ended them
 */
async function talk(link, faults) {
  await fetch(`${server.origin}/lab/links/${link}`, { method: "PUT", body: JSON.stringify(faults) });
  const channel = freshChannel();
  const at = (path = "", query = "") => `http://127.0.0.1:${port}/channels/${channel}${path}?link=${link}${query}`;
  // A connection that carried exchanges of two links would be in two recordings, with a part in each.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (url, options) => exchange(url, { agent, ...options });

  const raw = await socket(at("/ws"));
  const json = await socket(at("/ws", "&format=json"));
  const streams = ["/sse", "/stream"].map((path) => exchange(at(path)));

  const { cursor } = JSON.parse(await ask(at("/poll", "&after=end")));
  const poll = ask(at("/poll", `&wait=20&after=${cursor}`));
  publishBySocket(raw, json);
  await poll;
  await publishByPost(at(), ask);
  await ask(at("/poll"), { method: "HEAD" });
  await ask(at(), { method: "OPTIONS" });
  await ask(at("/poll", "&after=nonsense"));
  await ask(at("/poll", "&after=start"));
  await ask(at("/presence"));

  const heard = new Promise((resolve) => raw.on("message", (data) => String(data) === LAST && resolve(data)));
  raw.send(LAST);
  await heard;
  await new Promise((resolve) => raw.once("ping", resolve));
  json.close(1000, "that was all – bye");
  agent.destroy();
  return { ended: Promise.all([...streams, ended(raw), ended(json)]) };
}

function publishBySocket(raw, json) {
  raw.send("hi");
  raw.send(Uint8Array.of(0, 1, 254, 255));
  raw.ping("are you there?");
  raw.ping();
  raw.send("fragm", { fin: false });
  raw.ping("between");
  raw.send("", { fin: false });
  raw.send("ents", { fin: true });
  raw.send(Uint8Array.of(1, 2, 3), { fin: false, binary: true });
  raw.send(Uint8Array.of(4), { fin: true, binary: true });
  raw.send("x".repeat(125));
  raw.send("y".repeat(126));
  raw.pong("not asked for");
  json.send(JSON.stringify({ publish: { data: "two\nlines, ü and €", type: "kitchen", key: "1" }, ref: 1 }));
  json.send(JSON.stringify({ publish: { data: { deep: [1, { er: null }] } }, ref: 2 }));
}

async function publishByPost(url, ask) {
  const post = (body, type) => ask(url, { method: "POST", parts: [body], headers: { "content-type": type } });
  await post("one\r\ntwo\n\nthree\n", "text/plain");
  await post(JSON.stringify({ a: ['],}"', 1.5] }), "application/json");
  await post(new Uint8Array(300), "application/octet-stream");
  await post("long ".repeat(14_000), "text/plain");
  await post("{", "application/json");
  await exchange(url, {
    method: "POST",
    parts: ["in ", "three ", "chunks"],
    headers: { "content-type": "text/plain" },
  });
}

/**
 * One request and its answer. Content in several parts is sent in chunks.
 *
 * @returns {Promise<string>}
 */
function exchange(url, { method = "GET", parts = [], headers = {}, agent = new Agent() } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part));
      answer.on("end", () => resolve(text)).on("error", reject);
    }).on("error", reject);
    for (const part of parts.slice(0, -1)) sent.write(part);
    sent.end(parts.at(-1));
  });
}

/** @returns {Promise<WebSocket>} one that is open */
async function socket(url) {
  const it = new WebSocket(url.replace("http:", "ws:"), { perMessageDeflate: false });
  await new Promise((resolve, reject) => it.once("open", resolve).once("error", reject));
  return it;
}

async function ended(it) {
  if (it.readyState !== WebSocket.CLOSED) await new Promise((resolve) => it.once("close", resolve));
}

async function download(link) {
  const address = `${server.origin}/lab/links/${link}/recording`;
  const [recording, packets] = await Promise.all([fetch(`${address}.json`), fetch(`${address}.pcapng`)]);
  const capture = join(folder, `${link}.pcapng`);
  await writeFile(capture, new Uint8Array(await packets.arrayBuffer()));
  return { link, items: (await recording.json()).wire, capture };
}

// --- both in the same words ---------------------------------------------------------------------------------------------

/** The bars of the wire as tshark would tell them: by the client's port and the direction. */
function streamsOf({ items, bars }) {
  const ports = new Map(
    items.filter(({ open }) => open).map(({ open }) => [open.connection, open.client.split(":").at(-1)]),
  );
  const streams = new Map();
  for (const [connection, client] of ports) {
    for (const direction of ["up", "down"]) {
      const own = bars.filter((bar) => bar.connection === connection && bar.direction === direction);
      streams.set(`${client} ${direction}`, unitsOf(own));
    }
  }
  return streams;
}

/** Messages and frames; chunks and bodies become the content of their message. */
function unitsOf(bars) {
  const units = [];
  for (const bar of bars.filter(({ layer }) => layer === "wire")) {
    if (bar.what === "request" || bar.what === "response") units.push(messageOf(bar));
    else if (bar.what === "frame") units.push(frameOf(bar));
    else addContent(units.at(-1), bar);
  }
  return units;
}

function messageOf({ what, parsed }) {
  const { method, target, version, status, reason, headers } = parsed;
  const line = what === "request" ? `${method} ${target} ${version}` : `${version} ${status} ${reason}`;
  return {
    line: `${line}\r\n`,
    headers: headers.map(({ name, value }) => `${name}: ${value}\r\n`),
    chunks: null,
    content: "",
  };
}

function frameOf({ parsed }) {
  const { fin, rsv, opcode, isMasked, length, key, payload } = parsed;
  const bits = rsv.reduce((sum, bit) => 2 * sum + Number(bit), 0);
  return { fin, rsv: bits, opcode, isMasked, length, key: key && hex(key), payload: hex(payload) };
}

function addContent(message, bar) {
  assert.ok(bar.what === "chunk" || bar.what === "body", `${bar.title}: ${bar.note}`);
  if (bar.what === "chunk") message.chunks = [...(message.chunks ?? []), bar.parsed.size];
  const data = bar.fields.find(({ name }) => name === "data" || name === "content");
  if (data) message.content += hex(bar.bytes.subarray(data.from, data.to));
}

function hex(bytes) {
  return Buffer.from(bytes).toString("hex");
}

/** Client's port and number of each response with this type, as tshark sees them. */
function contentsOf({ streams }, type) {
  const all = [...streams.values()].flat();
  const chosen = all.filter(({ headers }) =>
    headers?.some((line) => line.toLowerCase() === `content-type: ${type}\r\n`),
  );
  return chosen.map(({ content }) => Buffer.from(content, "hex").toString("utf8"));
}

// --- the comparison -----------------------------------------------------------------------------------------------------

for (const link of Object.keys(LINKS)) {
  describe(`over a link that is ${link}`, () => {
    test("every request, response, chunk and frame is the same, in the same order", () => {
      const recording = recordings.get(link);
      const [ours, theirs] = [streamsOf(recording), recording.streams];
      assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
      for (const [stream, units] of theirs) assert.deepEqual(ours.get(stream), units, stream);
    });

    test("every byte is covered, and nothing is unknown", () => {
      const { items, bars } = recordings.get(link);
      checkCoverage(items, bars);
      const notes = bars.filter(({ note }) => note !== null).map(({ kind, note }) => `${kind}: ${note}`);
      assert.deepEqual(notes, ["publish: this is no JSON"], "the one that was sent on purpose");
      assert.ok(bars.every(({ what, isComplete }) => what !== "unknown" && isComplete));
    });

    test("the lines of the event stream are those that tshark finds in its chunks", () => {
      const recording = recordings.get(link);
      const [theirs] = contentsOf(recording, "text/event-stream");
      const events = recording.bars.filter(({ layer, kind }) => layer === "content" && kind === "sse");
      const lines = events.flatMap(({ fields }) => fields.map(lineOf));
      assert.equal(lines.join(""), theirs);
      assert.equal(events.filter(({ parsed }) => parsed.data === LAST).length, 1);
      assert.ok(
        events.some(({ parsed }) => parsed.comments.length > 0),
        "there was a heartbeat",
      );
    });

    test("the lines of the stream and the answers to polls are the JSON that tshark finds", () => {
      const recording = recordings.get(link);
      const content = recording.bars.filter(({ layer }) => layer === "content");
      const [stream] = contentsOf(recording, "application/x-ndjson");
      const lines = content.filter(({ kind }) => kind === "stream").map(({ parsed }) => parsed.json);
      assert.deepEqual(
        lines,
        stream
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      );
      const answers = content.filter(({ kind, direction }) => kind === "poll" && direction === "down");
      const theirs = contentsOf(recording, "application/json").filter((text) => text.includes('"events"'));
      assert.deepEqual(
        answers.map(({ parsed }) => parsed.json).filter(({ events }) => events),
        theirs.map((text) => JSON.parse(text)),
      );
    });

    test("the conversation had everything that is compared", () => {
      const { bars } = recordings.get(link);
      const frames = bars.filter(({ what }) => what === "frame").map(({ parsed }) => parsed);
      assert.deepEqual(
        [...new Set(frames.map(({ opcode }) => opcode))].sort((a, b) => a - b),
        [0, 1, 2, 8, 9, 10],
      );
      assert.ok(
        frames.some(({ length }) => length > 65_535),
        "a length of 64 bits",
      );
      assert.ok(
        frames.some(({ length }) => length === 126),
        "a length of 16 bits",
      );
      assert.ok(
        frames.some(({ fin, opcode }) => !fin && opcode === 2),
        "a message in fragments",
      );
      assert.deepEqual(new Set(frames.flatMap(({ close }) => close?.code ?? [])), new Set([1000, 1012]));
      assert.ok(
        bars.some(({ what, direction }) => what === "chunk" && direction === "up"),
        "a request in chunks",
      );
      const kinds = new Set(bars.map(({ kind }) => kind));
      assert.deepEqual([...kinds].sort(), ["other", "poll", "publish", "sse", "stream", "websocket"]);
    });
  });
}

/** A line of an event stream as the server has written it. */
function lineOf({ name, value }) {
  if (name === "blank line") return "\n";
  return name === "comment" ? `:${value}\n` : `${name}: ${value}\n`;
}
