/**
 * A server of one channel, in memory, which speaks the protocol over attempts of `attempts.mjs`. What it does with each
 * of them is decided by rules, so that a test can refuse one transport, mute another, and serve the third.
 */

import { eventSourceClass, fetchFunction, webSocketClass } from "./attempts.mjs";

/** @typedef {any} Attempt */
/** @typedef {(attempt: Attempt, server: FakeServer) => void} Rule */

// --- rules ------------------------------------------------------------------------------------------------------------

/** Serves the attempt as a good server over a good network does. @type {Rule} */
export const serve = (attempt, server) => server.serve(attempt);

/** Lets it wait for ever. @type {Rule} */
export const hang = () => {};

/** Opens it, and then nothing: a proxy that accepts an upgrade and swallows what follows. @type {Rule} */
export const mute = (attempt) => attempt.open();

/** Serves it through somebody who holds each event back until the next one comes, as virus scanners do. @type {Rule} */
export const holdLast = (attempt, server) => {
  const { send } = attempt;
  const held = [];
  attempt.send = (/** @type {object[]} */ ...events) => {
    held.push(...events);
    send.apply(attempt, held.splice(0, held.length - 1));
  };
  server.serve(attempt);
};

/** Serves the beginning, and holds back everything after it, as a proxy with a buffer to fill does. @returns {Rule} */
export const holdAfter = (/** @type {number} */ count) => (/** @type {Attempt} */ attempt, /** @type {FakeServer} */ server) => {
  const { send } = attempt;
  let passed = 0;
  attempt.send = (/** @type {object[]} */ ...events) => {
    const passing = events.slice(0, Math.max(0, count - passed));
    passed += passing.length;
    send.apply(attempt, passing);
  };
  server.serve(attempt);
};

/** Greets it at once, and takes so long for each event after that, as a slow network with large messages. @param {number} milliseconds @returns {Rule} */
export const slow = (milliseconds) => (attempt, server) => {
  const { send } = attempt;
  let free = Date.now() - milliseconds;
  attempt.send = (/** @type {object[]} */ ...events) => {
    for (const event of events) {
      free = Math.max(free + milliseconds, Date.now());
      setTimeout(() => send.call(attempt, event), free - Date.now());
    }
  };
  server.serve(attempt);
};

/** Refuses it. For what a page cannot see on its transport, the arguments are ignored. @returns {Rule} */
export const refuse =
  (status = 503, more = {}) =>
  (attempt) =>
    attempt.refuse(status, more);

/** The connection breaks before there is an answer. @type {Rule} */
export const cut = (attempt) => attempt.cut();

/** Upgrades a WebSocket and closes it at once, as a server turns a page away. @returns {Rule} */
export const closeWith =
  (code, reason = "") =>
  (attempt) => {
    attempt.open();
    attempt.close(code, reason);
  };

/** Does something later. @param {number} milliseconds @param {Rule} rule @returns {Rule} */
export const after = (milliseconds, rule) => (attempt, server) => {
  setTimeout(() => attempt.isCancelled || rule(attempt, server), milliseconds);
};

/** One rule for each attempt, and the last one for all others. @param {Rule[]} rules @returns {Rule} */
export const sequence =
  (...rules) =>
  (attempt, server) =>
    (rules.length > 1 ? rules.shift() : rules[0])?.(attempt, server);

// --- the server -------------------------------------------------------------------------------------------------------

export class FakeServer {
  /** Everything that the client has opened, in order. @type {Attempt[]} */
  attempts = [];
  /** What happens to an attempt, by its kind. @type {Record<string, Rule>} */
  rules = { websocket: serve, sse: serve, "long-poll": serve, stream: serve, publish: serve, leave: serve, command: serve };
  /** The messages retained, the oldest first. @type {any[]} */
  log = [];
  /** What was published under which key. @type {Map<string, string>} */
  keys = new Map();

  #head = 0;

  /** @param {{ epoch?: string, heartbeat?: number, keyWindow?: number }} [settings] */
  constructor({ epoch = "e1", heartbeat = 20_000, keyWindow = 300_000 } = {}) {
    this.epoch = epoch;
    this.heartbeat = heartbeat;
    this.keyWindow = keyWindow;
  }

