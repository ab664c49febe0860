// @ts-check
/**
 * The bytes of one bar: in hexadecimal and as text, colored by field, with what each field means and where that is
 * written.
 *
 * @module inspector
 */

/** So many bytes are shown at first, and so many at most. */
const FIRST = 512;
const MOST = 8_192;
/** Bars that are remembered, so that one can be reached from another. */
const REMEMBERED = 2_000;
/** Bytes in a row, where there is room and where there is less; up to this width in CSS pixels there is less. */
const ROW = { wide: 16, narrow: 8 };
const NARROW = 560;
/** So many bytes are few, and are shown larger. */
const FEW = 64;
/** Neighbors get colors that are far from each other: an angle on the color wheel that no small number of steps repeats. */
const HUE_STEP = 137.5;

/**
 * @typedef {import("./reader.js").Bar} Bar
 * @typedef {import("./reader.js").Field} Field
 */

export class Inspector {
  #section;
  #heading;
  #about;
  #relatives;
  #bytes;
  #meaning;
  #fields;
  #unmask;
  #goTo;
  /** @type {Map<number, Bar>} */ #bars = new Map();
  /** @type {Bar | null} */ #bar = null;
  #active = 0;
  #most = FIRST;

  /**
   * @param {HTMLElement} section with the places to fill
   * @param {(id: number) => void} goTo another bar was asked for
   */
  constructor(section, goTo) {
    const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (section.querySelector(selector));
    this.#section = section;
    this.#goTo = goTo;
    this.#heading = part("h2");
    this.#about = part(".about");
    this.#relatives = part(".relatives");
    this.#bytes = part(".bytes");
    this.#meaning = part(".meaning");
    this.#fields = part(".fields");
    this.#unmask = part(".unmask");
    this.#unmask.addEventListener("input", () => this.#drawBytes());
    // Not `pointerover`: it also comes when the page is scrolled under a pointer that rests.
    section.addEventListener("pointermove", ({ target }) => this.#point(target));
    section.addEventListener("click", ({ target }) => this.#point(target));
    section.addEventListener("focusin", ({ target }) => this.#point(target));
    this.#bytes.addEventListener("keydown", (event) => this.#step(event, "ArrowLeft", "ArrowRight"));
    this.#fields.addEventListener("keydown", (event) => this.#step(event, "ArrowUp", "ArrowDown"));
    new ResizeObserver(() => this.#bar && this.#drawBytes()).observe(this.#bytes);
  }

  get isShown() {
    return this.#bar !== null;
  }

  hide() {
    this.#bar = null;
    this.#bars.clear();
    this.#section.hidden = true;
  }

  /** Remembers a bar, and draws it again if it is the one that is shown. @param {Bar} bar */
  know(bar) {
    this.#bars.delete(bar.id);
    this.#bars.set(bar.id, bar);
    const [oldest] = this.#bars.keys();
    if (this.#bars.size > REMEMBERED) this.#bars.delete(oldest);
    if (this.#bar && (bar === this.#bar || bar.places.some((place) => place.bar === this.#bar?.id))) this.#draw();
  }

  /** @param {Bar} bar */
  show(bar) {
    this.#bar = bar;
    this.#active = 0;
    this.#most = FIRST;
    this.#section.hidden = false;
    this.#draw();
  }

  #draw() {
    const bar = /** @type {Bar} */ (this.#bar);
    this.#heading.textContent = `${bar.layer === "content" ? "" : bar.direction === "up" ? "↑ " : "↓ "}${bar.title}`;
    const way = bar.direction === "up" ? "sent by the browser" : "sent by the server";
    const length = `${bar.length.toLocaleString("en")} bytes`;
    const where = `connection ${bar.connection}, exchange ${bar.exchange}`;
    this.#about.textContent = [way, length, where, bar.note].filter(Boolean).join(" · ");
    this.#drawRelatives(bar);
    this.#unmask.hidden = !bar.parsed?.key;
    this.#drawBytes();
    this.#drawFields(bar);
    this.#activate(Math.min(this.#active, bar.fields.length - 1));
  }

  /** An event lies in chunks, and a chunk has events. @param {Bar} bar */
  #drawRelatives(bar) {
    const above = bar.places.map(({ bar: id }) => this.#bars.get(id));
    const below = [...this.#bars.values()].filter(({ places }) => places.some(({ bar: id }) => id === bar.id));
    this.#relatives.replaceChildren(...this.#buttons("lies in", above), ...this.#buttons("contains", below));
  }

  /** @param {string} words @param {(Bar | undefined)[]} bars */
  #buttons(words, bars) {
    const known = /** @type {Bar[]} */ (bars.filter(Boolean));
    if (known.length === 0) return [];
    const buttons = known.map(({ id, title }) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: title });
      button.addEventListener("click", () => this.#goTo(id));
      return button;
    });
    return [`${words} `, ...buttons];
  }

  // --- bytes ----------------------------------------------------------------------------------------------------------

  #drawBytes() {
    const bar = /** @type {Bar} */ (this.#bar);
    this.#bytes.toggleAttribute("data-few", bar.length <= FEW);
    const wide = this.#bytes.clientWidth > NARROW ? ROW.wide : ROW.narrow;
    const bytes = this.#visibleBytes(bar);
    const rows = [];
    for (let from = 0; from < bytes.length; from += wide) {
      rows.push(row(bar.fields, bytes, from, Math.min(from + wide, bytes.length)));
    }
    this.#bytes.style.setProperty("--row", String(wide));
    this.#bytes.replaceChildren(...rows, ...this.#rest(bar, bytes.length));
    this.#highlight();
  }

  /** @param {Bar} bar */
  #visibleBytes(bar) {
    const bytes = bar.bytes.slice(0, this.#most);
    const isUnmasked = !this.#unmask.hidden && this.#unmask.querySelector("input")?.checked;
    if (isUnmasked) bytes.set(bar.parsed.payload.subarray(0, Math.max(0, bytes.length - maskedFrom(bar))), maskedFrom(bar));
    return bytes;
  }

  /** What is not shown, and why. @param {Bar} bar @param {number} shown */
  #rest(bar, shown) {
    if (shown === bar.length) return [];
    const line = document.createElement("p");
    const missing = (bar.length - shown).toLocaleString("en");
    if (shown === bar.bytes.length) line.textContent = `${missing} more bytes were not kept.`;
    else if (this.#most === MOST) line.textContent = `${missing} more bytes are in the recording.`;
    else {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: `${missing} more bytes` });
      button.addEventListener("click", () => {
        this.#most = MOST;
        this.#drawBytes();
      });
      line.append(button);
    }
    return [line];
  }

  // --- fields ---------------------------------------------------------------------------------------------------------

  /** @param {Bar} bar */
  #drawFields(bar) {
    const items = bar.fields.map(({ name, value }, index) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.field = String(index);
      button.style.setProperty("--hue", hueOf(index));
      const [label, text] = [document.createElement("b"), document.createElement("code")];
      label.textContent = name;
      text.textContent = value.slice(0, 200);
      button.append(label, text);
      const item = document.createElement("li");
      item.append(button);
      return item;
    });
    const hadFocus = this.#fields.contains(document.activeElement);
    this.#fields.replaceChildren(...items);
    if (hadFocus) /** @type {HTMLElement | null} */ (this.#fields.querySelector(`[data-field="${this.#active}"]`))?.focus();
  }

  /** @param {EventTarget | null} target */
  #point(target) {
    const marked = target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest("[data-field]")) : null;
    const field = Number(marked?.dataset.field);
    if (marked && this.#bar && field !== this.#active) this.#activate(field);
  }

