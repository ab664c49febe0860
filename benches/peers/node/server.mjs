/**
 * Node.js as its documentation has it: the package `ws` for WebSocket, `node:http` for everything else.
 */

import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { LARGEST_MESSAGE, LISTEN_BACKLOG, LONG, port, target } from "../settings.mjs";

/** Messages that a long-poll can still ask for. */
const LOG_LENGTH = 1024;

/**
 * @typedef {object} Channel
 * @property {Set<WebSocket>} sockets
 * @property {Set<import("node:http").ServerResponse>} streams
 * @property {Set<import("node:http").ServerResponse>} polls
 * @property {string[]} log the newest messages
 * @property {number} last the number of the newest message, counted from 1
 */

/** @type {Map<string, Channel>} */
const channels = new Map();

/** @param {string} name @returns {Channel} */
function channelOf(name) {
  let channel = channels.get(name);
  if (channel === undefined) {
    channel = { sockets: new Set(), streams: new Set(), polls: new Set(), log: [], last: 0 };
    channels.set(name, channel);
  }
  return channel;
}

/** @param {Channel} channel @param {string} text */
function publish(channel, text) {
  channel.last += 1;
  channel.log.push(text);
  if (channel.log.length > LOG_LENGTH) channel.log.shift();

  for (const socket of channel.sockets) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  }
  const event = `id: ${channel.last}\ndata: ${text}\n\n`;
  for (const stream of channel.streams) stream.write(event);
  const polls = channel.polls;
  channel.polls = new Set();
  const body = answer(channel, channel.last - 1);
  for (const poll of polls) send(poll, body);
}

/** What is to be told to somebody who knows everything until `after`. @param {Channel} channel @param {number} after */
function answer(channel, after) {
  const missed = channel.last - after;
  const events = missed > 0 ? channel.log.slice(-missed).map((data) => ({ data })) : [];
  return JSON.stringify({ cursor: String(channel.last), events });
}

/** @param {import("node:http").ServerResponse} response @param {string} body */
function send(response, body) {
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }).end(body);
}

/** @type {import("node:http").RequestListener} */
function respond(request, response) {
  const { endpoint, channel: name, query } = target(request.url ?? "/");
  const channel = channelOf(name);
  if (endpoint === "sse") {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" }).flushHeaders();
    channel.streams.add(response);
    response.on("close", () => channel.streams.delete(response));
  } else if (endpoint === "poll") {
    const after = query.get("after");
    if (after === null || Number(after) < channel.last) {
      send(response, answer(channel, after === null ? channel.last : Number(after)));
    } else {
      channel.polls.add(response);
      response.on("close", () => channel.polls.delete(response));
    }
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer(respond);
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: LARGEST_MESSAGE });
sockets.on("connection", (socket, request) => {
  const { endpoint, channel: name } = target(request.url ?? "/");
  const channel = channelOf(name);
  socket.on("error", () => socket.terminate());
  if (endpoint === "publish") {
    socket.on("message", (data) => publish(channel, data.toString()));
  } else {
    channel.sockets.add(socket);
    socket.on("close", () => channel.sockets.delete(socket));
  }
});
server.keepAliveTimeout = LONG;
server.listen({ port: port(), host: "127.0.0.1", backlog: LISTEN_BACKLOG }, () => console.log("ready"));
