// @ts-check
/**
 * What was on the wire, for people: takes the items of a recording and yields bars, whose fields say of every byte what
 * it means and where that is written.
 *
 *     const annotator = new Annotator();
 *     for (const item of recording.wire) for (const bar of annotator.add(item)) draw(bar);
 *
 * There are two layers. The bars of the **wire** are what one direction of a connection consists of, one behind the
 * other: requests, responses, chunks, bodies, frames, and what nobody can understand. The bars of the **content** are
 * what the bodies consist of once the chunks are taken off: server-sent events, lines of JSON, one JSON text. `places`
 * says where their bytes lie on the wire. In both layers, the fields of a bar cover each of its bytes once.
 *
 * @module annotate
 */

import { readFrames } from "./frames.js";
import { framingOfRequest, framingOfResponse, readContent, readRequestHead, readResponseHead } from "./http.js";
import { Ended, Lost, Reader } from "./reader.js";
import { latin1, valuesOf } from "./small.js";

const SWITCHING_PROTOCOLS = 101;
/** What the first bytes of a message look like, for finding one behind a hole. */
const STARTS = { up: /^[A-Z]{3,10} \S+ HTTP\/1\.[01]\r?\n/, down: /^HTTP\/1\.[01] \d{3}[ \r\n]/ };

/**
 * @typedef {import("./reader.js").Bar} Bar
 * @typedef {import("./reader.js").Segment} Segment
 * @typedef {"up" | "down"} Direction
 *
 * @typedef {object} Piece
 * @property {number} connection
 * @property {number} at
 * @property {number} [exchange]
 * @property {string} [kind]
 * @property {Direction} direction
 * @property {number} length
 * @property {string} bytes base64; fewer than `length` if it was not kept whole
 *
 * @typedef {{ open: any } | { piece: Piece } | { close: any }} Item
 */

/** All bars of a recording, in the order in which they begin. @param {Iterable<Item>} items @returns {Bar[]} */
export function annotate(items) {
  const annotator = new Annotator();
  const bars = new Map();
  for (const item of items) for (const bar of annotator.add(item)) bars.set(bar.id, bar);
  return [...bars.values()].sort((one, other) => one.id - other.id);
}

/** Annotates while a recording is being made. */
export class Annotator {
  /** @type {Map<number, Connection>} */ #connections = new Map();
  #lastId = 0;
  /** @type {Set<Bar>} */ #changed = new Set();
  #ledger = {
    nextId: () => (this.#lastId += 1),
    changed: (/** @type {Bar} */ bar) => this.#changed.add(bar),
  };

  /**
   * Takes the next item. One that makes no sense is passed over.
   *
   * @param {Item} item
   * @returns {Bar[]} the bars that are new or not what they were, in the order in which they begin. A bar remains the
   *   same object.
   */
  add(item) {
    const { piece, close } = /** @type {any} */ (item ?? {});
    if (isPiece(piece)) this.#connection(piece.connection).take(piece);
    else if (close) this.#end(close);
    const changed = [...this.#changed].sort((one, other) => one.id - other.id);
    this.#changed.clear();
    return changed;
  }

  /** @param {number} number */
  #connection(number) {
    const known = this.#connections.get(number);
    if (known) return known;
    const connection = new Connection(number, this.#ledger);
    this.#connections.set(number, connection);
    return connection;
  }

  #end({ connection, how }) {
    this.#connections.get(connection)?.end(how);
    this.#connections.delete(connection);
  }
}

// --- a connection -----------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Exchange what the two directions must know of each other
 * @property {string} method
 * @property {number | null} status of its final answer; 0 if nobody can know
 */

class Connection {
  /** Why the connection has ended, in words. */ ending = "the recording ends here";
  /** By the numbers that the recording gives them. @type {Map<number | null, Exchange>} */ exchanges = new Map();

  /** @param {number} number @param {any} ledger */
  constructor(number, ledger) {
    const reader = (/** @type {Direction} */ direction, /** @type {any} */ read) =>
      new Reader({ connection: number, direction, layer: "wire" }, ledger, (self) =>
        readAll(self, this, (it) => read(it, this, ledger)),
      );
    this.up = reader("up", readRequest);
    this.down = reader("down", readResponse);
  }

  /** @param {Piece} piece */
  take(piece) {
    const reader = piece.direction === "up" ? this.up : this.down;
    const segments = segmentsOf(piece);
    if (reader.isWithinMessage && isBeginningOfAnother(segments[0], reader)) {
      reader.interrupt(new Ended("a part of this exchange was not recorded"));
    }
    for (const segment of segments) reader.push(segment);
    this.#run();
  }

