// @ts-check
/**
 * A text that many write at once: a sequence CRDT, after "Replicated abstract data types" (Roh and others, 2011: RGA).
 *
 * What to look at: no operation says "at place 17", since place 17 is elsewhere for everybody. Every letter has a name of
 * its own, (clock, site), for ever. To insert is to say "this letter, behind that letter"; to delete is to say "that
 * letter is gone". Whoever has heard the same operations has the same text, in whatever order they came, and how often.
 *
 *     const ada = new Sequence(1);
 *     const ben = new Sequence(2);
 *     ben.apply(decode(encode(ada.insert(0, "tea"))));
 *     ben.text; // "tea"
 *
 * Why it converges: two letters behind the same letter stand in the order of their names, the younger one first; and a
 * letter is always younger than the one it stands behind. So "skip what is younger than me" finds the same place
 * everywhere, and a word that was typed in one go stays in one piece. Deleted letters stay as tombstones, since others
 * may still insert behind them.
 */

/**
 * @typedef {object} Id the name of a letter: nobody else gives this one away
 * @property {number} clock larger than that of every letter its writer had seen (Lamport)
 * @property {number} site who wrote it: at most 32 bits, random
 *
 * @typedef {{ kind: "insert", id: Id, after: Id | null, letter: string }} Insert
 * @typedef {{ kind: "delete", id: Id }} Delete
 * @typedef {Insert | Delete} Operation
 *
 * @typedef {object} Letter
 * @property {Id} id
 * @property {string} letter
 * @property {boolean} isDeleted
 * @property {Letter | null} next
 */

/** @param {Id} id */
const nameOf = ({ clock, site }) => `${clock}.${site}`;

/** @param {Id} one @param {Id} other */
const isYounger = (one, other) => one.clock > other.clock || (one.clock === other.clock && one.site > other.site);

/** One copy of the text. */
export class Sequence {
  #site;
  #clock = 0;
  /** The letters are a list, with one before the first that is none. @type {Letter} */
  #head = { id: { clock: 0, site: 0 }, letter: "", isDeleted: true, next: null };
  /** @type {Map<string, Letter>} */ #letters = new Map();
  /** Operations that came before what they stand on, by the name of what they wait for. @type {Map<string, Operation[]>} */
  #waiting = new Map();

  /** @param {number} site who writes here, from 0 to 2³² − 1 */
  constructor(site) {
    this.#site = site;
  }

  /** The text as it stands. */
  get text() {
    return this.letters.map(({ letter }) => letter).join("");
  }

