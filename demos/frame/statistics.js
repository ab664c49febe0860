// @ts-check
/** What can honestly be said about a list of numbers. */

/**
 * The value below which a share of the numbers lies, by nearest rank: always one that was measured.
 *
 * @param {number[]} sorted in ascending order
 * @param {number} share from 0 to 1
 */
export function quantile(sorted, share) {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1 || 0)];
}

/** A percentile needs so many values beyond it before it says something. */
const BEYOND = 10;

/**
 * The percentiles that so many numbers carry, with the number itself: p99.9 needs 10,000.
 *
 * @param {number[]} values in any order
 * @returns {{ n: number, min: number, median: number, p90?: number, p99?: number, p999?: number, max: number }}
 */
export function summarize(values) {
  const sorted = Float64Array.from(values).sort();
  const list = Array.from(sorted);
  const at = (/** @type {number} */ share) => (list.length * (1 - share) >= BEYOND - 1e-9 ? quantile(list, share) : undefined);
  return {
    n: list.length,
    min: list[0] ?? NaN,
    median: quantile(list, 0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: list.at(-1) ?? NaN,
  };
}

/** A time in as many digits as one can read across a room. @param {number | undefined} ms */
export function inMs(ms) {
  if (ms === undefined || Number.isNaN(ms)) return "–";
  if (ms >= 9_950) return `${(ms / 1_000).toFixed(0)} s`;
  if (ms >= 995) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)} ms`;
}

/** A number of bytes, likewise. @param {number} bytes */
export function inBytes(bytes) {
  if (Number.isNaN(bytes)) return "–";
  if (bytes >= 999_500) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  if (bytes >= 9_950) return `${(bytes / 1_000).toFixed(0)} kB`;
  if (bytes >= 1_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${bytes.toFixed(bytes < 10 && bytes % 1 ? 1 : 0)} B`;
}
