// @ts-check
/**
 * Reading from front to back what arrives in pieces.
 *
 * A parser of this folder is a generator that reads as if everything were there already. Where bytes are missing, it
 * yields, and the reader lets it go on when more have come. So a parser looks like the grammar that it follows, and it
 * cannot matter how TCP has cut the bytes up.
 *
 * Everything that is read belongs to a bar, and to one of the bar's fields. What has come but is not understood yet is
 * the last field of the open bar, so no byte is ever without one.
 *
 * @module reader
 */

/** As many bytes of one bar are kept at most. */
const MOST_KEPT = 1024 * 1024;

const LF = 10;
const CR = 13;

/**
 * @typedef {object} Field a part of a bar's bytes that means something
 * @property {number} from its first byte, counted from the bar's first
 * @property {number} to the byte behind its last
 * @property {string} name
 * @property {string} value as a person writes it
 * @property {string} meaning
 * @property {string} source the section of the specification that says so, or ""
 * @property {Part[]} [parts] what it consists of, without overlap and without a hole
 * @property {Bit[]} [bits] what the bits of its one byte mean, the highest first
 * @property {boolean} [incomplete] more of it was still to come
 *
 * @typedef {{ from: number, to: number, name: string, value: string }} Part
 * @typedef {{ name: string, width: number, value: number, meaning: string, source: string }} Bit
 *
 * @typedef {object} Segment bytes that came at one time; null where they were not kept
 * @property {Uint8Array | null} bytes
 * @property {number} length
 * @property {number} at in µs since 1970
 * @property {number | null} exchange
 * @property {string} kind
 * @property {{ bar: number, from: number }} [origin] where in which bar of the wire these bytes of a body lie
 *
 * @typedef {{ from: number, to: number, bytes: Uint8Array, beforeHole: number }} Span what was read: where it lies in its
 *   bar, those of its bytes that were kept, and how many of these come before the first that was not
 * @typedef {Span & { end: number }} Line without the bytes of its end, of which there are so many
 * @typedef {{ name: string, meaning?: string, source?: string }} Expected
 * @typedef {{ nextId: () => number, changed: (bar: Bar) => void }} Ledger numbers the bars and hears which have changed
 * @typedef {{ most: number, endsWithCr: boolean, mayHaveHoles: boolean }} LineRules how long a line may be; whether a CR
 *   alone ends it; whether it may contain bytes that were not kept
 */

/** What follows cannot be understood any more. */
export class Lost extends Error {}

/** There will be no more bytes of what is being read. */
export class Ended extends Error {}

/**
 * A stretch of bytes that belong together: a request, a response, a chunk, a frame, an event, a body, or bytes of which
 * nothing is known.
 */
export class Bar {
  /** The direction's `wire`, or the `content` of a body, whose bytes lie in bars of the wire. @type {"wire" | "content"} */
  layer;
  /** @type {"request" | "response" | "chunk" | "frame" | "event" | "body" | "unknown"} */ what;
  title = "";
  /** When its first and its last byte came, in µs since 1970. */ from;
  until;
  /** How many bytes it has. */ length = 0;
  /** They, from the first one on, as far as they were kept. */ bytes = new Uint8Array(0);
  /** @type {Field[]} */ fields = [];
  /** Whether its end has come. */ isComplete = false;
  /** Why it is not understood, or what is odd about it. @type {string | null} */ note = null;
  /** What programs want to know of it; each parser has its own form. @type {any} */ parsed = null;
  /**
   * Of a bar of content: which of its bytes lie where.
   *
   * @type {{ bar: number, from: number, to: number, at: number }[]}
   */
  places = [];

  #room = new Uint8Array(64);
  #hasHole = false;
  /** What to go back to when bytes that were only looked at are read. @type {any} */ #firm = null;

  /**
   * @param {number} id
   * @param {{ connection: number, direction: "up" | "down", layer: "wire" | "content" }} where
   * @param {string} what
   * @param {Segment} first
   */
  constructor(id, where, what, { at, exchange, kind }) {
    this.id = id;
    this.connection = where.connection;
    this.direction = where.direction;
    this.layer = where.layer;
    this.exchange = exchange;
    this.kind = kind;
    this.what = /** @type {any} */ (what);
    this.from = at;
    this.until = at;
  }

