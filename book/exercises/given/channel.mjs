/**
 * Channels by name, and one channel: a log, and a signal that it has grown.
 *
 * A subscriber is a position in the log. Its cursor, `EPOCH.NUMBER`, is what a client sends to go on from there.
 */

/** Messages that a channel keeps. */
const CAPACITY = 1000;

/** Channels that there can be. */
const MOST_CHANNELS = 1000;

/**
 * A message with its number: 1, 2, 3 … in the order in which they were published.
 *
 * @typedef {{ number: number, text: string }} Message
 */

export class Channel {
  /** A name for this log, different in every run: a position means nothing in another log. */
  epoch = crypto.randomUUID().slice(0, 8);

  #messages = /** @type {Message[]} */ ([]);
  #start = 0;
  #waiting = /** @type {Set<(isPublished: boolean) => void>} */ (new Set());

  /** The position before the oldest message that is still here. */
  get start() {
    return this.#start;
  }

  /** The number of the newest message, or 0 before the first. */
  get head() {
    return this.#start + this.#messages.length;
  }

  /**
   * Appends a message, wakes whoever waits for it, and returns its number.
   *
   * @param {string} text
   */
  publish(text) {
    this.#messages.push({ number: this.head + 1, text });
    if (this.#messages.length > CAPACITY) {
      this.#messages.shift();
      this.#start += 1;
    }
    for (const wake of this.#waiting) wake(true);
    return this.head;
  }

  /**
   * The messages after a position, oldest first; `null` if nobody can go on from there.
   *
   * @param {number} position
   * @returns {Message[] | null}
   */
  readAfter(position) {
    if (!(position >= this.#start && position <= this.head)) return null;
    return this.#messages.slice(position - this.#start);
  }

  /**
   * Resolves when the next message has been published, to `true`, or after so many milliseconds, to `false`.
   *
   * @param {number} hold
   * @returns {Promise<boolean>}
   */
  published(hold) {
    return new Promise((resolve) => {
      const wake = (/** @type {boolean} */ isPublished) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(isPublished);
      };
      const timer = setTimeout(wake, hold, false);
      this.#waiting.add(wake);
    });
  }

  /**
   * The cursor of a position.
   *
   * @param {number} position
   */
  cursor(position) {
    return `${this.epoch}.${position}`;
  }
}

const channels = /** @type {Map<string, Channel>} */ (new Map());

/**
 * The channel of this name, which comes to be when it is first asked for; `null` if there are too many.
 *
 * @param {string} name
 */
export function channelOf(name) {
  let channel = channels.get(name) ?? null;
  if (!channel && channels.size < MOST_CHANNELS) channels.set(name, (channel = new Channel()));
  return channel;
}
