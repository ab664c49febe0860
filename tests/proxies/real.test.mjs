/**
 * What nginx and HAProxy do to a server that streams, each as most leave it and as it should be. The server is the
 * test's own, so that every byte and its moment are known.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";

import { Exchange, HANDSHAKE } from "../browser/support/wire.mjs";
import { HANG_GUARD } from "../foreign/support/server.mjs";
import { contentOf, isComplete } from "./support/content.mjs";
import { Proxy } from "./support/proxy.mjs";
import { Upstream } from "./support/upstream.mjs";

/** One page of memory: what nginx reads an answer into, unless it is told otherwise. */
const BUFFER = 4096;

/** More than sockets and proxies hold in memory on the way, by far. */
const PLENTY = 32 * 1024 * 1024;
const PIECE = 64 * 1024;

const EMPTY_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

const UNBUFFERED = ["X-Accel-Buffering: no"];

// --- what a server is asked ------------------------------------------------------------------------------------------

proxied("nginx-default.conf", "speaks HTTP/1.0 to the server and takes the upgrade off", async (line) => {
  const request = await line.ask("/ws", { headers: HANDSHAKE });
  assert.equal(request.version, "HTTP/1.0");
  assert.equal(request.headers.connection, "close");
  assert.equal(request.headers.upgrade, undefined);
  assert.equal(request.headers["sec-websocket-key"], HANDSHAKE["Sec-WebSocket-Key"], "what belongs to no hop is left");
});

for (const config of ["nginx-correct.conf", "haproxy-default.cfg", "haproxy-correct.cfg"]) {
  proxied(config, "passes the upgrade on", async (line) => {
    const request = await line.ask("/ws", { headers: HANDSHAKE });
    assert.equal(request.version, "HTTP/1.1");
    assert.equal(request.headers.connection.toLowerCase(), "upgrade");
    assert.equal(request.headers.upgrade, "websocket");
  });
}

// --- how long they wait ----------------------------------------------------------------------------------------------

test("nginx waits for 60 s of its own accord", HANG_GUARD, async (test) => {
  // nginx logs the timers that it sets. All others are given other times, so this one is for the server's next bytes.
  const others = `client_header_timeout 61s; client_body_timeout 62s; keepalive_timeout 63s; send_timeout 64s;
    proxy_connect_timeout 65s; proxy_send_timeout 66s;`;
  const line = await Line.open(test, "nginx-default.conf", { changes: others, logLevel: "debug" });
  const request = await line.ask();
  request.begin(UNBUFFERED);
  await line.exchange.answers();
  assert.match(await line.proxy.log(), /event timer add: \d+: 60000:/);
});

test("the times of haproxy-default.cfg are those that Debian installs", HANG_GUARD, async () => {
  const installed = await timesOf("/etc/haproxy/haproxy.cfg");
  assert.deepEqual(await timesOf(new URL("configs/haproxy-default.cfg", import.meta.url)), installed);
  assert.equal(installed.server, "50000");
});

// --- when an answer passes -------------------------------------------------------------------------------------------

proxied("nginx-default.conf", "passes an endless answer on in blocks of 4 KiB, and splits events", async (line) => {
  const request = await line.ask();
  // The head lies in the first buffer, too.
  const first = BUFFER - request.begin();
  for (const [block, total] of [first, first + BUFFER, first + 2 * BUFFER].entries()) {
    const size = block === 0 ? first : BUFFER;
    request.send("x".repeat(size - 1));
    await line.overtake();
    assert.equal(line.content.length, total - size, "all but one byte of a block is not enough");
    request.send("!");
    await line.exchange.hears("!", block + 1);
    assert.equal(line.content.length, total);
  }
});

proxied("nginx-default.conf", "holds even the head of such an answer", async (line) => {
  const request = await line.ask();
  request.begin();
  request.send("data: hello\n\n");
  await line.overtake();
  assert.equal(line.exchange.received, "");
});

proxied("nginx-default.conf", "passes on at once what says `X-Accel-Buffering: no`", async (line) => {
  const request = await line.ask();
  request.begin(UNBUFFERED);
  await line.exchange.answers();
  assert.equal(line.exchange.header("X-Accel-Buffering"), undefined, "the field was meant for nginx");
  await hearsEach(line, request);
});

test("nginx passes chunks on at once, buffering or not, once it speaks HTTP/1.1", HANG_GUARD, async (test) => {
  const line = await Line.open(test, "nginx-default.conf", { changes: "proxy_http_version 1.1;" });
  const request = await line.ask();
  request.begin();
  await line.overtake();
  assert.equal(line.exchange.received, "", "the head waits for the first byte behind it");
  await hearsEach(line, request);
});

