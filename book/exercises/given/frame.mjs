/**
 * WebSocket frames (RFC 6455 §5): what comes from a client, put together to messages, and what goes to it.
 *
 * Nothing here knows of sockets. What to do about a message or a fault is an exercise.
 */

import { LARGEST_MESSAGE } from "./server.mjs";
import { decoded } from "./utf8.mjs";

/**
 * What has come from a client: a message, put together if it came in fragments, or a control frame; or what is wrong with
 * it, and then nothing after it can be read.
 *
 * @typedef {{ type: "text", text: string }
 *   | { type: "binary", payload: Buffer }
 *   | { type: "ping", payload: Buffer }
 *   | { type: "pong", payload: Buffer }
 *   | { type: "close", code: number | null }
 *   | { type: "fault", fault: "protocol" | "not utf-8" | "too large" }} Incoming
 */

/**
 * What the server does about it: nothing; publish a text; send a pong; send a close, with or without a code, and hang up.
 *
 * @typedef {null | { publish: string } | { pong: Buffer } | { close: number | null }} Reply
 */

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** The largest payload of a control frame (§5.5), and of a frame whose head is the shortest. */
const SHORT = 125;

/** @type {Incoming} */
const PROTOCOL = { type: "fault", fault: "protocol" };
/** @type {Incoming} */
const NOT_UTF8 = { type: "fault", fault: "not utf-8" };
/** @type {Incoming} */
const TOO_LARGE = { type: "fault", fault: "too large" };

/** Bytes as they arrive, read as messages. */
export class Reader {
  #buffer = Buffer.alloc(0);
  /** The message whose fragments are arriving. */
  #begun = /** @type {{ opcode: number, payload: Buffer } | null} */ (null);

  /**
   * Takes bytes from the connection.
   *
   * @param {Buffer} bytes
   */
  take(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
  }

  /**
   * The next message or control frame, once it is complete, or a fault as soon as it can be seen; `null` until then.
   *
   * @returns {Incoming | null}
   */
  read() {
    for (;;) {
      const head = this.#head();
      if (head === null || "type" in head) return head;
      if (this.#buffer.length < head.end) return null;
      const payload = unmasked(this.#buffer.subarray(head.begin, head.end), head.mask);
      this.#buffer = this.#buffer.subarray(head.end);
      const incoming = head.opcode >= CLOSE ? control(head.opcode, payload) : this.#fragment(head, payload);
      if (incoming !== null) return incoming;
    }
  }

  /** The head of the next frame, with everything that can be wrong with it before the payload is there. */
  #head() {
    if (this.#buffer.length < 2) return null;
    const [first, second] = this.#buffer;
    const isLast = (first & 0x80) !== 0;
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    const bytesOfLength = short === 126 ? 2 : short === 127 ? 8 : 0;
    // Reserved bits belong to extensions, of which there are none; and a client must mask.
    if ((first & 0x70) !== 0 || (second & 0x80) === 0) return PROTOCOL;
    if (this.#buffer.length < 2 + bytesOfLength) return null;
    const size = bytesOfLength === 0 ? short : bigEndian(this.#buffer.subarray(2, 2 + bytesOfLength));
    if (!this.#mayCome(opcode, isLast, size)) return PROTOCOL;
    if (size + (opcode < CLOSE ? (this.#begun?.payload.length ?? 0) : 0) > LARGEST_MESSAGE) return TOO_LARGE;
    const begin = 2 + bytesOfLength + 4;
    if (this.#buffer.length < begin) return null;
    return { isLast, opcode, mask: this.#buffer.subarray(begin - 4, begin), begin, end: begin + size };
  }

  /**
   * @param {number} opcode
   * @param {boolean} isLast
   * @param {number} size
   */
  #mayCome(opcode, isLast, size) {
    if (opcode === CONTINUATION) return this.#begun !== null;
    if (opcode === TEXT || opcode === BINARY) return this.#begun === null;
    return [CLOSE, PING, PONG].includes(opcode) && isLast && size <= SHORT;
  }

  /**
   * Adds a frame to the message that it belongs to. Returns the message if that was its last.
   *
   * @param {{ isLast: boolean, opcode: number }} head
   * @param {Buffer} payload
   * @returns {Incoming | null}
   */
  #fragment({ isLast, opcode }, payload) {
    const message = this.#begun ?? { opcode, payload: Buffer.alloc(0) };
    message.payload = Buffer.concat([message.payload, payload]);
    this.#begun = isLast ? null : message;
    if (!isLast) return null;
    if (message.opcode === BINARY) return { type: "binary", payload: message.payload };
    const text = decoded(message.payload);
    return text === null ? NOT_UTF8 : { type: "text", text };
  }
}

/** @param {Buffer} bytes */
function bigEndian(bytes) {
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/**
 * @param {number} opcode
 * @param {Buffer} payload
 * @returns {Incoming}
 */
function control(opcode, payload) {
  if (opcode === CLOSE) return close(payload);
  return { type: opcode === PING ? "ping" : "pong", payload };
}

/**
 * Reads a close: nothing, or a code with a reason behind it (§5.5.1).
 *
 * @param {Buffer} payload
 * @returns {Incoming}
 */
function close(payload) {
  if (payload.length === 0) return { type: "close", code: null };
  const code = payload.length === 1 ? 0 : payload.readUInt16BE(0);
  // §7.4: codes that mean something in a frame; 1005, 1006 and 1015 are never sent.
  const isCode = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
  if (!isCode) return PROTOCOL;
  return decoded(payload.subarray(2)) === null ? NOT_UTF8 : { type: "close", code };
}

/**
 * §5.3: each byte is masked with the byte of the key at its place, modulo four.
 *
 * @param {Buffer} bytes
 * @param {Buffer} mask
 */
function unmasked(bytes, mask) {
  return Buffer.from(bytes.map((byte, index) => byte ^ mask[index % 4]));
}

/**
 * A text as one frame.
 *
 * @param {string} text
 */
export function textFrame(text) {
  return frame(TEXT, Buffer.from(text));
}

/**
 * A pong.
 *
 * @param {Buffer} payload
 */
export function pongFrame(payload) {
  return frame(PONG, payload);
}

/**
 * A close, with or without a code.
 *
 * @param {number | null} code
 */
export function closeFrame(code) {
  return frame(CLOSE, code === null ? Buffer.alloc(0) : Buffer.from([code >> 8, code & 0xff]));
}

/**
 * A frame that is complete, and without a mask, as a server sends it.
 *
 * @param {number} opcode
 * @param {Buffer} payload
 */
function frame(opcode, payload) {
  const size = payload.length;
  const head = Buffer.alloc(size <= SHORT ? 2 : size < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (head.length === 2) {
    head[1] = size;
  } else if (head.length === 4) {
    head[1] = 126;
    head.writeUInt16BE(size, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, payload]);
}
