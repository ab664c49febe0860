// @ts-check
/**
 * What is in a body: server-sent events (WHATWG HTML §9.2), lines of JSON, or one JSON text.
 *
 * A body has a reader of its own, whose bars are a second layer over those of the wire: an event may begin in one chunk
 * and end in the next, and a chunk may have many.
 *
 * @module content
 */

import { Ended, Reader } from "./reader.js";
import { bytes, latin1, textOf, valuesOf } from "./small.js";

/** Lines of a body may be as long as a message, and what is missing in one line does not spoil the next. */
const EVENT_LINES = { most: Infinity, endsWithCr: true, mayHaveHoles: true };
const JSON_LINES = { most: Infinity, endsWithCr: false, mayHaveHoles: true };

const EVENT_STREAM = { parsing: "WHATWG HTML §9.2.5", meaning: "WHATWG HTML §9.2.6" };
const PROTOCOL = "fallcast: the protocol";

/**
 * @typedef {import("./reader.js").Segment} Segment
 * @typedef {{ push: (segment: Segment) => void, end: () => void }} Content
 */

/**
 * Returns the reader of a body's content; one that does nothing where the content has no form that is known here.
 *
 * @param {import("./http.js").Header[]} headers
 * @param {{ where: any }} wire the reader of the direction
 * @param {any} ledger
 * @returns {Content}
 */
export function contentReader(headers, { where }, ledger) {
  const parse = parserFor(headers);
  if (!parse) return { push() {}, end() {} };
  const reader = new Reader({ ...where, layer: "content" }, ledger, parse);
  return {
    push(segment) {
      reader.push(segment);
      reader.run();
    },
    end() {
      reader.end();
      reader.run();
    },
  };
}

function parserFor(headers) {
  if (valuesOf(headers, "content-encoding").length > 0) return null;
  const [type = ""] = (valuesOf(headers, "content-type")[0] ?? "").toLowerCase().split(";");
  if (type.trim() === "text/event-stream") return readEventStream;
  if (type.trim() === "application/x-ndjson") return readLines;
  if (/^application\/(?:[\w.-]+\+)?json$/.test(type.trim())) return readJson;
  return null;
}

/** Runs `parse` until the body ends, wherever that may be. */
function* toTheEnd(reader, note, parse) {
  try {
    yield* parse;
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    reader.breakOff(note);
  }
  // What is pushed after the end would have no bar; nothing is.
  for (;;) yield;
}

// --- server-sent events -----------------------------------------------------------------------------------------------

/** @param {Reader} reader */
function* readEventStream(reader) {
  yield* toTheEnd(
    reader,
    "the stream ended before the blank line, so the event is discarded (WHATWG HTML §9.2.6)",
    readEvents(reader),
  );
}

function* readEvents(reader) {
  /** The last id that the stream has set; it holds until another one is set. */
  const stream = { lastEventId: "" };
  for (let isFirst = true; yield* reader.more(); isFirst = false) {
    const bar = reader.begin("event", "event");
    if (isFirst) yield* readByteOrderMark(reader);
    const block = { event: "", data: [], id: null, retry: null, comments: [], isWhole: true };
    while (yield* readEventLine(reader, block));
    if (block.id !== null) stream.lastEventId = block.id;
    bar.parsed = eventOf(block, stream);
    bar.title = titleOf(bar.parsed);
    if (!block.isWhole) bar.note = "some bytes were not kept";
    reader.finish();
  }
}

/** One at the very beginning is passed over. */
function* readByteOrderMark(reader) {
  const hasOne = yield* reader.lookAt((ahead, isAll) => {
    const text = latin1(ahead.subarray(0, 3));
    if (!"\u00ef\u00bb\u00bf".startsWith(text)) return false;
    return text.length === 3 || (isAll ? false : undefined);
  });
  if (!hasOne) return;
  yield* reader.take(3, { name: "byte order mark" });
  reader.bar.field({
    name: "byte order mark",
    value: "U+FEFF",
    meaning: "one at the beginning is passed over",
    source: EVENT_STREAM.parsing,
  });
}

