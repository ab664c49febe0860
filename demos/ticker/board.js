// @ts-check
/** A board: a square for each price, painted as it ought to be trusted. */

/** How many squares stand side by side. */
const COLUMNS = 20;

/** A price that has been wrong for so long is as red as can be, in ms. */
const WORST = 2_000;

/** A price that has been wrong for less than this is shown as true: nobody could have seen it, in ms. */
const BLINK = 250;

export class Board {
  #canvas;
  #output;
  /** The version of each price on the board. @type {number[]} */ #versions;
  /** When the newest change that has come was made. */ newest = 0;

  /** @param {HTMLElement} figure @param {number} symbols */
  constructor(figure, symbols) {
    this.#canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
    this.#output = /** @type {HTMLElement} */ (figure.querySelector("output"));
    this.#versions = new Array(symbols).fill(0);
  }

  /** @param {{ symbol: number, version: number, at: number }[]} changes */
  take(changes) {
    for (const { symbol, version, at } of changes) {
      this.#versions[symbol] = Math.max(this.#versions[symbol], version);
      this.newest = Math.max(this.newest, at);
    }
  }

  /**
   * Paints all prices, and says how many are wrong.
   *
   * @param {(symbol: number, version: number) => number} wrongFor for how long, in ms
   */
  paint(wrongFor) {
    const pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    const { borderTopColor: red, borderLeftColor: green } = getComputedStyle(this.#canvas);
    const size = this.#canvas.width / COLUMNS;
    let wrong = 0;
    pen.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#versions.forEach((version, symbol) => {
      const age = wrongFor(symbol, version);
      if (age >= BLINK) wrong++;
      const [x, y] = [(symbol % COLUMNS) * size, Math.floor(symbol / COLUMNS) * size];
      // A true price is pale and a wrong one is strong, for those who don't tell green from red.
      pen.globalAlpha = age < BLINK ? 0.3 : 0.4 + 0.6 * Math.min(1, age / WORST);
      pen.fillStyle = age < BLINK ? green : red;
      pen.fillRect(x + 1, y + 1, size - 2, size - 2);
    });
    return wrong / this.#versions.length;
  }

  /** @param {string} text */
  say(text) {
    this.#output.textContent = text;
  }
}
