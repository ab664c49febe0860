/**
 * Subscribers that speak each of the framings that a `peer.json` may name.
 */

import { Agent, request } from "node:http";
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import WebSocket from "ws";

/**
 * @typedef {object} Subscriber
 * @property {Promise<void>} subscribed
 * @property {AsyncIterator<string, void>} messages
 * @property {() => void} close
 */

/**
 * Subscribes. Addresses have no scheme; `next` may hold `{after}`.
 *
 * @param {string} framing
 * @param {string} first
 * @param {string} next
 * @returns {Subscriber}
 */
export function subscribe(framing, first, next) {
  const inbox = new Inbox();
  const connection = new Agent({ keepAlive: true, maxSockets: 1 });
  /** @type {Record<string, () => () => void>} */
  const transports = {
    websocket: () => webSocket(first, inbox),
    "socket.io": () => socketIo(first, inbox),
    events: () => events(first, connection, inbox),
    json: () => polls(jsonPolls(first, next, connection, inbox), inbox),
    nchan: () => polls(nchanPolls(first, connection, inbox), inbox),
    "socket.io-poll": () => polls(socketIoPolls(first, next, connection, inbox), inbox),
  };
  const stop = transports[framing]();
  const close = () => {
    inbox.closed = true;
    stop();
    connection.destroy();
  };
  return { subscribed: inbox.subscribed, messages: inbox.read(), close };
}

/** What has arrived and is not read yet. */
class Inbox {
  #queue = new PassThrough({ objectMode: true, highWaterMark: 1000 });
  closed = false;
  /** Tells that the server has accepted. */
  accept = () => {};
  #refuse = (/** @type {Error} */ _error) => {};
  /** @type {Promise<void>} */
  subscribed = new Promise((resolve, reject) => {
    this.accept = resolve;
    this.#refuse = reject;
  });

  /** @param {string} text */
  put(text) {
    this.#queue.write(text);
  }

  /** @param {Error} error */
  fail(error) {
    if (this.closed) return;
    this.#refuse(error);
    this.#queue.on("error", () => "whoever reads will know").destroy(error);
  }

  read() {
    return this.#queue[Symbol.asyncIterator]();
  }
}

/** @param {string} address @param {Inbox} inbox */
function webSocket(address, inbox) {
  const socket = new WebSocket(`ws:${address}`, { perMessageDeflate: false });
  socket.on("open", inbox.accept);
  socket.on("message", (data, isBinary) => inbox.put(isBinary ? "a binary message" : data.toString()));
  socket.on("error", (error) => inbox.fail(error));
  return () => socket.terminate();
}

/** @param {string} address @param {Inbox} inbox */
function socketIo(address, inbox) {
  const socket = new WebSocket(`ws:${address}`, { perMessageDeflate: false });
  socket.on("message", (data) => packet(data.toString(), inbox, (reply) => socket.send(reply)));
  socket.on("error", (error) => inbox.fail(error));
  return () => socket.terminate();
}

/**
 * One packet of Engine.IO, version 4, and what it holds of Socket.IO.
 *
 * @param {string} text
 * @param {Inbox} inbox
 * @param {(reply: string) => void} send
 */
function packet(text, inbox, send) {
  if (text.startsWith("0")) send("40");
  else if (text === "2") send("3");
  else if (text.startsWith("40")) inbox.accept();
  else if (text.startsWith("42")) inbox.put(JSON.parse(text.slice(2))[1]);
  else inbox.fail(new Error(`an unexpected packet: ${text}`));
}

/** @param {string} address @param {Agent} agent @param {Inbox} inbox */
function events(address, agent, inbox) {
  const asked = request(`http:${address}`, { agent, headers: { Accept: "text/event-stream" } }, (response) => {
    if (response.statusCode !== 200) inbox.fail(new Error(`status ${response.statusCode}`));
    inbox.accept();
    createInterface({ input: response })
      .on("error", (error) => inbox.fail(error))
      .on("line", (line) => {
        if (line.startsWith("data: ")) inbox.put(line.slice("data: ".length));
      });
  });
  asked.on("error", (error) => inbox.fail(error)).end();
  return () => asked.destroy();
}

/** Polls until it is closed. @param {Promise<void>} loop @param {Inbox} inbox */
function polls(loop, inbox) {
  loop.catch((error) => inbox.fail(error));
  return () => {};
}

/** @param {string} first @param {string} next @param {Agent} agent @param {Inbox} inbox */
async function jsonPolls(first, next, agent, inbox) {
  for (let address = first; !inbox.closed; ) {
    const { body } = await ask(address, agent);
    const { cursor, events } = JSON.parse(body);
    for (const { data } of events) inbox.put(data);
    inbox.accept();
    address = next.replace("{after}", cursor);
  }
}

/** @param {string} address @param {Agent} agent @param {Inbox} inbox */
async function nchanPolls(address, agent, inbox) {
  const headers = cursorOf(await ask(address, agent));
  inbox.accept();
  for (let cursor = headers; !inbox.closed; ) {
    const answer = await ask(address, agent, { headers: cursor });
    inbox.put(answer.body);
    cursor = cursorOf(answer);
  }
}

/** @param {Answer} answer */
function cursorOf({ headers }) {
  return { "If-Modified-Since": String(headers["last-modified"]), "If-None-Match": String(headers.etag) };
}

/** @param {string} first @param {string} next @param {Agent} agent @param {Inbox} inbox */
async function socketIoPolls(first, next, agent, inbox) {
  const { body } = await ask(first, agent);
  const address = next.replace("{after}", JSON.parse(body.slice(1)).sid);
  await ask(address, agent, { method: "POST", body: "40" });
  while (!inbox.closed) {
    const { body } = await ask(address, agent);
    for (const text of body.split("\x1e")) packet(text, inbox, () => inbox.fail(new Error("a ping")));
  }
}

/** @typedef {{ body: string, headers: import("node:http").IncomingHttpHeaders }} Answer */

/**
 * @param {string} address
 * @param {Agent} agent
 * @param {{ method?: string, body?: string, headers?: Record<string, string> }} [options]
 * @returns {Promise<Answer>}
 */
function ask(address, agent, { body, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(`http:${address}`, { agent, ...options }, async (response) => {
      try {
        const text = (await response.setEncoding("utf8").toArray()).join("");
        if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${text}`);
        resolve({ body: text, headers: response.headers });
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject).end(body);
  });
}