/** Reads a line into the block. Returns whether the block goes on. */
function* readEventLine(reader, block) {
  const { bytes: line, beforeHole, from, to, end } = yield* reader.line({ name: "line" }, EVENT_LINES);
  if (beforeHole < to - from) {
    block.isWhole = false;
    const meaning = "some of its bytes were not kept, and there may have been ends of lines among them";
    reader.bar.field({ name: "line", value: textOf(line.subarray(0, beforeHole)), meaning });
    return true;
  }
  if (to - from === end) {
    reader.bar.field({
      name: "blank line",
      meaning: "dispatches the event: from here on, the page has it",
      source: EVENT_STREAM.meaning,
    });
    return false;
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
  const colon = line.indexOf(0x3a);
  const name = colon < 0 ? text : text.slice(0, text.indexOf(":"));
  const rest = colon < 0 ? "" : text.slice(text.indexOf(":") + 1);
  const value = rest.startsWith(" ") ? rest.slice(1) : rest;
  const parts = linePartsOf({ from, to, end, colon, hasSpace: rest.startsWith(" "), name, value });
  reader.bar.field({
    name: name || "comment",
    value,
    ...understand(name, value, colon === 0 ? rest : null, block),
    parts,
  });
  return true;
}

function linePartsOf({ from, to, end, colon, hasSpace, name, value }) {
  const nameEnd = colon < 0 ? to - end : from + colon;
  const marks = [
    ["name", nameEnd, name],
    ["colon", colon < 0 ? nameEnd : nameEnd + 1, ":"],
    ["space", nameEnd + (colon < 0 ? 0 : 1) + (hasSpace ? 1 : 0), " "],
    ["value", to - end, value],
    ["end of line", to, ""],
  ];
  const parts = [];
  for (const [part, until, text] of marks) {
    if (until > from) parts.push({ from, to: until, name: part, value: text });
    from = until;
  }
  return parts;
}

/** Does to the block what the line says, and says what that was. @returns {{ meaning: string, source: string }} */
function understand(name, value, comment, block) {
  const says = (meaning) => ({ meaning, source: EVENT_STREAM.meaning });
  if (comment !== null) {
    block.comments.push(comment);
    return {
      meaning: "a line that begins with a colon is passed over; it keeps the connection busy",
      source: EVENT_STREAM.meaning,
    };
  }
  switch (name) {
    case "event":
      block.event = value;
      return says("the event's name, for `addEventListener`");
    case "data":
      block.data.push(value);
      return says("a line of the data; several are joined by LF");
    case "id":
      if (value.includes("\0")) return says("an id with NUL is passed over");
      block.id = value;
      return says("the last event id from now on. After a break, the browser sends it as `Last-Event-ID`");
    case "retry":
      if (!/^[0-9]+$/.test(value)) return says("a time that does not consist of digits is passed over");
      block.retry = Number(value);
      return says("in ms: how long the browser waits before it comes back");
    default:
      return says("a field that is not known is passed over");
  }
}

function eventOf({ event, data, id, retry, comments, isWhole }, { lastEventId }) {
  const isDispatched = isWhole && data.length > 0;
  return { event: event || "message", data: data.join("\n"), id, retry, comments, lastEventId, isDispatched };
}

function titleOf({ event, data, id, retry, comments, isDispatched }) {
  if (isDispatched) return `event ${event}, ${bytes(new TextEncoder().encode(data).length)} of data`;
  if (comments.length > 0) return "comment, no event";
  if (retry !== null) return `retry: ${retry}, no event`;
  return id === null ? "no event" : `id: ${id}, no event`;
}

// --- JSON -------------------------------------------------------------------------------------------------------------

/** Lines of JSON (NDJSON). @param {Reader} reader */
function* readLines(reader) {
  yield* toTheEnd(reader, "the stream ended within this line", readEachLine(reader));
}

function* readEachLine(reader) {
  while (yield* reader.more()) {
    const bar = reader.begin("event", "line");
    const line = yield* reader.line({ name: "line" }, JSON_LINES);
    const isWhole = line.beforeHole === line.to - line.from;
    if (isWhole && textOf(line.bytes).trim() === "") bar.title = "empty line";
    else describeJson(bar, isWhole ? line.bytes : null, line.to - line.end);
    bar.field({
      name: "end of line",
      meaning: "the end of this event; JSON itself has no line ends, or they are white space",
      source: PROTOCOL,
    });
    reader.finish();
  }
}

/** A body that is one JSON text. @param {Reader} reader */
function* readJson(reader) {
  yield* toTheEnd(reader, "", readOneJson(reader));
}

function* readOneJson(reader) {
  if (!(yield* reader.more())) return;
  const bar = reader.begin("body", "JSON");
  let isWhole = true;
  yield* reader.flow(Infinity, { name: "JSON" }, (segment) => (isWhole &&= segment.bytes !== null));
  describeJson(bar, isWhole ? bar.bytes : null, bar.length);
  reader.finish();
}

/** Gives each member of a JSON object, and each of a member, a field of its own. */
function describeJson(bar, text, to) {
  const value = text && parsed(text);
  if (!value) {
    const note = text ? "this is no JSON" : "some bytes were not kept";
    bar.note = note;
    bar.field({ name: "text", value: text ? textOf(text) : "", meaning: note, to });
    return;
  }
  bar.parsed = value;
  bar.title = jsonTitle(value.json);
  const start = bar.covered;
  for (const piece of split(text)) {
    bar.field({ ...piece, ...explainMember(piece.name), to: Math.min(to, start + piece.to) });
  }
  bar.field({ name: "white space", to });
}

function parsed(text) {
  try {
    return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text)) };
  } catch {
    return null;
  }
}

