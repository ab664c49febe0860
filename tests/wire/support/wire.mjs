/**
 * Recordings for tests of the wire view's annotation: made up piece by piece, cut anew at random, and checked for what
 * must hold of every annotation.
 */

import assert from "node:assert/strict";

/** One byte for each character. @param {string} text */
export function latin1(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** @param {string} digits in hexadecimal, with spaces */
export function hex(digits) {
  return Uint8Array.from(digits.trim().split(/\s+/), (pair) => Number.parseInt(pair, 16));
}

/** @param {Uint8Array[]} parts */
export function concat(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A recording that a test makes up. Every piece comes a millisecond after the one before. */
export class Tape {
  items = [];
  #at = 1_000_000;

  /** @param {number} [connection] */
  open(connection = 1) {
    this.items.push({
      open: { connection, at: this.#tick(), client: "127.0.0.1:50000", server: "127.0.0.1:8081", tls: false },
    });
    return this;
  }

  /** @param {string | Uint8Array} bytes @param {any} [more] */
  up(bytes, more) {
    return this.#piece("up", bytes, more);
  }

  /** @param {string | Uint8Array} bytes @param {any} [more] */
  down(bytes, more) {
    return this.#piece("down", bytes, more);
  }

  /** @param {"fin" | "reset" | "client"} [how] @param {number} [connection] */
  close(how = "fin", connection = 1) {
    this.items.push({ close: { connection, at: this.#tick(), how } });
    return this;
  }

  /** `kept` is how many of the bytes were kept. */
  #piece(direction, content, { kept = Infinity, connection = 1, exchange = 1, kind = "other" } = {}) {
    const all = typeof content === "string" ? latin1(content) : content;
    const bytes = Buffer.from(all.subarray(0, kept)).toString("base64");
    this.items.push({ piece: { connection, at: this.#tick(), exchange, kind, direction, length: all.length, bytes } });
    return this;
  }

  #tick() {
    return (this.#at += 1000);
  }
}

/** A request for an upgrade and the answer to it. @param {Tape} tape @param {any} [more] */
export function upgraded(tape, more) {
  return tape
    .up("GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", more)
    .down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", more);
}

/** An answer with this head, and its request. @param {string} head without the status line @param {string | Uint8Array} body */
export function answered(head, body, more) {
  return new Tape()
    .up("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", more)
    .down(concat(latin1(`HTTP/1.1 200 OK\r\n${head}\r\n`), typeof body === "string" ? latin1(body) : body), more);
}

/** @param {Uint8Array} body @param {number[]} sizes of the chunks; what is left goes into one more */
export function chunked(body, sizes = []) {
  const chunks = [];
  let from = 0;
  for (const size of [...sizes, Infinity]) {
    const chunk = body.subarray(from, from + size);
    if (chunk.length > 0) chunks.push(latin1(`${chunk.length.toString(16)}\r\n`), chunk, latin1("\r\n"));
    from += chunk.length;
  }
  return concat(...chunks, latin1("0\r\n\r\n"));
}

/** @param {{ fin?: boolean, opcode: number, payload?: Uint8Array | string, key?: Uint8Array }} frame */
export function frame({ fin = true, opcode, payload = "", key }) {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const mask = key ? 0x80 : 0;
  const masked = key ? data.map((byte, index) => byte ^ key[index % 4]) : data;
  const length =
    data.length < 126
      ? [data.length]
      : data.length < 65_536
        ? [126, data.length >> 8, data.length & 255]
        : [127, 0, 0, 0, 0, ...big(data.length)];
  return concat(
    Uint8Array.of((fin ? 0x80 : 0) | opcode, mask | length[0], ...length.slice(1)),
    key ?? new Uint8Array(0),
    masked,
  );
}

function big(length) {
  return [24, 16, 8, 0].map((shift) => (length >>> shift) & 255);
}

// --- chance -----------------------------------------------------------------------------------------------------------

/** A generator of chance with a seed, so that a failure can be repeated (mulberry32). */
export class Chance {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to, and without, `below`. @param {number} below */
  below(below) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** @template T @param {T[]} list @returns {T} */
  of(list) {
    return list[this.below(list.length)];
  }

  /** @param {number} length */
  bytes(length) {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** The same recording with its pieces cut into smaller ones at random, each at the time of the whole. */
export function recut(items, chance) {
  return items.flatMap((item) => (item.piece ? cutPiece(item.piece, chance) : [item]));
}

function cutPiece(piece, chance) {
  const kept = Buffer.from(piece.bytes, "base64");
  const pieces = [];
  for (let from = 0; from < piece.length;) {
    const length = Math.min(piece.length - from, 1 + chance.below(chance.of([2, 10, 200, 2000])));
    const bytes = kept.subarray(from, from + length).toString("base64");
    pieces.push({ piece: { ...piece, length, bytes } });
    from += length;
  }
  return pieces;
}

// --- what must hold ---------------------------------------------------------------------------------------------------

/** A bar as plain data, to be compared. */
export function plain(bar) {
  const {
    id,
    connection,
    direction,
    layer,
    exchange,
    kind,
    what,
    title,
    from,
    until,
    length,
    fields,
    isComplete,
    note,
    parsed,
    places,
  } = bar;
  const bytes = Buffer.from(bar.bytes).toString("latin1");
  return {
    id,
    connection,
    direction,
    layer,
    exchange,
    kind,
    what,
    title,
    from,
    until,
    length,
    bytes,
    fields,
    isComplete,
    note,
    parsed,
    places,
  };
}

/**
 * Checks what must hold of every annotation: that the bars of the wire cover each byte of each direction once, that the
 * fields of a bar do so with its bytes, parts with fields and bits with a byte; and that what content says about its
 * places is true.
 */
export function checkCoverage(items, bars) {
  checkWire(items, bars);
  const byId = new Map(bars.map((bar) => [bar.id, bar]));
  for (const bar of bars) {
    assert.ok(bar.bytes.length <= bar.length);
    assert.ok(bar.from <= bar.until);
    checkContiguous(bar.fields, 0, bar.length, `bar ${bar.id}, ${bar.title}`);
    for (const field of bar.fields) checkField(field);
    if (bar.layer === "content") checkPlaces(bar, byId);
  }
}

function checkWire(items, bars) {
  const streams = new Map();
  for (const { piece } of items) {
    if (!piece) continue;
    const key = `${piece.connection} ${piece.direction}`;
    const stream = streams.get(key) ?? { length: 0, bytes: [] };
    stream.length += piece.length;
    const kept = Buffer.from(piece.bytes, "base64");
    stream.bytes.push(...kept, ...new Array(piece.length - kept.length).fill(null));
    streams.set(key, stream);
  }
  for (const [key, stream] of streams) {
    let at = 0;
    for (const bar of bars.filter(
      ({ layer, connection, direction }) => layer === "wire" && `${connection} ${direction}` === key,
    )) {
      const expected = stream.bytes.slice(at, at + bar.length);
      const hole = expected.indexOf(null);
      assert.deepEqual([...bar.bytes], hole < 0 ? expected : expected.slice(0, hole), `the bytes of bar ${bar.id}`);
      at += bar.length;
    }
    assert.equal(at, stream.length, `the bars of ${key} cover all of its bytes`);
  }
}

function checkContiguous(ranges, from, to, of) {
  let at = from;
  for (const range of ranges) {
    assert.equal(range.from, at, `${range.name} begins where the one before it ends, in ${of}`);
    assert.ok(range.to > range.from, `${range.name} is not empty, in ${of}`);
    at = range.to;
  }
  assert.equal(at, to, `all of ${of} is covered`);
}

function checkField(field) {
  assert.equal(typeof field.value, "string");
  assert.ok(field.name.length > 0);
  if (field.parts) checkContiguous(field.parts, field.from, field.to, `the field ${field.name}`);
  if (!field.bits) return;
  assert.equal(field.to - field.from, 1);
  assert.equal(
    field.bits.reduce((sum, { width }) => sum + width, 0),
    8,
  );
}

function checkPlaces(bar, byId) {
  let at = 0;
  for (const place of bar.places) {
    assert.equal(place.at, at);
    const length = place.to - place.from;
    const below = byId.get(place.bar);
    assert.equal(below.layer, "wire");
    const there = below.bytes.subarray(place.from, place.to);
    const here = bar.bytes.subarray(at, at + length);
    const both = Math.min(there.length, here.length);
    assert.deepEqual([...here.subarray(0, both)], [...there.subarray(0, both)]);
    at += length;
  }
  assert.equal(at, bar.length);
}
