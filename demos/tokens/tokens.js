// @ts-check
/**
 * Tokens: a text that is written word by word, read over three transports, with a cut in the middle.
 *
 * What to look at: a word says which it is of how many. So each sheet can tell a hole from the end, and a word that
 * came twice from a new one.
 */

import { hangUp } from "../frame/bare.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inMs } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { Reader } from "./reader.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {{ index: number, of: number, word: string }} Word */

/** What is written. It counts, so that a hole shows without being marked. */
const TEXT = `One lamp burns in the tower. Two ships pass the point. Three gulls sleep on the rail. Four waves break on the
  stones. Five bells ring in the fog. Six men row to the wreck. Seven ropes hold the boat. Eight stars come out at last.
  Nine names are in the book. Ten words tell who came home safe to the harbor tonight.`.split(/\s+/);

/** When the cable is cut, in ms after the first word. */
const CUT_AFTER = 3_000;

/** How long all have time to catch up after the last word, in ms. */
const PATIENCE = 7_000;

/** Which answer of the bet is true when these texts are whole. @type {Record<string, string>} */
const ANSWERS = { "websocket sse long-poll": "all", "sse long-poll": "http", websocket: "websocket", "": "none" };

/** The text as one transport delivers it. */
class Sheet {
  #text;
  #bar;
  /** How often each word has come. @type {number[]} */ counts = TEXT.map(() => 0);
  #newest = -1;
  /** When the last word came, and the longest silence between two. */ #at = 0;
  silence = 0;

  /** @param {Run} run @param {string} transport @param {(index: number) => number} sentAt when a word was sent */
  constructor(run, transport, sentAt) {
    this.run = run;
    this.transport = transport;
    this.sentAt = sentAt;
    const sheet = find(`[data-text="${transport}"]`, HTMLElement);
    this.#text = /** @type {HTMLElement} */ (sheet.querySelector("p"));
    this.#bar = /** @type {HTMLProgressElement} */ (sheet.querySelector("progress"));
    this.#text.replaceChildren();
    this.#bar.value = 0;
  }

  /** @param {Word} word */
  add({ index, of, word }) {
    const time = performance.now();
    this.silence = Math.max(this.silence, this.#at ? time - this.#at : 0);
    this.#at = time;
    this.#bar.value = (index + 1) / of; // all that a bar needs is the newest word
    const isTwice = this.counts[index]++ > 0;
    if (index > this.#newest + 1) this.#hole(this.#newest + 1, index);
    this.#newest = Math.max(this.#newest, index);
    this.#write(isTwice ? "mark" : "span", `${word} `);
    this.run.lanes.mark(this.transport, { tone: isTwice ? "twice" : "plain" });
    const times = { sent_at: this.sentAt(index), received_at: time };
    this.run.samples.add({ transport: this.transport, index, word, ...times, twice: isTwice });
  }

  /** Words that were sent and never came. @param {number} from @param {number} to */
  #hole(from, to) {
    this.#write("del", `${to - from} ${to - from === 1 ? "word" : "words"} missing`);
    for (let index = from; index < to; index++) this.run.lanes.mark(this.transport, { at: this.sentAt(index), tone: "lost" });
  }

  /** @param {string} kind @param {string} text */
  #write(kind, text) {
    this.#text.append(Object.assign(document.createElement(kind), { textContent: text }), " ");
  }

