/**
 * What the lab has recorded, opened by tshark: it finds the requests, frames and events that were exchanged, and nothing
 * odd about the packets that carried them.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { after, test } from "node:test";

import WebSocket from "ws";

import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { Capture } from "./support/tshark.mjs";

const server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "1h"] });
after(() => server.stop());
const { port } = await (await fetch(`${server.origin}/lab`)).json();
const lab = `127.0.0.1:${port}`;

test("requests and answers over one connection", HANG_GUARD, async () => {
  const [link, channel] = [await freshLink(), freshChannel()];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const large = "a long text ".repeat(5000);

  const published = await exchange(agent, "POST", `/channels/${channel}?link=${link}`, large);
  const polled = await exchange(agent, "GET", `/channels/${channel}/poll?link=${link}&after=start`);
  agent.destroy();

  const capture = await captured(link);
  assert.deepEqual(capture.values("http.request.method"), ["POST", "GET"]);
  assert.deepEqual(capture.values("http.request.uri"), [
    `/channels/${channel}?link=${link}`,
    `/channels/${channel}/poll?link=${link}&after=start`,
  ]);
  assert.deepEqual(capture.values("http.response.code"), ["201", "200"]);
  assert.deepEqual(capture.values("http.file_data"), [large, published, polled]);
  assert.deepEqual(capture.values("tcp.flags.syn").filter((flag) => flag === "1").length, 2, "one connection");
});

test("a WebSocket with its frames", HANG_GUARD, async () => {
  const [link, channel] = [await freshLink(), freshChannel()];
  const sent = ["one", "two ".repeat(1000), "{}"];
  const received = [];

  const socket = new WebSocket(`ws://${lab}/channels/${channel}/ws?format=raw&link=${link}`);
  await once(socket, "open");
  for (const text of sent) {
    socket.send(text);
    const [message] = await once(socket, "message");
    received.push(message.toString());
  }
  socket.close(1000);
  await once(socket, "close");

  const capture = await captured(link);
  assert.deepEqual(received, sent, "a channel sends back what is published");
  assert.deepEqual(capture.values("http.response.code"), ["101"]);
  assert.deepEqual(texts(await captured(link, { filter: "websocket.mask == 1" })), sent);
  assert.deepEqual(texts(await captured(link, { filter: "websocket.mask == 0" })), received);
  assert.deepEqual(capture.values("websocket.payload.close.status_code"), ["1000", "1000"]);
});

test("an event stream with its events", HANG_GUARD, async () => {
  // An event stream has no end that tshark could wait for. It looks at one packet, so all that comes must be in that.
  const size = 600;
  const [link, channel] = [await freshLink({ buffer: { until_bytes: size } }), freshChannel()];
  await server.publish(channel, "one ".repeat(200));

  const leaving = new AbortController();
  const target = `http://${lab}/channels/${channel}/sse?after=start&link=${link}`;
  const answer = await fetch(target, { signal: leaving.signal });
  let stream = "";
  for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
    stream += part;
    if (stream.length >= size) break;
  }
  leaving.abort();

  const capture = await captured(link, { waits: false });
  const chunks = capture.values("http.chunk_data").map((hex) => Buffer.from(hex.replaceAll(":", ""), "hex"));
  assert.equal(Buffer.concat(chunks).toString(), stream);
});

test("a connection that is reset", HANG_GUARD, async () => {
  const link = await freshLink({ cut: { after_bytes: 20, how: "rst" } });

  await assert.rejects(exchange(new Agent(), "GET", `/healthz?link=${link}`));

  const ends = await captured(link, { filter: "tcp.flags.reset == 1" });
  assert.deepEqual(ends.values("tcp.srcport"), [String(port)]);
  assert.equal((await captured(link, { filter: "tcp.flags.fin == 1" })).length, 0);
});

test("a connection of which only the beginning was kept", HANG_GUARD, async () => {
  const [link, channel] = [await freshLink(), freshChannel()];
  const body = "x".repeat(400 * 1024);

  await exchange(new Agent(), "POST", `/channels/${channel}?link=${link}`, body);
  await ended(link);

  const requests = await Capture.read(await recording(link), port, { filter: `tcp.dstport == ${port}`, waits: false });
  assert.equal(requests.values("http.request.method")[0], "POST");
  const highest = Math.max(...requests.values("tcp.nxtseq").map(Number));
  assert.ok(highest > body.length, "the numbers go on to the end, and say that something is missing");
});

/** A link of its own for a test. */
async function freshLink(faults = {}) {
  const link = `link-${crypto.randomUUID()}`;
  const created = await fetch(`${server.origin}/lab/links/${link}`, { method: "PUT", body: JSON.stringify(faults) });
  assert.equal(created.status, 201);
  return link;
}

/** Sends a request and returns the body of the answer. */
async function exchange(agent, method, path, body) {
  const sending = request(`http://${lab}${path}`, { agent, method });
  sending.end(body);
  const [answer] = await once(sending, "response");
  return (await answer.setEncoding("utf8").toArray()).join("");
}

/** What tshark sees on a link when all has ended, in which it must find nothing odd. */
async function captured(link, how) {
  await ended(link);
  const bytes = await recording(link);
  const odd = await Capture.read(bytes, port, { filter: "tcp.analysis.flags || _ws.malformed || _ws.unreassembled" });
  assert.deepEqual(odd.values("_ws.expert.message"), []);
  assert.equal(odd.length, 0);
  return Capture.read(bytes, port, how);
}

async function recording(link) {
  const answer = await fetch(`${server.origin}/lab/links/${link}/recording.pcapng`);
  assert.equal(answer.status, 200);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Waits until each connection of a link has ended. */
async function ended(link) {
  for (;;) {
    const { wire } = await (await fetch(`${server.origin}/lab/links/${link}/recording.json`)).json();
    const [opened, closed] = ["open", "close"].map((kind) => wire.filter((item) => kind in item).length);
    if (opened > 0 && opened === closed) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The payloads of text frames. */
function texts(capture) {
  return capture.values("websocket.payload.text");
}
