// @ts-check
/**
 * The lanes of the wire: one row for each transport, one column for each moment in which something was sent.
 *
 * What belongs to one message is over in a millisecond, and then nothing happens for a second. On an axis of equal seconds
 * all bars would lie upon each other, so the axis has a column for each moment and says when it was. A bar is as long as
 * it has bytes. Bars of content (events) stand below the chunk or the body in which they begin.
 *
 * @module moments
 */

/** Silence of so many µs ends a moment. None is longer than the second number. */
const SILENCE = 250_000;
const LONGEST = 1_000_000;

/** So many moments are kept, with so many bars. */
const MOST = 40;
const MOST_BARS = 600;

/** The bar with so many bytes is as long as bars become, unless there are longer ones. */
const LONG = 400;

/**
 * @typedef {import("./reader.js").Bar} Bar
 * @typedef {{ column: number, from: number, until: number, elements: HTMLElement[] }} Moment
 * @typedef {{ strip: HTMLElement, lamp: HTMLElement, number: HTMLElement, note: HTMLElement, row: number }} Row
 * @typedef {{ bar: Bar, lane: string, column: number, button: HTMLButtonElement, group: HTMLElement }} Chip
 */

export class Moments {
  #host;
  #onOpen;
  #grid = document.createElement("div");
  /** @type {Map<string, Row>} */ #lanes = new Map();
  /** @type {Moment[]} */ #moments = [];
  /** @type {Map<number, Chip>} */ #chips = new Map();
  #start = 0;
  #longest = LONG;

