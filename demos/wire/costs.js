// @ts-check
/**
 * What it costs to bring one message: the bytes of all bars that were needed for it, and for nothing else.
 *
 *  - WebSocket: the frame.
 *  - Server-sent events: the chunk, if the event is all that is in it.
 *  - Long-polling: the request, the head of the response and its body, if it brings this message and no other.
 *
 * @module costs
 */

/**
 * @typedef {import("./reader.js").Bar} Bar
 * @typedef {{ transport: string, payload: number, wire: number }} Cost of one message, in bytes
 */

/** Exchanges and chunks that are not over: far more than there can be at a time. */
const MOST_OPEN = 200;

const DATA_FRAMES = [1, 2];

export class Costs {
  /** Of each transport, what the messages have cost besides themselves. @type {Map<string, number[]>} */ #besides = new Map();
  /** How long the message is whose cost is asked for. */ #payload = 0;
  /** The wire's bars of each exchange by long-polling. @type {Map<number | null, Map<number, Bar>>} */ #polls = new Map();
  /** Chunks of event streams, and the last event in each. @type {Map<number, { chunk?: Bar, event?: Bar }>} */
  #pairs = new Map();
  /** The bars that have been counted: they are told again when they change. @type {Set<number>} */ #counted = new Set();

  /** Begins anew, with a message that is so long. @param {number} payload in bytes */
  begin(payload) {
    this.#payload = payload;
    this.#besides.clear();
  }

  /** @param {string} transport */
  of(transport) {
    const besides = this.#besides.get(transport) ?? [];
    return { n: besides.length, mean: besides.reduce((sum, bytes) => sum + bytes, 0) / besides.length };
  }

  /**
   * Takes a bar that is new or has changed.
   *
   * @param {Bar} bar
   * @returns {Cost[]} of the messages whose cost is known now
   */
  take(bar) {
    const costs = bar.direction === "down" || bar.kind === "poll" ? this.#costsOf(bar) : [];
    const known = costs.filter(({ payload }) => payload === this.#payload);
    for (const { transport, payload, wire } of known) {
      this.#besides.set(transport, [...(this.#besides.get(transport) ?? []), wire - payload]);
    }
    return known;
  }

  /** @param {Bar} bar @returns {Cost[]} */
  #costsOf(bar) {
    if (bar.kind === "websocket") return this.#once(bar) ? costsOfFrame(bar) : [];
    if (bar.kind === "sse") return this.#takeFromStream(bar);
    if (bar.kind === "poll") return this.#takeFromPoll(bar);
    return [];
  }

  /** @param {Bar} bar whether it is complete now, and was not before */
  #once(bar) {
    if (!bar.isComplete || this.#counted.has(bar.id)) return false;
    this.#counted.add(bar.id);
    forgetOldest(this.#counted);
    return true;
  }

  /** An event may be complete before its chunk is, and the other way round. @param {Bar} bar @returns {Cost[]} */
  #takeFromStream(bar) {
    const isEvent = bar.layer === "content";
    if (isEvent && bar.places.length !== 1) return [];
    const number = isEvent ? bar.places[0].bar : bar.id;
    const pair = this.#pairs.get(number) ?? {};
    this.#pairs.set(number, Object.assign(pair, isEvent ? { event: bar } : { chunk: bar }));
    forgetOldest(this.#pairs);
    const { event, chunk } = pair;
    return event && chunk && fills(event, chunk) && this.#once(chunk) ? costsOfEvent(event, chunk) : [];
  }

  /** @param {Bar} bar @returns {Cost[]} */
  #takeFromPoll(bar) {
    if (bar.layer === "wire") {
      this.#polls.set(bar.exchange, (this.#polls.get(bar.exchange) ?? new Map()).set(bar.id, bar));
      forgetOldest(this.#polls);
      return [];
    }
    if (!this.#once(bar)) return [];
    const messages = (bar.parsed?.json?.events ?? []).filter((/** @type {any} */ event) => event.message);
    if (messages.length !== 1) return [];
    const bars = [...(this.#polls.get(bar.exchange)?.values() ?? [])];
    const wire = bars.reduce((sum, { length }) => sum + length, 0);
    return [{ transport: "long-poll", payload: lengthOfMessage(messages[0].message), wire }];
  }
}

/** @param {Bar} bar @returns {Cost[]} */
function costsOfFrame({ what, parsed, length }) {
  if (what !== "frame" || !parsed.fin || !DATA_FRAMES.includes(parsed.opcode)) return [];
  const event = parsed.opcode === 1 ? jsonOf(new TextDecoder().decode(parsed.payload)) : null;
  // With `format=json` there are other events, and answers; only messages count.
  const isEvent = event !== null && typeof event === "object";
  if (isEvent && !event.message) return [];
  const payload = isEvent ? lengthOfMessage(event.message) : parsed.length;
  return [{ transport: "websocket", payload, wire: length }];
}

/** Whether an event is all that is in a chunk, and both have ended. @param {Bar} event @param {Bar} chunk */
function fills(event, chunk) {
  return chunk.what === "chunk" && chunk.isComplete && event.isComplete && event.length === chunk.parsed.size;
}

/** @param {Bar} event @param {Bar} chunk @returns {Cost[]} */
function costsOfEvent(event, chunk) {
  const payload = lengthOfEvent(event.parsed);
  return payload === null ? [] : [{ transport: "sse", payload, wire: chunk.length }];
}

/** @param {any} event what annotate.js has made of it @returns {number | null} null if it is no message */
function lengthOfEvent({ event, data, isDispatched }) {
  if (!isDispatched) return null;
  if (event === "binary") return atob(data).length;
  if (event !== "message") return null;
  const message = jsonOf(data);
  return message?.content_type ? lengthOfMessage(message) : utf8Length(data);
}

/** @param {any} message as it is in JSON */
function lengthOfMessage({ data, encoding }) {
  if (encoding === "base64") return atob(data).length;
  return utf8Length(typeof data === "string" ? data : JSON.stringify(data));
}

/** @param {string} text */
function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

/** @param {string} text */
function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {Set<any> | Map<any, any>} collection */
function forgetOldest(collection) {
  const [oldest] = collection.keys();
  if (collection.size > MOST_OPEN) collection.delete(oldest);
}
