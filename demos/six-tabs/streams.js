// @ts-check
/**
 * One stream, as a tab holds it: opened by the browser's own means, and closed for certain.
 *
 * What to look at: each of the three is one line of code, and looks as harmless as the others.
 */

import { hangUp } from "../frame/bare.js";

/** @typedef {"websocket" | "sse" | "long-poll"} Kind */

/** A held poll says nothing until it is answered. After so many ms without an answer it counts as held. */
const HELD = 150;

/** Opens a stream. @type {Record<Kind, (base: URL, ended: AbortSignal) => Promise<void>>} */
const OPEN = {
  websocket: (base, ended) => {
    base.protocol = base.protocol.replace("http", "ws");
    const socket = new WebSocket(below(base, "ws"));
    ended.addEventListener("abort", () => hangUp(socket));
    return opened(socket);
  },

  sse: (base, ended) => {
    const source = new EventSource(below(base, "sse"));
    ended.addEventListener("abort", () => source.close());
    return opened(source);
  },

  "long-poll": async (base, ended) => {
    void holdPolls(below(base, "poll"), ended);
    await new Promise((resolve) => setTimeout(resolve, HELD));
  },
};

/** One open stream, or one that waits to be. */
export class Stream {
  #ended = new AbortController();
  isOpen = false;

  /**
   * @param {Kind} kind
   * @param {URL} channel its address, with where to begin
   * @param {AbortSignal} signal ends it, too
   */
  constructor(kind, channel, signal) {
    this.kind = kind;
    signal.addEventListener("abort", () => this.close(), { signal: this.#ended.signal });
    /** Is fulfilled when the stream is open. */
    this.opened = OPEN[kind](new URL(channel), this.#ended.signal).then(() => void (this.isOpen = true));
  }

  close() {
    this.#ended.abort();
  }
}

/** @param {URL} channel @param {string} door */
function below(channel, door) {
  const url = new URL(channel);
  url.pathname += `/${door}`;
  return url;
}

/** @param {EventTarget} stream @returns {Promise<void>} */
function opened(stream) {
  return new Promise((resolve) => stream.addEventListener("open", () => resolve(), { once: true }));
}

/** Asks, and waits, and asks again. @param {URL} url @param {AbortSignal} signal */
async function holdPolls(url, signal) {
  // Two requests for the very same address would wait for each other in the browser, whoever answers them.
  for (let ask = 0; !signal.aborted; ask++) {
    url.searchParams.set("_", `${performance.now()}-${ask}`);
    try {
      const { cursor } = await (await fetch(url, { signal })).json();
      url.searchParams.set("after", cursor);
    } catch {
      return; // closed
    }
  }
}
