// @ts-check
/**
 * One clock for this page and its workers: ms since 1970, monotonic, by `performance` (W3C High Resolution Time).
 * `Date.now()` may jump when the system's clock is set; this does not.
 */
export function now() {
  return performance.timeOrigin + performance.now();
}