  /** How many words are missing before the newest one. */
  get holes() {
    return this.counts.slice(0, Math.max(0, this.#newest)).filter((count) => count === 0).length;
  }

  get lost() {
    return this.counts.filter((count) => count === 0).length;
  }

  get twice() {
    return this.counts.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
  }

  get isWhole() {
    return this.lost === 0 && this.twice === 0;
  }

  /** Nothing more is to come. */
  get isDone() {
    return this.counts[TEXT.length - 1] > 0;
  }
}

/** Writes the text into a channel, one word at a time, over a WebSocket of its own that nobody cuts. */
class Writer {
  /** When each word was sent, by `performance.now()`. @type {number[]} */ sentAt = [];
  #socket;

  /** @param {URL} channel @param {AbortSignal} signal */
  constructor(channel, signal) {
    this.#socket = new WebSocket(String(channel).replace(/^http/, "ws") + "/ws?format=json&echo=0");
    signal.addEventListener("abort", () => hangUp(this.#socket));
  }

  /** @param {Run} run @param {AbortSignal} signal */
  async write(run, signal) {
    if (this.#socket.readyState === WebSocket.CONNECTING) await new Promise((resolve) => (this.#socket.onopen = resolve));
    for (const [index, word] of TEXT.entries()) {
      if (signal.aborted) return;
      this.sentAt.push(performance.now());
      this.#socket.send(JSON.stringify({ publish: { data: { index, of: TEXT.length, word } }, ref: index }));
      await run.wait(1_000 / run.value("rate"));
    }
  }
}

const cutButton = find("button.cut", HTMLButtonElement);
const again = find("button.again", HTMLButtonElement);
/** @type {Run | null} */ let running = null;
/** Ends the text that is being written. */ let round = new AbortController();
let rounds = 0;
let isCut = false;

cutButton.addEventListener("click", () => void (running && cut(running)));
again.addEventListener("click", () => void (running && write(running)));

new Demo({ name: "tokens", seconds: 15, isTimed: false })
  .knob("back", (_, run) => void (running === run && write(run)))
  .start(async (run) => {
    running = run;
    run.signal.addEventListener("abort", () => {
      running = null;
      round.abort();
      cutButton.disabled = again.disabled = true;
    });
    cutButton.disabled = again.disabled = false;
    void write(run);
  });

/** Writes the text once, from the first word to the reveal. @param {Run} run */
async function write(run) {
  round.abort();
  const { signal } = (round = new AbortController());
  try {
    await run.link.heal();
    const name = `channels/${run.channel}-${++rounds}`; // a channel for each text, so that "from the beginning" is its beginning
    const writer = new Writer(run.direct(name), signal);
    const sheets = TRANSPORTS.map(({ key }) => new Sheet(run, key, (index) => writer.sentAt[index]));
    await Promise.all(sheets.map((sheet) => read(run, sheet, run.link.url(name), signal)));
    if (signal.aborted) return;
    run.say("The text is being written.");
    const fault = setTimeout(() => void cut(run), CUT_AFTER);
    signal.addEventListener("abort", () => clearTimeout(fault));
    await writer.write(run, signal);
    await caughtUp(run, sheets, signal);
    if (!signal.aborted) conclude(run, sheets);
  } catch (error) {
    run.fail(error);
  }
}

/** @param {Run} run @param {Sheet} sheet @param {URL} channel @param {AbortSignal} signal */
function read(run, sheet, channel, signal) {
  const { transport } = sheet;
  const reader = new Reader(transport, channel, run.value("back"), {
    signal,
    onState: (phase, words) => run.signal.aborted || run.lanes.state(transport, phase, words),
    onWord: (word) => {
      sheet.add(word);
      showCounts(sheet);
      run.lanes.number(transport, `${sheet.holes} lost`, note(sheet));
    },
  });
  return reader.opened;
}

/** @param {Sheet} sheet */
function note({ twice, counts }) {
  return `${twice} twice, of N = ${counts.filter((count) => count > 0).length} words`;
}

/** Resets all three connections, and lets nobody in for a while. @param {Run} run */
async function cut(run) {
  if (isCut) return;
  isCut = true;
  const outage = run.value("outage");
  const band = run.lanes.band({ label: "cable cut" });
  run.say("The cable is cut.");
  try {
    await run.link.suffer({ cut: { after_ms: 0, how: "rst", open_only: true }, refuse_ms: outage });
    await run.wait(outage);
    await run.link.heal();
    run.say("The cable is whole again.");
  } catch (error) {
    run.fail(error);
  } finally {
    band.end();
    isCut = false;
  }
}

/**
 * Who has reconnected gets what is missing, if at all, within this time.
 *
 * @param {Run} run
 * @param {Sheet[]} sheets
 * @param {AbortSignal} signal
 */
async function caughtUp(run, sheets, signal) {
  const until = performance.now() + PATIENCE;
  while (!signal.aborted && performance.now() < until && !sheets.every(({ isDone }) => isDone)) await run.wait(50);
}

/** @param {Run} run @param {Sheet[]} sheets */
function conclude(run, sheets) {
  for (const sheet of sheets) showCounts(sheet, true);
  const whole = sheets.filter(({ isWhole }) => isWhole).map(({ transport }) => transport);
  const findings = sheets.filter(({ isWhole }) => !isWhole).map(({ transport, lost, twice }) => {
    const title = TRANSPORTS.find(({ key }) => key === transport)?.title;
    const words = lost === 1 ? "word" : "words";
    return `${title}: ${[lost && `${lost} ${words} lost`, twice && `${twice} twice`].filter(Boolean).join(", ")}`;
  });
  const found = findings.length === 0 ? "All three texts are whole" : findings.join("; ");
  const text = `${found}, of ${TEXT.length} words each.`;
  if (run.isAsBet("back")) run.reveal(ANSWERS[whole.join(" ")] ?? "", text);
  else run.tell(text);
  run.say("The text is written. Choose how they come back, and it is written again.");
}

/** @param {Sheet} sheet @param {boolean} [isOver] */
function showCounts(sheet, isOver = false) {
  const { counts, twice, silence } = sheet;
  const cells = [
    `${counts.filter((count) => count > 0).length} of ${TEXT.length}`,
    String(isOver ? sheet.lost : sheet.holes),
    String(twice),
    silence > 0 ? inMs(silence) : "–",
    isOver ? (sheet.isWhole ? "whole" : "broken") : "is being written",
  ];
  fillRow(sheet.transport, cells);
}
