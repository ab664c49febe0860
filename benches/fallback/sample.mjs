/**
 * One sample: a fresh profile of the browser, a page in it, and one measurement there.
 */

import { timeOfObstacles, timeToFirstMessage } from "./in_page.mjs";
import { pathOf, wayOf, winnerOf } from "./ways.mjs";

/** A first message that takes so long never comes. */
const LIMIT_MS = 60_000;

/**
 * @typedef {object} Measured
 * @property {number} ms
 * @property {string} [transport] that carried the message
 * @property {string} [path] what the client decided on the way there
 *
 * @param {import("playwright-core").Browser} browser
 * @param {import("./server.mjs").Server} server
 * @param {import("./schedule.mjs").Turn} turn
 * @param {import("./options.mjs").Plan} plan
 * @returns {Promise<Measured>}
 */
export async function takeSample(browser, server, turn, { head_start_ms: headStart }) {
  const channel = channelOf(turn);
  const link = linkOf(turn);
  const way = wayOf(turn.way);
  // A profile shares nothing with another one: no process for its pages, no socket, no cache. The page comes from the
  // main port and the channel from the lab's, so that no connection to the lab is open yet.
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${server.origin}/healthz`);
    if (turn.contender === "obstacles") {
      const url = `${server.lab.replace("http", "ws")}/channels/${channel}/ws?link=${link}&after=start`;
      return rounded(await page.evaluate(timeOfObstacles, { url, obstacles: way.obstacles, headStart }));
    }
    const url = `${server.lab}/channels/${channel}?link=${link}`;
    const alone = turn.contender === "alone" ? { transports: [winnerOf(way)] } : {};
    const options = { after: "start", headStart, ...alone };
    const { ms, transport, log } = await page.evaluate(timeToFirstMessage, { url, options, limit: LIMIT_MS });
    return rounded({ ms, transport, path: pathOf(log) });
  } finally {
    await context.close();
  }
}

/** The browser's clock steps by a tenth of a millisecond. @param {Measured} measured @returns {Measured} */
const rounded = (measured) => ({ ...measured, ms: Math.round(measured.ms * 10) / 10 });

/** Each way has a link of its own for each latency. @param {{ way: string, latency_ms: number }} cell */
export const linkOf = ({ way, latency_ms }) => `${way}-${latency_ms}`;

/** Each round has a channel of its own, with one message. @param {{ pair: number }} turn */
export const channelOf = ({ pair }) => `fallback-${pair}`;