  /** What to pass to `connect`, so that it talks to this server. */
  get transports() {
    const arrive = (/** @type {Attempt} */ attempt) => this.#arrive(attempt);
    return { WebSocket: webSocketClass(arrive), EventSource: eventSourceClass(arrive), fetch: fetchFunction(arrive) };
  }

  get head() {
    return this.cursor(this.#head);
  }

  /** @param {number} offset */
  cursor(offset) {
    return `${this.epoch}.${offset}`;
  }

  /** @param {string} kind @returns {Attempt[]} */
  of(kind) {
    return this.attempts.filter((attempt) => attempt.kind === kind);
  }

  /** The attempts that carry the channel now. @returns {Attempt[]} */
  get live() {
    return this.attempts.filter((attempt) => attempt.isLive);
  }

  /** Publishes data and delivers it to everybody. @param {any} data @param {object} [more] */
  publish(data, more = {}) {
    const id = this.#append(data, more);
    for (const attempt of this.live) this.deliver(attempt);
    return id;
  }

  /** Publishes data that the network loses on its way to everybody. @param {any} data */
  publishIntoTheVoid(data) {
    const id = this.#append(data);
    for (const attempt of this.live) this.#eventsAfter(attempt);
    return id;
  }

  /** @param {any} data @param {object} [more] */
  #append(data, more = {}) {
    this.#head += 1;
    this.log.push({ id: this.head, at: Date.now() * 1000, content_type: "application/json", ...more, data });
    return this.head;
  }

  /** Publishes numbers, from one to another. @param {number} first @param {number} last */
  publishNumbers(first, last) {
    for (let number = first; number <= last; number += 1) this.publish(number);
  }

  /** Forgets the oldest messages. @param {number} count */
  evict(count) {
    this.log.splice(0, count);
  }

  /** Begins anew, with another log. @param {string} epoch */
  restart(epoch) {
    for (const attempt of this.live) attempt.cut();
    this.epoch = epoch;
    this.#head = 0;
    this.log = [];
    this.keys.clear();
  }

  /** @param {Attempt} attempt */
  #arrive(attempt) {
    this.attempts.push(attempt);
    // Nothing in a network happens before the caller has gone on.
    attempt.hear = (/** @type {any} */ command) => queueMicrotask(() => this.#hear(attempt, command));
    queueMicrotask(() => attempt.isCancelled || this.rules[attempt.kind]?.(attempt, this));
  }

