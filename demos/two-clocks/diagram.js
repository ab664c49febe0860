// @ts-check
/** One message between two clocks, drawn: the server's time runs along the upper rail, this device's along the lower one. */

const SVG = "http://www.w3.org/2000/svg";

/** How far words stand above the server's rail and below the device's, in heights of a letter. */
const ABOVE = 1.1;
const BELOW = 1.6;

/** Words that stand closer than this, in heights of a letter, are put on two lines. */
const NARROW = 8;

/** Half of the width of a letter, about, in its heights. */
const HALF_LETTER = 0.28;

/**
 * @typedef {object} Picture in ms, all by the same axis
 * @property {number} sent
 * @property {number} arrived
 * @property {number} back
 * @property {number} [bound] how far off `arrived` may be, each way
 * @property {number} [truth] when the message was there by better knowledge
 */

/** A picture that is drawn anew when its place changes its size. */
export class Diagram {
  #svg;
  /** @type {Picture | undefined} */ #picture;

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
    new ResizeObserver(() => this.#picture && draw(svg, this.#picture)).observe(svg);
  }

  /** @param {Picture} picture */
  show(picture) {
    this.#picture = picture;
    draw(this.#svg, picture);
  }
}

/** @param {SVGSVGElement} svg @param {Picture} picture */
function draw(svg, { sent, arrived, back, bound, truth }) {
  const { clientWidth: width, clientHeight: height } = svg;
  const letter = parseFloat(getComputedStyle(svg).fontSize);
  const times = [sent, arrived, back, arrived - (bound ?? 0), arrived + (bound ?? 0), truth ?? sent];
  const [first, last] = [Math.min(...times), Math.max(...times)];
  // A seventh is left free on each side, for what is written beside the stamps.
  const x = (/** @type {number} */ time) => width * (1 / 7 + ((time - first) / Math.max(1, last - first)) * (5 / 7));
  const [server, device] = [height * 0.34, height * 0.68];
  const since = (/** @type {number} */ time) => `${signed(time - sent)} ms`;
  const label = (/** @type {string} */ words, /** @type {number} */ time, /** @type {number} */ y) =>
    shape("text", { x: within(x(time), words.length * HALF_LETTER * letter, width), y, "text-anchor": "middle" }, words);

  // The names stand between the rails, left of all arrows.
  const parts = [...rail("server", server, width, letter), ...rail("device", device, width, -0.5 * letter)];
  if (bound) parts.push(line("bound", [x(arrived - bound), server], [x(arrived + bound), server]));
  parts.push(...arrow([x(sent), device], [x(arrived), server]), ...arrow([x(arrived), server], [x(back), device]));
  if (truth === undefined) {
    parts.push(label(`arrived: ${since(arrived)}`, arrived, server - ABOVE * letter));
  } else {
    const isClose = Math.abs(x(arrived) - x(truth)) < NARROW * letter;
    parts.push(diamond(x(truth), server), label("really", truth, server - ABOVE * letter));
    parts.push(label("estimate", arrived, server - (isClose ? 2 : 1) * ABOVE * letter));
  }
  parts.push(stamp(x(sent), device), stamp(x(arrived), server), stamp(x(back), device));
  const isClose = Math.abs(x(back) - x(sent)) < NARROW * letter;
  const below = device + BELOW * letter;
  parts.push(label("sent: 0 ms", sent, below), label(`back: ${since(back)}`, back, isClose ? below + letter : below));
  svg.replaceChildren(...parts);
}

/** Words stay inside the picture. @param {number} x @param {number} half of their width @param {number} width */
function within(x, half, width) {
  return Math.min(width - half, Math.max(half, x));
}

/** @param {string} name @param {number} y @param {number} width @param {number} below how far below the rail its name stands */
function rail(name, y, width, below) {
  return [line("rail", [0, y], [width, y]), shape("text", { class: "rail-name", x: 0, y: y + below }, name)];
}

/** @typedef {[x: number, y: number]} Point */

/** @param {string} look @param {Point} from @param {Point} to */
function line(look, [x1, y1], [x2, y2]) {
  return shape("line", { class: look, x1, y1, x2, y2 });
}

/** Time runs to the right. An arrow that points to the left is red. @param {Point} from @param {Point} to */
function arrow([x1, y1], [x2, y2]) {
  const look = x2 < x1 - 1 ? "way into-the-past" : "way";
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  // The head ends before the stamp, which would cover it.
  const [tipX, tipY] = [x2 - 11 * dx, y2 - 11 * dy];
  const [baseX, baseY] = [tipX - 20 * dx, tipY - 20 * dy];
  const points = [tipX, tipY, baseX - 9 * dy, baseY + 9 * dx, baseX + 9 * dy, baseY - 9 * dx].join(" ");
  return [line(look, [x1, y1], [baseX, baseY]), shape("polygon", { class: `${look} head`, points })];
}

/** @param {number} cx @param {number} cy */
function stamp(cx, cy) {
  return shape("circle", { class: "stamp", cx, cy, r: 9 });
}

/** @param {number} x @param {number} y */
function diamond(x, y) {
  return shape("polygon", { class: "truth", points: [x, y - 14, x + 14, y, x, y + 14, x - 14, y].join(" ") });
}

/** @param {string} name @param {Record<string, string | number>} attributes @param {string} [words] */
function shape(name, attributes, words) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (words) element.textContent = words;
  return element;
}

/** A number of ms with its sign, a true minus. @param {number} ms */
export function signed(ms) {
  const digits = Math.abs(ms) < 10 ? 1 : 0;
  return ms < 0 ? `−${(-ms).toFixed(digits)}` : ms.toFixed(digits);
}