for (const config of ["nginx-correct.conf", "haproxy-correct.cfg"]) {
  proxied(config, "passes everything on at once, whatever the answer says", async (line) => {
    const request = await line.ask();
    request.begin();
    await hearsEach(line, request);
  });
}

// --- when the server falls silent or dies ----------------------------------------------------------------------------

for (const [how, end] of /** @type {const} */ ([["is reset", "reset"], ["times out", null]])) {
  test(`what nginx holds is lost when the server's answer ${how}`, HANG_GUARD, async (test) => {
    const line = await Line.open(test, "nginx-default.conf", { changes: "proxy_read_timeout 1s;" });
    const request = await line.ask();
    request.begin();
    request.send("data: hello\n\n");
    await line.overtake();
    if (end !== null) request[end]();
    await line.exchange.ends();
    assert.equal(line.exchange.status, 200);
    assert.equal(line.content, "");
    assert.equal(isComplete(line.exchange), false);
  });
}

proxied("nginx-default.conf", "passes on what it holds when the server ends, and makes it look complete", async (line) => {
  const request = await line.ask();
  request.begin();
  request.send("data: half of an ev");
  request.end();
  await line.exchange.hears("0\r\n\r\n");
  assert.equal(line.content, "data: half of an ev");
});

for (const config of ["nginx-default.conf", "nginx-correct.conf", "haproxy-default.cfg", "haproxy-correct.cfg"]) {
  for (const method of ["GET", "POST"]) {
    proxied(config, `answers 502 when the server dies over a ${method}, and asks once`, async (line) => {
      const request = await line.ask("/", { method, body: method === "POST" ? "a message" : "" });
      request.reset();
      await line.exchange.answers();
      assert.equal(line.exchange.status, 502);
      assert.equal(line.upstream.count, 1);
    });
  }
}

for (const [rule, method, times] of /** @type {[string, string, number][]} */ ([
  ["error timeout", "GET", 2],
  ["error timeout", "POST", 1],
  ["error timeout non_idempotent", "POST", 2],
])) {
  const name = `nginx with two servers and \`proxy_next_upstream ${rule}\` sends a ${method} ${times} times`;
  test(name, HANG_GUARD, async (test) => {
    const line = await Line.openPair(test, rule);
    for (let index = 0; index < times; index += 1) {
      (await (index === 0 ? line.ask("/", { method }) : line.upstream.request(index))).reset();
    }
    await line.exchange.answers();
    assert.equal(line.exchange.status, 502);
    assert.equal(line.upstream.count, times);
  });
}

for (const [config, status] of Object.entries({ "nginx-default.conf": 502, "haproxy-default.cfg": 503 })) {
  proxied(config, `answers ${status} when nobody listens`, async (line) => {
    line.upstream.stop();
    line.send();
    await line.exchange.answers();
    assert.equal(line.exchange.status, status);
  });
}

// --- when the client is slow or leaves -------------------------------------------------------------------------------

for (const [config, fields, isTaken] of /** @type {[string, string[], boolean][]} */ ([
  ["nginx-default.conf", [], true],
  ["nginx-default.conf", UNBUFFERED, false],
  ["nginx-correct.conf", [], false],
  ["haproxy-default.cfg", [], false],
])) {
  const takes = isTaken ? "takes" : "does not take";
  const asked = fields.length > 0 ? `, if it is told \`${fields}\`` : "";
  proxied(config, `${takes} from the server what the client does not read${asked}`, async (line) => {
    line.askAndNeverRead();
    const request = await line.upstream.request();
    request.write(["HTTP/1.1 200 OK", `Content-Length: ${PLENTY}`, ...fields].join("\r\n") + "\r\n\r\n");
    for (let sent = 0; sent < PLENTY; sent += PIECE) request.write(Buffer.alloc(PIECE));
    await line.stalls(request);
    assert.equal(request.unsent === 0, isTaken, `${request.unsent} of ${PLENTY} bytes are left`);
  });
}

for (const config of ["nginx-default.conf", "nginx-correct.conf", "haproxy-correct.cfg"]) {
  proxied(config, "tells the server that a client has left", async (line) => {
    const request = await line.ask();
    line.exchange.close();
    await request.isGone();
  });
}

proxied("haproxy-default.cfg", "keeps a client's leaving to itself until there is an answer", async (line) => {
  const request = await line.ask();
  let isGone = false;
  const gone = request.isGone().then(() => (isGone = true));
  line.exchange.close();
  await line.overtake();
  await line.overtake();
  assert.equal(isGone, false);
  request.write(EMPTY_ANSWER);
  await gone;
});

