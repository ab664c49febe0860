/**
 * The frames that are given in JavaScript read what those in Rust read, and find the same faults (`given/frame.rs`).
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { closeFrame, pongFrame, Reader, textFrame } from "../../book/exercises/given/frame.mjs";
import { LARGEST_MESSAGE } from "../../book/exercises/given/server.mjs";

const MASK = [1, 2, 3, 4];

/**
 * A frame as a client sends it, with a mask that changes something.
 *
 * @param {number} first the first byte of its head
 * @param {string | Uint8Array} payload
 */
function fromClient(first, payload) {
  const bytes = Buffer.from(payload);
  const head = textFrame("x".repeat(bytes.length)).subarray(0, -bytes.length || undefined);
  const masked = Buffer.from(head);
  masked[0] = first;
  masked[1] |= 0x80;
  return Buffer.concat([masked, Buffer.from(MASK), bytes.map((byte, index) => byte ^ MASK[index % 4])]);
}

/**
 * What a reader makes of these bytes, which arrive one by one, up to the first fault.
 *
 * @param {Uint8Array} bytes
 */
function read(bytes) {
  const reader = new Reader();
  const read = [];
  for (let index = 0; index < bytes.length && read.at(-1)?.type !== "fault"; index += 1) {
    reader.take(Buffer.from(bytes.subarray(index, index + 1)));
    for (let next = reader.read(); next !== null; next = reader.read()) {
      read.push(next);
      if (next.type === "fault") break;
    }
  }
  return read;
}

test("the example of the standard is read", () => {
  // RFC 6455 §5.7
  assert.deepEqual(read(Buffer.from("818537fa213d7f9f4d5158", "hex")), [{ type: "text", text: "Hello" }]);
  assert.equal(textFrame("Hello").toString("hex"), "810548656c6c6f");
  assert.equal(pongFrame(Buffer.from("?")).toString("hex"), "8a013f");
  assert.equal(closeFrame(1000).toString("hex"), "880203e8");
  assert.equal(closeFrame(null).toString("hex"), "8800");
});

test("every form of a length is read as it is written", () => {
  for (const size of [0, 125, 126]) {
    const text = "x".repeat(size);
    assert.deepEqual(read(fromClient(0x81, text)), [{ type: "text", text }]);
  }
  for (const size of [65_535, LARGEST_MESSAGE]) {
    const reader = new Reader();
    reader.take(fromClient(0x81, "x".repeat(size)));
    assert.deepEqual(reader.read(), { type: "text", text: "x".repeat(size) });
  }
});

test("fragments become one message, also around a ping", () => {
  const bytes = Buffer.concat([fromClient(0x01, "Tea "), fromClient(0x89, "?"), fromClient(0x80, "is ready")]);
  assert.deepEqual(read(bytes), [
    { type: "ping", payload: Buffer.from("?") },
    { type: "text", text: "Tea is ready" },
  ]);
});

test("a close is read with its code", () => {
  assert.deepEqual(read(fromClient(0x88, "")), [{ type: "close", code: null }]);
  assert.deepEqual(read(fromClient(0x88, Buffer.from("\x03\xe8bye", "latin1"))), [{ type: "close", code: 1000 }]);
});

const LARGE = "x".repeat(LARGEST_MESSAGE);
for (const [what, fault, ...frames] of /** @type {[string, string, ...Buffer[]][]} */ ([
  ["no mask", "protocol", textFrame("Hello")],
  ["a reserved bit", "protocol", fromClient(0xc1, "x")],
  ["no such opcode", "protocol", fromClient(0x83, "x")],
  ["a continuation of nothing", "protocol", fromClient(0x80, "x")],
  ["a message in another", "protocol", fromClient(0x01, "x"), fromClient(0x81, "x")],
  ["a ping in fragments", "protocol", fromClient(0x09, "x")],
  ["a ping that is too long", "protocol", fromClient(0x89, "x".repeat(126))],
  ["half a close code", "protocol", fromClient(0x88, "\x03")],
  ["a code that is never sent", "protocol", fromClient(0x88, Buffer.from([0x03, 0xed]))],
  ["a text that is none", "not utf-8", fromClient(0x81, Buffer.from([0xff]))],
  ["a reason that is none", "not utf-8", fromClient(0x88, Buffer.from([0x03, 0xe8, 0xff]))],
  ["too large", "too large", fromClient(0x81, `${LARGE}x`).subarray(0, 100)],
  ["too large in fragments", "too large", fromClient(0x01, LARGE), fromClient(0x80, "x")],
])) {
  test(`a fault is told: ${what}`, () => {
    const reader = new Reader();
    reader.take(Buffer.concat(frames));
    assert.deepEqual(reader.read(), { type: "fault", fault });
  });
}
