// @ts-check
/** The bet of a page: placed before the start, locked while the demo runs, and what came true is drawn over it. */

import { find } from "./page.js";

/** The value of a choice, a number, or for several sliders a number by each name. @typedef {string | number | Record<string, number>} Truth */

/** The bet: choices (radio buttons) or a number (a slider), placed before Start. */
export class Bet {
  #form = find("form.bet", HTMLFormElement);
  #inputs = /** @type {HTMLInputElement[]} */ ([...this.#form.querySelectorAll("input")]);
  #outcome = document.createElement("output");
  /** Is called when all of the bet is placed. */ onPlaced = () => {};
  /** Is called with the verdict, in words, or with none when it is taken back. @type {(words: string) => void} */ onDecided = () => {};

  constructor() {
    this.#form.id = "bet";
    this.#outcome.className = "outcome";
    this.#form.append(this.#outcome);
    for (const input of this.#inputs) {
      if (input.type === "range") this.#prepareSlider(input);
      input.addEventListener("input", () => {
        if (input.type === "range") this.#showGuess(input);
        // Of several sliders, each is a part of the bet.
        if (this.#sliders.some((slider) => slider.dataset.moved === undefined)) return;
        this.#form.dataset.placed = "";
        this.onPlaced();
      });
    }
    this.#form.addEventListener("submit", (event) => event.preventDefault());
  }

  lock() {
    this.#form.dataset.locked = "";
    for (const input of this.#inputs) input.disabled = true;
    delete this.#form.dataset.revealed;
    delete this.#form.dataset.told;
    for (const mark of this.#form.querySelectorAll(".came-true, .truth")) {
      mark.classList.remove("came-true");
      if (mark.matches(".truth")) mark.remove();
    }
    this.#outcome.textContent = "";
    this.onDecided("");
  }

  unlock() {
    delete this.#form.dataset.locked;
    for (const input of this.#inputs) input.disabled = false;
  }

  get #sliders() {
    return this.#inputs.filter(({ type }) => type === "range");
  }

  /** @param {Truth} truth @param {string} text */
  reveal(truth, text) {
    const numbers = this.#sliders.map((slider) => this.#revealNumber(slider, Number(typeof truth === "object" ? truth[slider.name] : truth)));
    const isRight = numbers.length > 0 ? numbers.every(Boolean) : this.#revealChoice(String(truth));
    this.#form.dataset.revealed = isRight ? "right" : "wrong";
    this.onDecided(isRight ? "✓ You were right: see above" : "✕ You lost the bet: see above");
    delete this.#form.dataset.told;
    this.#show(text);
  }

  /** @param {string} text */
  tell(text) {
    this.#form.dataset.told = "";
    this.#show(text);
  }

  /** @param {string} text */
  #show(text) {
    if (this.#outcome.textContent !== text) this.#outcome.textContent = text;
  }

  /** @param {string} truth */
  #revealChoice(truth) {
    for (const input of this.#inputs) input.closest("label")?.classList.toggle("came-true", input.value === truth);
    return this.#inputs.some((input) => input.checked && input.value === truth);
  }

  /** A guess within a factor of two, or a tenth of a linear scale, counts as right. @param {HTMLInputElement} slider @param {number} truth */
  #revealNumber(slider, truth) {
    const { position, value, unit } = scaleOf(slider);
    const guess = value(Number(slider.value));
    const mark = slider.parentElement?.querySelector(".truth") ?? document.createElement("b");
    mark.className = "truth";
    mark.textContent = `measured: ${readable(truth)} ${unit}`;
    /** @type {HTMLElement} */ (mark).style.setProperty("--at", String(position(truth)));
    slider.parentElement?.append(mark);
    const isNear = slider.dataset.scale === "log" ? Math.abs(Math.log2(guess / truth)) <= 1 : Math.abs(position(guess) - position(truth)) <= 0.1;
    return isNear;
  }

  /** @param {HTMLInputElement} slider */
  #prepareSlider(slider) {
    const guess = document.createElement("output");
    guess.className = "guess";
    const margin = slider.dataset.scale === "log" ? "a factor of two" : "a tenth of the scale";
    guess.textContent = `Move the slider: a guess within ${margin} counts as right.`;
    slider.after(guess);
  }

  /** @param {HTMLInputElement} slider */
  #showGuess(slider) {
    const { value, unit } = scaleOf(slider);
    slider.dataset.moved = "";
    const guess = slider.parentElement?.querySelector(".guess");
    if (guess) guess.textContent = `your bet: ${readable(value(Number(slider.value)))} ${unit}`;
  }
}

/**
 * A slider of a bet runs from `data-from` to `data-to`, evenly or, with `data-scale="log"`, in equal factors.
 *
 * @param {HTMLInputElement} slider with min 0 and max 1000
 */
function scaleOf(slider) {
  const from = Number(slider.dataset.from);
  const to = Number(slider.dataset.to);
  const isLog = slider.dataset.scale === "log";
  const steps = Number(slider.max) - Number(slider.min);
  return {
    unit: slider.dataset.unit ?? "",
    /** @param {number} step */
    value: (step) => (isLog ? from * (to / from) ** (step / steps) : from + (to - from) * (step / steps)),
    /** @param {number} value */
    position: (value) => {
      const share = isLog ? Math.log(Math.max(value, from) / from) / Math.log(to / from) : (value - from) / (to - from);
      return Math.min(1, Math.max(0, share));
    },
  };
}

/** Two digits are what a guess is worth. @param {number} number */
function readable(number) {
  return Number(number.toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 6 });
}
