/**
 * The wire view's annotation: the examples of the specifications, and what must hold of any bytes at all.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Annotator, annotate } from "../../demos/wire/annotate.js";
import { cuts, table } from "../client/support/tables.mjs";
import {
  Chance,
  Tape,
  answered,
  checkCoverage,
  chunked,
  concat,
  frame,
  hex,
  latin1,
  plain,
  recut,
  upgraded,
} from "./support/wire.mjs";

const KEY = hex("37 fa 21 3d");

/** Annotates, and checks what must always hold. */
function annotated(tape) {
  const bars = annotate(tape.items);
  checkCoverage(tape.items, bars);
  return bars;
}

function wire(bars, direction) {
  return bars.filter((bar) => bar.layer === "wire" && bar.direction === direction);
}

function content(bars) {
  return bars.filter(({ layer }) => layer === "content");
}

/** Name and value of each field. */
function values(bar) {
  return bar.fields.map(({ name, value }) => [name, value]);
}

function field(bar, name) {
  return bar.fields.find((candidate) => candidate.name === name);
}

// --- HTTP/1.1 ---------------------------------------------------------------------------------------------------------

test("the example exchange of RFC 9110 §3.9", () => {
  const body = "Hello World! My content includes a trailing CRLF.\r\n";
  const tape = new Tape()
    .open()
    .up(
      "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\nAccept-Language: en, mi\r\n\r\n",
    )
    .down(
      "HTTP/1.1 200 OK\r\nDate: Mon, 27 Jul 2009 12:28:53 GMT\r\nServer: Apache\r\n" +
        'Last-Modified: Wed, 22 Jul 2009 19:15:56 GMT\r\nETag: "34aa387-d-1568eb00"\r\nAccept-Ranges: bytes\r\n' +
        `Content-Length: 51\r\nVary: Accept-Encoding\r\nContent-Type: text/plain\r\n\r\n${body}`,
    );
  const [request, response, answer] = annotated(tape);

  assert.equal(request.what, "request");
  assert.equal(request.title, "GET /hello.txt");
  assert.deepEqual(values(request), [
    ["method", "GET"],
    ["target", "/hello.txt"],
    ["version", "HTTP/1.1"],
    ["User-Agent", "curl/7.64.1"],
    ["Host", "www.example.com"],
    ["Accept-Language", "en, mi"],
    ["empty line", ""],
  ]);
  assert.deepEqual(
    request.fields.map(({ source }) => source),
    [
      "RFC 9110 §9.3.1",
      "RFC 9112 §3.2",
      "RFC 9112 §2.3",
      "RFC 9110 §10.1.5",
      "RFC 9110 §7.2",
      "RFC 9110 §12.5.4",
      "RFC 9112 §2.1",
    ],
  );
  assert.deepEqual(
    field(request, "Host").parts.map(({ name, value }) => [name, value]),
    [
      ["name", "Host"],
      ["colon", ":"],
      ["space", " "],
      ["value", "www.example.com"],
      ["end of line", "\r\n"],
    ],
  );

  assert.equal(response.what, "response");
  assert.equal(response.parsed.status, 200);
  assert.equal(response.parsed.reason, "OK");
  assert.equal(response.parsed.headers.length, 8);
  assert.deepEqual(response.parsed.headers[1], { name: "Server", value: "Apache" });
  assert.equal(answer.what, "body");
  assert.equal(answer.length, 51);
  assert.deepEqual(values(answer), [["content", body]]);
  assert.ok([request, response, answer].every(({ isComplete }) => isComplete));
  assert.deepEqual([request.from, request.until, response.from], [1_002_000, 1_002_000, 1_003_000]);
});

