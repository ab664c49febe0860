// @ts-check
/**
 * One person's screen: a text area, its own copy of the text, and a connection that uses one transport.
 *
 * What to look at: `#hear` takes the same messages in the same order on every transport, and from the beginning, so who
 * joins late reads the log. `type` changes the own copy at once and tells the others afterwards.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";
import { decode, encode, Sequence } from "./sequence.js";

/** @typedef {import("./sequence.js").Id} Id @typedef {import("./sequence.js").Operation} Operation */

/** @typedef {import("../../client/fallcast.js").Transport} Transport @typedef {import("../frame/link.js").Link} Link */

export class Editor {
  #element;
  #area;
  #mirror;
  #whole;
  #run;
  #colors;
  #channel;
  /** @type {Operation[]} */ #unsent = [];
  #isSending = false;
  /** Whether letters are being composed of several keys; then nothing may be changed below the fingers. */ #isComposing = false;
  /** Where others write: behind which letter. @type {Map<number, Id>} */ #carets = new Map();
  /** The text that is kept as a whole. */ whole = "";
  /** Own whole texts that have not come back: what others say is older, and has lost. */ #unheard = 0;
  /** When this screen changed last. */ changedAt = 0;
  /** Hears of each message of operations, with the letters that are new here. @type {(letters: Id[]) => void} */
  onLetters = () => {};
  /** Hears of letters that were written here. @type {(letters: Id[]) => void} */ onTyped = () => {};

