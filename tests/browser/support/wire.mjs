/**
 * HTTP as it is on the wire: one exchange over a TCP connection of its own, with no browser and no library in between.
 */

import { connect } from "node:net";

/** What asks for a WebSocket (RFC 6455 §4.1). The key, and the answer that it calls for, are the RFC's own example. */
export const HANDSHAKE = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};
export const ACCEPTED = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export class Exchange {
  /** Everything that has come so far, a character for each byte. */
  received = "";
  /** How the connection was ended by the other side, if it was. @type {"fin" | "rst" | null} */
  ending = null;

  #began = performance.now();
  #socket;
  /** @type {Set<() => void>} */ #watchers = new Set();

  /**
   * Sends a request.
   *
   * @param {URL | string} address
   * @param {{ method?: string, headers?: Record<string, string>, body?: string }} [request]
   */
  constructor(address, { method = "GET", headers = {}, body = "" } = {}) {
    const { hostname, port, host, pathname, search } = new URL(address);
    const fields = Object.entries({ Host: host, "Content-Length": String(Buffer.byteLength(body)), ...headers });
    const head = [`${method} ${pathname}${search} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
    this.#socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#note(() => (this.received += text)));
    this.#socket.on("end", () => this.#probeEnding());
    this.#socket.on("error", () => this.#note(() => (this.ending ??= "rst")));
    this.#socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  }

  /** Waits until a text has come so many times. @param {string} text @param {number} [times] */
  async hears(text, times = 1) {
    const isHeard = () => this.received.split(text).length > times;
    await this.#until(() => isHeard() || this.ending !== null);
    if (!isHeard()) throw new Error(`no ${text}, but ${this.ending} after ${this.received}`);
    return this;
  }

  /** Waits until anything has come, even if it is the end. */
  async begins() {
    await this.#until(() => this.received !== "" || this.ending !== null);
    return this;
  }

  /** Waits for the head of the answer. */
  async answers() {
    return this.hears("\r\n\r\n");
  }

  /** Waits until the other side has ended the connection. */
  async ends() {
    await this.#until(() => this.ending !== null);
    return this;
  }

  get status() {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.received)?.[1]);
  }

  /** What came behind the head. */
  get body() {
    const [, ...body] = this.received.split("\r\n\r\n");
    return body.join("\r\n\r\n");
  }

  /** The value of a header field, as the answer has it. @param {string} name */
  header(name) {
    return new RegExp(`^${name}: (.*)\r$`, "im").exec(this.received.split("\r\n\r\n")[0] + "\r\n")?.[1];
  }

  /** How long ago it began, in ms. */
  get age() {
    return performance.now() - this.#began;
  }

  /** Sends a text frame. A mask of zeros leaves the text readable (RFC 6455 §5.3). @param {string} text */
  sendFrame(text) {
    this.#socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
  }

  close() {
    this.#socket.destroy();
  }

  /**
   * Node.js calls a reset that follows closely on data an end. Writing tells them apart: after an end in order, the
   * other side may still be listening; after a reset, nothing can be written.
   */
  #probeEnding() {
    this.#socket.end("\r\n", (fault) => this.#note(() => (this.ending ??= fault ? "rst" : "fin")));
  }

  /** @param {() => void} happens */
  #note(happens) {
    happens();
    for (const look of [...this.#watchers]) look();
  }

  /** @param {() => boolean} isTrue */
  async #until(isTrue) {
    let look = () => {};
    const isReached = new Promise((resolve) => (look = () => void (isTrue() && resolve(null))));
    this.#watchers.add(look);
    look();
    await isReached;
    this.#watchers.delete(look);
  }
}
