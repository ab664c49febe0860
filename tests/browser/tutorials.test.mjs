/**
 * What WebSocket tutorials show as their client works here as it is, but for the name of the host: in Chromium, and in
 * Node.js with the package ws.
 *
 * The clients are quoted in `tutorials/`, from: "Understanding WebSockets: Real-time Communication for the Web",
 * "Websocket: Real-Time Communication for the Web", "WebSockets for real-time communication – Deep Dive", "Real-Time
 * Web: An Introduction to WebSockets", and "A Detailed Guide to WebSockets: Real-Time Communication Simplified".
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { connect } from "node:tls";
import { format } from "node:util";
import { createContext, runInContext } from "node:vm";
import { WebSocket } from "ws";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { openPage, showOwnPage, startBrowser } from "./support/browser.mjs";

/** The form that the first tutorial expects in its page. */
const FORM = '<input id="messageInput"><button id="sendButton">Send</button>';
const SEND_BY_FORM = 'document.getElementById("messageInput").value = "Hello"; document.getElementById("sendButton").click()';

/**
 * @typedef {object} Tutorial
 * @property {string} file
 * @property {string} host as the tutorial names it
 * @property {string} socket what the tutorial calls its WebSocket
 * @property {boolean} [encrypted]
 * @property {string} [greet] the code that says hello, where the tutorial does not do so by itself
 * @property {(text: string) => string} [line] what the tutorial logs when it hears a text
 * @property {string} [greeting] what the tutorial says first
 * @property {string[]} [opening] what the tutorial logs when it is connected
 */

/** @type {Tutorial[]} */
const CHATS = [
  {
    file: "understanding-websockets.js",
    host: "localhost:8080",
    socket: "ws",
    greet: SEND_BY_FORM,
    greeting: "Hello",
    opening: [],
    line: (text) => `Received message: ${text}`,
  },
  {
    file: "websocket-real-time-communication.js",
    host: "localhost:8080",
    socket: "ws",
    greeting: "Hello, server!",
    opening: [],
    line: (text) => `Message received: ${text}`,
  },
  {
    file: "real-time-web.js",
    host: "example.com",
    socket: "socket",
    greeting: "Hello Server!",
    opening: ["WebSocket connection opened"],
    line: (text) => `Message from server  ${text}`,
  },
  {
    file: "detailed-guide.js",
    host: "example.com",
    socket: "socket",
    encrypted: true,
    greeting: "Hello Server!",
    opening: ["Connected to server"],
    line: (text) => `Message from server: ${text}`,
  },
];

/** @type {Tutorial[]} */
const CONNECTIONS = [
  { file: "websockets-deep-dive.js", host: "example.com", socket: "ws" },
  { file: "websockets-deep-dive-encrypted.js", host: "example.com", socket: "ws", encrypted: true },
];

const plain = await Server.start();
after(() => plain.stop());
const encrypted = await Server.start({ flags: ["--tls-self-signed"] });
after(() => encrypted.stop());
const certificate = await certificateOf(encrypted);
const browser = await startBrowser();
after(() => browser.close());

for (const [place, run] of Object.entries({ Chromium: runInChromium, "Node.js with ws": runInNode })) {
  describe(`in ${place}`, () => {
    for (const tutorial of CHATS) {
      test(`${tutorial.file} talks to its like, and does not hear itself`, HANG_GUARD, async (test) => {
        const witness = await enterLobby(test, tutorial);
        const one = await run(test, tutorial);
        await one.evaluate(`${tutorial.socket}.send("is anybody there?")`);
        // All that the one says before the other comes, it has said now.
        await witness.logged("is anybody there?");
        const other = await run(test, tutorial);

        if (tutorial.greet) await other.evaluate(tutorial.greet);
        await one.logged(tutorial.line(tutorial.greeting));
        await one.evaluate(`${tutorial.socket}.send("and hello to you")`);
        await other.logged(tutorial.line("and hello to you"));

        // What a client had heard of itself, it would have logged before this.
        witness.say("good night");
        await Promise.all([one, other].map((client) => client.logged(tutorial.line("good night"))));
        assert.deepEqual(one.lines, [...tutorial.opening, ...[tutorial.greeting, "good night"].map(tutorial.line)]);
        assert.deepEqual(other.lines, [...tutorial.opening, ...["and hello to you", "good night"].map(tutorial.line)]);
      });
    }

    for (const tutorial of CONNECTIONS) {
      test(`${tutorial.file} opens, and hears the lobby`, HANG_GUARD, async (test) => {
        const somebody = await enterLobby(test, tutorial);
        const client = await run(test, tutorial);

        await client.evaluate(`${tutorial.socket}.onmessage = ({ data }) => console.log(data)`);
        somebody.say("is anybody there?");
        await client.logged("is anybody there?");
      });
    }
  });
}

