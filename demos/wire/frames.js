// @ts-check
/**
 * Frames of WebSocket (RFC 6455 §5).
 *
 * @module frames
 */

import { Lost } from "./reader.js";
import { bytes } from "./small.js";
import { explainCloseCode, explainOpcode } from "./specifications.js";

const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/**
 * @typedef {import("./reader.js").Reader} Reader
 *
 * @typedef {object} Frame
 * @property {boolean} fin
 * @property {[boolean, boolean, boolean]} rsv
 * @property {number} opcode
 * @property {boolean} isMasked
 * @property {number} length
 * @property {Uint8Array | null} key
 * @property {Uint8Array} payload unmasked, as far as it was kept
 * @property {{ code: number, reason: string }} [close]
 */

/** Reads frames to the end of the connection. @param {Reader} reader */
export function* readFrames(reader) {
  /** The text message that is not complete yet: a character may begin in one frame and end in the next. */
  const message = { opcode: TEXT, decoder: new TextDecoder("utf-8", { ignoreBOM: true }) };
  while (yield* reader.more()) {
    reader.begin("frame", "frame");
    yield* readFrame(reader, message);
    reader.finish();
  }
}

function* readFrame(reader, message) {
  const { bar } = reader;
  const first = wholeOf(yield* reader.take(1, { name: "FIN, RSV and opcode" }))[0];
  const opcode = first & 0x0f;
  const kind = explainOpcode(opcode);
  const fin = (first & 0x80) !== 0;
  bar.field({
    name: "FIN, RSV and opcode",
    value: binary(first),
    meaning: `${fin ? "the last frame" : "not the last frame"} of a message; ${kind.name}`,
    source: "RFC 6455 §5.2",
    bits: firstBits(first, kind),
  });
  bar.title = `${kind.name} frame`;

  const second = wholeOf(yield* reader.take(1, { name: "MASK and length" }))[0];
  const isMasked = (second & 0x80) !== 0;
  bar.field({
    name: "MASK and length",
    value: binary(second),
    meaning: maskMeaning(isMasked, reader),
    source: "RFC 6455 §5.2",
    bits: secondBits(second, reader),
  });
  const length = yield* readLength(reader, second & 0x7f);
  const key = isMasked ? yield* readKey(reader) : null;

  const rsv = /** @type {[boolean, boolean, boolean]} */ ([0x40, 0x20, 0x10].map((bit) => (first & bit) !== 0));
  bar.title = `${kind.name} frame, ${bytes(length)}`;
  bar.parsed = { fin, rsv, opcode, isMasked, length, key, payload: new Uint8Array(0) };
  yield* readPayload(reader, bar.parsed, message);
}

/** The length, from its seven bits and the two or eight bytes that may follow them. */
function* readLength(reader, short) {
  if (short < 126) return short;
  const count = short === 126 ? 2 : 8;
  const raw = wholeOf(yield* reader.take(count, { name: `length (${8 * count} bits)` }));
  const length = raw.reduce((sum, byte) => sum * 256 + byte, 0);
  if (length > Number.MAX_SAFE_INTEGER)
    throw new Lost("no frame is that long (RFC 6455 §5.2: the highest bit must be 0)");
  const meaning = `${short} stands for: the length is in the next ${count} bytes. It is ${bytes(length)}`;
  reader.bar.field({ name: `length (${8 * count} bits)`, value: String(length), meaning, source: "RFC 6455 §5.2" });
  return length;
}

function* readKey(reader) {
  const key = wholeOf(yield* reader.take(4, { name: "masking key" })).slice();
  const meaning =
    "four random bytes, XORed with the payload over and over, so that a page cannot choose what a proxy on the way sees";
  reader.bar.field({ name: "masking key", value: hex(key), meaning, source: "RFC 6455 §5.3" });
  return key;
}

