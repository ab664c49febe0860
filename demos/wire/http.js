// @ts-check
/**
 * HTTP/1.1 (RFC 9112): heads, chunks and bodies.
 *
 * @module http
 */

import { contentReader } from "./content.js";
import { Lost } from "./reader.js";
import { bytes, latin1, textOf, valuesOf } from "./small.js";
import { explainHeader, explainMethod, explainStatus } from "./specifications.js";

/** Longer lines are no heads of HTTP. */
const LINES = { most: 64 * 1024, endsWithCr: false, mayHaveHoles: false };

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ ]+) (HTTP\/\d\.\d)$/;
const STATUS_LINE = /^(HTTP\/\d\.\d) (\d{3})(?: (.*))?$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ \t]*)(.*?)[ \t]*$/s;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})([ \t]*(?:;.*)?)$/s;
/** Empty lines before a request are passed over. */
const BEGINS_A_REQUEST = /^(?:\r?\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [^ ]/;
const MAY_BEGIN_A_REQUEST = /^(?:\r?\n)*\r?(?:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} ?)?$/;
const RESPONSE_BEGINS = "HTTP/1.";

/**
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {import("./reader.js").Part} Part
 * @typedef {{ name: string, value: string }} Header
 * @typedef {{ method: string, target: string, version: string, headers: Header[] }} Request
 * @typedef {{ version: string, status: number, reason: string, headers: Header[] }} Response
 */

// --- heads ------------------------------------------------------------------------------------------------------------

/**
 * Reads the head of a request.
 *
 * @param {Reader} reader
 * @returns {Generator<void, Request, void>}
 */
export function* readRequestHead(reader) {
  const bar = reader.begin("request", "request");
  const isOne = yield* reader.lookAt((bytes, isAll) => {
    const text = latin1(bytes);
    if (BEGINS_A_REQUEST.test(text)) return true;
    if (!MAY_BEGIN_A_REQUEST.test(text)) return false;
    return isAll || undefined;
  });
  if (!isOne) throw new Lost("this is not the beginning of a request");

  let line = yield* lineOf(reader, "request line");
  while (line.text === "") {
    bar.field({ name: "empty line", meaning: "passed over before a request", source: "RFC 9112 §2.2" });
    line = yield* lineOf(reader, "request line");
  }
  const [, method, target, version] = REQUEST_LINE.exec(line.text) ?? lose("this is no request line");
  const from = bar.covered;
  const targetFrom = from + method.length + 1;
  bar.field({ name: "method", value: method, ...explainMethod(method), to: targetFrom });
  bar.field({
    name: "target",
    value: target,
    meaning: "the address, without the host",
    source: "RFC 9112 §3.2",
    to: targetFrom + target.length + 1,
  });
  bar.field({
    name: "version",
    value: version,
    meaning: "the version of HTTP that the client speaks",
    source: "RFC 9112 §2.3",
  });
  bar.title = `${method} ${target}`;
  bar.parsed = { method, target, version, headers: [] };
  yield* readHeaders(reader, bar.parsed.headers);
  reader.finish();
  return bar.parsed;
}

/**
 * Reads the head of a response.
 *
 * @param {Reader} reader
 * @returns {Generator<void, Response, void>}
 */
export function* readResponseHead(reader) {
  const bar = reader.begin("response", "response");
  const isOne = yield* reader.lookAt((bytes, isAll) => {
    const text = latin1(bytes.subarray(0, RESPONSE_BEGINS.length));
    if (!RESPONSE_BEGINS.startsWith(text)) return false;
    return text === RESPONSE_BEGINS || isAll || undefined;
  });
  if (!isOne) throw new Lost("this is not the beginning of a response");

  const line = yield* lineOf(reader, "status line");
  const [, version, digits, reason = ""] = STATUS_LINE.exec(line.text) ?? lose("this is no status line");
  const status = Number(digits);
  const from = bar.covered;
  const statusFrom = from + version.length + 1;
  bar.field({
    name: "version",
    value: version,
    meaning: "the version of HTTP that the server speaks",
    source: "RFC 9112 §2.3",
    to: statusFrom,
  });
  bar.field({
    name: "status",
    value: digits,
    ...explainStatus(status),
    to: Math.min(statusFrom + 4, bar.length - line.end),
  });
  bar.field({
    name: "reason",
    value: reason,
    meaning: "the status for people; programs pass over it",
    source: "RFC 9112 §4",
  });
  bar.title = `${digits} ${reason}`.trim();
  bar.parsed = { version, status, reason, headers: [] };
  yield* readHeaders(reader, bar.parsed.headers);
  reader.finish();
  return bar.parsed;
}

