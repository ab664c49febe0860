// @ts-check
/**
 * `Sec-WebSocket-Accept` of the page's own handshake, step by step.
 *
 * @module proof
 */

import { computeAccept, GUID } from "./accept.js";

/** @typedef {import("./reader.js").Bar} Bar */

export class Proof {
  #list;
  #button;
  #hint;
  /** The key that was sent, by exchange. @type {Map<number | null, string>} */ #keys = new Map();
  /** @type {HTMLElement[]} */ #steps = [];

  /** @param {HTMLElement} section */
  constructor(section) {
    this.#list = /** @type {HTMLElement} */ (section.querySelector("ol"));
    this.#button = /** @type {HTMLButtonElement} */ (section.querySelector("button"));
    this.#hint = /** @type {HTMLElement} */ (section.querySelector(".hint"));
    this.#button.addEventListener("click", () => this.#next());
  }

  clear() {
    this.#keys.clear();
    this.#steps = [];
    this.#list.replaceChildren();
    this.#button.disabled = true;
    this.#hint.hidden = false;
  }

  /** Waits for a handshake. The first one is what is shown. @param {Bar} bar */
  take(bar) {
    if (!bar.isComplete || bar.kind !== "websocket" || this.#steps.length > 0) return;
    if (bar.what === "request") this.#keys.set(bar.exchange, headerOf(bar, "sec-websocket-key"));
    const key = this.#keys.get(bar.exchange);
    if (bar.what !== "response" || !key) return;
    this.#steps = stepsOf(key, headerOf(bar, "sec-websocket-accept"));
    this.#button.disabled = false;
    this.#hint.hidden = true;
    this.#name();
  }

  #next() {
    const shown = this.#list.childElementCount;
    if (shown === this.#steps.length) this.#list.replaceChildren();
    else this.#list.append(this.#steps[shown]);
    this.#name();
  }

  #name() {
    const shown = this.#list.childElementCount;
    const isLast = shown === this.#steps.length;
    this.#button.textContent = shown === 0 ? "First step" : isLast ? "From the beginning" : "Next step";
  }
}

/** @param {Bar} bar @param {string} name */
function headerOf({ parsed }, name) {
  const header = parsed.headers.find((/** @type {{ name: string }} */ each) => each.name.toLowerCase() === name);
  return header?.value ?? "";
}

/** @param {string} key @param {string} answer what the server has sent */
function stepsOf(key, answer) {
  const { padded, states, digest, accept } = computeAccept(key);
  const guid = Object.assign(document.createElement("mark"), { textContent: GUID });
  const blocks = padded.length / 64;
  const verdict = accept === answer ? "the same: ✓ the server has read the request" : `✕ the server has sent ${answer}`;
  return [
    step("The browser has sent this key: 16 random bytes in base64 (RFC 6455 §4.1).", [key]),
    step("Behind it goes a text that is the same for everybody (RFC 6455 §1.3).", [key, guid]),
    step(`SHA-1 wants blocks of 64 bytes: a one, zeros, and the length fill up ${blocks} of them (RFC 3174 §4).`, [hex(padded)]),
    step("It begins with five fixed numbers and mixes one block after the other into them (RFC 3174 §6.1).", [
      states.map((words) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ")).join("\n"),
    ]),
    step("The last five numbers are the digest: 20 bytes.", [hex(digest)]),
    step("In base64, that is the value of Sec-WebSocket-Accept (RFC 6455 §4.2.2):", [accept]),
    step("And what the server has sent is", [verdict]),
  ];
}

/** @param {string} words @param {(string | Node)[]} shown */
function step(words, shown) {
  const item = document.createElement("li");
  const line = Object.assign(document.createElement("p"), { textContent: words });
  const code = document.createElement("code");
  code.append(...shown);
  item.append(line, code);
  return item;
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
