/**
 * Long-polling: each answer is complete, and names the cursor of the next question. How long to wait, and for what, is
 * an exercise.
 */

import { isWelcome } from "../origin/solution.mjs";
import { position as positionOf } from "../resume/solution.mjs";
import { refuse, serve } from "./server.mjs";

/** @typedef {import("./channel.mjs").Channel} Channel */
/** @typedef {import("./channel.mjs").Message} Message */

/**
 * Decides what to answer a client that has seen everything up to a position, and when.
 *
 * @typedef {(channel: Channel, position: number, hold: number) => Promise<Message[] | null>} Poll
 */

/** How many milliseconds a poll is held at most: fewer than the 30 seconds after which some proxies give up. */
const HOLD = 25_000;

/**
 * Serves channels by long-polling until Ctrl-C.
 *
 * @param {number} port
 * @param {Poll} poll
 */
export function servePolls(port, poll) {
  /** @type {import("./server.mjs").Subscribe} */
  const subscribe = async (channel, _request, response, query) => {
    const after = query.get("after") ?? "end";
    // Who has no cursor yet is answered at once, and then has one.
    if (after === "start" || after === "end") {
      const position = after === "start" ? channel.start : channel.head;
      return answer(channel, position, channel.readAfter(position), response);
    }
    if (!/^[0-9a-f]+\.[0-9]+$/.test(after)) {
      return refuse(response, 400, "`after` is no cursor; send one that this server has given, or `start`, or `end`");
    }
    const position = positionOf(channel, after);
    if (position === null) return answer(channel, channel.start, null, response);
    answer(channel, position, await poll(channel, position, holdOf(query)), response);
  };
  serve(port, "poll", subscribe, isWelcome);
}

/**
 * How many milliseconds to hold a poll: `wait`, in whole seconds.
 *
 * @param {URLSearchParams} query
 */
function holdOf(query) {
  const wait = query.get("wait") ?? "";
  return /^[0-9]{1,3}$/.test(wait) ? Math.min(HOLD, Number(wait) * 1000) : HOLD;
}

/**
 * Answers a client that asked for everything after a position.
 *
 * @param {Channel} channel
 * @param {number} position
 * @param {Message[] | null} messages
 * @param {import("node:http").ServerResponse} response
 */
function answer(channel, position, messages, response) {
  const events = messages?.map(({ number, text }) => ({ message: { id: channel.cursor(number), data: text } }));
  const cursor = channel.cursor(messages === null ? channel.start : (messages.at(-1)?.number ?? position));
  response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify({ cursor, events: events ?? [{ gap: { resume: cursor } }], more: false }));
}
