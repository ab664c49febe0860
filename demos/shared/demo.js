// @ts-check
/**
 * The frame of every demo: a bet, Start and Stop, knobs, lanes, the reveal, the raw samples.
 *
 * A page is plain HTML with the question, the bet, the knobs and the lesson in it. Its script says what happens between
 * Start and Stop:
 *
 *     import { Demo } from "../shared/demo.js";
 *
 *     new Demo({ name: "race", unit: "ms" }).start(async (run) => {
 *       const channel = connect(run.link.url(`channels/${run.channel}`), { signal: run.signal });
 *       channel.addEventListener("message", () => run.lanes.mark("websocket"));
 *     });
 *
 * Each run has a channel and a link of its own, named by `?run=` in the address, so that forty phones don't disturb
 * each other. Nothing runs before Start, and Stop ends all that listens to `run.signal`.
 */

import { Health } from "./health.js";
import { Lanes } from "./lanes.js";
import { findLab, Link, NotYours, ROOT } from "./link.js";
import { Samples, save } from "./samples.js";
import { isTaken, occupy } from "./tabs.js";
import "./theme.js";

/** @typedef {import("./lanes.js").Lane} Lane */

/** The three transports, in the order in which all demos show them. @type {Lane[]} */
export const TRANSPORTS = [
  { key: "websocket", title: "WebSocket" },
  { key: "sse", title: "SSE" },
  { key: "long-poll", title: "Long-poll" },
];

/**
 * @typedef {object} Plan
 * @property {string} name of the demo: its folder
 * @property {Lane[]} [lanes] the three transports, unless given; an empty list leaves the stage to the demo
 * @property {number} [seconds] how long the axis of the lanes is: 10
 * @property {string} [unit] in which marks have values; without it all marks stand on the line
 * @property {"stop" | "go on"} [whenHidden] what happens when the page is hidden, and its timers are throttled: it stops, unless given
 * @property {boolean} [room] whether the channel is shared by all that open the page, unless they choose another `?room=`
 * @property {boolean} [isTimed] whether figures are spoiled when the page is busy: they are, unless given. What is only counted stays true
 * @property {() => Promise<unknown>} [prepare] what keeps the page busy and so is done before it starts: with the bet
 */

/** The value of a choice, a number, or for several sliders a number by each name. @typedef {string | number | Record<string, number>} Truth */

/** A number of letters and digits that nobody else has. `crypto.randomUUID` is missing on plain http to a LAN address. */
export function randomName(length = 8) {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % letters.length]).join("");
}

/** @template {Element} T @param {string} selector @param {new () => T} kind @returns {T} */
export function find(selector, kind) {
  const element = document.querySelector(selector);
  if (!(element instanceof kind)) throw new Error(`the page lacks ${selector}`);
  return element;
}

/** One page with its bet, its button and its lanes. */
export class Demo {
  #plan;
  /** @type {(run: Run) => void | Promise<void>} */ #program = () => {};
  #lanes;
  #samples = new Samples();
  #bet = new Bet();
  #button = document.createElement("button");
  #status = document.createElement("p");
  #warning = document.createElement("p");
  #health = new Health();
  /** @type {Promise<unknown> | undefined} */ #prepared;
  /** @type {Run | null} */ #run = null;
  /** Ends when the last run has given its links back: those of the next one have the same names. @type {Promise<unknown>} */
  #cleared = Promise.resolve();
  /** What was told about each knob. @type {Map<string, (value: any, run: Run) => unknown>} */ knobs = new Map();
  #knobInputs = /** @type {NodeListOf<HTMLInputElement | HTMLSelectElement>} */ (document.querySelectorAll(".knobs [name]"));

