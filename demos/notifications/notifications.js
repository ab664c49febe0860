// @ts-check
/**
 * Notifications: what an idle hour costs, and who has missed something after a sleep.
 *
 * What to look at: `subscribers.js` is all that each transport needs; `Bill` is all that is computed. Two sets of
 * connections are opened: one hears alerts, the other hears nothing, so that silence can be measured by itself.
 */

import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Publisher } from "../frame/publisher.js";
import { inBytes } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { eventSource, longPoll, webSocket } from "./subscribers.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {{ bytes: number, packets: number }} Cost */

/** Between two alerts here, in ms. It stands for a minute. */
const ALERT_EVERY = 2_000;

/** So many alerts are measured before the lid closes for the first time: less than a heartbeat takes. */
const MEASURED = 3;

/** Alerts that come within this time stand in one mark, in ms. */
const AT_ONCE = 100;

/** What is under way takes effect within this time, in ms: a last packet, a reset. */
const SETTLE = 300;

const HOUR = 3_600_000;

/** In the lab's counters, a kind of exchange for each transport. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "sse", "long-poll": "poll" };

const SUBSCRIBERS = { websocket: webSocket, sse: eventSource, "long-poll": longPoll };

/** What one transport has heard. */
class Listener {
  isOpen = false;
  /** The number of the newest alert. */ last = 0;
  /** The mark in which it stands. @type {import("../frame/lanes.js").Mark & { first: number } | null} */ mark = null;
  heard = 0;
  missed = 0;
}

/** What was measured of one transport, and what follows for an hour. */
class Bill {
  /** What one alert costs, of how many. @type {Cost & { n: number } | null} */ alert = null;
  /** What one sign of life costs, of how many. @type {Cost & { n: number } | null} */ beat = null;

  /** @param {string} transport */
  constructor(transport) {
    this.transport = transport;
  }

  /** @param {number} alerts an hour @param {number} heartbeat in ms */
  hour(alerts, heartbeat) {
    if (!this.alert || !this.beat) return null;
    const rhythm = HOUR / heartbeat;
    // Streams have a heartbeat whatever else is sent. A poll that brings an alert is an empty poll less.
    const beats = this.transport === "long-poll" ? Math.max(0, rhythm - alerts) : rhythm;
    const silence = { bytes: beats * this.beat.bytes, packets: beats * this.beat.packets };
    return {
      bytes: alerts * this.alert.bytes + silence.bytes,
      packets: alerts * this.alert.packets + silence.packets,
      silence,
    };
  }
}

/** @type {Map<string, Listener>} */ let listeners = new Map();
/** @type {Map<string, Bill>} */ let bills = new Map();
/** How often the server shows that it is alive, in ms, by its own words. */
let heartbeat = NaN;
/** Whether the laptop has slept and come back at least once. */
let hasSlept = false;

const lid = find("#lid", HTMLButtonElement);
/** @type {() => void} */ let closeLid = () => {};
lid.addEventListener("click", () => closeLid());

new Demo({ name: "notifications", seconds: 20 })
  .knob("alerts", (_, run) => showBills(run))
  .start(async (run) => {
    listeners = new Map(TRANSPORTS.map(({ key }) => [key, new Listener()]));
    bills = new Map(TRANSPORTS.map(({ key }) => [key, new Bill(key)]));
    hasSlept = false;
    heartbeat = await learnHeartbeat(run);
    measureSilence(run).catch((error) => run.fail(error));
    subscribe(run, run.link, run.channel, (transport) => earsOf(run, transport));
    await until(run, () => [...listeners.values()].every(({ isOpen }) => isOpen));
    await measureAlerts(run);
    closeLid = () => void sleep(run).catch((error) => run.fail(error));
    run.signal.addEventListener("abort", () => (lid.disabled = true));
    await sleep(run);
  });

/** What the server promises in its hello. @param {Run} run @returns {Promise<number>} */
async function learnHeartbeat(run) {
  const response = await fetch(run.direct(`channels/${run.channel}/poll`), { signal: run.signal, cache: "no-store" });
  const { events } = await response.json();
  return events[0].hello.heartbeat_ms;
}

/**
 * @param {Run} run
 * @param {import("../frame/link.js").Link} link
 * @param {string} channel
 * @param {(transport: string) => import("./subscribers.js").Ears} ears
 */
function subscribe(run, link, channel, ears) {
  const address = (/** @type {string} */ path, /** @type {any} */ query) => link.url(`channels/${channel}/${path}`, query);
  for (const [transport, begin] of Object.entries(SUBSCRIBERS)) {
    void begin({ address, signal: run.signal, hold: heartbeat }, ears(transport));
  }
}

