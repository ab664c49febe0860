// @ts-check
/** One run of a demo: what there is between Start and Stop, and ends with it. */

import { Link, ROOT } from "./link.js";
import { find } from "./page.js";

/** What is there between Start and Stop. */
export class Run {
  #knobs;
  #bet;
  /** @type {Link[]} */ #links;
  #ended = new AbortController();
  /** Ends with the run. */ signal = this.#ended.signal;
  /** By how much a tenth of the messages were sent late, in ms: for the verdict about the figures. */ publisherLag = 0;

  /**
   * @param {import("./demo.js").Plan} plan
   * @param {URL} lab where the lab is
   * @param {object} page what the run uses of its page
   * @param {import("./knobs.js").Knobs} page.knobs
   * @param {import("./lanes.js").Lanes} page.lanes
   * @param {import("./samples.js").Samples} page.samples
   * @param {import("./bet.js").Bet} page.bet
   * @param {(text: string) => void} page.say
   */
  constructor(plan, lab, { knobs, lanes, samples, bet, say }) {
    this.#knobs = knobs;
    this.#bet = bet;
    this.lanes = lanes;
    this.samples = samples;
    /** Says what happens, in a sentence, beside the button. */
    this.say = say;
    const query = new URLSearchParams(location.search);
    const own = `${plan.name}-${query.get("run")}`;
    /** The name of the channel. */
    this.channel = plan.room ? String(query.get("room")) : own;
    /** The way to it: this run's own. */
    this.link = new Link(own, lab);
    this.#links = plan.lab === false ? [] : [this.link];
    /** When it began, by `performance.now()`. */
    this.began = performance.now();
  }

  /** Ends all that listens to the signal, and gives the links back. */
  end() {
    this.#ended.abort();
    return Promise.all(this.#links.map((link) => link.remove()));
  }

  /** One more link, for what is broken or counted apart. @param {string} name added to that of the run's own link */
  addLink(name) {
    const link = new Link(`${this.link.name}-${name}`, this.link.lab);
    this.#links.push(link);
    return link;
  }

  /** How a knob stands now: a number, true or false, or a text. @param {string} name @returns {any} */
  value(name) {
    return this.#knobs.value(name);
  }

  /** An address of the server itself, not over the link. @param {string} path */
  direct(path) {
    return new URL(path, ROOT);
  }

  /**
   * Calls something every so many ms until the run ends. If it fails, the page says so, and it is called again.
   *
   * @param {number} ms
   * @param {() => unknown} tick may return a promise
   */
  every(ms, tick) {
    if (this.signal.aborted) return;
    const timer = setInterval(async () => {
      try {
        await tick();
      } catch (error) {
        this.fail(error);
      }
    }, ms);
    this.signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Says what has gone wrong, unless it has for the sole reason that the run is over. @param {unknown} error */
  fail(error) {
    if (!this.signal.aborted) this.say(error instanceof Error ? error.message : String(error));
  }

  /** Resolves after so many ms; rejects when the run ends before. @param {number} ms */
  wait(ms) {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) return reject(this.signal.reason);
      const end = () => {
        clearTimeout(timer);
        reject(new DOMException("The demo was stopped.", "AbortError"));
      };
      const timer = setTimeout(() => {
        this.signal.removeEventListener("abort", end);
        resolve(null);
      }, ms);
      this.signal.addEventListener("abort", end);
    });
  }

  /**
   * Draws what came true over what was bet, and shows the lesson.
   *
   * @param {import("./bet.js").Truth} truth
   * @param {string} text what was measured, and how often
   */
  reveal(truth, text) {
    this.#bet.reveal(truth, text);
    showLesson();
  }

  /** Whether these knobs stand as the bet says. @param {string[]} knobs */
  isAsBet(...knobs) {
    return this.#knobs.areAsBet(knobs);
  }

  /** Shows what came out with other knobs than those of the bet, which it does not decide. @param {string} text */
  tell(text) {
    this.#bet.tell(text);
    showLesson();
  }

  /**
   * Shows the decisions of a client as they are made.
   *
   * @param {import("../../client/fallcast.js").Channel} channel
   * @param {string} [lane] whose
   */
  showLog(channel, lane) {
    const list = find(".decisions ol", HTMLElement);
    if (!this.#hasLog) list.replaceChildren();
    this.#hasLog = true;
    channel.addEventListener("log", ({ detail: { at, transport, what, why } }) => {
      const line = document.createElement("li");
      line.dataset.what = what;
      line.textContent = [lane && `[${lane}]`, `${at} ms`, transport ?? "channel", `${what}: ${why}`].filter(Boolean).join("  ");
      list.append(line);
      while (list.childElementCount > 200) list.firstElementChild?.remove();
      list.scrollTop = list.scrollHeight;
    });
  }
  #hasLog = false;
}

function showLesson() {
  for (const lesson of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".lesson"))) lesson.hidden = false;
}
