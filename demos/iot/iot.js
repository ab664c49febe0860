// @ts-check
/**
 * Things: three lamps that listen, one that sleeps, and a hundred sensors.
 *
 * What to look at: the bars. A bar is the time in which a device can be reached. Each device has a link of its own, so
 * that the lab counts what each of them costs.
 */

import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inBytes, inMs, summarize } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { reportAndSleep, sleepAndWake, stayAwake } from "./devices.js";

/** @typedef {import("../frame/demo.js").Run} Run */

const SENSORS = 100;

/** A hundred sensors that wake up so often would be a load for a phone: they sleep so many times as long as the lamp. */
const FLEET_SLEEPS = 3;

/** A command comes after so many ms, evenly drawn between the two, so that it meets the sleeper at any moment. */
const BETWEEN_COMMANDS = [2_000, 3_000];

/** How many awakenings and commands it takes to judge. */
const ENOUGH = 4;

/** For the comparison with a real sensor: it wakes up every five minutes, in ms. */
const REAL_PERIOD = 300_000;

/** @type {import("../frame/lanes.js").Lane[]} */
const DEVICES = [...TRANSPORTS, { key: "sleeper", title: "Sleeps" }];

/** One lamp: how fast it obeys, and for how long its radio is on. */
class Lamp {
  /** How long each command took, in ms. @type {number[]} */ delays = [];
  /** The times of awakening, and how long each lasted. @type {{ from: number, until: number | null }[]} */ awake = [];
  /** @type {import("../frame/lanes.js").Bar | null} */ #bar = null;
  #figure;

  /** @param {Run} run @param {string} key */
  constructor(run, key) {
    this.run = run;
    this.key = key;
    this.#figure = find(`[data-lamp="${key}"]`, HTMLElement);
    delete this.#figure.dataset.on;
    this.link = run.addLink(key);
  }

  /** @param {import("./devices.js").Command} command */
  obey({ number, on, at }) {
    if (this.run.signal.aborted) return;
    const delay = now() - at;
    this.delays.push(delay);
    this.#figure.toggleAttribute("data-on", on);
    this.run.lanes.mark(this.key, { label: String(number) });
    this.run.lanes.number(this.key, inMs(summarize(this.delays).median), `until it obeys, median of ${this.delays.length}`);
    this.run.samples.add({ device: this.key, what: "obeyed", number, ms: delay, period_s: this.run.value("period") });
  }

  /** @param {boolean} isOn */
  radio(isOn) {
    if (this.run.signal.aborted) return;
    const time = performance.now();
    const last = this.awake.at(-1);
    if (isOn) {
      this.awake.push({ from: time, until: null });
      this.#bar = this.run.lanes.bar(this.key, { label: this.key === "sleeper" ? undefined : "can hear at any time" });
    } else if (last && this.#bar) {
      last.until = this.#bar.until = time;
      const [number, ms] = [this.awake.length, time - last.from];
      this.run.samples.add({ device: this.key, what: "awake", number, ms, period_s: this.run.value("period") });
    }
  }

  /** Forgets what was measured under other conditions. */
  measureAnew() {
    this.delays = [];
    this.awake = this.awake.filter(({ until }) => until === null);
  }

  /** For what share of the time the radio was on: over whole periods, from awakening to awakening. */
  get onAir() {
    const whole = this.awake.slice(0, -1);
    if (whole.length === 0) return this.awake.length ? 1 : NaN; // it has been awake since it was started
    const on = whole.reduce((sum, { from, until }) => sum + (until ?? from) - from, 0);
    return on / (this.awake[whole.length].from - whole[0].from);
  }
}

/** @type {Lamp[]} */ let lamps = [];
const switchButton = find("button.switch", HTMLButtonElement);
const dots = Array.from({ length: SENSORS }, () => document.createElement("i"));
find(".fleet", HTMLElement).append(...dots);
/** Sends a command, while the demo runs. */ let command = () => {};
switchButton.addEventListener("click", () => command());

new Demo({ name: "iot", lanes: DEVICES, seconds: 15 })
  .knob("delay", async (latency_ms, run) => {
    // Knobs are turned once before the demo starts, so each device has its link before it connects.
    if (lamps[0]?.run !== run) lamps = DEVICES.map(({ key }) => new Lamp(run, key));
    for (const lamp of lamps) lamp.measureAnew();
    await Promise.all([run.link, ...lamps.map(({ link }) => link)].map((link) => link.suffer({ latency_ms })));
  })
  .knob("period", () => lamps.forEach((lamp) => lamp.measureAnew()))
  .start(async (run) => {
    const opened = lamps.map((lamp) => start(run, lamp));
    startFleet(run);
    await Promise.all(opened);
    if (run.signal.aborted) return;
    command = commander(run);
    switchButton.disabled = false;
    run.signal.addEventListener("abort", () => {
      command = () => {};
      switchButton.disabled = true;
    });
    run.every(1_000, () => report(run));
    void commandNowAndThen(run);
  });

