// @ts-check
/**
 * The frame of every demo: a bet, Start and Stop, knobs, lanes, the reveal, the raw samples.
 *
 * A page is plain HTML with the question, the bet, the knobs and the lesson in it. Its script says what happens between
 * Start and Stop:
 *
 *     import { Demo } from "../frame/demo.js";
 *
 *     new Demo({ name: "race", unit: "ms" }).start(async (run) => {
 *       const channel = connect(run.link.url(`channels/${run.channel}`), { signal: run.signal });
 *       channel.addEventListener("message", () => run.lanes.mark("websocket"));
 *     });
 *
 * Each run has a channel and a link of its own, named by `?run=` in the address, so that forty phones don't disturb
 * each other. Nothing runs before Start, and Stop ends all that listens to `run.signal`.
 */

import { Bet } from "./bet.js";
import { Health } from "./health.js";
import { Knobs, setInAddress } from "./knobs.js";
import { Lanes } from "./lanes.js";
import { findLab, NotYours, ROOT } from "./link.js";
import { find, randomName } from "./page.js";
import { Run } from "./run.js";
import { Samples, save } from "./samples.js";
import { isTaken, occupy } from "./tabs.js";
import "./theme.js";

export { find, randomName } from "./page.js";
export { Run } from "./run.js";

/** @typedef {import("./lanes.js").Lane} Lane */

/** The three transports, in the order in which all demos show them. @type {Lane[]} */
export const TRANSPORTS = [
  { key: "websocket", title: "WebSocket" },
  { key: "sse", title: "SSE" },
  { key: "long-poll", title: "Long-poll" },
];

/**
 * What happens between Start and Stop. If it comes to an end by itself, it returns what is then said.
 *
 * @typedef {(run: Run) => void | string | Promise<void | string>} Program
 *
 * @typedef {object} Plan
 * @property {string} name of the demo: its folder
 * @property {Lane[]} [lanes] the three transports, unless given; an empty list leaves the stage to the demo
 * @property {number} [seconds] how long the axis of the lanes is: 10
 * @property {string} [unit] in which marks have values; without it all marks stand on the line
 * @property {"stop" | "go on"} [whenHidden] what happens when the page is hidden, and its timers are throttled: it stops, unless given
 * @property {boolean} [lab] whether its streams go over a link of the lab: they do, unless given. Without it a run has a link in name only
 * @property {boolean} [room] whether the channel is shared by all that open the page, unless they choose another `?room=`
 * @property {boolean} [isTimed] whether figures are spoiled when the page is busy: they are, unless given. What is only counted stays true
 * @property {() => Promise<unknown>} [prepare] what keeps the page busy and so is done before it starts: with the bet
 */

/** One page with its bet, its button and its lanes. */
export class Demo {
  #plan;
  /** @type {Program} */ #program = () => {};
  #lanes;
  #samples = new Samples();
  #bet = new Bet();
  #button = document.createElement("button");
  #status = document.createElement("p");
  #verdict = document.createElement("a");
  #warning = document.createElement("p");
  #health = new Health();
  /** @type {Promise<unknown> | undefined} */ #prepared;
  /** @type {Run | null} */ #run = null;
  /** Ends when the last run has given its links back: those of the next one have the same names. @type {Promise<unknown>} */
  #cleared = Promise.resolve();
  /** What was told about each knob. @type {Map<string, (value: any, run: Run) => unknown>} */ knobs = new Map();
  #knobs = new Knobs((name) => void this.#turn(name));

  /** @param {Plan} plan */
  constructor(plan) {
    this.#plan = plan;
    const stage = find(".stage", HTMLElement);
    const lanes = plan.lanes ?? TRANSPORTS;
    const strips = document.createElement("div");
    if (lanes.length > 0) stage.append(strips);
    this.#lanes = new Lanes(strips, lanes, plan);
    this.#buildControls(stage);
    this.#nameRun();
    this.#bet.onPlaced = () => {
      this.#prepared ??= plan.prepare?.();
      this.#allowStart();
    };
    this.#bindDownloads();
    addEventListener("pagehide", () => this.stop("the page was left"));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && (plan.whenHidden ?? "stop") === "stop") {
        this.stop("the page was hidden, and browsers throttle the timers of hidden pages");
      }
    });
  }

  /** Says what happens between Start and Stop. @param {Program} program */
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

  /** How a knob stands: a number, true or false, or a text. @param {string} name @returns {any} */
  value(name) {
    return this.#knobs.value(name);
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
      const lab = this.#plan.lab === false ? ROOT : await findLab();
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
      const end = run.signal.aborted ? undefined : await this.#program(run);
      if (end === undefined || run.signal.aborted) return;
      this.stop();
      this.#say(end);
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
    const create = () => new Run(this.#plan, lab, { knobs: this.#knobs, lanes: this.#lanes, samples: this.#samples, bet: this.#bet, say: this.#say });
    if (this.#plan.lab === false) return create();
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
    this.#verdict.className = "verdict";
    this.#verdict.href = "#bet";
    this.#bet.onDecided = (words) => (this.#verdict.textContent = words);
    this.#warning.className = "warning";
    this.#warning.setAttribute("role", "alert");
    const controls = document.createElement("div");
    controls.className = "start-line";
    controls.append(this.#button, this.#status, this.#verdict, this.#warning);
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

  /** The address names the run, so that it can be shared and repeated. */
  #nameRun() {
    const query = new URLSearchParams(location.search);
    if (!query.has("run")) setInAddress("run", randomName());
    if (this.#plan.room && !query.has("room")) setInAddress("room", this.#plan.name);
  }

  /** @param {string} name */
  async #turn(name) {
    const run = this.#run;
    if (!run) return;
    try {
      await this.knobs.get(name)?.(this.#knobs.value(name), run);
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

/** Brings what is about to happen into view: with the bet above it if there is room for both, since the reveal is drawn there. */
function showStage() {
  const [bet, start, stage] = ["form.bet", ".start-line", ".stage"].map((selector) => find(selector, HTMLElement).getBoundingClientRect());
  if (stage.bottom <= innerHeight) return;
  const top = stage.bottom - bet.top <= innerHeight ? bet.top : start.top;
  scrollBy({ top: top - 8, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
}
