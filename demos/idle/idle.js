// @ts-check
/**
 * Idle: a proxy drops lines on which nobody speaks, and the question is who notices.
 *
 * What to look at: `Round.play` is the whole experiment. Everybody is heard, nobody speaks, the proxy drops the line, and
 * then somebody asks "Anybody there?". The server tells how many subscribers it counts in its answer to that question.
 */

import { connect } from "../../client/fallcast.js";
import { Demo, find, randomName, TRANSPORTS } from "../frame/demo.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run */

/** How long after the proxy has dropped the lines the question is asked, in ms. */
const PATIENCE = 3_000;

/** A message that has not come after this time will not come by itself, in ms. */
const ANSWER_WITHIN = 1_500;

/** What the page and the server know of each other, between two silences. @type {Round | undefined} */
let round;

const again = find("#again", HTMLButtonElement);
again.addEventListener("click", () => void round?.ask().catch(round.fail));

new Demo({ name: "idle", seconds: 20 })
  .knob("after", (_, run) => playAnew(run))
  .knob("how", (_, run) => playAnew(run))
  .knob("beat", (_, run) => playAnew(run))
  .start((run) => {
    run.signal.addEventListener("abort", () => (again.disabled = true));
    begin(run);
  });

/** A turned knob begins a new round; at the start, the program itself begins the first one. @param {Run} run */
function playAnew(run) {
  if (round?.run === run) begin(run);
}

/** @param {Run} run */
function begin(run) {
  round?.end();
  again.disabled = true;
  round = new Round(run);
  round.play().catch(round.fail);
}

/** One line, as its client sees it. */
class Line {
  /** Whether the client believes in it. */ isOpen = false;
  /** When the client last heard something. */ heardAt = NaN;
  /** How often the client has noticed that a line was lost. */ losses = 0;
  /** The newest message that has arrived. */ newest = 0;
  /** @type {{ end: () => void } | null} */ band = null;
}

