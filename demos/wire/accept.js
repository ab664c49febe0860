// @ts-check
/**
 * How a server proves that it has read a WebSocket handshake (RFC 6455 §4.2.2): it puts a fixed text behind the client's
 * key, hashes both with SHA-1 and sends the digest in base64.
 *
 * It is no secret and no protection. It keeps a server that knows nothing of WebSocket, or a cache, from saying yes by
 * accident. SHA-1 is computed here, because browsers lend theirs to pages with `https://` and on `localhost` alone.
 *
 * @module accept
 */

/** The same for everybody (RFC 6455 §1.3). It was chosen since nobody else would use it. */
export const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const BLOCK = 64;
/** What SHA-1 begins with (RFC 3174 §6.1). */
const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
/** For each twenty of the eighty rounds: how three words are mixed, and what is added (RFC 3174 §5). */
const ROUNDS = [
  { mix: (b, c, d) => (b & c) | (~b & d), add: 0x5a827999 },
  { mix: (b, c, d) => b ^ c ^ d, add: 0x6ed9eba1 },
  { mix: (b, c, d) => (b & c) | (b & d) | (c & d), add: 0x8f1bbcdc },
  { mix: (b, c, d) => b ^ c ^ d, add: 0xca62c1d6 },
];

/**
 * @typedef {object} Steps
 * @property {string} key as the client has sent it
 * @property {string} joined the key and the fixed text
 * @property {Uint8Array} padded the same in bytes, with what SHA-1 adds to fill whole blocks
 * @property {number[][]} states the five words that SHA-1 begins with, and those after each block
 * @property {Uint8Array} digest the last five words in bytes
 * @property {string} accept the digest in base64: what must be in `Sec-WebSocket-Accept`
 */

/**
 * Computes `Sec-WebSocket-Accept` and shows how.
 *
 * @param {string} key what is in `Sec-WebSocket-Key`
 * @returns {Steps}
 */
export function computeAccept(key) {
  const joined = key.trim() + GUID;
  const padded = pad(Uint8Array.from(joined, (character) => character.charCodeAt(0)));
  const states = [START];
  for (let from = 0; from < padded.length; from += BLOCK) {
    states.push(digestBlock(states[states.length - 1], padded.subarray(from, from + BLOCK)));
  }
  const digest = bytesOf(states[states.length - 1]);
  return { key, joined, padded, states, digest, accept: btoa(String.fromCharCode(...digest)) };
}

/** SHA-1 (RFC 3174). @param {Uint8Array} message @returns {Uint8Array} */
export function sha1(message) {
  const padded = pad(message);
  let state = START;
  for (let from = 0; from < padded.length; from += BLOCK)
    state = digestBlock(state, padded.subarray(from, from + BLOCK));
  return bytesOf(state);
}

/** Fills up whole blocks: a one, zeros, and the length in bits (RFC 3174 §4). @param {Uint8Array} message */
function pad(message) {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / BLOCK) * BLOCK);
  padded.set(message);
  padded[message.length] = 0x80;
  const end = new DataView(padded.buffer, padded.length - 8);
  end.setUint32(0, Math.floor(message.length / 2 ** 29));
  end.setUint32(4, (message.length * 8) >>> 0);
  return padded;
}

/**
 * Mixes a block into the five words (RFC 3174 §6.1).
 *
 * @param {number[]} state
 * @param {Uint8Array} block
 */
function digestBlock(state, block) {
  const words = schedule(block);
  let [a, b, c, d, e] = state;
  for (let round = 0; round < 80; round += 1) {
    const { mix, add } = ROUNDS[Math.floor(round / 20)];
    const next = (rotate(a, 5) + mix(b, c, d) + e + add + words[round]) >>> 0;
    [a, b, c, d, e] = [next, a, rotate(b, 30), c, d];
  }
  return [a, b, c, d, e].map((word, index) => (word + state[index]) >>> 0);
}

/** The sixteen words of a block, and 64 more that are made of them. @param {Uint8Array} block */
function schedule(block) {
  const view = new DataView(block.buffer, block.byteOffset);
  const words = Array.from({ length: 16 }, (_, index) => view.getUint32(4 * index));
  for (let at = 16; at < 80; at += 1)
    words.push(rotate(words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16], 1));
  return words;
}

/** @param {number} word @param {number} by */
function rotate(word, by) {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}

/** @param {number[]} words */
function bytesOf(words) {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, index) => view.setUint32(4 * index, word));
  return new Uint8Array(view.buffer);
}
