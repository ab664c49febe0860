// @ts-check
/**
 * One handshake, twice: what a page is told of it, and what was on the wire.
 *
 * A page must not learn what stands in an answer of another server, or it could look around in the network behind the
 * browser. So the browser tells it close code 1006 for every failure (WHATWG WebSockets, "feedback from the protocol").
 */

import { hangUp } from "../frame/bare.js";

/** All that a page is told of one `new WebSocket(url)`. */
export class Handshake {
  /** @type {string[]} */ events = [];
  /** @type {CloseEvent | null} */ closed = null;
  /** What the error says: as it turns out, nothing. */ message = "";
  messages = 0;
  began = performance.now();
  /** How long it took until the first event. @type {number} */ took = NaN;
  #socket;

  /**
   * @param {URL} url
   * @param {AbortSignal} signal closes it
   * @param {(event: "open" | "message" | "close") => void} tell
   */
  constructor(url, signal, tell) {
    url.protocol = url.protocol.replace("http", "ws");
    this.#socket = new WebSocket(url);
    const leave = () => hangUp(this.#socket);
    signal.addEventListener("abort", leave);
    this.#socket.onopen = () => {
      this.#happens("open");
      tell("open");
    };
    this.#socket.onmessage = () => {
      if (this.messages++ === 0) this.#happens("message");
      tell("message");
    };
    this.#socket.onerror = (event) => {
      this.#happens("error");
      this.message = /** @type {any} */ (event).message ?? "";
    };
    this.#socket.onclose = (event) => {
      signal.removeEventListener("abort", leave);
      this.#happens("close");
      this.closed = event;
      tell("close");
    };
  }

  /** @param {string} event */
  #happens(event) {
    if (this.events.length === 0) this.took = performance.now() - this.began;
    this.events.push(event);
  }

  /** Which of the bets it makes true. */
  get truth() {
    if (!this.closed) return "nothing";
    if (this.message) return "message";
    return this.closed.code === 1006 && !this.closed.reason ? "1006" : "status";
  }
}

/** How often the recording is asked, and how long is waited in between, in ms. It may be a moment behind. */
const ASKED = 20;
const PAUSE = 100;

/**
 * The first line of what really came down as the answer to a handshake. The lab has recorded it.
 *
 * @param {import("../frame/link.js").Link} link
 * @param {string} name what stands in the address of this handshake, and of no other
 * @param {AbortSignal} signal ends the search
 * @returns {Promise<string>}
 */
export async function answerOnTheWire(link, name, signal) {
  for (let asked = 0; asked < ASKED && !signal.aborted; asked++) {
    const recording = await fetch(link.recording("json"), { signal }).then((answer) => answer.json()).catch(() => ({}));
    const line = findAnswer(recording.wire ?? [], name);
    if (line) return line;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return "nothing that was recorded";
}

/** @param {{ piece?: { exchange: number, direction: string, bytes: string } }[]} wire @param {string} name */
function findAnswer(wire, name) {
  const pieces = wire.flatMap(({ piece }) => (piece ? [{ ...piece, text: atob(piece.bytes) }] : []));
  const request = pieces.find(({ direction, text }) => direction === "up" && text.startsWith("GET") && text.includes(name));
  const response = pieces.find(({ direction, exchange }) => direction === "down" && exchange === request?.exchange);
  return response?.text.split("\r\n")[0];
}