// --- how it is told --------------------------------------------------------------------------------------------------

/**
 * Declares a test with one proxy in front of one server.
 *
 * @param {string} config
 * @param {string} does what the proxy does
 * @param {(line: Line) => Promise<void>} proves
 */
function proxied(config, does, proves) {
  test(`${config} ${does}`, HANG_GUARD, async (test) => proves(await Line.open(test, config)));
}

/** A client, a proxy, and a server, each of which the test can see. */
class Line {
  #test;
  /** What the client exchanges with the proxy. @type {Exchange} */ exchange;

  /**
   * @param {import("node:test").TestContext} test
   * @param {string} config
   * @param {import("./support/proxy.mjs").Settings} [settings]
   */
  static async open(test, config, settings) {
    const upstream = await Upstream.start();
    test.after(() => upstream.stop());
    const proxy = await Proxy.start(config, upstream, settings);
    test.after(() => proxy.stop());
    return new Line(test, upstream, proxy);
  }

  /**
   * nginx with two servers to choose from, which are one.
   *
   * @param {import("node:test").TestContext} test
   * @param {string} rule when to try the other one
   */
  static async openPair(test, rule) {
    const upstream = await Upstream.start();
    test.after(() => upstream.stop());
    const servers = `server 127.0.0.1:${upstream.port}; `.repeat(2);
    const changes = `upstream pair { ${servers} } proxy_next_upstream ${rule};`;
    const edit = (/** @type {string} */ config) => config.replace("http://127.0.0.1:@SERVER_PORT@", "http://pair");
    const proxy = await Proxy.start("nginx-default.conf", upstream, { changes, edit });
    test.after(() => proxy.stop());
    return new Line(test, upstream, proxy);
  }

  /** @param {import("node:test").TestContext} test @param {Upstream} upstream @param {Proxy} proxy */
  constructor(test, upstream, proxy) {
    this.#test = test;
    this.upstream = upstream;
    this.proxy = proxy;
  }

  /** The content of the answer as far as the client has it. */
  get content() {
    return contentOf(this.exchange);
  }

  /**
   * Sends a request to the proxy.
   *
   * @param {string} [path]
   * @param {ConstructorParameters<typeof Exchange>[1]} [request]
   */
  send(path = "/", request) {
    this.exchange = new Exchange(this.proxy.url(path), request);
    this.#test.after(() => this.exchange.close());
  }

  /**
   * Sends a request, and waits for what the proxy makes of it.
   *
   * @param {string} [path]
   * @param {ConstructorParameters<typeof Exchange>[1]} [request]
   */
  async ask(path, request) {
    this.send(path, request);
    return this.upstream.request(this.upstream.count);
  }

  /** Sends a request whose answer the client leaves where it is. */
  askAndNeverRead() {
    const client = connect(this.proxy.port, this.proxy.host).pause();
    this.#test.after(() => client.destroy());
    client.write("GET / HTTP/1.1\r\nHost: slow\r\n\r\n");
  }

  /** Lets another request and its answer go through the proxy. What was passed on before them has then come. */
  async overtake() {
    const other = new Exchange(this.proxy.url("/other"));
    const request = await this.upstream.request(this.upstream.count);
    request.write(EMPTY_ANSWER);
    await other.answers();
    other.close();
  }

  /**
   * Waits until no more of an answer is taken: many others overtake it, and it has not moved.
   *
   * @param {import("./support/upstream.mjs").Request} request
   */
  async stalls(request) {
    let unsent;
    do {
      unsent = request.unsent;
      for (let other = 1; other <= 20; other += 1) await this.overtake();
    } while (request.unsent < unsent);
  }
}

/**
 * Sends events one by one, each when the one before has come.
 *
 * @param {Line} line
 * @param {import("./support/upstream.mjs").Request} request
 */
async function hearsEach(line, request) {
  for (const number of [1, 2, 3]) {
    request.send(`data: ${number}\n\n`);
    await line.overtake();
    assert.ok(line.content.endsWith(`data: ${number}\n\n`), line.exchange.received);
  }
}

/** The times that a configuration of HAProxy sets, by name. @param {string | URL} config */
async function timesOf(config) {
  const lines = (await readFile(config, "utf8")).matchAll(/^\s*timeout\s+(connect|client|server)\s+(\S+)/gm);
  return Object.fromEntries([...lines].map(([, name, time]) => [name, time]));
}
