// @ts-check
/** The market as this page knows it: it runs here, so the page knows at any time what a board should show. */

/** Longer than so many ms nobody needs to know for how long a price has been wrong. */
const MEMORY = 60_000;

export class Market {
  #worker = new Worker(new URL("market-worker.js", import.meta.url), { type: "module" });
  /**
   * For each symbol, when its versions came to be, and how many of the first are forgotten.
   *
   * @type {{ forgotten: number, since: number[] }[]}
   */
  #history;
  /** By how much changes were made late, in ms. */ lag = 0;
  /** Resolves when all channels are open. @type {Promise<void>} */ opened;
  /** @type {(why: string) => void} */ onEnd = () => {};

  /** @param {number} symbols @param {URL[]} channels for every change, for batches, for latest values */
  constructor(symbols, channels) {
    this.#history = Array.from({ length: symbols }, () => ({ forgotten: 0, since: [0] }));
    this.opened = new Promise((resolve) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.isOpen) resolve();
        if (data.end) this.onEnd(data.end);
        if (data.changes) this.#remember(data.changes);
        this.lag = data.lag ?? this.lag;
      };
    });
    const sockets = channels.map((url) => `${String(url).replace(/^http/, "ws")}/ws?format=json&echo=0`);
    this.#worker.postMessage({ open: { channels: sockets, symbols } });
  }

  /** @param {number} rate changes a second */
  set(rate) {
    this.#worker.postMessage({ rate });
  }

  /** Sends all prices once, for those who have just come. */
  sendSnapshot() {
    this.#worker.postMessage({ snapshot: true });
  }

  /**
   * For how long a price has been wrong, in ms: 0 if it is true.
   *
   * @param {number} symbol
   * @param {number} version
   * @param {number} time
   */
  wrongFor(symbol, version, time) {
    const { forgotten, since } = this.#history[symbol];
    const next = version + 1 - forgotten;
    return next >= since.length ? 0 : time - (since[next] ?? time - MEMORY);
  }

  stop() {
    this.#worker.terminate();
  }

  /** @param {import("./market-worker.js").Change[]} changes */
  #remember(changes) {
    for (const { symbol, at } of changes) {
      const history = this.#history[symbol];
      history.since.push(at);
      while (history.since.length > 1 && history.since[0] < at - MEMORY) {
        history.since.shift();
        history.forgotten++;
      }
    }
  }
}
