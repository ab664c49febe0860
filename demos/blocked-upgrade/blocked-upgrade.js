// @ts-check
/**
 * The blocked upgrade: a middlebox that does not let a WebSocket through, in four ways.
 *
 * What to look at: `handshake.js`, which holds against each other what a page is told and what was on the wire; and the
 * last lane, where a client gets through all the same.
 */

import { connect } from "../../client/fallcast.js";
import { Demo, find, randomName, TRANSPORTS } from "../frame/demo.js";
import { Publisher } from "../frame/publisher.js";
import { inMs } from "../frame/statistics.js";
import { answerOnTheWire, Handshake } from "./handshake.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("../../client/fallcast.js").Transport} Transport */

/** What the lanes call each kind of middlebox. @type {Record<string, string>} */
const LABELS = { strip: "strips Upgrade", 400: "answers 400", 403: "answers 403", mute: "opens, and is mute" };

/** The middlebox that the bet is about. */
const BET = "403";

/** In the marks of the client, what carried a message. @type {Record<string, string>} */
const LETTERS = { websocket: "W", sse: "S", "long-poll": "L" };

/** How long the bare WebSocket waits before it tries again, in ms. */
const AGAIN = 1_500;

/** A handshake of which nothing more has been heard for so long is judged by what was heard, in ms. */
const ENOUGH = 2_000;

/** The client tries sooner whether a better transport is possible again, and gives up sooner, than it does by itself. In ms. */
const IMPATIENT = { reprobe: 3_000, patience: 2_000 };

/** @type {Publisher | undefined} */ let publisher;
/** Ends the present WebSocket and client: another middlebox is met by new ones. */ let meeting = new AbortController();
/** The head start of the present client, in ms. */ let headStart = 0;
/** @type {{ end(): void }[]} */ let bands = [];
let isRepaired = false;
/** Settles when the repair has taken effect. A handshake that began before might meet either. */
let repaired = Promise.resolve();
let isRevealed = false;
/** How many handshakes each kind has met. @type {Map<string, number>} */ let handshakes = new Map();

const repair = find("#repair", HTMLButtonElement);
const hint = find("#hint", HTMLElement);

const demo = new Demo({
  name: "blocked-upgrade",
  lanes: [...TRANSPORTS, { key: "client", title: "fallcast.js" }],
  seconds: matchMedia("(width < 44rem)").matches ? 5 : 12,
})
  .knob("upgrade", (_, run) => meet(run))
  .knob("headStart", (ms, run) => (ms === headStart ? undefined : meet(run)))
  .knob("rate", (rate) => publisher?.set({ rate }));

demo.start((run) => {
  isRevealed = false;
  for (const transport of /** @type {Transport[]} */ (["sse", "long-poll"])) listen(run, transport);
  publisher = new Publisher(run.channel, { rate: run.value("rate") });
  publisher.onTally = ({ lag }) => (run.publisherLag = lag);
  publisher.onEnd = (why) => run.say(why);
  repair.disabled = false;
  repair.onclick = () => {
    const done = isRepaired ? meet(run) : heal(run);
    done.catch((error) => run.fail(error));
  };
  run.signal.addEventListener("abort", () => {
    publisher?.stop();
    meeting.abort();
    bands = [];
    handshakes = new Map();
    say(false);
    repair.disabled = true;
  });
});

/** Puts the middlebox between, and meets it with a bare WebSocket and with a client. @param {Run} run */
async function meet(run) {
  const kind = run.value("upgrade");
  headStart = run.value("headStart");
  meeting.abort();
  const { signal } = (meeting = new AbortController());
  await run.link.suffer({ upgrade: kind });
  if (signal.aborted || run.signal.aborted) return;
  say(false);
  for (const band of bands) band.end();
  bands = ["websocket", "client"].map((lane) => run.lanes.band({ lane, label: LABELS[kind] }));
  void keepTrying(run, signal);
  follow(run, signal);
}

/** Takes the fault away. What lives lives on. @param {Run} run */
async function heal(run) {
  await (repaired = run.link.heal());
  if (run.signal.aborted) return;
  say(true);
  for (const band of bands) band.end();
}

/** @param {boolean} isNowRepaired */
function say(isNowRepaired) {
  isRepaired = isNowRepaired;
  repair.textContent = isRepaired ? "Break it again" : "Repair the middlebox";
  hint.hidden = isRepaired;
}

/** What stands between now. @param {Run} run */
function kindNow(run) {
  return isRepaired ? "none" : run.value("upgrade");
}

// --- the bare WebSocket ---

/** As tutorials write it: when the connection is closed, open a new one. @param {Run} run @param {AbortSignal} signal */
async function keepTrying(run, signal) {
  while (!signal.aborted) {
    await repaired.catch(() => {});
    if (signal.aborted) return;
    await new Promise((over) => handshake(run, signal, kindNow(run), over));
    await run.wait(AGAIN).catch(() => {});
  }
}

