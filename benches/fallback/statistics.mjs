/**
 * Medians, and how far they can be trusted.
 */

/** @param {number[]} values at least one */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Which of `count` sorted values bound the median, whatever the distribution.
 *
 * Each value lies below the true median with probability one half, as a coin falls. So the `rank`-th smallest lies
 * above it only if fewer than `rank` coins of `count` show heads.
 *
 * @param {number} count
 * @param {number} wanted how sure the interval should be, such as 0.95; with a few values it cannot be that sure
 * @returns {{ rank: number, confidence: number }} the interval is from the `rank`-th smallest to the `rank`-th largest
 */
export function medianBounds(count, wanted) {
  let rank = 1;
  let exactly = 2 ** -count;
  let fewer = exactly;
  for (;;) {
    // The chance of `rank` heads; so far they were those of one head less, and of fewer than `rank`.
    exactly *= (count - rank + 1) / rank;
    if (1 - 2 * (fewer + exactly) < wanted) return { rank, confidence: 1 - 2 * fewer };
    fewer += exactly;
    rank++;
  }
}

/**
 * @typedef {object} Estimate
 * @property {number} median
 * @property {number} low
 * @property {number} high
 *
 * @param {number[]} values at least one
 * @returns {Estimate} the median with an interval that contains the true one with at least 95 % confidence, or else is
 *   as wide as the values
 */
export function estimate(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const { rank } = medianBounds(sorted.length, CONFIDENCE);
  return { median: median(sorted), low: sorted[rank - 1], high: sorted[sorted.length - rank] };
}

export const CONFIDENCE = 0.95;