  /** The letters that are not deleted, with who wrote them. */
  get letters() {
    const letters = [];
    for (let at = this.#head.next; at; at = at.next) if (!at.isDeleted) letters.push(at);
    return letters;
  }

  /** How many operations wait for another one. */
  get waiting() {
    return [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** How many letters are kept, deleted ones included. */
  get size() {
    return this.#letters.size;
  }

  /** Whether a letter has come, deleted or not. @param {Id} id */
  has(id) {
    return this.#letters.has(nameOf(id));
  }

  /**
   * The letter before a place: who holds on to it finds the place again. null is the beginning.
   *
   * @param {number} at
   * @returns {Id | null}
   */
  anchor(at) {
    return at > 0 ? this.letters[Math.min(at, this.letters.length) - 1]?.id ?? null : null;
  }

  /** Where the place behind a letter is now, even if the letter is deleted. @param {Id | null} anchor */
  placeOf(anchor) {
    const letter = anchor && this.#letters.get(nameOf(anchor));
    if (!letter) return 0;
    let place = 0;
    for (let at = this.#head.next; at; at = at.next) {
      if (!at.isDeleted) place++;
      if (at === letter) break;
    }
    return place;
  }

  /**
   * Writes here.
   *
   * @param {number} at before how many letters of this copy; the end if there are not so many
   * @param {string} text
   * @returns {Operation[]} what everybody else must hear
   */
  insert(at, text) {
    /** @type {Operation[]} */ const operations = [];
    let after = this.anchor(at);
    for (const letter of text) {
      const id = { clock: this.#clock + 1, site: this.#site };
      operations.push({ kind: "insert", id, after, letter });
      this.apply(operations.slice(-1));
      after = id;
    }
    return operations;
  }

  /** Deletes here. @param {number} at @param {number} count @returns {Operation[]} */
  delete(at, count) {
    /** @type {Operation[]} */
    const operations = this.letters.slice(at, at + count).map(({ id }) => ({ kind: "delete", id }));
    this.apply(operations);
    return operations;
  }

  /** Hears what somebody has done. What it stands on may come later, and it may come again. @param {Operation[]} operations */
  apply(operations) {
    const work = [...operations];
    for (let operation = work.shift(); operation; operation = work.shift()) {
      const needs = operation.kind === "delete" ? operation.id : operation.after;
      if (needs && !this.#letters.has(nameOf(needs))) this.#putOff(nameOf(needs), operation);
      else if (operation.kind === "delete") /** @type {Letter} */ (this.#letters.get(nameOf(operation.id))).isDeleted = true;
      else work.unshift(...this.#place(operation));
    }
  }

  /** @param {string} name @param {Operation} operation */
  #putOff(name, operation) {
    this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), operation]);
  }

  /** Puts a letter where it belongs, and returns what has waited for it. @param {Insert} insert @returns {Operation[]} */
  #place({ id, after, letter }) {
    const name = nameOf(id);
    if (this.#letters.has(name)) return [];
    this.#clock = Math.max(this.#clock, id.clock);
    let left = after ? /** @type {Letter} */ (this.#letters.get(nameOf(after))) : this.#head;
    while (left.next && isYounger(left.next.id, id)) left = left.next;
    left.next = { id, letter, isDeleted: false, next: left.next };
    this.#letters.set(name, left.next);
    const released = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    return released;
  }
}

// --- as bytes ---

/*
 * A message is a list of operations, one behind the other. Numbers are varints: seven bits a byte, low bits first, and
 * the eighth bit says that another byte follows.
 *
 *     insert   01   clock site   clock site of the letter before (clock 0: the beginning)   code point
 *     run      02   clock site   clock site of the letter before   length   code points …
 *     delete   03   clock site   length: so many letters of one site with clocks in a row
 *
 * A run is what one person types in one go: each letter stands behind the one before, and its clock is one larger.
 */
const [INSERT, RUN, DELETE] = [1, 2, 3];

/** Nobody types so much in one go. What says it does is no message of ours. */
const LONGEST_RUN = 100_000;

/** @param {Operation[]} operations @returns {Uint8Array} */
export function encode(operations) {
  /** @type {number[]} */ const bytes = [];
  const put = (/** @type {number[]} */ ...numbers) => numbers.forEach((number) => putVarint(bytes, number));
  for (let at = 0; at < operations.length; ) {
    const run = runAt(operations, at);
    const [first] = run;
    if (first.kind === "delete") {
      put(DELETE, first.id.clock, first.id.site, run.length);
    } else {
      const points = run.map((operation) => /** @type {number} */ (/** @type {Insert} */ (operation).letter.codePointAt(0)));
      const after = first.after ?? { clock: 0, site: 0 };
      put(run.length > 1 ? RUN : INSERT, first.id.clock, first.id.site, after.clock, after.site);
      put(...(run.length > 1 ? [run.length] : []), ...points);
    }
    at += run.length;
  }
  return Uint8Array.from(bytes);
}

/** As many operations from here on as belong together. @param {Operation[]} operations @param {number} at */
function runAt(operations, at) {
  let end = at + 1;
  while (end < operations.length && continues(operations[end - 1], operations[end])) end++;
  return operations.slice(at, end);
}

/** @param {Operation} one @param {Operation} next */
function continues(one, next) {
  if (one.kind !== next.kind || next.id.site !== one.id.site || next.id.clock !== one.id.clock + 1) return false;
  return next.kind === "delete" || (next.after !== null && nameOf(next.after) === nameOf(one.id));
}

/** @param {Uint8Array} bytes @returns {Operation[]} @throws {RangeError} if this is no message of ours */
export function decode(bytes) {
  /** @type {Operation[]} */ const operations = [];
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const kind = reader.varint();
    const id = reader.id();
    if (kind === DELETE) {
      for (let left = reader.length(); left > 0; left--) operations.push({ kind: "delete", id: { ...id, clock: id.clock++ } });
    } else if (kind === INSERT || kind === RUN) {
      let after = /** @type {Id | null} */ (reader.id());
      if (after?.clock === 0) after = null;
      for (let left = kind === RUN ? reader.length() : 1; left > 0; left--) {
        const own = { ...id, clock: id.clock++ };
        operations.push({ kind: "insert", id: own, after, letter: String.fromCodePoint(reader.varint()) });
        after = own;
      }
    } else {
      throw new RangeError(`there is no operation ${kind}`);
    }
  }
  return operations;
}

/** @param {number[]} bytes @param {number} number */
function putVarint(bytes, number) {
  for (; number >= 128; number = Math.floor(number / 128)) bytes.push((number % 128) + 128);
  bytes.push(number);
}

/** Reads numbers, one behind the other. */
class Reader {
  #bytes;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  get isAtEnd() {
    return this.#at >= this.#bytes.length;
  }

  varint() {
    for (let number = 0, place = 1; ; place *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("the message ends in the middle of a number");
      number += (byte % 128) * place;
      if (number > Number.MAX_SAFE_INTEGER) throw new RangeError("a number is too large");
      if (byte < 128) return number;
    }
  }

  /** @returns {Id} */
  id() {
    return { clock: this.varint(), site: this.varint() };
  }

  length() {
    const length = this.varint();
    if (length > LONGEST_RUN) throw new RangeError("a run is too long");
    return length;
  }
}
