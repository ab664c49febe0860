/**
 * What comes out: every sample, and what the pairs say.
 */

import { expectedPath, wayOf, winnerOf } from "./ways.mjs";
import { CONFIDENCE, estimate, medianBounds } from "./statistics.mjs";

/** Rises when a field of the file changes its meaning. */
const VERSION = 1;

/**
 * @typedef {import("./schedule.mjs").Turn & import("./sample.mjs").Measured} Sample
 * @typedef {import("./statistics.mjs").Estimate} Estimate
 *
 * @typedef {object} Row one way of failing over one link; all times in ms
 * @property {string} way
 * @property {number} latency_ms
 * @property {string} winner
 * @property {Estimate} client
 * @property {Estimate} alone
 * @property {Estimate | null} obstacles the bound; null if nothing is in the way
 * @property {Estimate} price client less alone, pair by pair
 * @property {Estimate | null} price_in_round_trips null without latency
 * @property {Estimate} over what the price has beyond the bound, pair by pair
 * @property {Verdict} verdict
 * @property {number} strayed pairs in which the client decided something else than it should
 */

/**
 * @param {object} origin
 * @param {string} origin.date
 * @param {string} origin.command
 * @param {object} origin.machine
 * @param {import("./options.mjs").Plan} plan
 * @param {Sample[]} samples
 * @param {number[]} load before each round
 */
export function report(origin, plan, samples, load) {
  const cells = plan.latencies_ms.flatMap((latency_ms) => plan.ways.map((way) => ({ latency_ms, way })));
  return { version: VERSION, ...origin, plan, load, summary: cells.map((cell) => summarize(cell, samples)), samples };
}

/** The report as JSON, with a line for each sample. @param {ReturnType<typeof report>} report */
export function fileOf({ samples, ...rest }) {
  const lines = samples.map((sample) => `    ${JSON.stringify(sample)}`);
  return `${JSON.stringify(rest, null, 2).slice(0, -2)},\n  "samples": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

/**
 * @param {{ way: string, latency_ms: number }} cell
 * @param {Sample[]} samples
 * @returns {Row}
 */
export function summarize({ way, latency_ms }, samples) {
  const ofCell = samples.filter((sample) => sample.way === way && sample.latency_ms === latency_ms);
  const [clients, alone, obstacles] = ["client", "alone", "obstacles"].map((contender) =>
    ofCell.filter((sample) => sample.contender === contender).sort((a, b) => a.pair - b.pair),
  );
  const times = clients.map(({ ms }) => ms);
  const prices = times.map((ms, index) => ms - alone[index].ms);
  const over = prices.map((price, index) => price - (obstacles[index]?.ms ?? 0));
  const roundTrip = 2 * latency_ms;
  return {
    way,
    latency_ms,
    winner: winnerOf(wayOf(way)),
    client: rounded(estimate(times)),
    alone: rounded(estimate(alone.map(({ ms }) => ms))),
    obstacles: obstacles.length > 0 ? rounded(estimate(obstacles.map(({ ms }) => ms))) : null,
    price: rounded(estimate(prices)),
    price_in_round_trips: roundTrip > 0 ? rounded(estimate(prices.map((price) => price / roundTrip))) : null,
    over: rounded(estimate(over)),
    verdict: verdictOf(estimate(over), over.length),
    strayed: clients.filter(({ path }) => path !== expectedPath(wayOf(way))).length,
  };
}

/**
 * What the pairs say of the bound, which is nothing beyond the obstacles: `below` or `above` if the whole interval is
 * on that side, `even` if no difference can be seen, `unclear` if there are too few pairs for an interval.
 *
 * @typedef {"below" | "even" | "above" | "unclear"} Verdict
 * @param {Estimate} over
 * @param {number} pairs
 * @returns {Verdict}
 */
export function verdictOf({ low, high }, pairs) {
  if (medianBounds(pairs, CONFIDENCE).confidence < CONFIDENCE) return "unclear";
  if (high < 0) return "below";
  return low > 0 ? "above" : "even";
}

/** @param {Estimate} estimate @returns {Estimate} */
function rounded({ median, low, high }) {
  const [first, second, third] = [median, low, high].map((number) => Math.round(number * 1000) / 1000);
  return { median: first, low: second, high: third };
}
