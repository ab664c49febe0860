/**
 * The ways in which a connection fails, each as faults of a link, with what the client should make of them.
 *
 * A way is a list of *obstacles*: what happens, one after the other, to the transports that are preferred to the one
 * that wins. A `refusal` is answered. A `silence` is not, and costs a head start. So does a `hold`: the line begins, and
 * then what is due on it does not come.
 */

/**
 * @typedef {"websocket" | "sse" | "long-poll"} Transport
 * @typedef {"refusal" | "silence" | "hold"} Obstacle
 *
 * @typedef {object} Way
 * @property {string} name on the command line and in the results
 * @property {string} words in the table
 * @property {Record<string, any>} faults of the link, beside its latency
 * @property {Obstacle[]} obstacles one for each transport that is blocked, in order of preference
 */

/** What the client prefers, as it does unless told otherwise. @type {Transport[]} */
export const PREFERENCE = ["websocket", "sse", "long-poll"];

/** Holds every answer until it is whole, whatever its headers ask for: no event stream gets through. */
const HELD = { buffer: { honor_accel: false } };

/** @type {Way[]} */
export const WAYS = [
  { name: "nothing", words: "nothing fails", faults: {}, obstacles: [] },
  { name: "ws-403", words: "WebSocket: 403", faults: { upgrade: "403" }, obstacles: ["refusal"] },
  { name: "ws-400", words: "WebSocket: 400", faults: { upgrade: "400" }, obstacles: ["refusal"] },
  { name: "ws-strip", words: "WebSocket: upgrade stripped", faults: { upgrade: "strip" }, obstacles: ["refusal"] },
  { name: "ws-mute", words: "WebSocket: 101, then mute", faults: { upgrade: "mute" }, obstacles: ["silence"] },
  {
    name: "ws-403-sse-held",
    words: "WebSocket: 403; SSE: held",
    faults: { upgrade: "403", ...HELD },
    obstacles: ["refusal", "silence"],
  },
  {
    name: "ws-403-sse-late",
    words: "WebSocket: 403; SSE: each event held until the next",
    faults: { upgrade: "403", hold_events: true },
    obstacles: ["refusal", "hold"],
  },
  {
    name: "ws-mute-sse-held",
    words: "WebSocket: mute; SSE: held",
    faults: { upgrade: "mute", ...HELD },
    obstacles: ["silence", "silence"],
  },
];

/** @param {string} name */
export const wayOf = (name) => WAYS.find((way) => way.name === name);

/** The transport that is left. @param {Way} way @returns {Transport} */
export function winnerOf({ obstacles }) {
  return PREFERENCE[obstacles.length];
}

/**
 * What the client's log should say of each transport, in the order in which it is decided.
 *
 * @param {Way} way
 */
export function expectedPath(way) {
  const decisions = { refusal: ["refused"], silence: ["silent"], hold: ["alive", "lost"] };
  const verdicts = [...way.obstacles.map((obstacle) => decisions[obstacle]), ["alive"]];
  return pathOf(verdicts.flatMap((words, place) => words.map((what) => ({ transport: PREFERENCE[place], what }))));
}

const DECISIONS = ["refused", "silent", "alive", "lost"];

/**
 * The decisions in a log of the client, as a line: `websocket refused, sse alive`.
 *
 * @param {{ transport: string | null, what: string }[]} log
 */
export function pathOf(log) {
  const decisions = log.filter(({ what }) => DECISIONS.includes(what));
  return decisions.map(({ transport, what }) => `${transport} ${what}`).join(", ");
}