/** @param {Reader} reader @param {Frame} frame @param {any} message */
function* readPayload(reader, frame, message) {
  const isControl = frame.opcode >= CLOSE;
  if (frame.opcode !== 0 && !isControl)
    Object.assign(message, { opcode: frame.opcode, decoder: new TextDecoder("utf-8", { ignoreBOM: true }) });
  if (frame.length === 0) return;
  const expected = {
    name: "payload",
    meaning: frame.isMasked ? "masked; its text is shown as it was before" : "",
    source: "RFC 6455 §5.2",
  };
  const { bytes: kept, beforeHole } = yield* reader.take(frame.length, expected);
  const raw = kept.slice(0, beforeHole);
  const { key } = frame;
  frame.payload = key ? raw.map((byte, index) => byte ^ key[index % 4]) : raw;
  if (beforeHole < frame.length) reader.bar.note = "some bytes of the payload were not kept";

  if (frame.opcode === CLOSE && frame.payload.length >= 2) describeClose(reader.bar, frame);
  else reader.bar.field({ ...expected, ...payloadField(frame, message) });
}

function describeClose(bar, frame) {
  const code = frame.payload[0] * 256 + frame.payload[1];
  const reason = utf8(frame.payload.subarray(2));
  frame.close = { code, reason };
  bar.title = `close frame, ${code}${reason && `: ${reason}`}`;
  bar.field({ name: "close code", value: String(code), ...explainCloseCode(code), to: bar.covered + 2 });
  bar.field({
    name: "close reason",
    value: reason,
    meaning: "a text for people, or for the application",
    source: "RFC 6455 §5.5.1",
  });
}

function payloadField(frame, message) {
  if (frame.opcode === CLOSE)
    return {
      name: "payload",
      value: hex(frame.payload),
      meaning: "a close frame is empty or begins with a code of two bytes",
      source: "RFC 6455 §5.5.1",
    };
  if (frame.opcode === PING || frame.opcode === PONG) {
    const meaning = frame.opcode === PING ? "any bytes; the pong brings them back" : "what the ping has brought";
    return {
      name: "payload",
      value: utf8(frame.payload),
      meaning,
      source: frame.opcode === PING ? "RFC 6455 §5.5.2" : "RFC 6455 §5.5.3",
    };
  }
  if (frame.rsv[0])
    return {
      value: bytes(frame.length),
      meaning: "changed by an extension, which RSV1 tells; mostly compressed (RFC 7692)",
    };
  if (message.opcode !== TEXT) return { value: hex(frame.payload.subarray(0, 64)) };
  return { value: message.decoder.decode(frame.payload, { stream: !frame.fin }) };
}

// --- bits -------------------------------------------------------------------------------------------------------------

function firstBits(byte, kind) {
  const reserved = (name, bit) => ({
    name,
    width: 1,
    value: Number((byte & bit) !== 0),
    meaning: "0, unless an extension has agreed on something else",
    source: "RFC 6455 §5.2",
  });
  const fin = byte >> 7;
  return [
    {
      name: "FIN",
      width: 1,
      value: fin,
      meaning: fin ? "this frame ends the message" : "the message goes on in another frame",
      source: "RFC 6455 §5.2",
    },
    reserved("RSV1", 0x40),
    reserved("RSV2", 0x20),
    reserved("RSV3", 0x10),
    { name: "opcode", width: 4, value: byte & 0x0f, meaning: `${kind.name}: ${kind.meaning}`, source: kind.source },
  ];
}

function secondBits(byte, reader) {
  const length = byte & 0x7f;
  const meaning =
    length < 126 ? `the payload has ${bytes(length)}` : `the length is in the next ${length === 126 ? 2 : 8} bytes`;
  return [
    { name: "MASK", width: 1, value: byte >> 7, meaning: maskMeaning(byte >= 0x80, reader), source: "RFC 6455 §5.1" },
    { name: "length", width: 7, value: length, meaning, source: "RFC 6455 §5.2" },
  ];
}

function maskMeaning(isMasked, { bar }) {
  if (bar.direction === "up")
    return isMasked
      ? "masked, as all that a client sends must be"
      : "not masked: a client must mask, and the server closes";
  return isMasked
    ? "masked: a server must not, and the client closes"
    : "not masked, as nothing that a server sends may be";
}

// --- small parts ------------------------------------------------------------------------------------------------------

function wholeOf({ from, to, bytes: kept }) {
  if (kept.length < to - from) throw new Lost("some bytes of a frame's head were not kept");
  return kept;
}

function utf8(payload) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload);
}

function hex(payload) {
  return [...payload].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function binary(byte) {
  const digits = byte.toString(2).padStart(8, "0");
  return `${digits.slice(0, 4)} ${digits.slice(4)}`;
}
