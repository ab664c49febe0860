// @ts-check
/**
 * Whether this page could keep up. A page that was busy delivers late and sends late, and the transports are blamed for
 * it; so a demo that measures watches itself, and says when its own machine was the bottleneck.
 */

/** How often the page looks at the clock, in ms. */
const STEP = 50;

/** A tenth of the looks may be so late, in ms. Beyond that the page was too busy to measure anything. */
const TOLERANCE = 30;

export class Health {
  /** @type {number[]} */ #lags = [];
  /** @type {ReturnType<typeof setInterval> | undefined} */ #timer;
  #next = 0;

  start() {
    this.#lags = [];
    this.#next = performance.now() + STEP;
    this.#timer = setInterval(() => this.#look(), STEP);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** By how much a tenth of all looks were late at least, in ms. */
  get lag() {
    const sorted = [...this.#lags].sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length * 0.9)] ?? 0;
  }

  /**
   * What speaks against the figures of this run, or null.
   *
   * @param {number} [publisherLag] by how much a tenth of the messages were sent later than planned, in ms
   */
  verdict(publisherLag = 0) {
    if (this.lag > TOLERANCE) {
      return `This page was the bottleneck: a tenth of its timers came ${Math.round(this.lag)} ms late or more.`;
    }
    if (publisherLag > TOLERANCE) {
      return `The sender was the bottleneck: a tenth of its messages left ${Math.round(publisherLag)} ms late or more.`;
    }
    return null;
  }

  #look() {
    const now = performance.now();
    this.#lags.push(Math.max(0, now - this.#next));
    if (this.#lags.length > 20_000) this.#lags.shift();
    // A look that was late does not make the next ones late, too.
    this.#next = Math.max(this.#next + STEP, now);
  }
}