  /** @param {string} how */
  end(how) {
    this.ending = how === "reset" ? "the connection was reset here" : "the connection ended here";
    this.up.end();
    this.down.end();
    this.#run();
  }

  /** The answers first: what comes after a request for an upgrade depends on what the server said to it. */
  #run() {
    this.down.run();
    this.up.run();
  }
}

/**
 * Reads one message after the other, until the connection ends. Where one cannot be understood, everything up to the
 * next exchange is unknown.
 *
 * @param {Reader} reader
 * @param {Connection} connection
 * @param {(reader: Reader) => Generator<void, void, void>} read
 */
function* readAll(reader, connection, read) {
  for (;;) {
    try {
      reader.isWithinMessage = false;
      while (yield* reader.more()) {
        reader.isWithinMessage = true;
        yield* read(reader);
        reader.isWithinMessage = false;
      }
    } catch (error) {
      reader.isWithinMessage = false;
      if (error instanceof Lost) yield* skipExchange(reader, error.message, connection);
      else if (error instanceof Ended) reader.breakOff(error.message || connection.ending);
      else throw error;
    }
    if (reader.hasEnded) yield;
  }
}

/** Puts into one bar what cannot be understood. */
function* skipExchange(reader, reason, connection) {
  const bar = yield* reader.beginUnknown(reason);
  if (!bar) return;
  forget(connection, bar.exchange);
  const field = { name: "unknown", meaning: reason };
  while ((yield* reader.more()) && reader.exchange === bar.exchange) yield* reader.takeSegment(field);
  bar.field(field);
  reader.close();
}

/** Whether a message of another exchange begins here, although the last one has not ended. */
function isBeginningOfAnother({ exchange, bytes }, reader) {
  return exchange !== reader.lastExchange && STARTS[reader.where.direction].test(latin1(bytes));
}

/** A request for an upgrade need not wait for an answer that nobody understands. */
function forget({ exchanges }, number) {
  const exchange = exchanges.get(number);
  if (exchange) exchange.status ??= 0;
}

// --- the two directions -----------------------------------------------------------------------------------------------

function* readRequest(reader, connection, ledger) {
  const number = reader.exchange;
  const request = yield* readRequestHead(reader);
  const exchange = { method: request.method, status: null };
  connection.exchanges.set(number, exchange);
  yield* readContent(reader, framingOfRequest(request), request.headers, ledger);
  if (asksForWebSocket(request) && (yield* reader.more())) yield* readWhatFollowsTheUpgrade(reader, exchange);
}

function* readWhatFollowsTheUpgrade(reader, exchange) {
  reader.begin("unknown", "waits for the answer to the upgrade");
  while (exchange.status === null) {
    if (reader.hasEnded) throw new Ended();
    yield;
  }
  if (exchange.status === SWITCHING_PROTOCOLS) yield* readFrames(reader);
  else if (exchange.status === 0) throw new Lost("the answer to the upgrade was not understood");
}

function* readResponse(reader, connection, ledger) {
  const number = reader.exchange;
  const response = yield* readResponseHead(reader);
  const exchange = connection.exchanges.get(number);
  const isFinal = response.status >= 200 || response.status === SWITCHING_PROTOCOLS;
  if (exchange && isFinal) exchange.status = response.status;
  if (response.status === SWITCHING_PROTOCOLS) {
    if (!namesWebSocket(response)) throw new Lost("another protocol than WebSocket");
    yield* readFrames(reader);
    return;
  }
  yield* readContent(reader, framingOfResponse(response, exchange?.method), response.headers, ledger);
  if (isFinal) connection.exchanges.delete(number);
}

function asksForWebSocket(request) {
  return request.method === "GET" && namesWebSocket(request);
}

function namesWebSocket({ headers }) {
  return valuesOf(headers, "upgrade").some((protocol) => protocol.toLowerCase() === "websocket");
}

// --- items ------------------------------------------------------------------------------------------------------------

/** @param {any} piece */
function isPiece(piece) {
  const isCount = Number.isSafeInteger(piece?.length) && piece.length >= 0;
  return isCount && (piece.direction === "up" || piece.direction === "down") && typeof piece.bytes === "string";
}

/** What was kept of a piece, and what was not. @param {any} piece @returns {Segment[]} */
function segmentsOf({ at, exchange = null, kind = "other", length, bytes }) {
  const kept = decodeBase64(bytes).subarray(0, length);
  const common = { at, exchange, kind };
  const missing = { ...common, bytes: /** @type {null} */ (null), length: length - kept.length };
  return [{ ...common, bytes: kept, length: kept.length }, missing];
}

/** @param {string} text @returns {Uint8Array} empty if it is no base64 */
function decodeBase64(text) {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}
