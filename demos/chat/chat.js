// @ts-check
/**
 * The chat: one room, three people in it who each use another transport, and whoever opens the same room elsewhere.
 *
 * What to look at: all three seats run the same program (seat.js), and only `transports` differs. What is measured is
 * the time from "Enter" until both others on this page have the message, by one clock.
 */

import { now } from "../frame/clock.js";
import { Demo, find, randomName, TRANSPORTS } from "../frame/demo.js";
import { inMs, summarize } from "../frame/statistics.js";
import { Seat } from "./seat.js";

/** @typedef {import("../frame/demo.js").Run} Run @typedef {import("./seat.js").Said} Said */

/** From about here on, people notice that something came late, in ms. */
const NOTICEABLE = 100;

/** How many messages of each person are measured before the page says who was late. */
const ENOUGH = 3;

/** How long everybody thinks before the next one speaks, in ms. */
const PAUSE = 650;

/** More messages than these can't be under way to somebody who is here. */
const MOST_UNDER_WAY = 100;

/** How many of those who are here are named. */
const MOST_CHIPS = 12;

const SMALL_TALK = [
  "Is there tea?",
  "Water is on.",
  "Which one?",
  "The green one.",
  "How long?",
  "Two minutes.",
  "I have cups.",
  "Three, please.",
  "Any milk?",
  "Never in green.",
  "It is ready!",
  "Coming.",
];

const PAGE = randomName(4);
const LANES = TRANSPORTS.map(({ key }) => {
  const [name, way] = ["h3", "p"].map((part) => document.querySelector(`[data-seat="${key}"] ${part}`)?.textContent);
  return { key, title: `From ${name}: ${way}` };
});

/** @type {Map<string, Seat>} */ let seats = new Map();
/** How long each message of a seat took until all had it. @type {Map<string, number[]>} */ let times = new Map();
/** Messages that one of the two others has heard. @type {Set<string>} */ let heardByOne = new Set();
/** Seats of which the first message is over. @type {Set<string>} */ const warm = new Set();

/** Figures of different conditions are not mixed: a turned knob begins a new measurement. */
function measureAnew() {
  times = new Map(TRANSPORTS.map(({ key }) => [key, []]));
  heardByOne = new Set();
}

new Demo({ name: "chat", room: true, unit: "ms", lanes: LANES })
  .knob("delay", (latency_ms, run) => {
    measureAnew();
    return run.link.suffer({ latency_ms });
  })
  .knob("letters", measureAnew)
  .start((run) => {
    warm.clear();
    seats = new Map(TRANSPORTS.map(({ key }) => [key, new Seat(/** @type {any} */ (key), run, PAGE)]));
    for (const seat of seats.values()) seat.onSaid = (said) => measure(run, seat, said);
    const [first] = seats.values();
    showMembers(first);
    run.signal.addEventListener("abort", () => first.onMembers([]));
    letWrite(run);
    run.every(500, () => judge(run));
    void talk(run).catch(() => {}); // it ends with the run
  });

// --- what is measured ---

/** @param {Run} run @param {Seat} listener @param {Said} said */
function measure(run, listener, said) {
  if (said.page !== PAGE || !times.has(said.seat)) return;
  const latency = now() - said.t;
  run.lanes.mark(said.seat, { value: latency });
  run.samples.add({
    from: said.seat,
    to: listener.transport,
    t: said.t,
    latency_ms: latency,
    delay_ms: run.value("delay"),
    letters_a_second: run.value("letters"),
  });
  const message = `${said.seat} ${said.t}`;
  if (!heardByOne.delete(message)) {
    if (heardByOne.size >= MOST_UNDER_WAY) heardByOne.clear(); // one of the two has left
    return void heardByOne.add(message);
  }
  if (warm.has(said.seat)) times.get(said.seat)?.push(latency);
  warm.add(said.seat);
}

/** @param {Run} run */
function judge(run) {
  const medians = new Map();
  for (const [seat, values] of times) {
    const { n, median } = summarize(values);
    if (n > 0) run.lanes.number(seat, inMs(median), `until all have it, median of ${n}`);
    if (n >= ENOUGH) medians.set(seat, median);
  }
  if (medians.size < times.size) return;
  const first = medians.get("websocket");
  const late = [...medians.keys()].filter((seat) => medians.get(seat) - first >= NOTICEABLE);
  const list = [...medians].map(([seat, median]) => `${seats.get(seat)?.name} ${inMs(median)}`).join(", ");
  const counts = [...times.values()].map((values) => values.length);
  const text = late.length === 0 ? "Nobody's message was noticeably later than Ada's" : "Some came noticeably later than Ada's";
  const measured = `${text}: ${list} (median of N = ${Math.min(...counts)} each).`;
  // The bet is about whole sentences, and one delay.
  if (!run.isAsBet("letters", "delay")) return run.tell(measured);
  run.reveal(late.join("+") || "nobody", measured);
  run.say("And now: let everybody see each letter. Turn it up to 20 letters a second.");
}

// --- who is here ---

/** @param {Seat} seat whose knowledge is shown */
function showMembers(seat) {
  seat.onMembers = (members) => {
    find("#count", HTMLElement).textContent = String(members.length);
    const chips = members.slice(0, MOST_CHIPS).map((member) => {
      return Object.assign(document.createElement("i"), { textContent: `${seat.nameOf(member)}, ${member.transport}` });
    });
    const more = members.length > chips.length ? ` and ${members.length - chips.length} more` : "";
    find("#members", HTMLElement).replaceChildren(...chips, more);
  };
}

// --- who writes ---

/** The small talk of the three, each in turn. @param {Run} run */
async function talk(run) {
  await run.wait(1_000);
  for (let turn = 0; ; turn++) {
    const seat = [...seats.values()][turn % seats.size];
    if (run.value("robots") && seat.isTaken) await perform(run, seat, SMALL_TALK[turn % SMALL_TALK.length]);
    await run.wait(PAUSE);
  }
}

/**
 * One of them types a sentence, letter by letter if the others are to see that.
 *
 * @param {Run} run
 * @param {Seat} seat
 * @param {string} text
 */
async function perform(run, seat, text) {
  const rate = run.value("letters");
  const began = performance.now();
  for (let letters = 1; rate > 0 && letters <= text.length; letters++) {
    seat.compose(text.slice(0, letters));
    seat.type(text.slice(0, letters), { robot: true });
    // By the clock, so that a timer that comes late is made up for.
    await run.wait(Math.max(0, began + (letters * 1_000) / rate - performance.now()));
  }
  void seat.say(text, { robot: true });
}

/** The form below the seats: a person at this page. @param {Run} run */
function letWrite(run) {
  const form = find("form.write", HTMLFormElement);
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
  const [text, send] = [field("text"), find("form.write button", HTMLButtonElement)];
  const seat = () => /** @type {Seat} */ (seats.get(field("over").value));
  const who = () => ({ name: field("who").value.trim() || "Guest" });
  text.disabled = send.disabled = false;
  let typedAt = 0;
  const type = () => {
    const rate = run.value("letters");
    if (rate === 0 || performance.now() - typedAt < 1_000 / rate) return;
    typedAt = performance.now();
    seat().type(text.value, who());
  };
  const say = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.value.trim() && seat().isTaken) void seat().say(text.value.trim(), who());
    text.value = "";
  };
  text.addEventListener("input", type, { signal: run.signal });
  form.addEventListener("submit", say, { signal: run.signal });
  run.signal.addEventListener("abort", () => (text.disabled = send.disabled = true));
}
