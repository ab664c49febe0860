/**
 * Server-sent events: a response that never ends. What one event looks like, and where a subscriber begins, are exercises.
 */

import { isWelcome } from "../origin/solution.mjs";
import { drained, serve } from "./server.mjs";

/** @typedef {import("./channel.mjs").Channel} Channel */

/**
 * Writes one message as an event.
 *
 * @typedef {(id: string, text: string) => string} Event
 */

/**
 * Finds the position of a subscriber that brings this cursor, or none; `null` if it cannot go on from there.
 *
 * @typedef {(channel: Channel, cursor: string | null) => number | null} Position
 */

/** How many milliseconds a stream is silent at most. Proxies cut off what is silent for longer. */
const HEARTBEAT = 5_000;

/** How many milliseconds a browser waits before it connects again, as the stream tells it. */
const RETRY = 2_000;

/**
 * Serves channels as event streams until Ctrl-C.
 *
 * @param {number} port
 * @param {Event} event
 * @param {Position} position
 */
export function serveEvents(port, event, position) {
  /** @type {import("./server.mjs").Subscribe} */
  const subscribe = (channel, request, response, query) => {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store, no-transform",
      // Tells nginx to pass on what it gets.
      "X-Accel-Buffering": "no",
    });
    // A browser that reconnects sends the last `id` that it has seen, which is newer than the cursor in the address.
    const lastEventId = /** @type {string | undefined} */ (request.headers["last-event-id"]);
    follow(channel, startOf(channel, lastEventId || query.get("after"), position), event, response);
  };
  serve(port, "sse", subscribe, isWelcome);
}

/**
 * Where a subscriber begins that brings this cursor; `null` if it cannot go on from there.
 *
 * @param {Channel} channel
 * @param {string | null} cursor
 * @param {Position} position
 */
function startOf(channel, cursor, position) {
  if (cursor === "start") return channel.start;
  return position(channel, cursor === "end" ? null : cursor);
}

/**
 * Writes a subscriber's stream until the subscriber is gone.
 *
 * @param {Channel} channel
 * @param {number | null} start
 * @param {Event} event
 * @param {import("node:http").ServerResponse} response
 */
async function follow(channel, start, event, response) {
  let position = start ?? channel.start;
  const hello = channel.cursor(position);
  response.write(`retry: ${RETRY}\nevent: hello\nid: ${hello}\ndata: {"cursor":"${hello}"}\n\n`);
  if (start === null) response.write(gap(hello));
  while (!response.destroyed) {
    const messages = channel.readAfter(position);
    if (messages === null) {
      // It was so slow that its next message is forgotten.
      position = channel.start;
      response.write(gap(channel.cursor(position)));
    } else if (messages.length > 0) {
      position += messages.length;
      const events = messages.map(({ number, text }) => event(channel.cursor(number), text));
      // What the connection cannot take yet stays in the log.
      if (!response.write(events.join(""))) await drained(response);
    } else if (!(await channel.published(HEARTBEAT))) {
      response.write(": heartbeat\n\n");
    }
  }
}

/**
 * Tells a subscriber that something is missing before the next event.
 *
 * @param {string} resume
 */
function gap(resume) {
  return `event: gap\nid: ${resume}\ndata: {"resume":"${resume}"}\n\n`;
}
