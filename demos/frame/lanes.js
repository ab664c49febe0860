// @ts-check
/**
 * The lanes: one track for each transport, all on one time axis, with "now" at the right edge.
 *
 *     const lanes = new Lanes(element, [{ key: "sse", title: "SSE" }], { seconds: 10, unit: "ms" });
 *     lanes.start();
 *     lanes.mark("sse", { value: 12.5 });                  // something arrived now, and took 12.5 ms
 *     const bar = lanes.bar("sse", { label: "a poll" });   // something that lasts, until `bar.until` is set
 *     const band = lanes.band({ label: "cable cut" });     // something that befalls all lanes, until `band.end()`
 *
 * Times are those of `performance.now()`, in ms. Only what the axis shows is kept.
 */

import { colorsOf, drawBand, drawBar, drawGround, drawMark, NOW } from "./paint.js";

/**
 * @typedef {object} Lane
 * @property {string} key by which the lane is named from then on
 * @property {string} title
 * @property {"websocket" | "sse" | "long-poll" | "other"} [look] its color and the shape of its marks: those of its key, unless given
 *
 * @typedef {"plain" | "late" | "lost" | "twice" | "quiet" | "caught-up"} Tone what a mark means, shown by color and form:
 *   a cross is lost, a hollow mark was caught up with later
 *
 * @typedef {object} Mark
 * @property {number} at
 * @property {number} [value] how high the mark stands, in the unit of the lanes
 * @property {string} [label] written into the mark
 * @property {Tone} [tone]
 *
 * @typedef {object} Bar
 * @property {number} from
 * @property {number | null} until null as long as it lasts
 * @property {string} [label]
 * @property {Tone} [tone]
 * @property {number} [row] bars that overlap stand in rows, 0 at the top
 * @property {number} [rows] how many rows there are
 */

/** How many marks and bars a lane keeps at most. At 500 a second, that is more than an axis of ten seconds shows. */
const MOST = 6_000;

/** The tops that a scale may have, in its unit. */
const TOPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000];

