/**
 * `Sec-WebSocket-Accept`, step by step, and the SHA-1 under it.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { GUID, computeAccept, sha1 } from "../../demos/wire/accept.js";
import { Chance } from "./support/wire.mjs";

function hex(bytes) {
  return Buffer.from(bytes).toString("hex");
}

test("the example of RFC 6455 §1.3, with its steps", () => {
  const steps = computeAccept("dGhlIHNhbXBsZSBub25jZQ==");
  assert.equal(steps.joined, "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  assert.equal(hex(steps.digest), "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
  assert.equal(steps.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("the steps follow from each other", () => {
  const { joined, padded, states, digest, accept } = computeAccept(" AQIDBAUGBwgJCgsMDQ4PEA== ");
  assert.equal(joined, `AQIDBAUGBwgJCgsMDQ4PEA==${GUID}`);
  assert.equal(Buffer.from(padded.subarray(0, joined.length)).toString(), joined);
  assert.equal(padded.length % 64, 0);
  assert.equal(states.length, 1 + padded.length / 64);
  assert.equal(
    hex(digest),
    states
      .at(-1)
      .map((word) => word.toString(16).padStart(8, "0"))
      .join(""),
  );
  assert.equal(accept, createHash("sha1").update(joined).digest("base64"));
});

// RFC 3174 §7.3.
for (const { text, times, digest } of [
  { text: "abc", times: 1, digest: "a9993e364706816aba3e25717850c26c9cd0d89d" },
  {
    text: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    times: 1,
    digest: "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
  },
  { text: "a", times: 1_000_000, digest: "34aa973cd4c4daa4f61eeb2bdbad27316534016f" },
  {
    text: "0123456701234567012345670123456701234567012345670123456701234567",
    times: 10,
    digest: "dea356a2cddd90c7a7ecedc5ebb563934f460452",
  },
]) {
  test(`SHA-1 of ${text.slice(0, 16)} ${times} times, by RFC 3174`, () => {
    assert.equal(hex(sha1(new TextEncoder().encode(text.repeat(times)))), digest);
  });
}

test("SHA-1 of every length around the ends of blocks, and of random bytes, is that of Node.js", () => {
  const chance = new Chance(1);
  for (let length = 0; length < 260; length += 1) {
    const message = chance.bytes(length);
    assert.equal(hex(sha1(message)), createHash("sha1").update(message).digest("hex"), `${length} bytes`);
  }
});
