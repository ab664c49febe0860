/**
 * What a good back-off promises: `node back-off/check.mjs` checks what you have written, and `node back-off/check.mjs
 * solution` the solution. Each test is named by one promise, and says what it has seen instead.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

const which = process.argv[2] ?? "start";
const { delay, FIRST_WINDOW, LAST_WINDOW } = await import(`./${which}.mjs`);

/** As near to the end of the window as a random number comes. */
const ALMOST_ONE = 0.999_999_999;

test("the jitter is full", () => {
  for (const random of [0, 0.25, 0.5]) {
    const waited = Math.round(delay(1, undefined, random));
    const says = `after one failure, the random number ${random} made ${waited} ms of a window of ${FIRST_WINDOW} ms`;
    assert.equal(waited, FIRST_WINDOW * random, says);
  }
});

test("the window doubles with each failure, up to the last", () => {
  const windows = [1, 2, 3, 4, 5, 6, 7].map((failures) => Math.round(delay(failures, undefined, ALMOST_ONE)));
  const says = `the longest delays after 1 to 7 failures are ${windows} ms`;
  assert.deepEqual(windows, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000], says);
});

test("nobody comes before Retry-After, and not all at its end", () => {
  const waited = delay(1, 5_000, 0);
  assert.ok(waited >= 5_000, `the server asked for 5000 ms, and a client came after ${waited} ms`);
  const other = Math.round(delay(1, 5_000, 0.5));
  assert.equal(other, 5_500, `everybody was asked for the same 5000 ms, so the jitter comes on top, and not ${other} ms`);
});

test("no number of failures breaks it", () => {
  assert.equal(delay(1e9, undefined, 0), 0, "after a thousand million failures, the random number 0 is still 0 ms");
  assert.ok(delay(1e9, undefined, 1) <= LAST_WINDOW, `no window is longer than ${LAST_WINDOW} ms`);
});

test("a thousand clients do not knock all at once", () => {
  const CLIENTS = 1000;
  const knocks = Array.from({ length: 600 }, () => 0);
  const random = randomNumbers();
  for (let client = 0; client < CLIENTS; client += 1) {
    let time = 0;
    // Their server stays away for a minute.
    for (let failures = 1; time < 60_000; failures += 1) {
      time += Math.max(delay(failures, undefined, random()), 1);
      knocks[Math.floor(time / 100)] += 1;
    }
  }
  const worst = Math.max(...knocks.slice(0, 600));
  assert.ok(
    worst <= CLIENTS / 5,
    `of ${CLIENTS} clients, ${worst} came within one tenth of a second; full jitter makes that about ${CLIENTS / 10}`,
  );
});

/** Numbers that look random and are the same in every run (a linear congruential generator, of Numerical Recipes). */
function randomNumbers() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