  /**
   * @param {import("../frame/demo.js").Run} run
   * @param {{ transport: Transport, link: Link, site: number }} seat
   * @param {Map<number, string>} colors by which those who write at this page are told apart
   */
  constructor(run, { transport, link, site }, colors) {
    this.#run = run;
    this.#colors = colors;
    this.transport = transport;
    this.site = site;
    this.sequence = new Sequence(site);
    this.#element = /** @type {HTMLElement} */ (document.querySelector(`[data-editor="${transport}"]`));
    this.#area = /** @type {HTMLTextAreaElement} */ (this.#element.querySelector("textarea"));
    this.#mirror = /** @type {HTMLElement} */ (this.#element.querySelector(".mirror"));
    this.#whole = /** @type {HTMLElement} */ (this.#element.querySelector(".whole"));
    this.#channel = connect(link.url(`channels/${run.channel}`), {
      transports: [transport],
      after: "start",
      backoff: { base: 300, cap: 1_000 }, // a cut cable is mended while everybody looks
      signal: run.signal,
    });
    this.#channel.addEventListener("message", ({ data, message }) => this.#hear(data, message.type));
    this.#channel.addEventListener("gap", () => run.say("The beginning of this text is no longer kept: choose another ?room=."));
    this.#channel.addEventListener("state", ({ detail: { state } }) => {
      if (run.signal.aborted) return;
      run.lanes.state(transport, state === "open" ? "open" : state === "waiting" ? "retrying" : "connecting", state);
    });
    this.#listen();
    this.show();
  }

  /** Whether everything that was typed here has been heard by the server. */
  get isQuiet() {
    return this.#unsent.length === 0 && this.#unheard === 0 && !this.#isSending;
  }

  get isOpen() {
    return this.#channel.state === "open";
  }

  /**
   * Types at a place of this screen.
   *
   * @param {number} at
   * @param {number} deleted how many letters behind it are replaced
   * @param {string} text
   */
  type(at, deleted, text) {
    const inserted = this.sequence.insert(at + deleted, text);
    this.#unsent.push(...inserted, ...this.sequence.delete(at, deleted));
    const letters = Array.from(this.whole);
    letters.splice(Math.min(at, letters.length), deleted, ...text);
    this.whole = letters.join("");
    this.onTyped(inserted.map(({ id }) => id));
    this.show();
    void this.#send();
  }

  /** Deletes everything. */
  wipe() {
    this.whole = "";
    this.type(0, this.sequence.letters.length, "");
  }

  // --- up and down ---

  /** Sends what was typed: at once over a WebSocket, and otherwise when the POST before is answered. */
  async #send() {
    if (this.#isSending || this.#unsent.length === 0) return;
    this.#isSending = this.#channel.transport !== "websocket";
    this.#unheard++;
    const operations = encode(this.#unsent.splice(0));
    const whole = { site: this.site, text: this.whole };
    await Promise.all([
      this.#channel.publish(operations, { type: "operations" }),
      this.#channel.publish(whole, { type: "whole" }),
    ]).catch(() => {}); // the demo has been stopped
    this.#isSending = false;
    void this.#send();
  }

  /** @param {any} data @param {string} [type] */
  #hear(data, type) {
    if (type === "operations" && data instanceof Uint8Array) this.#hearOperations(data);
    if (type === "whole" && typeof data?.text === "string") this.#hearWhole(data);
  }

  /** @param {Uint8Array} bytes */
  #hearOperations(bytes) {
    /** @type {Operation[]} */ let operations = [];
    try {
      operations = decode(bytes);
    } catch {
      return; // anybody may send anything into a shared room
    }
    const anchor = this.sequence.anchor(this.#caret);
    const isNew = (/** @type {Operation} */ { kind, id }) => kind === "insert" && !this.sequence.has(id);
    const letters = operations.filter(isNew).map(({ id }) => id);
    this.sequence.apply(operations);
    for (const id of letters) this.#carets.set(id.site, id);
    this.show(this.sequence.placeOf(anchor));
    this.onLetters(letters);
  }

  /** The last one in the log wins. @param {{ site: number, text: string }} whole */
  #hearWhole({ site, text }) {
    if (site === this.site && this.#unheard > 0) this.#unheard--;
    else if (this.#unheard === 0) this.whole = text;
    this.#showWhole();
  }

  // --- hands and eyes ---

  #listen() {
    const { signal } = this.#run;
    this.#area.disabled = false;
    this.#area.addEventListener("compositionstart", () => (this.#isComposing = true), { signal });
    this.#area.addEventListener("compositionend", () => ((this.#isComposing = false), this.#take()), { signal });
    this.#area.addEventListener("input", () => this.#isComposing || this.#take(), { signal });
    this.#area.addEventListener("scroll", () => (this.#mirror.scrollTop = this.#area.scrollTop), { signal });
    signal.addEventListener("abort", () => (this.#area.disabled = true));
  }

  /** Finds out what a person has changed: what is equal at both ends was not touched. */
  #take() {
    const [before, after] = [Array.from(this.sequence.text), Array.from(this.#area.value)];
    let start = 0;
    while (start < before.length && before[start] === after[start]) start++;
    let end = 0;
    const most = Math.min(before.length, after.length) - start;
    while (end < most && before.at(-1 - end) === after.at(-1 - end)) end++;
    this.type(start, before.length - start - end, after.slice(start, after.length - end).join(""));
  }

  /** Where the person's caret is, in letters. */
  get #caret() {
    return Array.from(this.#area.value.slice(0, this.#area.selectionStart)).length;
  }

  /** Puts the text on the screen. @param {number} [caret] where the caret belongs, in letters */
  show(caret) {
    const { letters } = this.sequence;
    const text = letters.map(({ letter }) => letter).join("");
    if (this.#area.value !== text && !this.#isComposing) {
      this.#area.value = text;
      const place = letters.slice(0, caret ?? letters.length).reduce((sum, { letter }) => sum + letter.length, 0);
      if (caret !== undefined) this.#area.setSelectionRange(place, place);
      this.changedAt = now();
    }
    this.#showWhole();
    this.#mirror.replaceChildren(...this.#colored(letters));
  }

  #showWhole() {
    if (this.#whole.textContent === this.whole) return;
    this.#whole.textContent = this.whole;
    this.changedAt = now();
  }

  /** The letters in the colors of their writers, and where others write. @param {import("./sequence.js").Letter[]} letters */
  #colored(letters) {
    const behind = new Map([...this.#carets].map(([site, id]) => [`${id.clock}.${id.site}`, site]));
    /** @type {HTMLElement[]} */ const parts = [];
    for (const { id, letter } of letters) {
      const writer = this.#colors.get(id.site) ?? "guest";
      const last = parts.at(-1);
      if (last && last.dataset.writer === writer) last.append(letter);
      else parts.push(part("span", writer, letter));
      const site = behind.get(`${id.clock}.${id.site}`);
      if (site !== undefined && site !== this.site) parts.push(part("i", this.#colors.get(site) ?? "guest", ""));
    }
    return parts;
  }
}

/** @param {string} tag @param {string} writer @param {string} text */
function part(tag, writer, text) {
  const element = document.createElement(tag);
  element.dataset.writer = writer;
  element.textContent = text;
  return element;
}
