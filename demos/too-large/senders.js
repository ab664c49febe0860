// @ts-check
/**
 * Three ways to publish, and what each of them tells whoever wrote the page.
 *
 * What to look at: `socket.send` returns nothing, throws nothing, and promises nothing. What became of a message is told
 * by the close of the connection, or by an answer that a protocol above WebSocket defines. HTTP has answers built in.
 */

import { connect, PublishError } from "../../client/fallcast.js";
import { hangUp } from "../frame/bare.js";

/** How long a closed WebSocket waits before it is opened again, in ms. */
const AGAIN = 1_000;

/**
 * What the page was told of one message.
 *
 * @typedef {object} Told
 * @property {"sent" | "refused" | "closed" | "silence" | "unsent"} what
 * @property {string} short to be written into a mark
 * @property {string} words all of it
 *
 * What a connection both receives with and sends over.
 *
 * @typedef {object} Ends
 * @property {AbortSignal} signal ends it
 * @property {(data: any) => void} onMessage
 * @property {(isOpen: boolean, words: string) => void} onState
 *
 * @typedef {(text: string) => Promise<Told>} Send
 */

/** As tutorials write it: when it is closed, open a new one. @param {() => URL} url @param {Ends} ends @returns {Send} */
export function bareWebSocket(url, { signal, onMessage, onState }) {
  /** @type {WebSocket} */ let socket;
  /** @type {(told: Told) => void} */ let answer = () => {};
  const open = () => {
    if (signal.aborted) return;
    socket = new WebSocket(String(url()).replace("http", "ws"));
    socket.onopen = () => onState(true, "open");
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      // Nobody says that it was published. Its own copy, which comes back, shows it.
      if (message.from === "websocket") answer({ what: "sent", short: "", words: "no answer, but it came back" });
      onMessage(message);
    };
    socket.onclose = ({ code, reason }) => {
      answer({ what: "closed", short: String(code), words: `closed with ${code}, “${reason}”` });
      onState(false, `closed with ${code}`);
      setTimeout(open, AGAIN);
    };
  };
  signal.addEventListener("abort", () => hangUp(socket));
  open();
  return (text) =>
    new Promise((resolve) => {
      answer = resolve;
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
      else resolve({ what: "unsent", short: "?", words: "not connected yet, so nothing was sent" });
    });
}

/** A WebSocket on which each publication has an answer. @param {URL} url @param {Ends} ends */
export function clientOnWebSocket(url, { signal, onMessage, onState }) {
  const channel = connect(url, { transports: ["websocket"], signal });
  channel.addEventListener("message", ({ data }) => onMessage(data));
  channel.addEventListener("state", ({ detail: { state } }) => onState(state === "open", state));
  /** @type {Send} */
  const send = async (text) => {
    try {
      const { id } = await channel.publish(text);
      return { what: "sent", short: "", words: `published as ${id}` };
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      return { what: "refused", short: String(error.status ?? "?"), words: `refused: ${error.message}` };
    }
  };
  return { channel, send };
}

/** A POST. @param {URL} url @param {AbortSignal} signal ends it @returns {Send} */
export function byPost(url, signal) {
  return async (text) => {
    try {
      const response = await fetch(url, { method: "POST", body: text, signal });
      const answer = await response.json();
      if (response.ok) return { what: "sent", short: "", words: `${response.status}, published as ${answer.id}` };
      return { what: "refused", short: String(response.status), words: `${response.status}, “${answer.detail}”` };
    } catch (error) {
      return { what: "refused", short: "?", words: String(error) };
    }
  };
}
