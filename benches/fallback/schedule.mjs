/**
 * Who is measured when.
 */

import { wayOf } from "./ways.mjs";

/**
 * The contenders of a pair: the client with all of its transports; the transport that will win, asked for alone; and
 * the obstacles themselves, which is what the client may cost more.
 *
 * @typedef {"client" | "alone" | "obstacles"} Contender
 *
 * @typedef {object} Turn
 * @property {number} pair from 1
 * @property {number} latency_ms
 * @property {string} way
 * @property {Contender} contender
 */

/**
 * The turns of one round. Both the ways and the contenders of a pair begin with another one in each round, so that none
 * of them always follows the same one. Those of a pair stay together: whatever else the machine does hits all three.
 *
 * @param {import("./options.mjs").Plan} plan
 * @param {number} pair
 * @returns {Turn[]}
 */
export function turnsOf({ latencies_ms, ways }, pair) {
  const cells = latencies_ms.flatMap((latency_ms) => ways.map((way) => ({ latency_ms, way })));
  return rotated(cells, pair).flatMap(({ latency_ms, way }) =>
    rotated(contendersOf(way), pair).map((contender) => ({ pair, latency_ms, way, contender })),
  );
}

/** @param {string} way @returns {Contender[]} */
function contendersOf(way) {
  return wayOf(way).obstacles.length > 0 ? ["client", "alone", "obstacles"] : ["client", "alone"];
}

/** @template T @param {T[]} list @param {number} by @returns {T[]} */
function rotated(list, by) {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}