/** Reads header fields, or trailers, to the empty line behind them. @param {Reader} reader @param {Header[]} headers */
function* readHeaders(reader, headers) {
  for (;;) {
    const line = yield* lineOf(reader, "header field");
    if (line.text === "") {
      reader.bar.field({
        name: "empty line",
        meaning: "the end of the head; the content follows, if there is one",
        source: "RFC 9112 §2.1",
      });
      return;
    }
    readHeader(reader, line, headers);
  }
}

/** @param {Reader} reader @param {TextLine} line @param {Header[]} headers */
function readHeader(reader, line, headers) {
  const { bar } = reader;
  const last = headers.at(-1);
  if (/^[ \t]/.test(line.text) && last) {
    last.value = `${last.value} ${line.text.trim()}`;
    bar.field({
      name: last.name,
      value: line.text.trim(),
      meaning: "goes on with the line above, which nobody should send any more",
      source: "RFC 9112 §5.2",
    });
    return;
  }
  const [, name, space, value] = HEADER_LINE.exec(line.text) ?? [];
  if (name === undefined) {
    bar.field({
      name: "no header field",
      value: line.text,
      meaning: "a line without a name and a colon",
      source: "RFC 9112 §5",
    });
    return;
  }
  headers.push({ name, value });
  const parts = partsOf(bar.covered, [
    ["name", name],
    ["colon", ":"],
    ["space", space],
    ["value", value],
    ["space", line.text.slice(name.length + 1 + space.length + value.length)],
    ["end of line", "\r\n".slice(2 - line.end)],
  ]);
  bar.field({ name, value, ...explainHeader(name), parts });
}

/**
 * @param {number} from
 * @param {[string, string][]} texts names, and as many characters as there are bytes
 * @returns {Part[]} those that are not empty
 */
function partsOf(from, texts) {
  const parts = [];
  for (const [name, value] of texts) {
    if (value !== "") parts.push({ from, to: from + value.length, name, value });
    from += value.length;
  }
  return parts;
}

// --- content ----------------------------------------------------------------------------------------------------------

/**
 * How the end of the content is found (RFC 9112 §6.3).
 *
 * @param {Header[]} headers
 * @returns {"none" | "chunked" | "close" | number} `close` if only the end of the connection ends it
 */
function framingOf(headers) {
  const codings = valuesOf(headers, "transfer-encoding").map((coding) => coding.toLowerCase());
  if (codings.at(-1) === "chunked") return "chunked";
  if (codings.length > 0) return "close";
  const lengths = new Set(valuesOf(headers, "content-length"));
  if (lengths.size === 0) return "close";
  const [length] = lengths;
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length))
    throw new Lost("nobody can know how long the content is (RFC 9112 §6.3)");
  return Number(length) || "none";
}

/** The framing of a request's content. @param {Request} request */
export function framingOfRequest({ headers }) {
  const framing = framingOf(headers);
  return framing === "close" ? "none" : framing;
}

/** The framing of a response's content. @param {Response} response @param {string | undefined} method of the request */
export function framingOfResponse({ status, headers }, method) {
  const hasNone = status < 200 || status === 204 || status === 304 || method === "HEAD";
  return hasNone ? "none" : framingOf(headers);
}

/**
 * Reads the content of a request or a response.
 *
 * @param {Reader} reader
 * @param {"none" | "chunked" | "close" | number} framing
 * @param {Header[]} headers
 * @param {any} ledger for the bars of the content
 */
export function* readContent(reader, framing, headers, ledger) {
  if (framing === "none") return;
  const content = contentReader(headers, reader, ledger);
  try {
    if (framing === "chunked") yield* readChunks(reader, content);
    else yield* readBody(reader, framing === "close" ? Infinity : framing, content);
  } finally {
    content.end();
  }
}