/** Whoever asks for less motion gets a new picture so often, in ms. */
const CALM_STEP = 250;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Lanes {
  #seconds;
  #unit;
  /** @type {Map<string, Track>} */ #tracks = new Map();
  /** @type {{ from: number, until: number | null, label: string, lane?: string, tone?: Tone }[]} */ #bands = [];
  #axis = document.createElement("ol");
  /** When the picture stands still, the moment that it shows. @type {number | null} */ #stoppedAt = performance.now();
  #top = TOPS[0];

  /**
   * @param {HTMLElement} host is filled with the lanes
   * @param {Lane[]} lanes
   * @param {{ seconds?: number, unit?: string }} [options] how long the axis is; with a unit, marks stand at their value
   */
  constructor(host, lanes, { seconds = 10, unit } = {}) {
    this.#seconds = seconds;
    this.#unit = unit;
    host.classList.add("strips");
    for (const lane of lanes) {
      const track = new Track(lane);
      this.#tracks.set(lane.key, track);
      host.append(track.element);
    }
    this.#axis.className = "time-axis";
    this.#axis.ariaHidden = "true";
    host.append(this.#axis);
    this.#labelAxis();
    new ResizeObserver(() => this.#draw()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    new MutationObserver(() => this.#draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /** The keys of the lanes, from top to bottom. */
  get keys() {
    return [...this.#tracks.keys()];
  }

  /** Empties all lanes, and lets the axis move. */
  start() {
    for (const track of this.#tracks.values()) track.clear();
    this.#bands = [];
    this.#top = TOPS[0];
    const wasStopped = this.#stoppedAt !== null;
    this.#stoppedAt = null;
    if (wasStopped) requestAnimationFrame(() => this.#tick());
  }

  /** Holds the picture as it is now. */
  stop() {
    this.#stoppedAt ??= performance.now();
    this.#draw();
  }

  /**
   * Something happened.
   *
   * @param {string} lane
   * @param {Partial<Mark>} [mark] now, unless it says otherwise
   * @returns {Mark} may be changed afterwards
   */
  mark(lane, mark = {}) {
    const added = { at: performance.now(), ...mark };
    this.#track(lane).add(added);
    return added;
  }

  /**
   * Something lasts, until `until` is set.
   *
   * @param {string} lane
   * @param {Partial<Bar>} [bar]
   * @returns {Bar}
   */
  bar(lane, bar = {}) {
    /** @type {Bar} */
    const added = { from: performance.now(), until: null, ...bar };
    this.#track(lane).addBar(added);
    return added;
  }

  /**
   * Something befalls all lanes, or one of them.
   *
   * @param {{ label: string, lane?: string, from?: number }} band
   */
  band({ label, lane, from = performance.now() }) {
    const band = { from, until: /** @type {number | null} */ (null), label, lane };
    this.#bands.push(band);
    if (this.#bands.length > 100) this.#bands.shift();
    return { end: () => void (band.until ??= performance.now()) };
  }

  /**
   * How a lane stands, in words.
   *
   * @param {string} lane
   * @param {"stopped" | "connecting" | "open" | "retrying" | "refused"} phase
   * @param {string} [words]
   */
  state(lane, phase, words = phase) {
    this.#track(lane).state(phase, words);
  }

  /**
   * The one number of a lane.
   *
   * @param {string} lane
   * @param {string} number with its unit
   * @param {string} note what it is, and of how many: "median of 312"
   */
  number(lane, number, note) {
    this.#track(lane).number(number, note);
  }

  /** @param {string} lane */
  #track(lane) {
    const track = this.#tracks.get(lane);
    if (!track) throw new RangeError(`there is no lane ${lane}`);
    return track;
  }

  #tick() {
    if (this.#stoppedAt !== null) return;
    this.#draw();
    const again = () => requestAnimationFrame(() => this.#tick());
    if (calm.matches) setTimeout(again, CALM_STEP);
    else again();
  }

  #draw() {
    const now = this.#stoppedAt ?? performance.now();
    const from = now - this.#seconds * 1_000;
    let highest = 0;
    for (const track of this.#tracks.values()) highest = Math.max(highest, track.forgetBefore(from));
    // The scale is the same for all lanes, or they could not be compared. It shrinks late, or it would jump back and forth.
    if (highest > this.#top || highest < this.#top / 5) this.#top = TOPS.find((top) => top >= highest) ?? highest;
    this.#bands = this.#bands.filter(({ until }) => until === null || until > from);
    for (const [key, track] of this.#tracks) {
      const bands = this.#bands.filter(({ lane }) => lane === undefined || lane === key);
      track.draw({ now, from, bands, scale: this.#unit === undefined ? null : { top: this.#top, unit: this.#unit } });
    }
  }

  #labelAxis() {
    const step = this.#seconds > 30 ? 10 : this.#seconds > 12 ? 5 : 2;
    for (let ago = 0; ago <= this.#seconds; ago += step) {
      const label = document.createElement("li");
      label.textContent = ago === 0 ? "now" : `${ago} s`;
      label.style.setProperty("--ago", String(ago / this.#seconds));
      this.#axis.append(label);
    }
  }
}

/** What all tracks need to draw one picture. @typedef {{ now: number, from: number, bands: { from: number, until: number | null, label: string }[], scale: { top: number, unit: string } | null }} Picture */

/** One lane: its facts beside, its picture on a canvas. */
class Track {
  element = document.createElement("article");
  #look;
  #title;
  #canvas = document.createElement("canvas");
  #state = document.createElement("p");
  #number = document.createElement("b");
  #note = document.createElement("span");
  /** @type {Mark[]} */ #marks = [];
  /** @type {Bar[]} */ #bars = [];
  #count = 0;

  /** @param {Lane} lane */
  constructor({ key, title, look }) {
    this.#look = look ?? (["websocket", "sse", "long-poll"].includes(key) ? key : "other");
    this.#title = title;
    const facts = document.createElement("div");
    facts.className = "strip-facts";
    const heading = document.createElement("h3");
    heading.textContent = title;
    this.#state.className = "lamp";
    const number = document.createElement("p");
    number.className = "strip-number";
    number.append(this.#number, " ", this.#note);
    facts.append(heading, this.#state, number);
    this.#canvas.setAttribute("role", "img");
    this.element.className = "strip";
    this.element.dataset.lane = key;
    this.element.dataset.look = this.#look;
    this.element.append(facts, this.#canvas);
    this.clear();
    this.state("stopped", "not started");
  }

  clear() {
    this.#marks = [];
    this.#bars = [];
    this.#count = 0;
    this.element.dataset.count = "0";
    this.number("–", "");
  }

  /** @param {Mark} mark */
  add(mark) {
    this.#marks.push(mark);
    if (this.#marks.length > MOST) this.#marks.shift();
    this.element.dataset.count = String(++this.#count);
  }

  /** @param {Bar} bar */
  addBar(bar) {
    this.#bars.push(bar);
    if (this.#bars.length > MOST) this.#bars.shift();
    this.element.dataset.count = String(++this.#count);
  }

  /** @param {string} phase @param {string} words */
  state(phase, words) {
    this.element.dataset.phase = phase;
    if (this.#state.textContent !== words) this.#state.textContent = words;
  }

  /** @param {string} number @param {string} note */
  number(number, note) {
    this.#number.textContent = number;
    this.#note.textContent = note;
  }

  /**
   * Forgets what has left the axis.
   *
   * @param {number} from
   * @returns {number} the highest value that is left
   */
  forgetBefore(from) {
    const first = this.#marks.findIndex(({ at }) => at >= from);
    this.#marks.splice(0, first < 0 ? this.#marks.length : first);
    this.#bars = this.#bars.filter(({ until }) => until === null || until >= from);
    return this.#marks.reduce((highest, { value = 0 }) => Math.max(highest, value), 0);
  }

  /** @param {Picture} picture */
  draw({ now, from, bands, scale }) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0) return;
    const density = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * density) || this.#canvas.height !== Math.round(height * density)) {
      this.#canvas.width = Math.round(width * density);
      this.#canvas.height = Math.round(height * density);
    }
    const pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    const colors = colorsOf(this.#canvas);
    pen.font = `700 ${Math.max(12, Math.round(height / 7))}px ${colors.face}`;
    const x = (/** @type {number} */ at) => ((at - from) / (now - from)) * (width - NOW);
    // A tenth is left free above and below, so that no mark is cut off.
    const y = (/** @type {number} */ value) => (scale ? height * (0.88 - 0.76 * (value / scale.top)) : height / 2);

    for (const band of bands) drawBand(pen, colors, { left: x(band.from), right: x(band.until ?? now), height, label: band.label });
    // Bars alone show the time themselves; a line would cross them.
    const hasLine = this.#bars.length === 0 || this.#marks.length > 0;
    drawGround(pen, colors, { width, height, y, scale, hasLine });
    for (const bar of this.#bars) drawBar(pen, colors, { left: Math.max(-8, x(bar.from)), right: x(bar.until ?? now), height, bar });
    for (const mark of this.#marks) {
      drawMark(pen, colors, { x: x(mark.at), y: y(mark.value ?? 0), height, mark, look: this.#look });
    }
    this.#canvas.setAttribute("aria-label", `${this.#title}: ${this.#count} so far`);
  }
}