/** @param {Run} run @param {string} transport @returns {import("./subscribers.js").Ears} */
function earsOf(run, transport) {
  const listener = /** @type {Listener} */ (listeners.get(transport));
  return {
    open: () => {
      listener.isOpen = true;
      run.lanes.state(transport, "open", "connected, as far as it knows");
    },
    lost: () => {
      if (run.signal.aborted) return;
      listener.isOpen = false;
      run.lanes.state(transport, "retrying", "broken, and coming back");
    },
    alert: (data) => hear(run, transport, listener, data),
  };
}

/**
 * An alert is here. What should have come before it, and did not, is lost.
 *
 * @param {Run} run
 * @param {string} transport
 * @param {Listener} listener
 * @param {{ seq: number }} alert
 */
function hear(run, transport, listener, { seq }) {
  if (seq <= listener.last) return; // once more
  const at = performance.now();
  const missed = seq - listener.last - 1;
  listener.heard++;
  listener.missed += missed;
  listener.last = seq;
  markLost(run, transport, missed, listener.mark?.at ?? run.began, at);
  if (listener.mark && missed === 0 && at - listener.mark.at < AT_ONCE) listener.mark.label = `${listener.mark.first}–${seq}`;
  else listener.mark = Object.assign(run.lanes.mark(transport, { at, label: String(seq) }), { first: seq });
  run.samples.add({ transport, seq, at, missed_before: missed });
  showBills(run);
}

/** Alerts come in equal steps, so those that are lost stood in equal steps between two that came. */
function markLost(/** @type {Run} */ run, /** @type {string} */ transport, /** @type {number} */ count, from = 0, until = 0) {
  for (let lost = 1; lost <= count; lost++) {
    run.lanes.mark(transport, { at: from + (lost / (count + 1)) * (until - from), tone: "lost", label: "lost" });
  }
}

/** Opens connections that hear nothing, and counts what goes over them all the same. @param {Run} run */
async function measureSilence(run) {
  const link = run.addLink("idle");
  await link.heal();
  run.signal.throwIfAborted();
  const open = new Set();
  subscribe(run, link, `${run.channel}-idle`, (transport) => ({
    open: () => open.add(transport),
    lost: () => {},
    alert: () => {},
  }));
  await until(run, () => open.size === TRANSPORTS.length);
  await run.wait(SETTLE);
  const before = await link.traffic();
  const began = performance.now();
  run.every(500, async () => {
    const after = await link.traffic();
    if (run.signal.aborted) return;
    for (const bill of bills.values()) {
      const { n, ...cost } = difference(before, after, KINDS[bill.transport]);
      // A heartbeat is one packet down on a stream, and one question answered on a poll.
      const beats = bill.transport === "long-poll" ? n : cost.down;
      if (beats > 0) bill.beat = { bytes: cost.bytes / beats, packets: cost.packets / beats, n: beats };
    }
    showBills(run, heartbeat - (performance.now() - began));
    reveal(run);
  });
}

/** Lets some alerts come, and counts what goes over the wire for them. @param {Run} run */
async function measureAlerts(run) {
  const before = await run.link.traffic();
  const publisher = new Publisher(run.channel, { rate: 1_000 / ALERT_EVERY });
  publisher.onTally = ({ lag }) => (run.publisherLag = lag);
  publisher.onEnd = (why) => run.say(why);
  run.signal.addEventListener("abort", () => publisher.stop());
  await until(run, () => [...listeners.values()].every(({ heard }) => heard >= MEASURED));
  // The next question of the poll is on its way, and belongs to the bill.
  await run.wait(SETTLE);
  const after = await run.link.traffic();
  for (const [transport, bill] of bills) {
    const { bytes, packets } = difference(before, after, KINDS[transport]);
    const n = listeners.get(transport)?.heard ?? 0;
    bill.alert = { bytes: bytes / n, packets: packets / n, n };
  }
}

