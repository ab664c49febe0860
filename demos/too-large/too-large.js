// @ts-check
/**
 * Too large: one message beyond the limit, sent over a WebSocket and by POST.
 *
 * What to look at: small numbered messages run over all three lanes all the time. When the large one is refused, see on
 * which lane others are missing that have nothing to do with it.
 */

import { listen } from "../frame/bare.js";
import { now } from "../frame/clock.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Ledger } from "../frame/ledger.js";
import { Publisher } from "../frame/publisher.js";
import { inMs } from "../frame/statistics.js";
import { bareWebSocket, byPost, clientOnWebSocket } from "./senders.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("./senders.js").Told} Told */

/** Small messages a second. */
const RATE = 4;

/** Of whom nothing has been heard for so long, nothing is expected any more, in ms. */
const PATIENCE = 10_000;

/** How many rows the table keeps. */
const ROWS = 8;

/** One lane: what it gets, and by what it sends. */
class Lane {
  /** @type {import("./senders.js").Send} */ send = async () => NOTHING;
  /** When large messages came, and whose. @type {Map<string, number>} */ arrived = new Map();

  /** @param {Run} run @param {string} key */
  constructor(run, key) {
    this.run = run;
    this.key = key;
    this.ledger = new Ledger(({ seq, t_plan }, isLost) => {
      const { lost, seen } = this.ledger;
      run.lanes.mark(key, { at: t_plan - performance.timeOrigin, tone: isLost ? "lost" : "plain" });
      run.lanes.number(key, `${lost.length} lost`, `of ${seen} small ones`);
      const told = isLost ? "lost" : "came";
      run.samples.add({ what: "small", seq, bytes: null, sender: null, receiver: key, told, at: t_plan });
    });
  }

  /** Some come as JSON and some as text, which says how they were published. @param {any} data */
  take(data) {
    const message = typeof data === "string" ? JSON.parse(data) : data;
    if (message.seq) return this.ledger.take(message);
    this.arrived.set(message.from, now());
    const bytes = message.pad.length;
    this.run.lanes.mark(this.key, { value: bytes / 1_000, label: short(bytes) });
  }
}

/** @type {Told} */ const NOTHING = { what: "silence", short: "?", words: "nothing" };

/** @type {Map<string, Lane>} */ let lanes = new Map();
/** The present WebSocket, since a knob replaces it. */ let socket = new AbortController();

const sendButton = find("#send", HTMLButtonElement);
const rows = find("tbody", HTMLElement);

// A mark stands as high as its message is large.
const demo = new Demo({ name: "too-large", isTimed: false, unit: "kB", seconds: matchMedia("(width < 44rem)").matches ? 8 : 12 });
demo.knob("speaks", (speaks, run) => openWebSocket(run, speaks)).start((run) => {
  rows.replaceChildren();
  for (const transport of ["sse", "long-poll"]) openOneWay(run, transport);
  const publisher = new Publisher(run.channel, { rate: RATE });
  publisher.onTally = ({ lag }) => (run.publisherLag = lag);
  publisher.onEnd = (why) => run.say(why);
  sendButton.disabled = false;
  sendButton.onclick = async () => {
    sendButton.disabled = true;
    await sendAll(run).catch((error) => run.fail(error));
    sendButton.disabled = run.signal.aborted;
  };
  run.signal.addEventListener("abort", () => {
    publisher.stop();
    socket.abort();
    lanes = new Map();
    sendButton.disabled = true;
  });
});

/** @param {Run} run @param {string} key */
function laneOf(run, key) {
  const lane = lanes.get(key) ?? new Lane(run, key);
  lanes.set(key, lane);
  return lane;
}

/** What cannot send by itself sends by POST. @param {Run} run @param {string} transport */
function openOneWay(run, transport) {
  const lane = laneOf(run, transport);
  const channel = run.link.url(`channels/${run.channel}`);
  lane.send = byPost(channel, run.signal);
  listen(transport, channel, {
    signal: run.signal,
    onMessage: (data) => lane.take(data),
    onState: (phase, words) => run.signal.aborted || run.lanes.state(transport, phase, `${words}; sends by POST`),
  });
}

/** @param {Run} run @param {string} speaks */
function openWebSocket(run, speaks) {
  socket.abort();
  const { signal } = (socket = new AbortController());
  const lane = laneOf(run, "websocket");
  lane.ledger.reset();
  /** @type {{ end(): void } | null} */ let band = null;
  signal.addEventListener("abort", () => band?.end());
  const ends = {
    signal,
    onMessage: (/** @type {any} */ data) => signal.aborted || lane.take(data),
    onState: (/** @type {boolean} */ isOpen, /** @type {string} */ words) => {
      if (signal.aborted) return;
      run.lanes.state("websocket", isOpen ? "open" : "retrying", `${words}; sends by itself`);
      if (isOpen) band?.end();
      else if (words !== "connecting") band = run.lanes.band({ lane: "websocket", label: words });
    },
  };
  const url = (/** @type {string} */ door) => run.link.url(`channels/${run.channel}${door}`);
  if (speaks === "text") {
    lane.send = bareWebSocket(() => url("/ws"), ends);
  } else {
    const { channel, send } = clientOnWebSocket(url(""), ends);
    lane.send = send;
    run.showLog(channel);
  }
}