/** Connections, a silence, a question. */
class Round {
  #ended = new AbortController();
  signal = this.#ended.signal;
  /** Each round has its own, for the server may still count those of the last one. */ #channel;
  /** @type {Map<string, Line>} */ lines = new Map(TRANSPORTS.map(({ key }) => [key, new Line()]));
  /** How many messages have been published. */ #asked = 0;
  /** How many subscribers the server counted, the last time. @type {number | null} */ #counted = null;

  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    this.#channel = `${run.channel}-${randomName(4)}`;
    this.limit = run.value("after") * 1_000;
    this.how = /** @type {"silence" | "fin" | "rst"} */ (run.value("how"));
    this.beat = run.value("beat") * 1_000;
    run.signal.addEventListener("abort", () => this.end(), { signal: this.signal });
  }

  /** Whether the proxy sees a silence at all. A beat that comes just when the patience ends may come too late. */
  get isSilent() {
    return this.beat === 0 || this.beat >= this.limit;
  }

  /** Says what has gone wrong, unless it has for the sole reason that the round is over. @param {unknown} error */
  fail = (error) => {
    if (!this.signal.aborted) this.run.fail(error);
  };

  // ANCHOR: play
  async play() {
    await this.run.link.suffer({ idle: { after_ms: this.limit, how: this.how } });
    for (const { key } of TRANSPORTS) this.#subscribe(key);
    await this.#until(() => [...this.lines.values()].every(({ isOpen }) => isOpen));
    if (this.beat > 0) this.#keepSpeaking();
    this.#say("All three hear one message. From now on, silence.", "All three are connected, and the server keeps speaking.");
    const dropsAt = performance.now() + this.limit;
    this.#watch();
    await this.ask();
    await this.#wait(dropsAt - performance.now());
    this.#say("The proxy has dropped the lines. Look at the lamps: who has noticed?", "The time is over, and nobody was silent.");
    await this.#wait(PATIENCE);
    await this.ask();
    this.#judge();
  }
  // ANCHOR_END: play

  end() {
    this.#ended.abort();
    for (const { band } of this.lines.values()) band?.end();
  }

  /** Asks whether anybody is there. The answer of the server says how many it believes are. */
  async ask() {
    const seq = ++this.#asked;
    const asked = performance.now();
    this.#counted = await this.#publish({ seq, text: seq === 1 ? "Hello" : "Anybody there?" });
    await this.#wait(ANSWER_WITHIN);
    for (const [transport, { newest }] of this.lines) {
      if (newest < seq) this.run.lanes.mark(transport, { at: asked, tone: "lost", label: "lost" });
    }
    this.#show();
  }

  /** @param {string} transport */
  #subscribe(transport) {
    const { run, signal } = this;
    const line = /** @type {Line} */ (this.lines.get(transport));
    const channel = connect(run.link.url(`channels/${this.#channel}`), {
      transports: [/** @type {import("../../client/fallcast.js").Transport} */ (transport)],
      signal,
    });
    run.showLog(channel, transport);
    channel.addEventListener("state", ({ detail: { state } }) => {
      if (signal.aborted) return;
      line.isOpen = state === "open";
      line.heardAt = performance.now();
      run.lanes.state(transport, line.isOpen ? "open" : "retrying", line.isOpen ? "“open”" : "lost, and coming back");
    });
    channel.addEventListener("log", ({ detail: { what, why } }) => {
      if (signal.aborted || what !== "lost") return;
      line.losses++;
      run.lanes.mark(transport, { tone: "late", label: "✕" });
      run.samples.add({ transport, what, why, seq: 0, at: performance.now() });
    });
    channel.addEventListener("message", ({ data: { seq, beat } }) => {
      line.heardAt = performance.now();
      run.lanes.mark(transport, beat ? { tone: "quiet" } : { label: String(seq) });
      if (!beat) line.newest = Math.max(line.newest, seq);
      run.samples.add({ transport, what: beat ? "beat" : "message", why: "", seq: seq ?? 0, at: line.heardAt });
    });
  }

  /** @param {object} data @returns {Promise<number>} how many subscribers the server counts */
  async #publish(data) {
    const url = this.run.direct(`channels/${this.#channel}`);
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(data), signal: this.signal });
    return (await response.json()).subscribers;
  }

  /** A message that says nothing, in a fixed rhythm: the heartbeat of an application. */
  #keepSpeaking() {
    const timer = setInterval(() => void this.#publish({ beat: true }).catch(this.fail), this.beat);
    this.signal.addEventListener("abort", () => clearInterval(timer));
  }

  #watch() {
    const timer = setInterval(() => this.#look(), 200);
    this.signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Draws since when nobody can hear anything on a line, and how long its page has believed in it. */
  #look() {
    const now = performance.now();
    for (const [transport, line] of this.lines) {
      const deaf = now - line.heardAt - this.limit;
      if (line.isOpen && this.how === "silence" && deaf > 0) {
        line.band ??= this.run.lanes.band({ lane: transport, label: "dropped by the proxy", from: now - deaf });
        this.run.lanes.number(transport, `${Math.floor(deaf / 1_000)} s`, "dead, and the page says “open”");
      } else {
        line.band?.end();
        line.band = null;
        const silent = Math.floor((now - line.heardAt) / 1_000);
        this.run.lanes.number(transport, `${silent} s`, `silent, and alive; lost ${line.losses} times`);
      }
    }
    this.#show();
  }

  #show() {
    for (const [transport, { isOpen, newest, losses }] of this.lines) {
      const arrived = newest === this.#asked ? "yes" : "no";
      fillRow(transport, [isOpen ? "“open”" : "“not connected”", arrived, String(losses)]);
    }
    find("#server", HTMLElement).textContent = `The server, when it was asked last: “${this.#counted ?? "…"} subscribers”.`;
  }

  /** Who has noticed, by what each side says. */
  #judge() {
    again.disabled = false;
    const lines = [...this.lines.values()];
    const heard = lines.filter(({ newest }) => newest === this.#asked).length;
    if (!this.isSilent) {
      this.run.tell(`something came every ${this.beat / 1_000} s, and ${heard} of 3 heard “Anybody there?”.`);
      this.run.say("Nobody hung up.");
      return;
    }
    const open = lines.filter(({ isOpen }) => isOpen).length;
    const lost = lines.filter(({ losses }) => losses > 0).length;
    const known = this.#counted ?? 0;
    // Who has come back has a line more. A server that had not noticed the loss would count both.
    const hasServerNoticed = known < TRANSPORTS.length + lost;
    const truth = lost > 0 ? (hasServerNoticed ? "both" : "page") : hasServerNoticed ? "server" : "nobody";
    const text =
      `${open} of 3 pages say “open”, ${lost} of 3 have noticed a loss, the server counts ${known} subscribers, ` +
      `and ${heard} of 3 heard “Anybody there?”.`;
    if (this.run.isAsBet("after", "how", "beat")) this.run.reveal(truth, text);
    else this.run.tell(text);
    const next = "Wait a minute, and look at the log: they will find out.";
    this.run.say(lost > 0 ? "Both ends were told, and the clients came back." : next);
  }

  /** @param {string} silent what to say if nobody speaks @param {string} speaking and if the server does */
  #say(silent, speaking) {
    this.run.say(this.isSilent ? silent : speaking);
  }

  /** @param {() => boolean} isSo */
  async #until(isSo) {
    while (!isSo()) await this.#wait(50);
  }

  /** @param {number} ms */
  async #wait(ms) {
    await this.run.wait(ms);
    this.signal.throwIfAborted();
  }
}