// ANCHOR: sleep
/** The lid closes: all that is open falls silent, and nobody is told. Then it opens, and the browser notices. @param {Run} run */
async function sleep(run) {
  lid.disabled = true;
  run.say("The lid is closed. Alerts are sent all the same, and no connection knows that nobody hears them.");
  const band = run.lanes.band({ label: "lid closed" });
  await run.link.suffer({ preset: "laptop-sleep" });
  await run.wait(run.value("sleep") * 1_000);
  band.end();
  run.say("The lid is open, and the browser finds its connections broken. Who comes back, and with what?");
  await run.link.suffer({ cut: { after_ms: 0, how: "rst", open_only: true } });
  await run.wait(SETTLE);
  await run.link.heal();
  const published = Math.max(...[...listeners.values()].map(({ last }) => last));
  await until(run, () => [...listeners.values()].every(({ isOpen, last }) => isOpen && last > published));
  hasSlept = true;
  lid.disabled = false;
  run.say(verdict());
}
// ANCHOR_END: sleep

/** Who has missed how much, in words. */
function verdict() {
  return TRANSPORTS.map(({ key, title }) => `${title} has missed ${listeners.get(key)?.missed || "none"}`).join(", ") + ".";
}

/**
 * What went over a link meanwhile.
 *
 * @param {Record<string, any>} before
 * @param {Record<string, any>} after
 * @param {string} kind of exchange
 */
function difference(before, after, kind) {
  const none = { exchanges: 0, up: { bytes: 0, packets: 0 }, down: { bytes: 0, packets: 0 } };
  const [old, young] = [before[kind] ?? none, after[kind] ?? none];
  const down = young.down.packets - old.down.packets;
  return {
    n: young.exchanges - old.exchanges,
    bytes: young.up.bytes - old.up.bytes + young.down.bytes - old.down.bytes,
    packets: young.up.packets - old.up.packets + down,
    down,
  };
}

/** @param {Run} run @param {number} [due] in how many ms the first sign of life is expected */
function showBills(run, due = NaN) {
  const alerts = run.value("alerts");
  const period = `${heartbeat / 1_000} s`;
  const isWaiting = !bills.get("websocket")?.beat;
  if (!isWaiting) say(`For ${alerts.toLocaleString("en")} alerts an hour and a sign of life every ${period}, computed:`);
  else if (due > 0) say(`The first heartbeat is due in ${Math.ceil(due / 1_000)} s: the server sends one every ${period}.`);
  for (const [transport, bill] of bills) showBill(run, bill, /** @type {Listener} */ (listeners.get(transport)), alerts);
}

/** @param {string} text */
function say(text) {
  find("#rhythm", HTMLElement).textContent = text;
}

/** @param {Run} run @param {Bill} bill @param {Listener} listener @param {number} alerts an hour */
function showBill(run, bill, { heard, missed }, alerts) {
  const hour = bill.hour(alerts, heartbeat);
  const each = (/** @type {Cost & { n: number } | null} */ cost) => (cost ? `${inBytes(cost.bytes)} (N = ${cost.n})` : "waiting");
  const share = (/** @type {number} */ part, /** @type {number} */ all) => `${Math.round((100 * part) / all)} %`;
  const cells = [
    each(bill.alert),
    each(bill.beat),
    hour ? inBytes(hour.bytes) : "–",
    hour ? share(hour.silence.bytes, hour.bytes) : "–",
    hour ? Math.round(hour.packets).toLocaleString("en") : "–",
    hour ? share(hour.silence.packets, hour.packets) : "–",
    `${missed} of ${heard + missed}`,
  ];
  fillRow(bill.transport, cells);
  const missing = `${missed} of ${heard + missed} alerts missed`;
  if (hour) run.lanes.number(bill.transport, inBytes(hour.bytes), `an hour, computed; ${missing}`);
  else run.lanes.number(bill.transport, String(missed), `of ${heard + missed} alerts missed`);
}

/** Once the laptop has slept, and each transport has shown a sign of life. @param {Run} run */
function reveal(run) {
  const hours = TRANSPORTS.map(({ key, title }) => ({ title, hour: bills.get(key)?.hour(run.value("alerts"), heartbeat) }));
  if (!hasSlept || hours.some(({ hour }) => !hour)) return;
  const long = bills.get("long-poll");
  const list = hours.map(({ title, hour }) => `${title} ${inBytes(hour?.bytes ?? NaN)}`).join(", ");
  const measured = `alerts: N = ${long?.alert?.n}, empty polls: N = ${long?.beat?.n}`;
  const text = `In an hour: ${list}; computed (${measured}). ${verdict()}`;
  if (run.isAsBet("alerts")) run.reveal((hours.at(-1)?.hour?.bytes ?? NaN) / 1_000, text);
  else run.tell(text);
}

/** Waits until something is so. @param {Run} run @param {() => boolean} isSo */
async function until(run, isSo) {
  while (!isSo()) await run.wait(50);
}
