// @ts-check
/**
 * Four ways to listen to a channel. The first three use what a browser has, and nothing else.
 *
 * What to look at: what each of them says to the server when it comes back after an outage. The first one says nothing
 * about where it was. So the server can't know what is missing.
 */

import { connect } from "../../client/fallcast.js";
import { hangUp } from "../frame/bare.js";

/** How long each of them waits before it tries again, in ms. An EventSource waits for as long as the server told it. */
const AGAIN = 100;

/**
 * What a listener needs, and whom it tells.
 *
 * @typedef {object} Ear
 * @property {(door: string, query?: Record<string, string>) => URL} url the address of one of the channel's doors
 * @property {AbortSignal} signal ends it
 * @property {(message: { seq: number, t_plan: number }) => void} take a message came
 * @property {(phase: "connecting" | "open" | "retrying", words: string) => void} tell how the connection stands
 */

/** As tutorials write it: when the connection is closed, open a new one. @param {Ear} ear */
export async function listenByWebSocket({ url, signal, take, tell }) {
  while (!signal.aborted) {
    await new Promise((closed) => {
      const address = url("ws");
      address.protocol = address.protocol.replace("http", "ws");
      const socket = new WebSocket(address);
      socket.onopen = () => tell("open", "open, without a cursor");
      socket.onmessage = ({ data }) => take(JSON.parse(data));
      socket.onclose = closed;
      signal.onabort = () => hangUp(socket);
    });
    if (!signal.aborted) tell("retrying", "closed, trying again");
    await pause(AGAIN);
  }
}

/** The browser does it all: it comes back by itself, and says which `id:` it saw last, in `Last-Event-ID`. @param {Ear} ear */
export function listenByEventSource({ url, signal, take, tell }) {
  const source = new EventSource(url("sse"));
  source.onopen = () => tell("open", "open, the browser resumes");
  source.onmessage = ({ data }) => take(JSON.parse(data));
  source.onerror = () => tell("retrying", "broken, the browser tries again");
  signal.onabort = () => source.close();
}

/** Each poll says where the last one ended. @param {Ear} ear */
export async function listenByPolling({ url, signal, take, tell }) {
  let after = "end";
  while (!signal.aborted) {
    try {
      const answer = await fetch(url("poll", { after }), { signal, cache: "no-store" });
      const { cursor, events } = await answer.json();
      tell("open", "open, each poll has a cursor");
      for (const { message } of events) if (message) take(message.data);
      after = cursor;
    } catch {
      if (!signal.aborted) tell("retrying", "failed, asking again");
      await pause(AGAIN);
    }
  }
}

/** A WebSocket with a cursor: the client remembers where it was, and opens the next one `after` that. @param {Ear} ear */
export function listenByClient({ url, signal, take, tell }) {
  const channel = connect(url(""), { transports: ["websocket"], backoff: { base: AGAIN, cap: 4 * AGAIN }, signal });
  channel.addEventListener("message", ({ data }) => take(data));
  channel.addEventListener("state", ({ detail: { state } }) => {
    if (signal.aborted) return;
    if (state === "open") tell("open", "open, with a cursor");
    else tell(state === "waiting" ? "retrying" : "connecting", state);
  });
  return channel;
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