  /** @param {Plan} plan */
  constructor(plan) {
    this.#plan = plan;
    const stage = find(".stage", HTMLElement);
    const lanes = plan.lanes ?? TRANSPORTS;
    const strips = document.createElement("div");
    if (lanes.length > 0) stage.append(strips);
    this.#lanes = new Lanes(strips, lanes, plan);
    this.#buildControls(stage);
    this.#readAddress();
    this.#bet.onPlaced = () => {
      this.#prepared ??= plan.prepare?.();
      this.#allowStart();
    };
    this.#bindKnobs();
    this.#bindDownloads();
    addEventListener("pagehide", () => this.stop("the page was left"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && (plan.whenHidden ?? "stop") === "stop") {
        this.stop("the page was hidden, and browsers throttle the timers of hidden pages");
      }
    });
  }

  /** Says what happens between Start and Stop. @param {(run: Run) => void | Promise<void>} program */
  start(program) {
    this.#program = program;
    document.documentElement.dataset.demo = "ready";
  }

  /**
   * Says what a knob does while the demo runs. It is called with its value at the start, too.
   *
   * @param {string} name
   * @param {(value: any, run: Run) => unknown} turn a number for sliders, true or false for a checkbox, else a text
   */
  knob(name, turn) {
    this.knobs.set(name, turn);
    return this;
  }

  /** Ends the run. @param {string} [why] when it was not the viewer */
  stop(why) {
    if (!this.#run) return;
    const run = this.#run;
    this.#run = null;
    occupy(null);
    this.#cleared = run.end();
    this.#health.stop();
    this.#lanes.stop();
    for (const lane of this.#lanes.keys) this.#lanes.state(lane, "stopped");
    this.#warn(run);
    this.#say(why ? `Stopped, for ${why}.` : "Stopped.");
    this.#status.dataset.verdict = "ended";
    this.#bet.unlock();
    this.#button.textContent = "Start again";
    document.documentElement.dataset.demo = "stopped";
  }

  async #begin() {
    this.#button.disabled = true;
    /** @type {Run | undefined} */ let run;
    try {
      const lab = await findLab();
      await this.#prepared;
      await this.#cleared;
      run = await this.#newRun(lab);
      this.#samples.clear();
      this.#lanes.start();
      this.#health.start();
      this.#warning.textContent = "";
      delete this.#warning.dataset.verdict;
      this.#bet.lock();
      this.#run = run;
      const begun = run;
      run.every(1_000, () => this.#warn(begun));
      this.#button.textContent = "Stop";
      this.#button.disabled = false; // It may be stopped while its program is still at the beginning.
      document.documentElement.dataset.demo = "running";
      showStage();
      this.#say("Running.");
      this.#status.dataset.verdict = "running";
      for (const name of this.knobs.keys()) await this.#turn(name);
      if (!run.signal.aborted) await this.#program(run);
    } catch (error) {
      // What was under way when the viewer pressed Stop has failed for that alone.
      if (run?.signal.aborted) return;
      this.stop();
      this.#say(error instanceof Error ? error.message : String(error));
      this.#status.dataset.verdict = "failed";
    } finally {
      this.#button.disabled = false;
    }
  }

  /** A run of this page's own, also when its address was copied from a page on which it goes on. @param {URL} lab */
  async #newRun(lab) {
    const create = () => new Run(this, this.#plan, lab, this.#lanes, this.#samples, this.#bet, this.#say);
    let run = create();
    try {
      if (await isTaken(run.link.name)) throw new NotYours("This run goes on in another tab.");
      await run.link.suffer({});
    } catch (error) {
      if (!(error instanceof NotYours)) throw error;
      setInAddress("run", randomName());
      run = create();
      await run.link.suffer({});
    }
    occupy(run.link.name);
    return run;
  }

  /** @param {HTMLElement} stage */
  #buildControls(stage) {
    this.#button.type = "button";
    this.#button.className = "main start";
    this.#button.textContent = "Place your bet, then start";
    this.#button.disabled = true;
    this.#button.addEventListener("click", () => (this.#run ? this.stop() : void this.#begin()));
    this.#status.className = "status";
    this.#status.setAttribute("role", "status");
    this.#warning.className = "warning";
    this.#warning.setAttribute("role", "alert");
    const controls = document.createElement("div");
    controls.className = "start-line";
    controls.append(this.#button, this.#status, this.#warning);
    stage.before(controls);
  }

  #allowStart() {
    if (this.#run) return;
    this.#button.disabled = false;
    this.#button.textContent = this.#button.textContent === "Start again" ? "Start again" : "Start";
  }

  /** Says so when this machine, and no transport, is what was slow. @param {Run} run */
  #warn(run) {
    if (this.#plan.isTimed === false) return;
    const bottleneck = this.#health.verdict(run.publisherLag);
    this.#warning.dataset.verdict = bottleneck ? "bottleneck" : "sound";
    const text = bottleneck ? `${bottleneck} Don't trust the figures of this run.` : "";
    if (this.#warning.textContent !== text) this.#warning.textContent = text;
  }

  /** @param {string} text */
  #say = (text) => {
    this.#status.textContent = text;
  };

  /** The address names the run, and how the knobs stand, so that it can be shared and repeated. */
  #readAddress() {
    const query = new URLSearchParams(location.search);
    if (!query.has("run")) query.set("run", randomName());
    if (this.#plan.room && !query.has("room")) query.set("room", this.#plan.name);
    for (const input of this.#knobInputs) {
      const value = query.get(input.name);
      if (value !== null) setValue(input, value);
    }
    history.replaceState(null, "", `?${query}`);
  }

  #bindKnobs() {
    for (const input of this.#knobInputs) {
      showValue(input);
      input.addEventListener("input", () => {
        showValue(input);
        setInAddress(input.name, String(valueOf(input)));
        void this.#turn(input.name);
      });
    }
  }

  /** How a knob stands. @param {string} name */
  value(name) {
    const inputs = [...this.#knobInputs].filter((input) => input.name === name);
    const input = inputs.find((input) => input instanceof HTMLInputElement && input.type === "radio" && input.checked) ?? inputs[0];
    if (!input) throw new RangeError(`there is no knob ${name}`);
    return valueOf(input);
  }

  /**
   * Whether these knobs stand as the page had them at first, which is what its bet is about.
   *
   * @param {string[]} names
   */
  isAsBet(...names) {
    return [...this.#knobInputs].filter(({ name }) => names.includes(name)).every(isUntouched);
  }

  /** @param {string} name */
  async #turn(name) {
    const run = this.#run;
    if (!run) return;
    try {
      await this.knobs.get(name)?.(this.value(name), run);
    } catch (error) {
      if (!run.signal.aborted) this.#say(error instanceof Error ? error.message : String(error));
    }
  }

  #bindDownloads() {
    const about = () => ({
      demo: this.#plan.name,
      address: location.href,
      when: new Date().toISOString(),
      browser: navigator.userAgent,
      clock: `performance.now(), in steps of ${crossOriginIsolated ? "5" : "100"} µs`,
    });
    const name = () => `fallcast-${this.#plan.name}-${new URLSearchParams(location.search).get("run")}`;
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-save]"))) {
      button.addEventListener("click", () => {
        if (this.#samples.rows.length === 0) return this.#say("There is nothing to save yet: start the demo first.");
        if (button.dataset.save === "csv") save(`${name()}.csv`, this.#samples.csv(about()), "text/csv");
        else save(`${name()}.json`, this.#samples.json(about()), "application/json");
      });
    }
  }
}

/** What is there between Start and Stop. */
export class Run {
  #demo;
  #bet;
  /** @type {Link[]} */ #links;
  #ended = new AbortController();
  /** Ends with the run. */ signal = this.#ended.signal;
  /** By how much a tenth of the messages were sent late, in ms: for the verdict about the figures. */ publisherLag = 0;

  /**
   * @param {Demo} demo
   * @param {Plan} plan
   * @param {URL} lab
   * @param {Lanes} lanes
   * @param {Samples} samples
   * @param {Bet} bet
   * @param {(text: string) => void} say what happens, in a sentence, beside the button
   */
  constructor(demo, plan, lab, lanes, samples, bet, say) {
    this.#demo = demo;
    this.#bet = bet;
    this.lanes = lanes;
    this.samples = samples;
    this.say = say;
    const query = new URLSearchParams(location.search);
    const own = `${plan.name}-${query.get("run")}`;
    /** The name of the channel. */
    this.channel = plan.room ? String(query.get("room")) : own;
    /** The way to it: this run's own. */
    this.link = new Link(own, lab);
    this.#links = [this.link];
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
    return this.#demo.value(name);
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
   * @param {Truth} truth
   * @param {string} text what was measured, and how often
   */
  reveal(truth, text) {
    this.#bet.reveal(truth, text);
    showLesson();
  }

  /** Whether these knobs stand as the bet says. @param {string[]} knobs */
  isAsBet(...knobs) {
    return this.#demo.isAsBet(...knobs);
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

/** Brings what is about to happen into view: with the bet above it if there is room for both, since the reveal is drawn there. */
function showStage() {
  const [bet, start, stage] = ["form.bet", ".start-line", ".stage"].map((selector) => find(selector, HTMLElement).getBoundingClientRect());
  if (stage.bottom <= innerHeight) return;
  const top = stage.bottom - bet.top <= innerHeight ? bet.top : start.top;
  scrollBy({ top: top - 8, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
}

/** The bet: choices (radio buttons) or a number (a slider), placed before Start. */
class Bet {
  #form = find("form.bet", HTMLFormElement);
  #inputs = /** @type {HTMLInputElement[]} */ ([...this.#form.querySelectorAll("input")]);
  #outcome = document.createElement("output");
  onPlaced = () => {};

  constructor() {
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

/** @param {HTMLInputElement | HTMLSelectElement} input */
function valueOf(input) {
  if (input instanceof HTMLInputElement && input.type === "checkbox") return input.checked;
  if (input.dataset.steps) return stepsOf(input)[Number(input.value)];
  if (input instanceof HTMLInputElement && ["range", "number"].includes(input.type)) return Number(input.value);
  return input.value;
}

/** A slider with `data-steps="5000 1000 100"` has these values, from left to right. @param {HTMLElement} input @returns {number[]} */
function stepsOf(input) {
  return String(input.dataset.steps).split(" ").map(Number);
}

/** @param {HTMLInputElement | HTMLSelectElement} input @param {string} value */
function setValue(input, value) {
  if (input instanceof HTMLInputElement && input.type === "checkbox") input.checked = value === "true";
  else if (input instanceof HTMLInputElement && input.type === "radio") input.checked = input.value === value;
  else if (input.dataset.steps) input.value = String(Math.max(0, stepsOf(input).indexOf(Number(value))));
  else input.value = value;
}

/** @param {HTMLInputElement | HTMLSelectElement} input whether it stands as the page's HTML has it */
function isUntouched(input) {
  if (input instanceof HTMLSelectElement) {
    const first = [...input.options].find(({ defaultSelected }) => defaultSelected) ?? input.options[0];
    return first.selected;
  }
  if (["checkbox", "radio"].includes(input.type)) return input.checked === input.defaultChecked;
  return input.value === input.defaultValue;
}

/** @param {string} name @param {string} value */
function setInAddress(name, value) {
  const query = new URLSearchParams(location.search);
  query.set(name, value);
  history.replaceState(null, "", `?${query}`);
}

/** A slider shows its value behind it, in an `<output>`. @param {HTMLInputElement | HTMLSelectElement} input */
function showValue(input) {
  const output = input.parentElement?.querySelector("output");
  if (output) output.textContent = `${Number(valueOf(input)).toLocaleString("en")} ${input.dataset.unit ?? ""}`;
}