  /** @param {Attempt} attempt @param {any} command */
  #hear(attempt, command) {
    if (attempt.isLive) this.rules.command?.(Object.assign(attempt, { command }), this);
  }

  /** @param {Attempt} attempt */
  serve(attempt) {
    if (attempt.command) return this.#takeCommand(attempt);
    if (attempt.kind === "publish") return this.#takePost(attempt);
    if (attempt.kind === "leave") return attempt.answer(204, null);
    attempt.open();
    if (attempt.kind === "long-poll") this.#servePoll(attempt);
    else this.greet(attempt);
  }

  /** Says hello, and what follows from the position asked for. @param {Attempt} attempt */
  greet(attempt) {
    attempt.send(...this.#opening(attempt));
    const pulse = setInterval(() => this.beat(attempt), this.heartbeat);
    attempt.ended = () => clearInterval(pulse);
    this.deliver(attempt);
  }

  /** Sends a heartbeat, which says where the subscription stands. @param {Attempt} attempt @param {object} [more] */
  beat(attempt, more = {}) {
    attempt.send({ heartbeat: { cursor: this.cursor(attempt.position), head: this.head, ...more } });
  }

  /** Brings an attempt from its position to the head. @param {Attempt} attempt */
  deliver(attempt) {
    const events = this.#eventsAfter(attempt);
    if (attempt.kind !== "long-poll") attempt.send(...events);
    else if (events.length > 0) this.#answerPoll(attempt, events);
  }

  // --- where a subscription begins ---

  /** The events with which a subscription begins. @param {Attempt} attempt */
  #opening(attempt) {
    const { after = "end", client = "unnamed" } = attempt.query;
    const { position, gap } = this.#locate(after);
    attempt.position = position;
    const cursor = /^(start|end)$/.test(after) ? this.cursor(position) : after;
    const hello = { protocol: 1, cursor, head: this.head, client, member: "m1", transport: attempt.kind };
    const times = { heartbeat_ms: this.heartbeat, key_window_ms: this.keyWindow };
    return [{ hello: { ...hello, ...times } }, ...(gap ? [{ gap }] : [])];
  }

  /** @param {string} after */
  #locate(after) {
    const oldest = this.#head - this.log.length;
    if (after === "start") return { position: oldest };
    if (after === "end") return { position: this.#head };
    const [epoch, offset] = after.split(".");
    if (epoch !== this.epoch) {
      return { position: oldest, gap: { after, resume: this.cursor(oldest), missed: null, reason: "epoch" } };
    }
    if (Number(offset) >= oldest) return { position: Number(offset) };
    const missed = oldest - Number(offset);
    return { position: oldest, gap: { after, resume: this.cursor(oldest), missed, reason: "evicted" } };
  }

  /** Takes what an attempt has not had yet. @param {Attempt} attempt */
  #eventsAfter(attempt) {
    const { echo, client } = attempt.query;
    const oldest = this.#head - this.log.length;
    const messages = this.log.slice(attempt.position - oldest);
    attempt.position = this.#head;
    const isWanted = (/** @type {any} */ message) => echo !== "0" || message.publisher !== client;
    return messages.filter(isWanted).map(({ publisher, ...message }) => ({ message }));
  }

  // --- long-polling ---

  /** @param {Attempt} attempt */
  #servePoll(attempt) {
    const opening = this.#opening(attempt);
    const hasCursor = attempt.query.after?.includes(".");
    // A poll that carries a cursor is not greeted.
    const events = [...opening.filter((event) => !hasCursor || !event.hello), ...this.#eventsAfter(attempt)];
    if (!hasCursor || events.length > 0) return this.#answerPoll(attempt, events);
    const hold = setTimeout(() => this.#answerPoll(attempt, []), milliseconds(attempt.query.wait ?? "25"));
    attempt.ended = () => clearTimeout(hold);
  }

  /** @param {Attempt} attempt @param {object[]} events */
  #answerPoll(attempt, events) {
    attempt.answerJson(200, { cursor: this.cursor(attempt.position), events, more: false });
  }

  // --- publishing ---

  /** Appends a publication once for each key, and returns its cursor. @param {any} publication */
  append({ key, data, type, content_type, encoding, publisher }) {
    const known = key && this.keys.get(key);
    if (known) return known;
    const id = this.publish(data, { type, content_type, encoding, publisher });
    if (key) this.keys.set(key, id);
    return id;
  }

  /** @param {Attempt} attempt */
  #takePost(attempt) {
    attempt.answerJson(201, { id: this.append(publicationOf(attempt)), subscribers: 1 });
  }

  /** @param {Attempt} attempt */
  #takeCommand(attempt) {
    const { publish, ref } = attempt.command;
    delete attempt.command;
    attempt.send({ published: { id: this.append({ ...publish, publisher: attempt.query.client }) }, ref });
  }
}

/** A publication as a POST brings it. @param {Attempt} attempt */
export function publicationOf({ body, headers, query }) {
  const content_type = headers.get("content-type") ?? "text/plain";
  const labels = { key: query.key ?? headers.get("idempotency-key"), type: query.type, publisher: query.client, content_type };
  if (/json/.test(content_type)) return { ...labels, data: JSON.parse(body) };
  if (/^text\//.test(content_type)) return { ...labels, data: body };
  return { ...labels, data: Buffer.from(body).toString("base64"), encoding: "base64" };
}

/** @param {string} wait in seconds, or with a unit */
function milliseconds(wait) {
  return wait.endsWith("ms") ? Number.parseInt(wait, 10) : Number(wait) * 1000;
}