/** @param {Tutorial} tutorial */
function serverOf(tutorial) {
  return tutorial.encrypted ? encrypted : plain;
}

/**
 * The tutorial's code, with the server's host in place of its own.
 *
 * @param {Tutorial} tutorial
 */
async function codeOf(tutorial) {
  const code = await readFile(new URL(`tutorials/${tutorial.file}`, import.meta.url), "utf8");
  return code.replace(tutorial.host, new URL(serverOf(tutorial).origin).host);
}

/**
 * Runs a tutorial in a page of the server's own origin, and waits until its WebSocket is open.
 *
 * @param {import("node:test").TestContext} test
 * @param {Tutorial} tutorial
 */
async function runInChromium(test, tutorial) {
  const { origin } = serverOf(tutorial);
  const { page, close } = await openPage(browser, origin, { bypassCSP: true });
  test.after(close);
  const log = new Log();
  page.on("console", (message) => log.add(message.text()));

  await showOwnPage(page, origin, `<!doctype html>${FORM}<script>${await codeOf(tutorial)}</script>`);
  await page.waitForFunction(`${tutorial.socket}.readyState === WebSocket.OPEN`);
  return Object.assign(log, { evaluate: (/** @type {string} */ code) => page.evaluate(`{ ${code} }`) });
}

/**
 * Runs a tutorial in Node.js, with a document of two elements for the one that wants them.
 *
 * @param {import("node:test").TestContext} test
 * @param {Tutorial} tutorial
 */
async function runInNode(test, tutorial) {
  const log = new Log();
  const note = (/** @type {unknown[]} */ ...values) => log.add(format(...values));
  const sandbox = createContext({
    WebSocket: TrustingWebSocket,
    console: { log: note, error: note },
    document: formDocument(),
  });
  runInContext(await codeOf(tutorial), sandbox);
  const socket = runInContext(tutorial.socket, sandbox);
  test.after(() => socket.terminate());
  await once(socket, "open");
  return Object.assign(log, { evaluate: async (/** @type {string} */ code) => runInContext(`{ ${code} }`, sandbox) });
}

/** The lines that a client has logged. */
class Log extends EventTarget {
  /** @type {string[]} */ lines = [];

  /** @param {string} line */
  add(line) {
    this.lines.push(line);
    this.dispatchEvent(new Event("line"));
  }

  /**
   * Waits until the client has logged a line.
   *
   * @param {string} line
   */
  async logged(line) {
    while (!this.lines.includes(line)) await once(this, "line");
  }
}

/** The package's WebSocket, as the tutorials construct it, trusting the certificate of the server under test. */
class TrustingWebSocket extends WebSocket {
  /** @param {string} url */
  constructor(url) {
    super(url, { ca: certificate });
  }
}

/** As much of a document as the first tutorial uses. */
function formDocument() {
  class Element extends EventTarget {
    value = "";

    click() {
      this.dispatchEvent(new Event("click"));
    }
  }
  const elements = { messageInput: new Element(), sendButton: new Element() };
  return { getElementById: (/** @type {keyof typeof elements} */ id) => elements[id] };
}

/**
 * The certificate that a server has made for itself.
 *
 * @param {Server} server
 */
async function certificateOf(server) {
  const socket = connect({ port: Number(server.port), host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return `-----BEGIN CERTIFICATE-----\n${raw.toString("base64")}\n-----END CERTIFICATE-----\n`;
}

/**
 * Enters the lobby as somebody else, who logs what all others say.
 *
 * @param {import("node:test").TestContext} test
 * @param {Tutorial} tutorial
 */
async function enterLobby(test, tutorial) {
  const log = new Log();
  const socket = new TrustingWebSocket(serverOf(tutorial).origin.replace("http", "ws"));
  test.after(() => socket.terminate());
  socket.on("message", (text) => log.add(text.toString()));
  await once(socket, "open");
  return Object.assign(log, { say: (/** @type {string} */ text) => socket.send(text) });
}