  /** @param {KeyboardEvent} event @param {string} back @param {string} forth */
  #step(event, back, forth) {
    if (event.key !== back && event.key !== forth) return;
    event.preventDefault();
    const count = this.#bar?.fields.length ?? 0;
    const next = Math.max(0, Math.min(count - 1, this.#active + (event.key === forth ? 1 : -1)));
    this.#activate(next);
    if (event.currentTarget === this.#fields) {
      /** @type {HTMLElement | null} */ (this.#fields.querySelector(`[data-field="${next}"]`))?.focus();
    }
  }

  /** @param {number} index */
  #activate(index) {
    this.#active = Math.max(0, index);
    const field = this.#bar?.fields[this.#active];
    this.#meaning.replaceChildren(...(field ? explanation(field, this.#active) : []));
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (this.#fields.querySelectorAll("[data-field]"))) {
      button.tabIndex = Number(button.dataset.field) === this.#active ? 0 : -1;
    }
    this.#highlight();
  }

  #highlight() {
    for (const marked of /** @type {NodeListOf<HTMLElement>} */ (this.#section.querySelectorAll("[data-field]"))) {
      marked.toggleAttribute("data-active", Number(marked.dataset.field) === this.#active);
    }
  }
}

/** Where a frame's payload begins. @param {Bar} bar */
function maskedFrom({ length, parsed }) {
  return length - parsed.length;
}

/**
 * One row of the dump: where it begins, its bytes, and what they are as text.
 *
 * @param {Field[]} fields
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} to
 */
function row(fields, bytes, from, to) {
  const line = span("row", "");
  const offset = span("offset", from.toString(16).padStart(4, "0"));
  const [hex, text] = [span("hex", ""), span("text", "")];
  fields.forEach((field, index) => {
    const part = bytes.subarray(Math.max(from, field.from), Math.max(from, Math.min(to, field.to)));
    if (field.from >= to || field.to <= from || part.length === 0) return;
    hex.append(run(index, [...part].map((byte) => byte.toString(16).padStart(2, "0"))));
    text.append(run(index, [...part].map(character)));
  });
  line.append(offset, hex, text);
  return line;
}

/** @param {number} index of the field @param {string[]} cells */
function run(index, cells) {
  const marked = span("run", "");
  marked.dataset.field = String(index);
  marked.style.setProperty("--hue", hueOf(index));
  marked.append(...cells.map((cell) => span("", cell)));
  return marked;
}

/** @param {number} byte */
function character(byte) {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}

/** Name, value, meaning and source of a field, its bits and its parts. @param {Field} field @param {number} index */
function explanation({ name, value, meaning, source, from, to, bits, parts }, index) {
  const heading = document.createElement("h3");
  heading.textContent = name;
  heading.style.setProperty("--hue", hueOf(index));
  const where = to - from === 1 ? `byte ${from}` : `bytes ${from} to ${to - 1}`;
  const shown = document.createElement("code");
  shown.className = "value";
  shown.textContent = value.length > 600 ? `${value.slice(0, 600)}…` : value;
  const sentence = document.createElement("p");
  sentence.textContent = meaning ? `${meaning[0].toUpperCase()}${meaning.slice(1)}.` : "";
  const origin = document.createElement("p");
  origin.className = "origin";
  origin.textContent = [source, where].filter(Boolean).join(" · ");
  const detail = bits ? [bitTable(bits)] : parts ? [partList(parts)] : [];
  return [heading, ...(value ? [shown] : []), ...(meaning ? [sentence] : []), ...detail, origin];
}

/** @param {import("./reader.js").Bit[]} bits */
function bitTable(bits) {
  const list = document.createElement("ul");
  list.className = "bits";
  for (const { name, width, value, meaning, source } of bits) {
    const item = document.createElement("li");
    const digits = document.createElement("code");
    digits.textContent = value.toString(2).padStart(width, "0");
    const label = document.createElement("b");
    label.textContent = name;
    item.append(digits, " ", label, ` ${meaning} (${source})`);
    list.append(item);
  }
  return list;
}

/** @param {import("./reader.js").Part[]} parts */
function partList(parts) {
  const line = document.createElement("p");
  line.className = "parts";
  line.textContent = parts.map(({ name, from, to }) => `${name} ${to - from}`).join(" + ");
  return line;
}

/** @param {number} index */
function hueOf(index) {
  return String(Math.round((index * HUE_STEP + 40) % 360));
}

/** @param {string} className @param {string} text */
function span(className, text) {
  return Object.assign(document.createElement("span"), { className, textContent: text });
}
