/**
 * Back-off: how long a client waits before it tries again. All times are in milliseconds.
 */

/** The window after the first failure. */
export const FIRST_WINDOW = 1_000;

/** No window is longer, so that nobody waits for minutes after the server is back. */
export const LAST_WINDOW = 30_000;

// ANCHOR: hole
/**
 * How long to wait before the next attempt.
 *
 * @param {number} failures how many attempts have failed in a row, counted from 1
 * @param {number | undefined} retryAfter what the server has asked for by `Retry-After`, if it has
 * @param {number} random a random number from 0 up to 1
 */
export function delay(failures, retryAfter, random) {
  const window = Math.min(FIRST_WINDOW * 2 ** (failures - 1), LAST_WINDOW);
  return (retryAfter ?? 0) + window * random;
}
// ANCHOR_END: hole
