/**
 * The tables that the parsers and clients of the project share, in Rust and in JavaScript.
 */

import { readFileSync } from "node:fs";

/** @param {"event-stream" | "ndjson" | "cursors" | "close-codes"} name */
export function table(name) {
  return JSON.parse(readFileSync(new URL(`../../tables/${name}.json`, import.meta.url), "utf8"));
}

/**
 * Every way in which a test cuts bytes into chunks: in one piece, byte by byte, and in two at every place.
 *
 * @param {Uint8Array} bytes
 * @returns {{ how: string, chunks: Uint8Array[] }[]}
 */
export function cuts(bytes) {
  const inTwo = Array.from(bytes, (_, at) => ({
    how: `cut at ${at}`,
    chunks: [bytes.subarray(0, at), bytes.subarray(at)],
  }));
  const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  return [{ how: "in one piece", chunks: [bytes] }, { how: "byte by byte", chunks: single }, ...inTwo];
}

/**
 * Decodes chunks as the client does, and feeds a parser with them.
 *
 * @template T
 * @param {{ feed(text: string): T[] }} parser
 * @param {Uint8Array[]} chunks
 * @returns {T[]}
 */
export function fed(parser, chunks) {
  const decoder = new TextDecoder();
  return chunks.flatMap((chunk) => parser.feed(decoder.decode(chunk, { stream: true })));
}