  /** Where the next field begins. */
  get covered() {
    return this.fields.at(-1)?.to ?? 0;
  }

  /**
   * Adds a field that goes from the end of the last one to `to`, which is the end of what has been read unless told.
   *
   * @param {Pick<Field, "name"> & Partial<Field>} field
   */
  field({ name, value = "", meaning = "", source = "", to = this.length, ...more }) {
    if (to > this.covered) this.fields.push({ from: this.covered, to, name, value, meaning, source, ...more });
  }

  /** @param {Segment} segment */
  append({ bytes, length, at, origin }) {
    if (bytes && !this.#hasHole) this.#keep(bytes);
    this.#hasHole ||= !bytes;
    if (origin) this.#place(origin, length);
    this.length += length;
    this.until = at;
  }

  /** @param {Uint8Array} bytes */
  #keep(bytes) {
    const end = this.bytes.length + bytes.length;
    if (end > MOST_KEPT) {
      this.#hasHole = true;
      return;
    }
    if (end > this.#room.length) {
      const room = new Uint8Array(Math.max(end, 2 * this.#room.length));
      room.set(this.bytes);
      this.#room = room;
    }
    this.#room.set(bytes, this.bytes.length);
    this.bytes = this.#room.subarray(0, end);
  }

  #place({ bar, from }, length) {
    const last = this.places.at(-1);
    if (last && last.bar === bar && last.to === from)
      this.places[this.places.length - 1] = { ...last, to: from + length };
    else this.places.push({ bar, from, to: from + length, at: this.length });
  }

  /**
   * Adds what has come but was not read yet, under the name of what is waited for.
   *
   * @param {Segment[]} ahead
   * @param {Expected} expected
   */
  lookAhead(ahead, expected) {
    this.#firm = {
      length: this.length,
      bytes: this.bytes,
      until: this.until,
      places: [...this.places],
      hasHole: this.#hasHole,
      fields: [...this.fields],
    };
    for (const segment of ahead) this.append(segment);
    if (this.length > this.covered) this.field({ ...expected, incomplete: true });
  }

  /** Takes back what `lookAhead` has added. */
  lookBack() {
    if (!this.#firm) return;
    const { hasHole, ...firm } = this.#firm;
    Object.assign(this, firm);
    this.#hasHole = hasHole;
    this.#firm = null;
  }
}

/** One direction of a connection, or the content of one body. */
export class Reader {
  /** What has come and is not read yet. @type {Segment[]} */ #segments = [];
  /** How many bytes that is. */ #unread = 0;
  /** As many of them contain no end of a line. */ #scanned = 0;
  #hasEnded = false;
  /** Which exchange the last bytes belong to. @type {number | null} */ lastExchange = null;
  /** Whether the parser says that it is in the middle of something. */ isWithinMessage = false;
  /** The bar that what is read now belongs to. @type {Bar | null} */ #bar = null;
  /** Whether the open bar is not what it was. */ #isTouched = false;
  /** @type {Expected} */ #expected = { name: "" };
  #where;
  #ledger;
  #parser;

  /**
   * @param {{ connection: number, direction: "up" | "down", layer: "wire" | "content" }} where
   * @param {Ledger} ledger
   * @param {(reader: Reader) => Generator<void, void, void>} parse
   */
  constructor(where, ledger, parse) {
    this.#where = where;
    this.#ledger = ledger;
    this.#parser = parse(this);
  }

  // --- from outside ---------------------------------------------------------------------------------------------------

  /** @param {Segment} segment */
  push(segment) {
    if (segment.length === 0) return;
    this.#segments.push(segment);
    this.lastExchange = segment.exchange;
    this.#unread += segment.length;
    this.#isTouched = true;
  }

  end() {
    this.#hasEnded = true;
  }

  /** Lets the parser read what there is. */
  run() {
    this.#resume(() => this.#parser.next());
  }

  /** Tells the parser that what it waits for will not come. @param {Ended} reason */
  interrupt(reason) {
    this.#resume(() => this.#parser.throw(reason));
  }

  #resume(parse) {
    this.#bar?.lookBack();
    parse();
    this.#bar?.lookAhead(this.#segments, this.#expected);
    if (this.#bar && this.#isTouched) this.#ledger.changed(this.#bar);
    this.#isTouched = false;
  }