/** Sends a message of the chosen size over each lane, and tells what came of it. @param {Run} run */
async function sendAll(run) {
  const bytes = run.value("size") + (run.value("more") ? 1 : 0);
  const began = now();
  const before = new Map([...lanes].map(([key, { ledger }]) => [key, ledger.lost.length]));
  for (const lane of lanes.values()) lane.arrived.clear();
  const told = new Map();
  const sending = [...lanes].map(async ([key, lane]) => {
    const answer = await Promise.race([lane.send(message(key, bytes)), run.wait(PATIENCE).then(() => NOTHING)]);
    told.set(key, answer);
    if (answer.what !== "sent") run.lanes.mark(key, { value: bytes / 1_000, tone: "lost", label: answer.short });
    run.samples.add({ what: "large", seq: null, bytes, sender: key, receiver: null, told: answer.words, at: now() });
  });
  await Promise.all(sending);
  await settled(run, [...told].filter(([, { what }]) => what === "sent").map(([key]) => key));
  showRow(bytes, told, began);
  reveal(run, bytes, told, before);
}

/** A text of so many bytes. @param {string} from @param {number} bytes */
function message(from, bytes) {
  const empty = JSON.stringify({ from, pad: "" }).length;
  return JSON.stringify({ from, pad: "x".repeat(bytes - empty) });
}

/**
 * Waits until what was sent has arrived everywhere, and everybody hears small messages again.
 *
 * @param {Run} run
 * @param {string[]} sent by whom
 */
async function settled(run, sent) {
  const answered = now();
  while (now() - answered < PATIENCE) {
    await run.wait(100);
    const isDone = [...lanes.values()].every(({ arrived, ledger }) => {
      return sent.every((key) => arrived.has(key)) && (ledger.last?.t_plan ?? 0) > answered;
    });
    if (isDone) return;
  }
}

/** @param {Run} run @param {number} bytes @param {Map<string, Told>} told @param {Map<string, number>} before what was lost */
function reveal(run, bytes, told, before) {
  const socketWas = told.get("websocket") ?? NOTHING;
  if (socketWas.what === "unsent") return run.say("The WebSocket was not connected yet. Send again.");
  const truth = { sent: "nothing", refused: "message", closed: "connection", silence: "silence" }[socketWas.what];
  const lost = (/** @type {string} */ key) => (lanes.get(key)?.ledger.lost.length ?? 0) - (before.get(key) ?? 0);
  const sentences = TRANSPORTS.filter(({ key }) => key !== "long-poll").map(({ key }) => {
    const who = key === "websocket" ? "WebSocket" : "POST";
    return `${who}: ${told.get(key)?.words}; ${lost(key)} small messages lost.`;
  });
  // Each size and each knob is a case of its own, so every outcome stands for one try.
  const text = `${bytes.toLocaleString("en")} bytes, N = 1 each. ${sentences.join(" ")}`;
  // That a POST was refused shows that it was too much. The bet is about a WebSocket that speaks bare text.
  if (told.get("sse")?.what === "refused" && run.isAsBet("speaks")) run.reveal(truth, text);
  else run.tell(text);
}

/** @param {number} bytes @param {Map<string, Told>} told @param {number} began */
function showRow(bytes, told, began) {
  const arrivals = TRANSPORTS.map(({ key }) => {
    const times = [...(lanes.get(key)?.arrived.values() ?? [])].map((at) => at - began);
    return times.length > 0 ? `${times.length} of 3, ${inMs(Math.max(...times))}` : "0 of 3";
  });
  const row = document.createElement("tr");
  /** @param {string} textContent @param {string} [className] */
  const cell = (textContent, className = "") =>
    row.append(Object.assign(document.createElement("td"), { textContent, className }));
  for (const text of [bytes.toLocaleString("en"), ...arrivals]) cell(text);
  for (const key of ["websocket", "sse"]) cell((told.get(key) ?? NOTHING).words, "told");
  rows.prepend(row);
  while (rows.childElementCount > ROWS) rows.lastElementChild?.remove();
}

/** A size, to be written into a mark. @param {number} bytes */
function short(bytes) {
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)}k` : `${(bytes / 1_000_000).toFixed(0)}M`;
}
