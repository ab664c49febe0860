// @ts-check
/**
 * Six tabs: streams are opened one after the other, and after each of them a picture is loaded from the same port.
 *
 * What to look at: the server has nothing to do all the time. It is the browser that makes the picture wait, because a
 * stream of HTTP/1.1 keeps one of the few connections that a browser opens to a host and port.
 *
 * All streams go to the lab's port, and so does the picture that waits. This page, its control requests and the other
 * picture use the main port; otherwise the page would hang along with what it shows.
 */

import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inMs, summarize } from "../frame/statistics.js";
import { Picture } from "./picture.js";
import { Stream } from "./streams.js";

/** @typedef {import("./streams.js").Kind} Kind */
/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {{ kind: Kind, open: number, hangs: boolean, waited: number }} Finding */

/** How often the other port is asked for its picture, in ms. */
const OTHER_EVERY = 500;

/** How long an insight stays on the screen before the next thing happens, in ms. */
const MOMENT = 900;

/** Words for the kinds, as they are opened. @type {Record<Kind, { one: string, many: string }>} */
const NAMES = {
  websocket: { one: "a WebSocket", many: "WebSockets" },
  sse: { one: "an event stream", many: "event streams" },
  "long-poll": { one: "a held poll", many: "held polls" },
};

/** What goes on comes last. @type {Kind[]} */
const ORDER = ["sse", "long-poll", "websocket"];

const PICTURE = "demos/six-tabs/picture.svg";

/** The tabs that are open, with their tab above the page and their bar in the lane. */
class Tabs {
  #list = find(".tabs", HTMLElement);
  /** @type {{ stream: Stream, tab: HTMLElement, bar: import("../frame/lanes.js").Bar }[]} */ #open = [];
  /** @type {HTMLElement | null} */ #waiting = null;

  /** @param {Run} run @param {string} cursor where the polls begin */
  constructor(run, cursor) {
    this.run = run;
    this.cursor = cursor;
    this.#list.replaceChildren();
    run.signal.addEventListener("abort", () => this.closeAll());
  }

  get count() {
    return this.#open.length;
  }

  /** How many of their streams are open, and do not wait themselves. */
  get opened() {
    return this.#open.filter(({ stream }) => stream.isOpen).length;
  }

  /** Opens one more. @param {Kind} kind @returns {Promise<void>} fulfilled when it is open */
  open(kind) {
    const stream = new Stream(kind, this.run.link.url(`channels/${this.run.channel}`, { after: this.cursor }), this.run.signal);
    const rows = this.run.value("most") + 1;
    const bar = this.run.lanes.bar(kind, { row: Math.max(0, rows - 1 - this.count), rows });
    this.#open.push({ stream, tab: this.#tab(kind, "open"), bar });
    this.run.lanes.number(kind, String(this.count), this.count === 1 ? "tab open" : "tabs open");
    return stream.opened;
  }

  closeOne() {
    const first = this.#open.shift();
    if (!first) return;
    first.stream.close();
    first.tab.remove();
    first.bar.until = performance.now();
  }

  closeAll() {
    while (this.count > 0) this.closeOne();
    this.waits(null);
  }

  /** Shows, or no longer shows, the tab that waits for its picture. @param {Kind | null} kind */
  waits(kind) {
    this.#waiting?.remove();
    this.#waiting = kind && this.#tab(kind, "waiting");
  }

  /** @param {Kind} kind @param {"open" | "waiting"} state */
  #tab(kind, state) {
    const tab = document.createElement("li");
    tab.dataset.kind = kind;
    tab.dataset.state = state;
    tab.textContent = state === "open" ? String(this.count + 1) : `${this.count + 1} waits`;
    this.#list.append(tab);
    return tab;
  }
}

const same = new Picture(find('[data-port="same"]', HTMLElement));
const other = new Picture(find('[data-port="other"]', HTMLElement));
const happening = find(".happening", HTMLElement);
const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".by-hand button"));
/** What the buttons act on. @type {Tabs | null} */ let tabs = null;

const lanes = [...TRANSPORTS, { key: "other", title: "Another port" }];

new Demo({ name: "six-tabs", lanes, seconds: 20 }).start(async (run) => {
  run.signal.addEventListener("abort", end);
  keepShowing(run);
  keepAskingTheOtherPort(run);
  tabs = new Tabs(run, await whereTheChannelIs(run));

  /** @type {Finding[]} */ const findings = [];
  for (const kind of ORDER) findings.push(await fill(run, tabs, kind));

  reveal(run, findings);
  happening.textContent = "Now you: mix the kinds, and find out which of them share their connections.";
  for (const button of buttons) button.disabled = false;
});

for (const button of buttons) button.addEventListener("click", () => void byHand(button));

/** Ends what would go on after Stop. */
function end() {
  for (const button of buttons) button.disabled = true;
  same.stop();
  other.stop();
  happening.textContent = "All tabs are closed.";
}

/** @param {Run} run */
function keepShowing(run) {
  run.every(100, () => {
    same.show();
    other.show();
  });
}

