// @ts-check
/**
 * The three transports by the browser's own means, and nothing done with what they bring: it is seen on the wire.
 *
 * @module doors
 */

import { below, hangUp } from "../frame/bare.js";

/** How long a poll that failed waits before it asks again, in ms. */
const PAUSE = 500;

/**
 * Listens to a channel by all three.
 *
 * @param {URL} channel
 * @param {"raw" | "json"} format
 * @param {AbortSignal} signal closes them
 * @returns {Promise<WebSocket>} the one to send by, when all three hear what is sent from then on
 */
export async function openDoors(channel, format, signal) {
  const socket = new WebSocket(below(channel, "ws", { format }));
  const source = new EventSource(below(channel, "sse", { format }));
  signal.addEventListener("abort", () => {
    hangUp(socket);
    source.close();
  });
  await Promise.all([
    new Promise((resolve) => socket.addEventListener("open", resolve)),
    new Promise((resolve) => source.addEventListener("hello", resolve)),
    new Promise((resolve) => void poll(channel, signal, resolve)),
  ]);
  return socket;
}

/** @param {URL} channel @param {AbortSignal} signal @param {(value: null) => void} opened */
async function poll(channel, signal, opened) {
  /** @type {string | undefined} */ let cursor;
  while (!signal.aborted) {
    try {
      const answer = await fetch(below(channel, "poll", cursor ? { after: cursor } : {}), { signal });
      if (!answer.ok) throw new Error(`answered with ${answer.status}`);
      ({ cursor } = await answer.json());
      opened(null);
    } catch {
      if (signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}