/** @param {Run} run @param {Lamp} lamp */
async function start(run, lamp) {
  const device = {
    commands: lamp.link.url(`channels/${run.channel}`),
    reports: lamp.link.url(`channels/${run.channel}-reports`),
    signal: run.signal,
    obey: lamp.obey.bind(lamp),
    onRadio: lamp.radio.bind(lamp),
  };
  const onState = (/** @type {any} */ phase, /** @type {string} */ words) => {
    if (!run.signal.aborted) run.lanes.state(lamp.key, phase, words);
  };
  if (lamp.key !== "sleeper") return stayAwake(lamp.key, device, onState);
  onState("open", "sleeps and wakes");
  sleepAndWake(device, () => 1_000 * run.value("period")).catch((error) => run.fail(error));
}

/** @param {Run} run */
function startFleet(run) {
  const fleet = { awake: 0, most: 0 };
  for (const dot of dots) {
    dot.removeAttribute("data-awake");
    const sensor = {
      reports: run.link.url(`channels/${run.channel}-fleet`),
      signal: run.signal,
      onRadio: (/** @type {boolean} */ isOn) => {
        dot.toggleAttribute("data-awake", isOn);
        fleet.awake += isOn ? 1 : -1;
        fleet.most = Math.max(fleet.most, fleet.awake);
      },
    };
    reportAndSleep(sensor, () => 1_000 * fleetPeriod(run)).catch((error) => run.fail(error));
  }
  run.every(500, async () => {
    const { publish } = await run.link.traffic();
    if (!publish || run.signal.aborted) return;
    find(".fleet-facts", HTMLElement).textContent =
      `A hundred sensors that report every ${fleetPeriod(run)} s: ` +
      `${fleet.awake} awake now, ${fleet.most} at most at a time; ` +
      `${publish.exchanges} requests so far, over ${publish.connections} connections of this browser.`;
  });
}

/**
 * How often a sensor of the fleet reports, in s: so seldom that one of the hundred is awake at a time, on average. The
 * browser has six connections for all of them, and who waits for one would look awake.
 *
 * @param {Run} run
 */
function fleetPeriod(run) {
  const oneByOne = (SENSORS * 2 * run.value("delay")) / 1_000;
  return Math.max(FLEET_SLEEPS * run.value("period"), oneByOne);
}

/** Sends one command to all lamps at each call. @param {Run} run */
function commander(run) {
  let number = 0;
  const address = run.direct(`channels/${run.channel}`);
  return () => {
    const body = JSON.stringify({ number: ++number, on: number % 2 === 1, at: now() });
    const sent = run.lanes.band({ label: String(number) });
    setTimeout(sent.end, 50);
    const sending = fetch(address, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    sending.catch((error) => run.fail(error));
  };
}

/** @param {Run} run */
async function commandNowAndThen(run) {
  const [least, most] = BETWEEN_COMMANDS;
  try {
    for (;;) {
      await run.wait(least + Math.random() * (most - least));
      command();
    }
  } catch {
    // The demo was stopped.
  }
}

/** @param {Run} run */
async function report(run) {
  const traffic = await Promise.all(lamps.map(({ link }) => link.traffic()));
  if (run.signal.aborted) return;
  lamps.forEach((lamp, index) => showRow(lamp, Object.values(traffic[index])));
  const sleeper = lamps[lamps.length - 1];
  const cycles = sleeper.awake.length - 1;
  if (cycles < ENOUGH || lamps.some(({ delays }) => delays.length < ENOUGH)) return;
  const share = sleeper.onAir;
  const times = sleeper.awake.slice(0, -1).map(({ from, until }) => (until ?? from) - from);
  const mean = times.reduce((sum, time) => sum + time) / cycles;
  const obeys = (/** @type {Lamp} */ { delays }) => inMs(summarize(delays).median);
  const text =
    `The sleeping sensor's radio is on for ${inMs(mean)} every ${run.value("period")} s: ` +
    `${percent(share)} of the time (N = ${cycles}). ` +
    `It obeys after ${obeys(sleeper)} (N = ${sleeper.delays.length}), ` +
    `a WebSocket after ${obeys(lamps[0])} (N = ${lamps[0].delays.length}; medians). ` +
    `Asleep for five minutes at a time, it would be on for ${percent(mean / REAL_PERIOD)}.`;
  if (run.isAsBet("period", "delay")) run.reveal(100 * share, text);
  else run.tell(text);
}

/** @param {Lamp} lamp @param {import("../frame/link.js").Traffic[]} kinds */
function showRow({ key, delays, onAir }, kinds) {
  const { median, max } = summarize(delays);
  /** @param {(kind: import("../frame/link.js").Traffic) => number} count */
  const sum = (count) => kinds.reduce((all, kind) => all + count(kind), 0);
  const cells = [
    String(delays.length),
    inMs(median),
    inMs(max),
    percent(onAir),
    String(sum(({ exchanges }) => exchanges)),
    String(Math.max(0, ...kinds.map(({ connections }) => connections))),
    inBytes(sum(({ up, down }) => up.bytes + down.bytes)),
  ];
  fillRow(key, cells);
}

/** @param {number} share */
function percent(share) {
  return Number.isNaN(share) ? "–" : `${Number((100 * share).toPrecision(2))} %`;
}