/** The events of the protocol. */
const EVENTS = ["hello", "message", "gap", "presence", "heartbeat", "goodbye"];

/** @param {any} json */
function jsonTitle(json) {
  if (Array.isArray(json?.events))
    return `answer to a poll, ${json.events.length === 1 ? "1 event" : `${json.events.length} events`}`;
  const names = json !== null && typeof json === "object" && !Array.isArray(json) ? Object.keys(json) : [];
  if (names.length === 1 && EVENTS.includes(names[0])) return names[0];
  return names.length > 0 ? `JSON: ${names.join(", ")}` : "JSON";
}

// --- cutting a JSON text up ---------------------------------------------------------------------------------------------

/** Members of members get fields, and what is deeper is part of them. */
const DEPTH = 2;

/**
 * Cuts a text, which must be JSON, into its members and their members.
 *
 * @param {Uint8Array} text
 * @returns {{ to: number, name: string, value: string }[]} without a hole; `name` is the way to the member
 */
function split(text) {
  const pieces = [];
  let at = 0;

  const cut = (path, value) => pieces.push({ to: at, name: nameOf(path), value });
  const skipSpace = () => {
    while (at < text.length && " \t\r\n".includes(String.fromCharCode(text[at]))) at += 1;
  };
  const skipString = () => {
    for (at += 1; !is('"'); at += 1) if (is("\\")) at += 1;
    at += 1;
  };
  const skipScalar = () => {
    while (at < text.length && !",]} \t\r\n".includes(String.fromCharCode(text[at]))) at += 1;
  };
  const is = (character) => text[at] === character.charCodeAt(0);
  const textFrom = (from) => new TextDecoder().decode(text.subarray(from, at));

  /** Passes over a value. Returns what is to be shown of it: nothing, if it was cut. */
  const value = (path) => {
    skipSpace();
    const from = at;
    if (is('"')) skipString();
    else if (is("{")) members(path, "}", true);
    else if (is("[")) members(path, "]", false);
    else skipScalar();
    return path.length < DEPTH && pieces.at(-1)?.to > from ? "" : textFrom(from);
  };
  const members = (path, closing, isObject) => {
    at += 1;
    skipSpace();
    if (is(closing)) {
      at += 1;
      return;
    }
    if (path.length < DEPTH) cut(path, isObject ? "{" : "[");
    for (let index = 0; ; index += 1) {
      skipSpace();
      const member = [...path, isObject ? name() : index];
      const shown = value(member);
      skipSpace();
      const goesOn = is(",");
      if (goesOn) at += 1;
      if (member.length <= DEPTH) cut(member, shown || "end");
      if (!goesOn) break;
    }
    at += 1;
  };
  const name = () => {
    const from = at;
    skipString();
    const text = JSON.parse(textFrom(from));
    skipSpace();
    at += 1;
    return text;
  };

  const shown = value([]);
  skipSpace();
  if (at > (pieces.at(-1)?.to ?? 0)) cut([], shown || "end");
  return pieces;
}

/** `["events", 0, "message"]` is `events[0].message`. @param {(string | number)[]} path */
function nameOf(path) {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`));
  return steps.join("").replace(/^\./, "") || "JSON";
}

/** What the members of fallcast's own events and answers mean. @type {[RegExp, string][]} */
const MEMBERS = [
  [/^(hello)$/, "the first event: the subscription exists from here on"],
  [/^(message|events\[\d+\])$/, "an event"],
  [/^events$/, "what has happened behind the position that was asked for"],
  [/^more$/, "whether there is more already, so that the client asks again at once"],
  [/^(gap)$/, "messages are missing, and the server says so"],
  [/^(heartbeat)$/, "still alive, and where the channel stands"],
  [/(^|\.)cursor$/, "a position in the channel, which the client keeps and sends next time"],
  [/(^|\.)head$/, "the channel's newest position"],
  [/(^|\.)id$/, "the cursor of this message"],
  [/(^|\.)at$/, "when the server appended it, in µs since 1970"],
  [/(^|\.)content_type$/, "the kind of the data"],
  [/(^|\.)data$/, "what was published"],
  [/(^|\.)encoding$/, "how bytes are written in JSON"],
  [/(^|\.)client$/, "the subscriber's secret name"],
  [/(^|\.)member$/, "the subscriber's public name"],
  [/(^|\.)transport$/, "what carries the events"],
  [/(^|\.)heartbeat_ms$/, "how long it is silent at most"],
  [/(^|\.)key_window_ms$/, "for how long the server knows a publication by its key"],
  [/(^|\.)protocol$/, "the version of fallcast's protocol"],
  [/^subscribers$/, "how many were listening"],
];

/** @param {string} name */
function explainMember(name) {
  const known = MEMBERS.find(([pattern]) => pattern.test(name));
  return { meaning: known?.[1] ?? "", source: known ? PROTOCOL : "RFC 8259 §4" };
}