/** @param {Run} run */
function keepAskingTheOtherPort(run) {
  run.lanes.state("other", "open", "answers");
  other.count = 0;
  let slowest = 0;
  run.every(OTHER_EVERY, async () => {
    if (other.waitingFor > 0) return;
    const took = await other.load(run.direct(PICTURE)).catch(() => Infinity);
    if (run.signal.aborted) return;
    if (took < Infinity) slowest = Math.max(slowest, took);
    run.samples.add({ kind: "none", tabs: tabs?.count ?? 0, port: "other", took_ms: took, helped: false });
    run.lanes.mark("other", took < Infinity ? {} : { tone: "lost" });
    run.lanes.number("other", String(other.count), `pictures, in ${inMs(slowest)} or less`);
  });
}

/** The position at which polls are held. @param {Run} run @returns {Promise<string>} */
async function whereTheChannelIs(run) {
  const answer = await fetch(run.direct(`channels/${run.channel}/poll`), { signal: run.signal });
  return (await answer.json()).cursor;
}

/**
 * Opens tabs of one kind until the picture does not come, or there are enough.
 *
 * @param {Run} run
 * @param {Tabs} tabs
 * @param {Kind} kind
 * @returns {Promise<Finding>}
 */
async function fill(run, tabs, kind) {
  happening.textContent = `Each tab holds ${NAMES[kind].one} open. After each, the next tab asks for the picture.`;
  run.lanes.state(kind, "open", "opening tabs");
  let waited = 0;
  while (tabs.count < run.value("most")) {
    const picture = openAndLoad(run, tabs, kind);
    if ((await inTime(run, picture)) === null) {
      const finding = await help(run, tabs, kind, picture);
      if (finding) return finding;
    }
    waited = await picture;
    run.samples.add({ kind, tabs: tabs.count, port: "same", took_ms: waited, helped: false });
    await run.wait(run.value("pause"));
  }
  const open = tabs.count;
  happening.textContent = `${open} ${NAMES[kind].many} are open, and the picture still comes.`;
  run.lanes.state(kind, "open", "the picture comes");
  run.lanes.number(kind, String(open), "tabs, and the picture comes");
  await run.wait(MOMENT);
  tabs.closeAll();
  return { kind, open, hangs: false, waited };
}

/** One more stream, and then the picture that the next tab shows. @param {Run} run @param {Tabs} tabs @param {Kind} kind */
async function openAndLoad(run, tabs, kind) {
  await tabs.open(kind);
  run.signal.throwIfAborted();
  return same.load(run.link.url(PICTURE));
}

/**
 * Closes one tab, and sees that this was what the picture waited for.
 *
 * @param {Run} run
 * @param {Tabs} tabs
 * @param {Kind} kind
 * @param {Promise<number>} picture
 * @returns {Promise<Finding | null>} null if it came without help, and had been slow for another reason
 */
async function help(run, tabs, kind, picture) {
  const open = tabs.opened;
  let isHere = false;
  void picture.then(() => (isHere = true)).catch(() => {});
  const band = run.lanes.band({ label: "the picture waits", lane: kind, from: performance.now() - same.waitingFor });
  tabs.waits(kind);
  run.lanes.state(kind, "refused", "the picture waits");
  run.lanes.number(kind, String(open), "tabs, then the picture waits");
  happening.textContent = `${open} ${NAMES[kind].many} are open. The picture’s request does not even leave the browser.`;
  await run.wait(2 * MOMENT);
  const neededHelp = !isHere;
  if (neededHelp) tabs.closeOne();
  const waited = await picture;
  band.end();
  tabs.waits(null);
  if (!neededHelp) return null;
  run.samples.add({ kind, tabs: open, port: "same", took_ms: waited, helped: true });
  happening.textContent = `One tab was closed, and the picture was there: after ${inMs(waited)}.`;
  await run.wait(MOMENT);
  tabs.closeAll();
  return { kind, open, hangs: true, waited };
}

/**
 * What a promise brings, or null when patience ends first.
 *
 * @template T
 * @param {Run} run
 * @param {Promise<T>} promise
 * @returns {Promise<T | null>}
 */
function inTime(run, promise) {
  return Promise.race([promise, run.wait(run.value("patience")).then(() => null)]);
}

/** @param {Run} run @param {Finding[]} findings */
function reveal(run, findings) {
  const survivors = TRANSPORTS.filter(({ key }) => findings.some(({ kind, hangs }) => kind === key && !hangs));
  const told = findings.map(({ kind, open, hangs, waited }) =>
    hangs
      ? `with ${open} ${NAMES[kind].many} it waited ${inMs(waited)}, until a tab was closed`
      : `with ${open} ${NAMES[kind].many} it came in ${inMs(waited)}`,
  );
  const others = run.samples.rows.filter(({ port }) => port === "other").map(({ took_ms }) => Number(took_ms));
  const { n, max } = summarize(others.filter(Number.isFinite));
  run.reveal(
    survivors.map(({ key }) => key).join("+"),
    `The picture: ${told.join("; ")}. ` +
      `Another port of the same server answered ${n} times of ${others.length}, in ${inMs(max)} or less.`,
  );
}

/** What the buttons do once the automatic part is over. @param {HTMLButtonElement} button */
async function byHand(button) {
  if (!tabs) return;
  const { run } = tabs;
  const kind = /** @type {Kind | undefined} */ (button.dataset.open);
  if (kind) void tabs.open(kind);
  else tabs.closeOne();
  if (kind) await run.wait(200).catch(() => {});
  if (run.signal.aborted) return;
  const took = await same.load(run.link.url(PICTURE)).catch(() => Infinity);
  run.samples.add({ kind: "mixed", tabs: tabs.count, port: "same", took_ms: took, helped: took > run.value("patience") });
}