/** @param {Run} run @param {AbortSignal} signal @param {string} kind of the middlebox @param {(value?: any) => void} over */
function handshake(run, signal, kind, over) {
  const { lanes } = run;
  const silence = new Silence(run);
  lanes.state("websocket", "connecting");
  // The server ignores what begins with `_`. The recording of this handshake is found by it.
  const name = randomName();
  const one = new Handshake(run.link.url(`channels/${run.channel}/ws`, { _: name }), signal, (event) => {
    if (event === "close") end();
    if (signal.aborted) return;
    if (event === "open") {
      lanes.state("websocket", "open");
    } else if (event === "message") {
      silence.end();
      lanes.mark("websocket");
      lanes.number("websocket", String(one.messages), "messages");
    } else {
      lanes.state("websocket", "retrying", "error, then closed");
      lanes.mark("websocket", { tone: "lost", label: String(one.closed?.code) });
      judge();
    }
  });
  let isJudged = false;
  const judge = () => {
    // What began before the repair says nothing about either.
    if (!isJudged && kind === kindNow(run)) void report(run, signal, { kind, name, one });
    isJudged = true;
  };
  const timer = setTimeout(judge, ENOUGH);
  const end = () => {
    signal.removeEventListener("abort", end);
    clearTimeout(timer);
    silence.end();
    over();
  };
  signal.addEventListener("abort", end);
}

/** A bar that grows while a WebSocket brings nothing. */
class Silence {
  #began = performance.now();
  /** @type {import("../frame/lanes.js").Bar | null} */ #bar = null;
  #timer;

  /** @param {Run} run */
  constructor(run) {
    this.#timer = setInterval(() => {
      const seconds = Math.floor((performance.now() - this.#began) / 1_000);
      if (seconds < 1) return;
      this.#bar ??= run.lanes.bar("websocket", { from: this.#began, tone: "late" });
      this.#bar.label = `nothing for ${seconds} s`;
      run.lanes.number("websocket", "0", "messages");
    }, 100);
  }

  end() {
    clearInterval(this.#timer);
    if (this.#bar) this.#bar.until ??= performance.now();
  }
}

/** @param {Run} run @param {AbortSignal} signal @param {{ kind: string, name: string, one: Handshake }} tried */
async function report(run, signal, { kind, name, one }) {
  const wire = await answerOnTheWire(run.link, name, signal);
  if (signal.aborted) return;
  const n = (handshakes.get(kind) ?? 0) + 1;
  handshakes.set(kind, n);
  const { code, reason } = one.closed ?? { code: "–", reason: "–" };
  fill(kind, [wire, one.events.join(", ") || "none", String(code), reason || "empty", inMs(one.took), String(n)]);
  if (one.messages === 0) run.lanes.number("websocket", "0", `messages, N = ${n}`);
  run.samples.add({ kind, who: "new WebSocket", wire, told: one.events.join(" "), code, reason, after_ms: one.took });
  if (isRevealed) return;
  isRevealed = kind === BET;
  const text = `${inWords(one)} On the wire stood “${wire}” (N = ${n}).`;
  if (isRevealed) run.reveal(one.truth, text);
  else run.tell(text);
}

/** @param {Handshake} one */
function inWords({ events, closed, message, took }) {
  if (events.length === 0) return "JavaScript was told nothing.";
  if (!closed) return `JavaScript was told “${events}” after ${inMs(took)}, and no error.`;
  const said = message ? `“${message}”` : "without a message";
  const reason = closed.reason ? `the reason “${closed.reason}”` : "an empty reason";
  return `After ${inMs(took)} JavaScript was told: an error ${said}, then close code ${closed.code} with ${reason}.`;
}

// --- the client ---

/** A client that may fall back, from its birth on. @param {Run} run @param {AbortSignal} signal */
function follow(run, signal) {
  const kind = run.value("upgrade");
  const began = performance.now();
  const channel = connect(run.link.url(`channels/${run.channel}`), { headStart, ...IMPATIENT, signal });
  run.showLog(channel);
  let [first, count] = [0, 0];
  channel.addEventListener("message", ({ data: { seq } }) => {
    first ||= seq;
    count++;
    run.lanes.mark("client", { label: LETTERS[channel.transport ?? ""] });
    run.lanes.number("client", String(count), `messages, ${seq - first + 1 - count} lost`);
  });
  let live = NaN;
  channel.addEventListener("transport", ({ detail: { transport } }) => {
    if (signal.aborted) return;
    run.lanes.state("client", transport ? "open" : "connecting", transport ? `open by ${transport}` : "connecting");
    if (!transport || live >= 0) return;
    live = performance.now() - began;
    fill(kind, [`${inMs(live)}, by ${transport}`], 7);
    run.samples.add({ kind, who: "fallcast.js", wire: null, told: transport, code: null, reason: null, after_ms: live });
  });
}

/** @param {Run} run @param {Transport} transport */
function listen(run, transport) {
  const channel = connect(run.link.url(`channels/${run.channel}`), { transports: [transport], signal: run.signal });
  channel.addEventListener("state", ({ detail: { state } }) => {
    if (!run.signal.aborted) run.lanes.state(transport, state === "open" ? "open" : "connecting", state);
  });
  channel.addEventListener("message", () => {
    run.lanes.mark(transport);
    run.lanes.number(transport, String(channel.stats.messages), "messages");
  });
}

/** Fills the row of a middlebox. @param {string} kind @param {string[]} texts @param {number} [from] the first cell */
function fill(kind, texts, from = 1) {
  const row = find(`[data-row="${kind}"]`, HTMLTableRowElement);
  texts.forEach((text, index) => (row.cells[from + index].textContent = text));
}