  /**
   * @param {HTMLElement} host
   * @param {{ key: string, title: string }[]} lanes
   * @param {(bar: Bar) => void} onOpen a bar was chosen
   */
  constructor(host, lanes, onOpen) {
    this.#host = host;
    this.#onOpen = onOpen;
    this.#grid.className = "moment-grid";
    lanes.forEach((lane, index) => this.#addLane(lane, index));
    host.append(this.#grid);
    this.#grid.addEventListener("keydown", (event) => this.#move(event));
    this.clear();
  }

  clear() {
    for (const { elements } of this.#moments) for (const element of elements) element.remove();
    this.#moments = [];
    this.#chips.clear();
    this.#longest = LONG;
    this.#start = 0;
    for (const [key, { strip }] of this.#lanes) {
      strip.dataset.count = "0";
      this.number(key, "–", "");
      this.state(key, "stopped", "not started");
    }
  }

  /** A bar is new, or not what it was. @param {string} lane @param {Bar} bar */
  show(lane, bar) {
    const chip = this.#chips.get(bar.id) ?? this.#add(lane, bar);
    describe(chip.button, bar);
    if (bar.length > this.#longest) this.#longest = bar.length;
    this.#grid.style.setProperty("--longest", String(this.#longest));
  }

  /** Chooses a bar as a click does. @param {number} id */
  open(id) {
    const chip = this.#chips.get(id);
    if (!chip) return;
    for (const { button } of this.#chips.values()) button.removeAttribute("aria-current");
    chip.button.setAttribute("aria-current", "true");
    this.#rove(chip);
    this.#onOpen(chip.bar);
  }

  /** @param {string} lane @param {string} phase @param {string} [words] */
  state(lane, phase, words = phase) {
    const { strip, lamp } = this.#lane(lane);
    strip.dataset.phase = phase;
    lamp.textContent = words;
  }

  /** @param {string} lane @param {string} text @param {string} noteText */
  number(lane, text, noteText) {
    const { number, note } = this.#lane(lane);
    number.textContent = text;
    note.textContent = noteText;
  }

  /** @param {string} key */
  #lane(key) {
    const lane = this.#lanes.get(key);
    if (!lane) throw new RangeError(`there is no lane ${key}`);
    return lane;
  }

  /** @param {{ key: string, title: string }} lane @param {number} index */
  #addLane({ key, title }, index) {
    const strip = element("article", "strip");
    strip.dataset.lane = key;
    strip.dataset.look = key;
    const facts = element("div", "strip-facts");
    const [heading, lamp, numberLine] = [element("h3"), element("p", "lamp"), element("p", "strip-number")];
    const [number, note] = [element("b"), element("span")];
    heading.textContent = title;
    numberLine.append(number, " ", note);
    facts.append(heading, lamp, numberLine);
    place(facts, index, 1);
    strip.append(facts);
    this.#grid.append(strip);
    this.#lanes.set(key, { strip, lamp, number, note, row: index });
  }

  /** @param {string} lane @param {Bar} bar @returns {Chip} */
  #add(lane, bar) {
    const { strip, row } = this.#lane(lane);
    const within = bar.layer === "content" ? this.#chips.get(bar.places[0]?.bar) : undefined;
    const moment = within ? null : this.#momentOf(bar);
    const column = within?.column ?? /** @type {Moment} */ (moment).column;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip";
    button.tabIndex = this.#chips.size === 0 ? 0 : -1;
    button.addEventListener("click", () => this.open(bar.id));
    const group = within ? within.group : element("div", "chip-group");
    group.append(button);
    if (moment) this.#cell(moment, strip, row).append(group);
    const chip = { bar, lane, column, button, group };
    this.#chips.set(bar.id, chip);
    strip.dataset.count = String(Number(strip.dataset.count) + 1);
    this.#follow();
    return chip;
  }

  /** @param {Moment} moment @param {HTMLElement} strip @param {number} row */
  #cell(moment, strip, row) {
    const known = moment.elements.find((cell) => cell.parentElement === strip);
    if (known) return known;
    const cell = element("div", "cell");
    place(cell, row, moment.column);
    strip.append(cell);
    moment.elements.push(cell);
    return cell;
  }

  /** @param {Bar} bar @returns {Moment} */
  #momentOf({ from, until }) {
    const last = this.#moments.at(-1);
    if (last && from - last.until < SILENCE && from - last.from < LONGEST) {
      last.until = Math.max(last.until, until);
      return last;
    }
    this.#start ||= from;
    const time = element("time", "moment-time");
    time.textContent = `${((from - this.#start) / 1e6).toFixed(1)} s`;
    place(time, -1, (last?.column ?? 1) + 1);
    this.#grid.append(time);
    const moment = { column: (last?.column ?? 1) + 1, from, until, elements: [time] };
    this.#moments.push(moment);
    if (this.#moments.length > MOST || this.#chips.size > MOST_BARS) this.#forget(/** @type {Moment} */ (this.#moments.shift()));
    return moment;
  }

  /** @param {Moment} moment */
  #forget({ column, elements }) {
    for (const element of elements) element.remove();
    for (const [id, chip] of this.#chips) if (chip.column === column) this.#chips.delete(id);
  }

  /** Keeps the newest moment in view, unless somebody is looking at another one. */
  #follow() {
    if (this.#host.matches(":focus-within")) return;
    requestAnimationFrame(() => (this.#host.scrollLeft = this.#host.scrollWidth));
  }

  /** Left and right to the next moment of this lane, up and down within a moment. @param {KeyboardEvent} event */
  #move(event) {
    const here = [...this.#chips.values()].find(({ button }) => button === event.target);
    if (!here) return;
    const next = this.#neighbor(here, event.key);
    if (!next) return;
    event.preventDefault();
    this.#rove(next);
    next.button.focus();
    next.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** @param {Chip} here @param {string} key @returns {Chip | undefined} */
  #neighbor(here, key) {
    const all = [...this.#chips.values()];
    const lane = all.filter((chip) => chip.lane === here.lane);
    if (key === "ArrowRight") return lane.find((chip) => chip.column > here.column);
    if (key === "ArrowLeft") {
      const before = lane.filter((chip) => chip.column < here.column).at(-1)?.column;
      return lane.find((chip) => chip.column === before);
    }
    if (key === "Home") return lane[0];
    if (key === "End") return lane.at(-1);
    const buttons = all.filter((chip) => chip.column === here.column).sort(inDocument);
    if (key === "ArrowDown") return buttons[buttons.indexOf(here) + 1];
    if (key === "ArrowUp") return buttons[buttons.indexOf(here) - 1];
    return undefined;
  }

  /** One bar at a time can be reached with the Tab key; the arrows go on from there. @param {Chip} chip */
  #rove(chip) {
    for (const { button } of this.#chips.values()) button.tabIndex = -1;
    chip.button.tabIndex = 0;
  }
}

/** @param {Chip} one @param {Chip} other */
function inDocument(one, other) {
  return one.button.compareDocumentPosition(other.button) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
}

/** @param {HTMLButtonElement} button @param {Bar} bar */
function describe(button, bar) {
  const way = bar.direction === "up" ? "↑" : "↓";
  const [what, bytes] = [element("span", "chip-name"), element("b")];
  what.textContent = `${bar.layer === "wire" ? way : "↳"} ${shortTitleOf(bar)}`;
  bytes.textContent = bar.length.toLocaleString("en");
  button.replaceChildren(what, bytes);
  button.dataset.what = bar.what;
  button.dataset.layer = bar.layer;
  button.dataset.way = bar.direction;
  button.style.setProperty("--bytes", String(bar.length));
  button.setAttribute("aria-label", `${bar.direction === "up" ? "sent" : "received"}: ${bar.title}, ${bar.length} bytes in all`);
}

/** @param {Bar} bar */
function shortTitleOf({ what, layer, parsed, title }) {
  if (what === "response" && parsed) return String(parsed.status);
  if (what === "frame") return title.split(",")[0].replace(" frame", "");
  if (what === "event") return title.split(",")[0];
  if (what === "body" && layer === "content") return "JSON";
  return what;
}

/** @param {HTMLElement} cell @param {number} row @param {number} column */
function place(cell, row, column) {
  cell.style.setProperty("--row", String(row));
  cell.style.gridColumn = String(column);
}

/** @param {string} name @param {string} [className] @returns {HTMLElement} */
function element(name, className = "") {
  return Object.assign(document.createElement(name), { className });
}