test("the opening handshake of RFC 6455 §1.3", () => {
  const tape = new Tape()
    .up(
      "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n" +
        "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    .down(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    );
  const [request, response] = annotated(tape);
  assert.equal(field(request, "Sec-WebSocket-Key").value, "dGhlIHNhbXBsZSBub25jZQ==");
  assert.equal(field(request, "Sec-WebSocket-Key").source, "RFC 6455 §11.3.1");
  assert.equal(field(response, "status").source, "RFC 9110 §15.2.2");
  assert.equal(field(response, "Sec-WebSocket-Accept").value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

const HEADERS = [
  { line: "Host: a", value: "a" },
  { line: "Host:a", value: "a", why: "the space is optional (RFC 9112 §5)" },
  { line: "Host: \t a b \t", value: "a b", why: "white space around the value does not count" },
  { line: "Host:", value: "", why: "a value may be empty" },
  { line: "Host: a:b: c", value: "a:b: c", why: "only the first colon is one" },
];

for (const { line, value, why } of HEADERS) {
  test(`the header field ${JSON.stringify(line)} has the value ${JSON.stringify(value)}${why ? `: ${why}` : ""}`, () => {
    for (const end of ["\r\n", "\n"]) {
      const [request] = annotated(new Tape().up(`GET / HTTP/1.1${end}${line}${end}${end}`));
      assert.equal(request.isComplete, true);
      assert.deepEqual(request.parsed.headers, [{ name: "Host", value }]);
    }
  });
}

test("a folded header field, a line that is none, and empty lines before a request are shown as what they are", () => {
  const [request] = annotated(new Tape().up("\r\n\nGET / HTTP/1.1\r\nA: b\r\n  c\r\nno field\r\n\r\n"));
  assert.deepEqual(request.parsed.headers, [{ name: "A", value: "b c" }]);
  assert.deepEqual(
    request.fields.map(({ name, source }) => `${name}, ${source}`),
    [
      "empty line, RFC 9112 §2.2",
      "empty line, RFC 9112 §2.2",
      "method, RFC 9110 §9.3.1",
      "target, RFC 9112 §3.2",
      "version, RFC 9112 §2.3",
      "A, RFC 9110 §5.1",
      "A, RFC 9112 §5.2",
      "no header field, RFC 9112 §5",
      "empty line, RFC 9112 §2.1",
    ],
  );
});

test("a header field with the name of what every object inherits is an ordinary one", () => {
  const [request] = annotated(new Tape().up("toString / HTTP/1.1\r\nconstructor: a\r\n__proto__: b\r\n\r\n"));
  assert.deepEqual(
    request.parsed.headers.map(({ name }) => name),
    ["constructor", "__proto__"],
  );
  assert.ok(request.fields.every(({ meaning }) => typeof meaning === "string"));
});

test("a status line without a reason", () => {
  const [response] = annotated(new Tape().down("HTTP/1.1 429\r\n\r\n"));
  assert.deepEqual(values(response), [
    ["version", "HTTP/1.1"],
    ["status", "429"],
    ["reason", ""],
    ["empty line", ""],
  ]);
  assert.equal(field(response, "status").source, "RFC 6585 §4");
});

// --- the end of the content (RFC 9112 §6.3) -----------------------------------------------------------------------------

test("requests and answers follow each other on one connection", () => {
  const tape = new Tape();
  for (const [exchange, body] of ["one", "two", "three"].entries()) {
    const more = { exchange, kind: "publish" };
    tape.up(`POST /channels/a HTTP/1.1\r\nContent-Length: ${body.length}\r\nContent-Type: text/plain\r\n\r\n`, more);
    tape.up(body, more);
    tape.down('HTTP/1.1 201 Created\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\n{"id":"a"}', more);
  }
  const bars = annotated(tape);
  assert.deepEqual(
    wire(bars, "up").map(({ what, exchange }) => `${what} ${exchange}`),
    ["request 0", "body 0", "request 1", "body 1", "request 2", "body 2"],
  );
  assert.deepEqual(
    wire(bars, "up")
      .filter(({ what }) => what === "body")
      .map((bar) => field(bar, "content").value),
    ["one", "two", "three"],
  );
  assert.deepEqual(
    wire(bars, "down").map(({ what }) => what),
    ["response", "body", "response", "body", "response", "body"],
  );
  assert.deepEqual(
    content(bars).map(({ parsed }) => parsed.json),
    [{ id: "a" }, { id: "a" }, { id: "a" }],
  );
  assert.ok(bars.every(({ kind, isComplete }) => kind === "publish" && isComplete));
});

for (const [what, method, status] of [
  ["an answer to HEAD", "HEAD", "200 OK"],
  ["a 204", "GET", "204 No Content"],
  ["a 304", "GET", "304 Not Modified"],
]) {
  test(`${what} has no content, whatever Content-Length says`, () => {
    const tape = new Tape();
    for (const exchange of [1, 2]) {
      tape
        .up(`${method} / HTTP/1.1\r\n\r\n`, { exchange })
        .down(`HTTP/1.1 ${status}\r\nContent-Length: 40\r\n\r\n`, { exchange });
    }
    assert.deepEqual(
      wire(annotated(tape), "down").map(({ what: kind }) => kind),
      ["response", "response"],
    );
  });
}

test("an interim answer comes before the final one", () => {
  const tape = new Tape()
    .up("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    .down("HTTP/1.1 100 Continue\r\n\r\n")
    .up("hi")
    .down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nyo");
  const bars = annotated(tape);
  assert.deepEqual(
    bars.map(({ direction, what }) => `${direction} ${what}`),
    ["up request", "down response", "up body", "down response", "down body"],
  );
});

test("without a length, the content goes on until the connection ends", () => {
  const tape = answered("Content-Type: text/plain\r\n", "one ").down("two");
  const [, , growing] = annotated(tape);
  assert.equal(growing.isComplete, false);
  const [, , body] = annotated(tape.close());
  assert.equal(body.isComplete, true);
  assert.equal(field(body, "content").value, "one two");
});

test("a body that the connection cuts off is not complete, and says so", () => {
  const bars = annotated(answered("Content-Length: 10\r\n", "12345").close("reset"));
  assert.equal(bars[2].isComplete, false);
  assert.equal(bars[2].note, "the connection was reset here");
  assert.equal(bars[2].fields[0].incomplete, true);
});

test("lengths that contradict each other leave the rest of the exchange unknown, and the next one is understood", () => {
  const tape = answered("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")
    .up("GET /b HTTP/1.1\r\n\r\n", { exchange: 2 })
    .down("HTTP/1.1 204 No Content\r\n\r\n", { exchange: 2 });
  const down = wire(annotated(tape), "down");
  assert.deepEqual(
    down.map(({ what }) => what),
    ["response", "unknown", "response"],
  );
  assert.match(down[1].note, /RFC 9112 §6\.3/);
});

// --- chunks (RFC 9112 §7.1) -----------------------------------------------------------------------------------------------

test("chunks with extensions, sizes in both cases, and trailers", () => {
  const body = '4;name="v"\r\nWiki\r\nA\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\nExpires: never\r\nX-Sum: 1\r\n\r\n';
  const bars = annotated(answered("Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n", body));
  const chunks = bars.filter(({ what }) => what === "chunk");
  assert.deepEqual(
    chunks.map(({ parsed }) => parsed.size),
    [4, 10, 10, 0],
  );
  assert.deepEqual(values(chunks[0]), [
    ["chunk size", "4"],
    ["chunk extension", ';name="v"'],
    ["data", "Wiki"],
    ["end of chunk", ""],
  ]);
  assert.equal(field(chunks[0], "chunk extension").source, "RFC 9112 §7.1.1");
  assert.deepEqual(chunks[3].parsed.trailers, [
    { name: "Expires", value: "never" },
    { name: "X-Sum", value: "1" },
  ]);
  assert.equal(chunks[3].title, "last chunk");
  assert.ok(chunks.every(({ isComplete }) => isComplete));
});

for (const [what, body] of [
  ["a size that is none", "xyz\r\nabc\r\n"],
  ["an empty size", "\r\nabc\r\n"],
  ["a size of 2^60", "1000000000000000\r\nabc"],
  ["a chunk that is longer than its size", "2\r\nabc\r\n"],
]) {
  test(`${what} leaves the rest of the exchange unknown`, () => {
    const tape = answered("Transfer-Encoding: chunked\r\n", body).down("HTTP/1.1 204 No Content\r\n\r\n", {
      exchange: 2,
    });
    const down = wire(annotated(tape), "down");
    assert.equal(down.at(-2).what, "unknown");
    assert.equal(down.at(-1).parsed.status, 204);
  });
}

// --- frames (RFC 6455 §5.7) -----------------------------------------------------------------------------------------------

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const filled = (length) => Uint8Array.from({ length }, (_, index) => index % 251);

const FRAMES = [
  {
    name: "a single-frame unmasked text message",
    bytes: hex("81 05 48 65 6c 6c 6f"),
    frames: [{ fin: true, opcode: TEXT, isMasked: false, length: 5, text: "Hello" }],
  },
  {
    name: "a single-frame masked text message",
    bytes: hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"),
    frames: [{ fin: true, opcode: TEXT, isMasked: true, key: [...KEY], length: 5, text: "Hello" }],
  },
  {
    name: "a fragmented unmasked text message",
    bytes: hex("01 03 48 65 6c 80 02 6c 6f"),
    frames: [
      { fin: false, opcode: TEXT, length: 3, text: "Hel" },
      { fin: true, opcode: 0, length: 2, text: "lo" },
    ],
  },
  {
    name: "an unmasked ping and the masked pong",
    bytes: hex("89 05 48 65 6c 6c 6f 8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
    frames: [
      { opcode: PING, isMasked: false, length: 5, text: "Hello" },
      { opcode: PONG, isMasked: true, length: 5, text: "Hello" },
    ],
  },
  {
    name: "256 bytes of binary in a single unmasked frame",
    bytes: concat(hex("82 7e 01 00"), filled(256)),
    frames: [{ opcode: BINARY, length: 256 }],
    fields: ["FIN, RSV and opcode", "MASK and length", "length (16 bits)", "payload"],
  },
  {
    name: "64 KiB of binary in a single unmasked frame",
    bytes: concat(hex("82 7f 00 00 00 00 00 01 00 00"), filled(65_536)),
    frames: [{ opcode: BINARY, length: 65_536 }],
    fields: ["FIN, RSV and opcode", "MASK and length", "length (64 bits)", "payload"],
  },
];

for (const { name, bytes, frames, fields } of FRAMES) {
  test(`RFC 6455 §5.7: ${name}`, () => {
    const tape = upgraded(new Tape()).down(bytes);
    const bars = annotated(tape).filter(({ what }) => what === "frame");
    assert.equal(bars.length, frames.length);
    for (const [index, { text, key, ...expected }] of frames.entries()) {
      const { parsed } = bars[index];
      for (const [property, value] of Object.entries(expected)) assert.equal(parsed[property], value, property);
      if (key) assert.deepEqual([...parsed.key], key);
      if (text) assert.equal(field(bars[index], "payload").value, text);
      if (text) assert.deepEqual([...parsed.payload], [...latin1(text)]);
    }
    if (fields)
      assert.deepEqual(
        bars[0].fields.map(({ name: of }) => of),
        fields,
      );
  });
}

test("the bits of the first two bytes", () => {
  const [bar] = annotated(upgraded(new Tape()).down(hex("d9 00"))).filter(({ what }) => what === "frame");
  const bits = bar.fields.flatMap((each) => each.bits);
  assert.deepEqual(
    bits.map(({ name, width, value }) => `${name} ${width} ${value}`),
    ["FIN 1 1", "RSV1 1 1", "RSV2 1 0", "RSV3 1 1", "opcode 4 9", "MASK 1 0", "length 7 0"],
  );
  assert.deepEqual(bar.parsed.rsv, [true, false, true]);
  assert.deepEqual(
    bar.fields.map(({ value }) => value),
    ["1101 1001", "0000 0000"],
  );
});

test("a close frame has a code and a reason, or a code, or nothing", () => {
  const reason = "gap a.1 – ü";
  const payload = concat(Uint8Array.of(0x10, 0x05), new TextEncoder().encode(reason));
  const tape = upgraded(new Tape())
    .down(frame({ opcode: CLOSE, payload }))
    .down(frame({ opcode: CLOSE, payload: Uint8Array.of(0x03, 0xe8) }))
    .down(frame({ opcode: CLOSE }))
    .up(frame({ opcode: CLOSE, payload: Uint8Array.of(0x03, 0xf4), key: KEY }));
  const frames = annotated(tape).filter(({ what }) => what === "frame");
  assert.deepEqual(
    frames.map(({ parsed }) => parsed.close),
    [{ code: 4101, reason }, { code: 1000, reason: "" }, undefined, { code: 1012, reason: "" }],
  );
  assert.equal(field(frames[0], "close code").source, "RFC 6455 §7.4.2");
  assert.equal(field(frames[1], "close code").source, "RFC 6455 §7.4.1");
  assert.match(field(frames[3], "close code").source, /IANA/);
});

test("a text whose character is cut by a fragment, with a ping between, is shown whole", () => {
  const [first, second] = [hex("e2 82"), hex("ac 21")];
  const tape = upgraded(new Tape())
    .down(frame({ fin: false, opcode: TEXT, payload: first }))
    .down(frame({ opcode: PING, payload: "?" }))
    .down(frame({ opcode: 0, payload: second }));
  const payloads = annotated(tape)
    .filter(({ what }) => what === "frame")
    .map((bar) => field(bar, "payload").value);
  assert.deepEqual(payloads, ["", "?", "€!"]);
});

test("reserved opcodes are shown, and the frames behind them are understood", () => {
  const tape = upgraded(new Tape()).down(
    concat(frame({ opcode: 0x3, payload: "a" }), frame({ opcode: 0xf }), frame({ opcode: TEXT, payload: "b" })),
  );
  assert.deepEqual(
    annotated(tape)
      .filter(({ what }) => what === "frame")
      .map(({ parsed }) => parsed.opcode),
    [3, 15, 1],
  );
});

test("a length with the highest bit set cannot be understood", () => {
  const down = wire(annotated(upgraded(new Tape()).down(hex("82 7f ff 00 00 00 00 00 00 00 01 02"))), "down");
  assert.equal(down.at(-1).what, "unknown");
});

test("what a client sends before the answer to its upgrade waits for it", () => {
  const head = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
  const early = concat(latin1(head), frame({ opcode: TEXT, payload: "early", key: KEY }));
  const waiting = new Tape().up(early);
  assert.equal(wire(annotated(waiting), "up")[1].what, "unknown");

  const accepted = wire(
    annotated(waiting.down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")),
    "up",
  );
  assert.deepEqual(
    accepted.map(({ what }) => what),
    ["request", "frame"],
  );
  assert.equal(field(accepted[1], "payload").value, "early");

  const refused = new Tape()
    .up(`${head}GET /next HTTP/1.1\r\n\r\n`)
    .down("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual(
    wire(annotated(refused), "up").map(({ title }) => title),
    ["GET /", "GET /next"],
  );
});

test("an upgrade to another protocol than WebSocket is not understood", () => {
  const tape = new Tape()
    .up("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n")
    .down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\nPRI");
  assert.deepEqual(
    wire(annotated(tape), "down").map(({ what }) => what),
    ["response", "unknown"],
  );
});

// --- server-sent events (WHATWG HTML §9.2) --------------------------------------------------------------------------------

/** The items of the shared table, from the events of an annotation. */
function itemsOf(bars) {
  return content(bars).flatMap(({ fields, parsed, isComplete }) => {
    const times = fields
      .filter(({ name, value, meaning }) => name === "retry" && !meaning.includes("passed over") && value)
      .map(({ value }) => ({ retry: Number(value) }));
    const dispatched =
      isComplete && parsed.isDispatched ? [{ event: parsed.event, data: parsed.data, id: parsed.lastEventId }] : [];
    return [...times, ...dispatched];
  });
}

for (const { name, stream, base64, items } of table("event-stream").cases) {
  test(`an event stream: ${name}`, () => {
    const bytes = base64 ? Uint8Array.from(Buffer.from(base64, "base64")) : new TextEncoder().encode(stream);
    for (const { how, chunks } of cuts(bytes)) {
      const body = chunked(
        bytes,
        chunks.slice(0, -1).map(({ length }) => length),
      );
      const bars = annotated(answered("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n", body));
      assert.deepEqual(itemsOf(bars), items, how);
    }
  });
}

test("the lines of an event, and the chunks in which it lies", () => {
  const stream = latin1(": hi\nevent: gap\nid: a.1\ndata: x\nfoo\n\n");
  const body = chunked(stream, [10]);
  const bars = annotated(
    answered("Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n", body),
  );
  const [event] = content(bars);
  assert.deepEqual(values(event), [
    ["comment", "hi"],
    ["event", "gap"],
    ["id", "a.1"],
    ["data", "x"],
    ["foo", ""],
    ["blank line", ""],
  ]);
  assert.deepEqual(
    field(event, "id").parts.map(({ name, value }) => [name, value]),
    [
      ["name", "id"],
      ["colon", ":"],
      ["space", " "],
      ["value", "a.1"],
      ["end of line", ""],
    ],
  );
  assert.deepEqual(event.parsed, {
    event: "gap",
    data: "x",
    id: "a.1",
    retry: null,
    comments: [" hi"],
    lastEventId: "a.1",
    isDispatched: true,
  });
  const chunks = bars.filter(({ what }) => what === "chunk");
  assert.deepEqual(
    event.places.map(({ bar }) => bar),
    [chunks[0].id, chunks[1].id],
  );
});

test("an event that the stream does not end is discarded", () => {
  const [event] = content(annotated(answered("Content-Type: text/event-stream\r\n", "data: a\ndata: b").close()));
  assert.equal(event.isComplete, false);
  assert.match(event.note, /discarded/);
});

test("a compressed stream is shown as what it is: bytes", () => {
  const bars = annotated(
    answered("Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n", hex("1f 8b 08")),
  );
  assert.deepEqual(content(bars), []);
});

// --- JSON -----------------------------------------------------------------------------------------------------------------

for (const { name, stream, lines } of table("ndjson").cases) {
  test(`lines of JSON: ${name}`, () => {
    const bytes = new TextEncoder().encode(stream);
    for (const { how, chunks } of cuts(bytes)) {
      const body = chunked(
        bytes,
        chunks.slice(0, -1).map(({ length }) => length),
      );
      const bars = content(
        annotated(answered("Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n", body)),
      );
      const whole = bars.filter(({ isComplete, title }) => isComplete && title !== "empty line");
      const texts = whole.map(({ bytes: line }) => Buffer.from(line).toString("utf8").replace(/\n$/, ""));
      assert.deepEqual(texts, lines, how);
    }
  });
}

test("the members of an answer to a poll", () => {
  const text =
    '{"cursor":"a.1","events":[{"hello":{"a":1}},\n {"message":{"id":"a.1","data":"],}\\""}}],"more":false} ';
  const bars = annotated(answered(`Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`, text));
  const [body] = content(bars);
  assert.equal(body.title, "answer to a poll, 2 events");
  assert.deepEqual(values(body), [
    ["JSON", "{"],
    ["cursor", '"a.1"'],
    ["events", "["],
    ["events[0]", '{"hello":{"a":1}}'],
    ["events[1]", '{"message":{"id":"a.1","data":"],}\\""}}'],
    ["events", "end"],
    ["more", "false"],
    ["JSON", "end"],
  ]);
});

for (const text of [
  "null",
  '"a"',
  "-1.5e3",
  " [ ] ",
  "{}",
  "[[],{}]",
  '{"a":{},"b":[1,[2,{"c":3}]]}',
  "[1,\n2]\n",
  '{"\\u0061\\"":"\\\\"}',
  '{"a":[{"b":[{}]}]}',
]) {
  test(`the JSON text ${text} is covered`, () => {
    const [body] = content(
      annotated(answered(`Content-Type: application/problem+json\r\nContent-Length: ${text.length}\r\n`, text)),
    );
    assert.equal(body.note, null);
    assert.deepEqual(body.parsed.json, JSON.parse(text));
  });
}

test("what says that it is JSON and is not, is shown as text", () => {
  const [body] = content(annotated(answered("Content-Type: application/json\r\nContent-Length: 5\r\n", '{"a":')));
  assert.equal(body.note, "this is no JSON");
});

// --- bytes that were not kept ---------------------------------------------------------------------------------------------

test("what was not kept of a payload, a chunk or a body does not hide what comes behind it", () => {
  const long = filled(5_000);
  const frames = upgraded(new Tape())
    .down(frame({ opcode: BINARY, payload: long }), { kept: 4_096 })
    .down(frame({ opcode: TEXT, payload: "after" }));
  const payloads = annotated(frames).filter(({ what }) => what === "frame");
  assert.deepEqual(
    payloads.map(({ length }) => length),
    [5_004, 7],
  );
  assert.equal(payloads[0].parsed.payload.length, 4_092);
  assert.equal(payloads[0].note, "some bytes of the payload were not kept");
  assert.equal(field(payloads[1], "payload").value, "after");

  const head = latin1("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n");
  const event = latin1(`data: ${"x".repeat(5_000)}\n\n`);
  const sized = concat(head, latin1(`${event.length.toString(16)}\r\n`), event, latin1("\r\n"));
  const chunks = new Tape()
    .up("GET / HTTP/1.1\r\n\r\n")
    .down(sized, { kept: 4_096 })
    .down("9\r\ndata: b\n\n\r\n9\r\ndata: c\n\n\r\n");
  const bars = annotated(chunks);
  assert.deepEqual(
    bars.filter(({ what }) => what === "chunk").map(({ parsed }) => parsed.size),
    [event.length, 9, 9],
  );
  const [spoiled, whole] = content(bars);
  assert.equal(spoiled.note, "some bytes were not kept");
  assert.equal(spoiled.parsed.isDispatched, false, "nobody can say which of its lines are whose");
  assert.equal(whole.parsed.data, "c");
});

test("of a masked payload with a hole, what comes before the hole is unmasked", () => {
  const bytes = frame({ opcode: TEXT, payload: "before and behind", key: KEY });
  const tape = upgraded(new Tape()).up(bytes.subarray(0, 14), { kept: 12 }).up(bytes.subarray(14));
  const [bar] = annotated(tape).filter(({ what }) => what === "frame");
  assert.equal(Buffer.from(bar.parsed.payload).toString(), "before");
  assert.equal(bar.isComplete, true);
});

test("a hole in a head leaves the exchange unknown, and the next one is understood", () => {
  const tape = new Tape()
    .up("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", { kept: 20 })
    .up("GET /b HTTP/1.1\r\nHost: a\r\n\r\n", { exchange: 2 });
  const up = wire(annotated(tape), "up");
  assert.deepEqual(
    up.map(({ what }) => what),
    ["request", "unknown", "request"],
  );
  assert.equal(up[2].title, "GET /b");
});

// --- anything at all --------------------------------------------------------------------------------------------------------

test("a connection that begins in the middle is unknown until its next exchange", () => {
  const tape = new Tape()
    .down("ta: 1\n\n\r\n", { exchange: 7 })
    .down("9\r\ndata: b\n\n\r\n0\r\n\r\n", { exchange: 7 })
    .up("GET /next HTTP/1.1\r\n\r\n", { exchange: 8 })
    .down("HTTP/1.1 204 No Content\r\n\r\n", { exchange: 8 });
  const bars = annotated(tape);
  assert.deepEqual(
    bars.map(({ what }) => what),
    ["unknown", "request", "response"],
  );
  assert.match(bars[0].note, /not the beginning of a response/);
});

test("where a part of a message was not recorded, the next exchange is understood", () => {
  const tape = answered("Content-Length: 100\r\nContent-Type: application/json\r\n", '{"cursor"')
    .up("GET /next HTTP/1.1\r\n\r\n", { exchange: 2 })
    .down("HTTP/1.1 204 No Content\r\n\r\n", { exchange: 2 });
  const down = wire(annotated(tape), "down");
  assert.deepEqual(
    down.map(({ what }) => what),
    ["response", "body", "response"],
  );
  assert.equal(down[1].isComplete, false);
  assert.match(down[1].note, /not recorded/);
});

test("items that make no sense are passed over", () => {
  const nonsense = [
    null,
    undefined,
    1,
    "x",
    {},
    [],
    { piece: null },
    { piece: {} },
    { close: {} },
    { close: { connection: 4 } },
    { open: null },
  ];
  const broken = [
    { piece: { connection: 1, at: 1, direction: "sideways", length: 1, bytes: "" } },
    { piece: { connection: 1, at: 1, direction: "up", length: -1, bytes: "" } },
    { piece: { connection: 1, at: 1, direction: "up", length: 0.5, bytes: "" } },
    { piece: { connection: 1, at: 1, direction: "up", length: 1 } },
  ];
  assert.deepEqual(annotate([...nonsense, ...broken]), []);
});

test("a piece whose bytes are no base64 was not kept, and one with more bytes than its length is cut", () => {
  const piece = { connection: 1, at: 1, exchange: 1, kind: "other", direction: "up" };
  const [unknown] = annotate([{ piece: { ...piece, length: 4, bytes: "%%%" } }]);
  assert.deepEqual([unknown.what, unknown.length, unknown.bytes.length], ["unknown", 4, 0]);
  const [cut] = annotate([{ piece: { ...piece, length: 2, bytes: Buffer.from("GET").toString("base64") } }]);
  assert.deepEqual([cut.length, cut.bytes.length], [2, 2]);
});

test("a piece that claims to be enormous takes no memory", () => {
  const tape = answered("", "").items;
  const piece = { connection: 1, at: 9, exchange: 1, kind: "other", direction: "down", length: 2 ** 50, bytes: "" };
  const bars = annotate([...tape, { piece }]);
  assert.equal(bars.at(-1).length, 2 ** 50);
});

/** A long dialogue with a bit of everything, drawn by chance. */
function dialogue(chance) {
  const tape = new Tape();
  let exchange = 0;
  for (let round = 0; round < 4; round += 1) {
    const connection = 1 + chance.below(3);
    exchange += 1;
    const act = chance.of([publish, poll, stream, socket]);
    act(tape, chance, { connection, exchange });
    if (act === socket || chance.below(4) === 0) tape.close(chance.of(["fin", "reset", "client"]), connection);
  }
  return tape;
}

function publish(tape, chance, more) {
  const body = chance.bytes(chance.below(300));
  tape.up(concat(latin1(`POST /channels/a HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`), body), {
    ...more,
    kind: "publish",
  });
  tape.down('HTTP/1.1 201 Created\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\n{"id":"a"}', {
    ...more,
    kind: "publish",
  });
}

function poll(tape, chance, more) {
  const events = Array.from({ length: chance.below(4) }, (_, index) => ({
    message: { id: `a.${index}`, data: "ü".repeat(chance.below(50)) },
  }));
  const text = new TextEncoder().encode(JSON.stringify({ cursor: "a.1", events, more: false }));
  tape.up("GET /channels/a/poll HTTP/1.1\r\nHost: a\r\n\r\n", { ...more, kind: "poll" });
  tape.down(
    concat(latin1(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n`), text),
    { ...more, kind: "poll" },
  );
}

function stream(tape, chance, more) {
  const isSse = chance.below(2) === 0;
  const one = () =>
    isSse
      ? `id: a.1\ndata: ${"é".repeat(chance.below(30))}\n${chance.of(["", ": c\n"])}\n`
      : `${JSON.stringify({ message: { id: "a.1" } })}\n`;
  const text = new TextEncoder().encode(Array.from({ length: 6 }, one).join(""));
  const body = chunked(
    text,
    Array.from({ length: 5 }, () => 1 + chance.below(60)),
  );
  const type = isSse ? "text/event-stream" : "application/x-ndjson";
  tape.up("GET /channels/a HTTP/1.1\r\nHost: a\r\n\r\n", { ...more, kind: "sse" });
  tape.down(concat(latin1(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ${type}\r\n\r\n`), body), {
    ...more,
    kind: "sse",
  });
}

function socket(tape, chance, more) {
  const own = { ...more, kind: "websocket" };
  upgraded(tape, own);
  for (let count = 0; count < 6; count += 1) {
    const isUp = chance.below(2) === 0;
    const opcode = chance.of([TEXT, BINARY, 0, PING, PONG, CLOSE]);
    const bytes = frame({
      fin: chance.below(3) > 0,
      opcode,
      payload: chance.bytes(chance.of([0, 1, 2, 5, 125, 126, 400])),
      key: isUp ? chance.bytes(4) : undefined,
    });
    if (isUp) tape.up(bytes, own);
    else tape.down(bytes, own);
  }
}

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

test("how the bytes are cut into pieces does not matter", () => {
  for (const seed of SEEDS) {
    const chance = new Chance(seed);
    const { items } = dialogue(chance);
    const expected = annotate(items).map(plain);
    checkCoverage(items, annotate(items));
    for (let round = 0; round < 4; round += 1) {
      assert.deepEqual(annotate(recut(items, chance)).map(plain), expected, `seed ${seed}`);
    }
  }
});

test("the bars that an annotator tells are all that change, and every byte is covered at any time", () => {
  for (const seed of SEEDS.slice(0, 12)) {
    const chance = new Chance(seed);
    const items = recut(dialogue(chance).items, chance);
    const annotator = new Annotator();
    const bars = new Map();
    const copies = new Map();
    for (const [index, item] of items.entries()) {
      for (const bar of annotator.add(item)) {
        bars.set(bar.id, bar);
        copies.set(bar.id, structuredClone(plain(bar)));
      }
      if (index % 7 === 0) checkCoverage(items.slice(0, index + 1), [...bars.values()]);
    }
    assert.deepEqual([...bars.values()].map(plain), [...copies.values()], `seed ${seed}`);
    assert.deepEqual(
      [...copies.values()].sort((one, other) => one.id - other.id),
      annotate(items).map(plain),
    );
  }
});

test("whatever is broken in a recording, every byte is covered", () => {
  for (const seed of SEEDS) {
    const chance = new Chance(1_000 + seed);
    const items = recut(dialogue(chance).items, chance).flatMap((item) => spoil(item, chance));
    checkCoverage(items, annotate(items));
  }
});

/** Leaves a piece out, cuts its bytes off, changes a byte, replaces all of it; or does nothing. */
function spoil(item, chance) {
  if (!item.piece) return chance.below(10) === 0 ? [] : [item];
  const { piece } = item;
  const bytes = Buffer.from(piece.bytes, "base64");
  switch (chance.below(12)) {
    case 0:
      return [];
    case 1:
      return [{ piece: { ...piece, bytes: bytes.subarray(0, chance.below(bytes.length + 1)).toString("base64") } }];
    case 2:
      bytes[chance.below(bytes.length)] = chance.below(256);
      return [{ piece: { ...piece, bytes: bytes.toString("base64") } }];
    case 3:
      return [{ piece: { ...piece, bytes: Buffer.from(chance.bytes(piece.length)).toString("base64") } }];
    default:
      return [item];
  }
}
