/**
 * A server of the test's own behind a proxy. It says what the test tells it to, byte for byte and when the test wants
 * it, and it shows what the proxy has asked.
 */

import { once } from "node:events";
import { createServer } from "node:net";

export class Upstream {
  #connections = /** @type {Set<import("node:net").Socket>} */ (new Set());
  #requests = /** @type {Request[]} */ ([]);
  #server = createServer((socket) => this.#take(socket));

  /** Starts an upstream. Whoever starts it, stops it. */
  static async start() {
    const upstream = new Upstream();
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port() {
    return /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port;
  }

  /** How many requests have come. */
  get count() {
    return this.#requests.length;
  }

  /** Waits for the first request, or for one that comes after it. @param {number} [index] */
  async request(index = 0) {
    while (this.#requests.length <= index) await once(this.#server, "request");
    return this.#requests[index];
  }

  stop() {
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
  }

  /** @param {import("node:net").Socket} socket */
  #take(socket) {
    this.#connections.add(socket);
    let received = "";
    socket.setEncoding("latin1");
    socket.on("error", () => "how a connection ends is seen by its `close`");
    socket.on("data", (text) => {
      received += text;
      // A connection that is kept carries one request after the other.
      for (let size; (size = sizeOfRequest(received)) !== null; received = received.slice(size)) {
        this.#requests.push(new Request(socket, received.slice(0, size)));
        this.#server.emit("request");
      }
    });
  }
}

/** The length of the first request, if all of it has come. @param {string} received */
function sizeOfRequest(received) {
  const head = received.indexOf("\r\n\r\n");
  const body = Number(/^content-length: *(\d+)/im.exec(received.slice(0, head))?.[1] ?? 0);
  const size = head + "\r\n\r\n".length + body;
  return head >= 0 && received.length >= size ? size : null;
}

/** A request that a proxy has sent, and the connection on which it is answered. */
export class Request {
  #socket;
  #gone;

  /** @param {import("node:net").Socket} socket @param {string} received */
  constructor(socket, received) {
    const [first, ...fields] = received.split("\r\n\r\n")[0].split("\r\n");
    const [method, target, version] = first.split(" ");
    this.method = method;
    this.target = target;
    this.version = version;
    const pairs = fields.map((field) => field.split(/: */, 2));
    this.headers = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value]));
    this.#socket = socket;
    // Not `once`, which fails at an `error`: here a reset is one way to go.
    this.#gone = new Promise((resolve) => socket.on("close", resolve));
  }

  /** Whether the answer can be chunked: HTTP/1.0 knows no chunks, and its answer lasts as long as the connection. */
  get takesChunks() {
    return this.version === "HTTP/1.1";
  }

  /** Begins an endless answer. @param {string[]} [fields] @returns {number} the bytes of the head */
  begin(fields = []) {
    const framing = this.takesChunks ? ["Transfer-Encoding: chunked"] : [];
    const lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", ...fields, ...framing];
    const head = `${lines.join("\r\n")}\r\n\r\n`;
    this.write(head);
    return head.length;
  }

  /** Sends a piece of an endless answer. @param {string} text */
  send(text) {
    this.write(this.takesChunks ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
  }

  /** Sends bytes as they are. @param {string | Buffer} bytes */
  write(bytes) {
    return this.#socket.write(bytes);
  }

  /** How many bytes of what was sent the system has not taken yet. */
  get unsent() {
    return this.#socket.writableLength;
  }

  end() {
    this.#socket.end();
  }

  reset() {
    this.#socket.resetAndDestroy();
  }

  /** Waits until the proxy has closed the connection. */
  async isGone() {
    await this.#gone;
  }
}
