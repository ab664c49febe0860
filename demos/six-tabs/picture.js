// @ts-check
/** A picture that is loaded again and again, each time under an address of its own, with the time that it takes. */

import { inMs } from "../frame/statistics.js";

/** Below this, in ms, nobody would call it waiting. */
const NOTICEABLE = 300;

export class Picture {
  #figure;
  #frame;
  #said;
  /**
   * The loading that is under way, if any.
   *
   * @type {{ image: HTMLImageElement, since: number, done: Promise<number> } | null}
   */
  #loading = null;
  /** How often it came. */ count = 0;

  /** @param {HTMLElement} figure with a frame and an output */
  constructor(figure) {
    this.#figure = figure;
    this.#frame = /** @type {HTMLElement} */ (figure.querySelector(".frame"));
    this.#said = /** @type {HTMLElement} */ (figure.querySelector("output"));
  }

  /** For how long it has been loading, in ms; 0 when it is here. */
  get waitingFor() {
    return this.#loading ? performance.now() - this.#loading.since : 0;
  }

  /** Begins to load, unless that is under way. @param {URL} url @returns {Promise<number>} after how many ms it was there */
  load(url) {
    if (!this.#loading) {
      const image = new Image();
      image.alt = "A cup of tea";
      const since = performance.now();
      url.searchParams.set("now", String(since));
      image.src = String(url);
      this.#loading = { image, since, done: this.#arrival(image, since) };
    }
    return this.#loading.done;
  }

  /** Shows how it stands; to be called some times a second. */
  show() {
    if (this.waitingFor < NOTICEABLE) return;
    this.#frame.replaceChildren();
    this.#say("waiting", `waits ${(this.waitingFor / 1_000).toFixed(1)} s`);
  }

  /** Gives up what is under way. */
  stop() {
    if (!this.#loading) return;
    this.#loading.image.src = "";
    this.#loading = null;
    this.#say("stopped", "given up");
  }

  /** @param {HTMLImageElement} image @param {number} since @returns {Promise<number>} */
  #arrival(image, since) {
    return new Promise((resolve, reject) => {
      image.onload = () => {
        const took = performance.now() - since;
        this.#loading = null;
        this.count++;
        this.#frame.replaceChildren(image);
        this.#say("here", `${inMs(took)}`);
        resolve(took);
      };
      image.onerror = () => {
        if (this.#loading?.image !== image) return;
        this.#loading = null;
        this.#say("waiting", "failed");
        reject(new Error("The picture could not be loaded."));
      };
    });
  }

  /** @param {"here" | "waiting" | "stopped"} state @param {string} text */
  #say(state, text) {
    this.#figure.dataset.state = state;
    if (this.#said.textContent !== text) this.#said.textContent = text;
  }
}