function* readBody(reader, length, content) {
  if (!(yield* reader.more())) return;
  const bar = reader.begin("body", length === Infinity ? "body" : `body of ${bytes(length)}`);
  const known = { meaning: "as many bytes as Content-Length has announced", source: "RFC 9112 §6.2" };
  const unknown = { meaning: "everything until the connection ends", source: "RFC 9112 §6.3" };
  const expected = { name: "content", ...(length === Infinity ? unknown : known) };
  yield* reader.flow(length, expected, content.push);
  bar.field({ ...expected, value: textOf(bar.bytes) });
  bar.parsed = { length: bar.length };
  bar.title = `body of ${bytes(bar.length)}`;
  reader.finish();
}

/** Reads chunks to the last one, which is empty and may have trailers (RFC 9112 §7.1). */
function* readChunks(reader, content) {
  for (;;) {
    if (!(yield* reader.more())) return;
    const bar = reader.begin("chunk", "chunk");
    const size = yield* readChunkSize(reader);
    if (size === 0) {
      bar.title = "last chunk";
      bar.parsed = { size, trailers: [] };
      yield* readTrailers(reader, bar.parsed.trailers);
      reader.finish();
      return;
    }
    bar.title = `chunk of ${bytes(size)}`;
    bar.parsed = { size };
    const data = {
      name: "data",
      meaning: "a part of the content. Where a chunk ends says nothing about the content",
      source: "RFC 9112 §7.1",
    };
    yield* reader.flow(size, data, content.push);
    bar.field({ ...data, value: textOf(bar.bytes.subarray(bar.covered)) });
    const end = yield* reader.lookAt(lengthOfLineEnd);
    if (end === 0) throw new Lost("the chunk is longer than its size says");
    yield* reader.take(end ?? 2, { name: "end of chunk" });
    bar.field({ name: "end of chunk", meaning: "CR and LF, which do not count", source: "RFC 9112 §7.1" });
    reader.finish();
  }
}

function* readChunkSize(reader) {
  const line = yield* lineOf(reader, "chunk size");
  const [, digits, extension] = CHUNK_LINE.exec(line.text.trimEnd()) ?? lose("this is no chunk size");
  const size = Number.parseInt(digits, 16);
  const to = reader.bar.covered + digits.length;
  const explanation = {
    meaning: `in hexadecimal: ${bytes(size)} follow${size === 0 ? ", so this is the last chunk" : ""}`,
    source: "RFC 9112 §7.1",
  };
  if (extension.trim() === "") {
    reader.bar.field({ name: "chunk size", value: digits, ...explanation });
    return size;
  }
  reader.bar.field({ name: "chunk size", value: digits, ...explanation, to });
  reader.bar.field({
    name: "chunk extension",
    value: extension.trim(),
    meaning: "whoever does not know it ignores it",
    source: "RFC 9112 §7.1.1",
  });
  return size;
}

function* readTrailers(reader, trailers) {
  for (;;) {
    const line = yield* lineOf(reader, "trailer");
    if (line.text === "") {
      reader.bar.field({ name: "empty line", meaning: "the end of the content", source: "RFC 9112 §7.1" });
      return;
    }
    readHeader(reader, line, trailers);
  }
}

/** How many bytes the end of a line has that should be here: 0 if it is none. @param {Uint8Array} ahead */
function lengthOfLineEnd(ahead) {
  const text = latin1(ahead.subarray(0, 2));
  if (text.startsWith("\n")) return 1;
  if (text === "\r\n") return 2;
  return "\r\n".startsWith(text) ? undefined : 0;
}

// --- small parts ------------------------------------------------------------------------------------------------------

/** @typedef {{ text: string, end: number }} TextLine */

/** @param {Reader} reader @param {string} name @returns {Generator<void, TextLine, void>} */
function* lineOf(reader, name) {
  const { bytes: line, end } = yield* reader.line({ name }, LINES);
  return { text: latin1(line), end };
}

/** @returns {never} */
function lose(reason) {
  throw new Lost(reason);
}
