/**
 * A server on one port of this machine: its port, its addresses, and publishing by POST.
 */

import { createServer } from "node:http";

import { channelOf } from "./channel.mjs";
import { decoded } from "./utf8.mjs";

/** @typedef {import("./channel.mjs").Channel} Channel */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** Where an exercise listens that was told nothing else. Its profile says the same. */
const DEFAULT_PORT = 8090;

/** Bytes of a message that a publisher may send. */
export const LARGEST_MESSAGE = 64 * 1024;

/**
 * Answers a GET request for `/channels/CHANNEL/TRANSPORT`.
 *
 * @typedef {(channel: Channel, request: Request, response: Response, query: URLSearchParams) => void} Subscribe
 */

/**
 * Whether a page of this origin may speak to the server under this name: the fields `Origin` and `Host` of a request.
 *
 * @typedef {(origin: string | undefined, host: string) => boolean} IsWelcome
 */

/**
 * Serves one transport until Ctrl-C. The first line of the output says where.
 *
 * @param {number} port
 * @param {string} transport the last part of its address
 * @param {Subscribe} subscribe
 * @param {IsWelcome} isWelcome
 */
export function serve(port, transport, subscribe, isWelcome) {
  const server = createServer((request, response) => {
    const found = channelAt(request);
    if (!found) return refuse(response, 404, "there is no such address");
    const { name, last, query } = found;
    const channel = channelOf(name);
    if (!channel) return refuse(response, 503, "there are too many channels; start the server anew");
    if (request.method === "POST" && last === undefined) return publish(channel, request, response, isWelcome);
    if (request.method === "GET" && last === transport) return subscribe(channel, request, response, query);
    return refuse(response, 404, "there is no such address");
  });
  server.on("error", (error) => {
    console.error(`cannot listen on port ${port}: ${error.message}; choose another by --port PORT`);
    process.exit(1);
  });
  server.listen(port, "127.0.0.1", () => {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    console.log(`listening on http://127.0.0.1:${port}`);
  });
  return server;
}

/**
 * The channel that a request is about, the rest of its path, and its query.
 *
 * @param {Request} request
 */
export function channelAt(request) {
  const [path, query] = (request.url ?? "").split("?", 2);
  const [, root, name, last, ...rest] = path.split("/");
  if (root !== "channels" || !name || rest.length > 0) return null;
  return { name, last, query: new URLSearchParams(query) };
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {string} reason
 */
export function refuse(response, status, reason) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(reason);
}

/**
 * @param {Channel} channel
 * @param {Request} request
 * @param {Response} response
 * @param {IsWelcome} isWelcome
 */
function publish(channel, request, response, isWelcome) {
  const { origin, host = "" } = request.headers;
  if (!isWelcome(origin, host)) {
    return refuse(response, 403, "this server does not speak to pages of that origin");
  }
  const chunks = /** @type {Buffer[]} */ ([]);
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size <= LARGEST_MESSAGE) chunks.push(chunk);
  });
  request.on("end", () => {
    if (size > LARGEST_MESSAGE) return refuse(response, 413, "this message is too large");
    const text = decoded(Buffer.concat(chunks));
    if (text === null) return refuse(response, 400, "a message is text in UTF-8");
    const number = channel.publish(text);
    response.writeHead(201, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ id: channel.cursor(number) }));
  });
}

/**
 * Resolves when a connection takes more, or is gone.
 *
 * @param {import("node:stream").Writable} output
 * @returns {Promise<void>}
 */
export function drained(output) {
  return new Promise((resolve) => {
    const done = () => {
      output.off("drain", done).off("close", done);
      resolve();
    };
    output.on("drain", done).on("close", done);
  });
}

/**
 * The words of a command line before `--port PORT`, and the port that it names, or else the environment; `null` if that is
 * none.
 *
 * @param {string[]} words
 */
export function portOf(words) {
  const isNamed = words.at(-2) === "--port";
  const port = Number((isNamed ? words.at(-1) : process.env.PORT) ?? DEFAULT_PORT);
  const isPort = Number.isInteger(port) && port >= 0 && port < 65536;
  return { words: isNamed ? words.slice(0, -2) : words, port: isPort ? port : null };
}
