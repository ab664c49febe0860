/**
 * A clock that the test moves: the timers and the time of day of a whole test, in milliseconds that cost nothing.
 */

/** Small enough that what a timer sets in motion happens at about the right time. */
const STEP = 10;

/** For long times, in which nothing is exact to a few milliseconds. */
const MOST_STEPS = 4_000;

/** In the test's time: whatever has not happened by then, never will. */
const NEVER = 3_600_000;

export class Clock {
  #timers;

  /**
   * Stops the time of this test, until it ends.
   *
   * @param {import("node:test").TestContext} test
   */
  constructor(test) {
    this.#timers = test.mock.timers;
    this.#timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_795_248_000_000 });
    asShortSighted(test);
    const began = Date.now();
    test.mock.method(performance, "now", () => Date.now() - began);
  }

  /** Lets happen what needs no time: promises, streams, and what follows from them. */
  async settle() {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Lets time pass, with everything that happens in it.
   *
   * @param {number} milliseconds
   */
  async advance(milliseconds) {
    await this.settle();
    const step = Math.max(STEP, Math.ceil(milliseconds / MOST_STEPS));
    for (let left = milliseconds; left > 0; left -= step) {
      this.#timers.tick(Math.min(step, left));
      await this.settle();
    }
  }

  /**
   * Lets time pass until something is true, and no longer.
   *
   * @param {() => unknown} condition
   */
  async until(condition) {
    await this.settle();
    for (let passed = 0; !condition(); passed += STEP) {
      if (passed > NEVER) throw new Error(`this never became true: ${condition}`);
      await this.advance(STEP);
    }
  }

  /**
   * Lets time pass until a promise is settled, and returns what became of it.
   *
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<{ value?: T, fault?: any }>}
   */
  async outcome(promise) {
    /** @type {{ value?: T, fault?: any } | undefined} */
    let outcome;
    promise.then(
      (value) => (outcome = { value }),
      (fault) => (outcome = { fault }),
    );
    await this.until(() => outcome);
    return /** @type {{ value?: T, fault?: any }} */ (outcome);
  }
}

/** The longest time that a real timer can count, in milliseconds. It takes a longer one for none (HTML §8.6). */
const LONGEST = 2 ** 31 - 1;

/** Makes the test's timers as short-sighted as real ones. @param {import("node:test").TestContext} test */
function asShortSighted(test) {
  const { setTimeout } = globalThis;
  test.mock.method(globalThis, "setTimeout", (/** @type {() => void} */ run, /** @type {number} */ wait) =>
    setTimeout(run, wait > LONGEST ? 1 : wait),
  );
}
