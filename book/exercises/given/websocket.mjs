/**
 * WebSocket: one connection for both directions. What to answer, and whom to let in, are exercises.
 */

import { createHash } from "node:crypto";

import { position as positionOf } from "../resume/solution.mjs";
import { channelOf } from "./channel.mjs";
import { closeFrame, pongFrame, Reader, textFrame } from "./frame.mjs";
import { channelAt, drained, refuse, serve } from "./server.mjs";

/** @typedef {import("./channel.mjs").Channel} Channel */
/** @typedef {import("./frame.mjs").Incoming} Incoming */
/** @typedef {import("./frame.mjs").Reply} Reply */
/** @typedef {import("./server.mjs").IsWelcome} IsWelcome */
/** @typedef {import("node:stream").Duplex} Socket */

/** What the standard puts behind the client's key (RFC 6455 §1.3). */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The close code for a client that cannot go on from its cursor, as fallcast has it. */
const GAP = 4101;

/** How many milliseconds to look whether a client that has not heard from the channel is still there. */
const PATIENCE = 10_000;

/**
 * Serves channels as WebSockets until Ctrl-C. A text from a client is a publication.
 *
 * @param {number} port
 * @param {(incoming: Incoming) => Reply} answer decides what to do about what a client has sent
 * @param {IsWelcome} isWelcome
 */
export function serveWebSockets(port, answer, isWelcome) {
  /** @type {import("./server.mjs").Subscribe} */
  const subscribe = (_channel, _request, response) => {
    response.setHeader("Upgrade", "websocket").setHeader("Sec-WebSocket-Version", "13");
    refuse(response, 426, "this address speaks WebSocket");
  };
  const server = serve(port, "ws", subscribe, isWelcome);
  server.on("upgrade", (request, socket, first) => {
    socket.on("error", () => socket.destroy());
    const [status, found] = handshake(request, isWelcome);
    if (status !== 101 || !found) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n`);
      return;
    }
    const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + MAGIC).digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    /** @type {import("node:net").Socket} */ (socket).setNoDelay(true);
    listen(found.channel, socket, first, answer);
    follow(found.channel, found.after, socket);
  });
}

/**
 * What to answer a handshake (RFC 6455 §4.2), and which channel it is about.
 *
 * @param {import("node:http").IncomingMessage} request
 * @param {IsWelcome} isWelcome
 * @returns {[number, { channel: Channel, after: string } | null]}
 */
function handshake(request, isWelcome) {
  const { origin, host = "", upgrade, "sec-websocket-key": key, "sec-websocket-version": version } = request.headers;
  const found = channelAt(request);
  const channel = found?.last === "ws" ? channelOf(found.name) : null;
  if (!channel) return [404, null];
  if (!isWelcome(origin, host)) return [403, null];
  if (version !== "13") return [426, null];
  const isHttp = request.method === "GET" && request.httpVersion === "1.1";
  const isKey = key !== undefined && Buffer.from(key, "base64").length === 16;
  if (!isHttp || upgrade?.toLowerCase() !== "websocket" || !isKey) return [400, null];
  return [101, { channel, after: found?.query.get("after") ?? "end" }];
}

/**
 * Answers what a client sends.
 *
 * @param {Channel} channel
 * @param {Socket} socket
 * @param {Buffer} first what has come with the handshake
 * @param {(incoming: Incoming) => Reply} answer
 */
function listen(channel, socket, first, answer) {
  const reader = new Reader();
  const take = (/** @type {Buffer} */ bytes) => {
    reader.take(bytes);
    for (let incoming = reader.read(); incoming !== null && !socket.writableEnded; incoming = reader.read()) {
      act(answer(incoming), channel, socket);
      // Nothing after a fault can be read, so whatever was answered, this is the end.
      if (incoming.type === "fault") socket.end();
    }
  };
  socket.on("data", take).on("end", () => socket.end());
  take(first);
}

/**
 * @param {Reply} reply
 * @param {Channel} channel
 * @param {Socket} socket
 */
function act(reply, channel, socket) {
  if (reply === null) return;
  if ("publish" in reply) channel.publish(reply.publish);
  if ("pong" in reply) socket.write(pongFrame(reply.pong));
  if ("close" in reply) socket.end(closeFrame(reply.close));
}

/**
 * Sends a client what is published, from its cursor on, until it is gone.
 *
 * @param {Channel} channel
 * @param {string} after
 * @param {Socket} socket
 */
async function follow(channel, after, socket) {
  let position = after === "start" ? channel.start : positionOf(channel, after === "end" ? null : after);
  while (!socket.destroyed && !socket.writableEnded) {
    const messages = position === null ? null : channel.readAfter(position);
    if (position === null || messages === null) {
      socket.end(closeFrame(GAP));
      return;
    }
    position += messages.length;
    const frames = messages.map(({ text }) => textFrame(text));
    // What the connection cannot take yet stays in the log.
    if (frames.length > 0 && !socket.write(Buffer.concat(frames))) await drained(socket);
    if (frames.length === 0) await channel.published(PATIENCE);
  }
}
