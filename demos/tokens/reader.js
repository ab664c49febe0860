// @ts-check
/**
 * A reader of a stream of words, by the browser's own means, and where it goes on when its line has broken.
 *
 * What to look at: `#resume`. All that a reader needs to go on without a hole is the id of the last word.
 */

import { below, hangUp } from "../frame/bare.js";

/** How long a reader that has to reconnect by itself waits, in ms. */
const PAUSE = 500;

/**
 * `own`: as the transport does by itself; `cursor`: after the last id; `end`: with what comes now; `start`: from the
 * beginning.
 *
 * @typedef {"own" | "cursor" | "end" | "start"} Back
 *
 * @typedef {object} Listener
 * @property {AbortSignal} signal
 * @property {(word: any) => void} onWord
 * @property {(phase: "connecting" | "open" | "retrying", words: string) => void} onState
 */

export class Reader {
  #back;
  #channel;
  #listener;
  /** The id of the last word. @type {string | null} */ #last = null;
  /** Resolves when nothing that is published from now on is missed. @type {Promise<void>} */ opened;
  /** @type {() => void} */ #isOpen = () => {};

  /** @param {string} transport @param {URL} channel @param {Back} back @param {Listener} listener */
  constructor(transport, channel, back, listener) {
    this.#channel = channel;
    this.#back = back;
    this.#listener = listener;
    this.opened = new Promise((resolve) => (this.#isOpen = resolve));
    listener.onState("connecting", "connecting");
    if (transport === "websocket") this.#openSocket({});
    else if (transport === "sse") this.#openEvents({});
    else void this.#poll();
  }

  /**
   * Where to go on, as parameters of the address.
   *
   * @param {boolean} hasIds whether the transport remembers by itself
   * @returns {Record<string, string>}
   */
  #resume(hasIds) {
    if (this.#back === "start") return { after: "start" };
    const isRemembered = this.#back === "cursor" || (this.#back === "own" && hasIds);
    return isRemembered && this.#last ? { after: this.#last } : {};
  }

  /** A WebSocket that is closed stays closed. To open another is left to the page. @param {Record<string, string>} query */
  #openSocket(query) {
    const { signal, onState } = this.#listener;
    const socket = new WebSocket(below(this.#channel, "ws", { format: "json", ...query }));
    const close = () => hangUp(socket);
    signal.addEventListener("abort", close);
    socket.onmessage = ({ data }) => {
      const { hello, message } = JSON.parse(data);
      if (hello) this.#open();
      if (message) this.#take(message.id, message.data);
    };
    socket.onclose = () => {
      signal.removeEventListener("abort", close);
      if (signal.aborted) return;
      onState("retrying", "closed");
      setTimeout(() => signal.aborted || this.#openSocket(this.#resume(false)), PAUSE);
    };
  }

  /**
   * An EventSource comes back by itself, and sends the last id along. Without ids it is opened anew.
   *
   * @param {Record<string, string>} query
   */
  #openEvents(query) {
    const { signal, onState } = this.#listener;
    const source = new EventSource(below(this.#channel, "sse", { format: "raw", ...query }));
    const close = () => source.close();
    signal.addEventListener("abort", close);
    source.addEventListener("hello", () => this.#open());
    source.onmessage = ({ data, lastEventId }) => this.#take(lastEventId, JSON.parse(data));
    source.onerror = () => {
      onState("retrying", "reconnecting");
      const comesBack = source.readyState !== EventSource.CLOSED && ["own", "cursor"].includes(this.#back);
      if (comesBack) return;
      close();
      signal.removeEventListener("abort", close);
      setTimeout(() => signal.aborted || this.#openEvents(this.#resume(true)), PAUSE);
    };
  }

  /** Each poll says by itself where it goes on. */
  async #poll() {
    const { signal, onState } = this.#listener;
    /** @type {Record<string, string>} */ let query = {};
    while (!signal.aborted) {
      try {
        const answer = await fetch(below(this.#channel, "poll", query), { signal });
        const { cursor, events } = await answer.json();
        this.#open();
        for (const { message } of events) if (message) this.#take(message.id, message.data);
        this.#last = cursor;
        query = { after: cursor };
      } catch {
        if (signal.aborted) return;
        onState("retrying", "asking again");
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        query = this.#resume(true);
      }
    }
  }

  #open() {
    this.#listener.onState("open", "open");
    this.#isOpen();
  }

  /** @param {string} id @param {any} word */
  #take(id, word) {
    if (this.#listener.signal.aborted) return;
    this.#last = id;
    this.#listener.onWord(word);
  }
}