  /** Which connection, direction and layer this is. */
  get where() {
    return this.#where;
  }

  // --- for parsers: bars ----------------------------------------------------------------------------------------------

  /** @returns {Bar} the open bar */
  get bar() {
    return /** @type {Bar} */ (this.#bar);
  }

  /** Which exchange the next byte belongs to. */
  get exchange() {
    return this.#segments[0].exchange;
  }

  get hasEnded() {
    return this.#hasEnded;
  }

  /**
   * Opens a bar at the next byte, which must have come. A bar of which nothing was read becomes the new one.
   *
   * @param {string} what
   * @param {string} title until a better one is known
   */
  begin(what, title) {
    if (this.#bar && this.#bar.length > 0) this.close();
    this.#bar ??= new Bar(this.#ledger.nextId(), this.#where, what, this.#segments[0]);
    Object.assign(this.#bar, { what, title });
    this.#expected = { name: what };
    this.#isTouched = true;
    return this.#bar;
  }

  /** Closes the open bar: its end has come. */
  finish() {
    this.bar.isComplete = true;
    this.close();
  }

  /**
   * Closes the open bar, if there is one. What belongs to no field yet becomes one that is not complete.
   *
   * @param {string} [note]
   */
  close(note) {
    if (!this.#bar) return;
    if (note) this.#bar.note = note;
    this.#bar.field({ ...this.#expected, incomplete: true });
    this.#ledger.changed(this.#bar);
    this.#bar = null;
  }

  /**
   * Opens a bar for what cannot be understood. The open bar becomes this one if it has no field yet. If nothing has come,
   * there is no bar.
   *
   * @param {string} reason
   * @returns {Generator<void, Bar | null, void>}
   */
  *beginUnknown(reason) {
    const title = "not understood";
    if (this.#bar?.fields.length === 0) Object.assign(this.#bar, { what: "unknown", title });
    else {
      this.close(reason);
      if (!(yield* this.more())) return null;
      this.begin("unknown", title);
    }
    this.#isTouched = true;
    this.bar.note = reason;
    return this.bar;
  }

  /** Puts all that is left into the open bar and closes it, because no more will come. @param {string} note */
  breakOff(note) {
    if (!this.#bar) return;
    this.#consume(this.#unread);
    this.close(note);
  }

  // --- for parsers: bytes ---------------------------------------------------------------------------------------------

  /** Waits for a byte. @returns {Generator<void, boolean, void>} false at the end */
  *more() {
    while (this.#unread === 0 && !this.#hasEnded) yield;
    return this.#unread > 0;
  }

  /**
   * Shows the first bytes that are not read yet to `decide`, until it has decided. It sees at most 64, and is told when
   * there will be no more.
   *
   * @template T
   * @param {(bytes: Uint8Array, isAll: boolean) => T | undefined} decide
   * @returns {Generator<void, T | undefined, void>}
   */
  *lookAt(decide) {
    for (;;) {
      const { bytes, isWhole } = this.#first(Math.min(64, this.#unread));
      const isAll = bytes.length === 64 || !isWhole || this.#hasEnded;
      const decision = decide(bytes, isAll);
      if (decision !== undefined || isAll) return decision;
      yield;
    }
  }

  /**
   * Reads so many bytes.
   *
   * @param {number} count
   * @param {Expected} expected
   * @returns {Generator<void, Span, void>}
   */
  *take(count, expected) {
    this.#expected = expected;
    while (this.#unread < count) {
      if (this.#hasEnded) throw new Ended();
      yield;
    }
    return this.#consume(count);
  }

  /** Reads what has come at one time, up to its end. @param {Expected} expected */
  *takeSegment(expected) {
    return yield* this.take(this.#segments[0].length, expected);
  }

  /**
   * Reads so many bytes, as they come, and passes them on. With `Infinity`, all until the end.
   *
   * @param {number} count
   * @param {Expected} expected
   * @param {(segment: Segment) => void} pass
   * @returns {Generator<void, void, void>}
   */
  *flow(count, expected, pass) {
    this.#expected = expected;
    for (let left = count; left > 0;) {
      if (!(yield* this.more())) {
        if (left === Infinity) return;
        throw new Ended();
      }
      const { from, to } = this.#consume(Math.min(left, this.#unread), pass);
      left -= to - from;
    }
  }

  /**
   * Reads to the end of the line.
   *
   * @param {Expected} expected
   * @param {LineRules} rules
   * @returns {Generator<void, Line, void>}
   */
  *line(expected, rules) {
    this.#expected = expected;
    let length = this.#lineLength(rules);
    while (length === 0) {
      if (this.#unread > rules.most) throw new Lost(`a line that is longer than ${rules.most} bytes`);
      if (this.#hasEnded) throw new Ended();
      yield;
      length = this.#lineLength(rules);
    }
    if (length > rules.most) throw new Lost(`a line that is longer than ${rules.most} bytes`);
    const { bytes, ...span } = this.#consume(length);
    const end = bytes.at(-1) === LF && bytes.at(-2) === CR ? 2 : 1;
    return { ...span, bytes: bytes.subarray(0, bytes.length - end), end };
  }

  /**
   * How long the line is that begins at the next byte, its end included; 0 if its end has not come.
   *
   * @param {LineRules} rules
   */
  #lineLength({ endsWithCr, mayHaveHoles }) {
    let before = 0;
    for (const [index, { bytes, length }] of this.#segments.entries()) {
      if (!bytes && !mayHaveHoles) throw new Lost("some bytes were not kept");
      const start = Math.max(0, this.#scanned - before);
      for (let at = start; bytes && at < length; at += 1) {
        if (bytes[at] === LF) return before + at + 1;
        if (bytes[at] !== CR || !endsWithCr) continue;
        const isLast = at + 1 === length;
        const next = isLast ? this.#segments[index + 1] : undefined;
        if (isLast && !next && !this.#hasEnded) {
          this.#scanned = before + at;
          return 0;
        }
        const follower = isLast ? next?.bytes?.[0] : bytes[at + 1];
        return before + at + (follower === LF ? 2 : 1);
      }
      before += length;
    }
    this.#scanned = before;
    return 0;
  }

  /** The first so many bytes, up to the first that was not kept. @param {number} count */
  #first(count) {
    const bytes = new Uint8Array(count);
    let length = 0;
    for (const segment of this.#segments) {
      if (length === count) break;
      if (!segment.bytes) return { bytes: bytes.subarray(0, length), isWhole: false };
      const part = segment.bytes.subarray(0, count - length);
      bytes.set(part, length);
      length += part.length;
    }
    return { bytes, isWhole: true };
  }

  /**
   * Moves so many bytes into the open bar.
   *
   * @param {number} count
   * @param {(segment: Segment) => void} [pass]
   * @returns {Span}
   */
  #consume(count, pass) {
    const bar = this.bar;
    const from = bar.length;
    const parts = [];
    for (let left = count; left > 0;) {
      const part = this.#shift(left);
      pass?.({ ...part, origin: { bar: bar.id, from: bar.length } });
      bar.append(part);
      parts.push(part);
      left -= part.length;
    }
    this.#unread -= count;
    this.#scanned = 0;
    this.#isTouched = true;
    const hole = parts.findIndex(({ bytes }) => !bytes);
    const beforeHole = parts.slice(0, hole < 0 ? undefined : hole).reduce((sum, { length }) => sum + length, 0);
    return { from, to: bar.length, bytes: joined(parts), beforeHole };
  }

  /** Takes the first segment, or its first `most` bytes. @returns {Segment} */
  #shift(most) {
    const first = this.#segments[0];
    if (first.length <= most) {
      this.#segments.shift();
      return first;
    }
    const { bytes, length, origin } = first;
    this.#segments[0] = {
      ...first,
      bytes: bytes && bytes.subarray(most),
      length: length - most,
      ...(origin && { origin: { bar: origin.bar, from: origin.from + most } }),
    };
    return { ...first, bytes: bytes && bytes.subarray(0, most), length: most };
  }
}

/** @param {Segment[]} segments */
function joined(segments) {
  const kept = segments.flatMap(({ bytes }) => bytes ?? []);
  if (kept.length === 1) return kept[0];
  const bytes = new Uint8Array(kept.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of kept) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
