// @ts-check
/**
 * Three subscribers on nothing but what browsers bring along. Each does what its transport does by itself: the EventSource
 * comes back and says where it was, the poll carries its cursor in each question, and the WebSocket is opened anew.
 *
 * @typedef {object} Ears what a subscriber tells
 * @property {() => void} open it may hear from now on
 * @property {() => void} lost its connection has broken
 * @property {(data: any) => void} alert
 * @property {(hello: { heartbeat_ms: number }) => void} [hello] what the server promises
 *
 * @typedef {{ address: (path: string, query?: Record<string, any>) => URL, signal: AbortSignal, hold: number }} Place
 * @typedef {(place: Place, ears: Ears) => void} Subscriber
 */

import { hangUp } from "../frame/bare.js";

/** How long to wait before a WebSocket is opened anew, or a failed poll is repeated, in ms. */
const RETRY = 2_000;

/** It remembers nothing: a new connection begins with what comes next. @type {Subscriber} */
export function webSocket({ address, signal, ...place }, ears) {
  const url = address("ws");
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const close = () => hangUp(socket);
  socket.onopen = ears.open;
  socket.onmessage = ({ data }) => ears.alert(JSON.parse(data));
  socket.onclose = () => {
    signal.removeEventListener("abort", close);
    if (signal.aborted) return;
    ears.lost();
    setTimeout(() => signal.aborted || webSocket({ address, signal, ...place }, ears), RETRY);
  };
  signal.addEventListener("abort", close);
}

/** It comes back by itself, and sends `Last-Event-ID`. @type {Subscriber} */
export function eventSource({ address, signal }, ears) {
  const source = new EventSource(address("sse"));
  source.onopen = ears.open;
  source.onerror = ears.lost;
  source.onmessage = ({ data }) => ears.alert(JSON.parse(data));
  source.addEventListener("hello", ({ data }) => ears.hello?.(JSON.parse(data)));
  signal.addEventListener("abort", () => source.close());
}

/** Its cursor is in its own hands, so a question that got no answer is asked again. @type {Subscriber} */
export async function longPoll({ address, signal, hold }, ears) {
  /** @type {string | undefined} */ let after;
  while (!signal.aborted) {
    try {
      const query = { after, wait: `${hold}ms`, _: performance.now() };
      const response = await fetch(address("poll", query), { signal, cache: "no-store" });
      const { cursor, events } = await response.json();
      ears.open();
      for (const { message } of events) if (message) ears.alert(message.data);
      after = cursor;
    } catch {
      if (signal.aborted) return;
      ears.lost();
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}
