// @ts-check
/**
 * The wire microscope: one channel over three transports, each by the browser's own means, and the bytes of all that.
 *
 * What to look at: a page does not see its own bytes; no page can. The lab, through which it listens, records them and
 * tells them on a channel of the same server, `tap.` and the link's name. So this page has one more subscription, and
 * annotate.js makes bars of what comes there.
 */

import { connect } from "../../client/fallcast.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Annotator } from "./annotate.js";
import { Costs } from "./costs.js";
import { openDoors } from "./doors.js";
import { Inspector } from "./inspector.js";
import { Moments } from "./moments.js";
import { Proof } from "./proof.js";

/** How many messages are sent at the start and whenever a knob was turned, and how long it takes to the next, in ms. */
const MESSAGES = 4;
const PAUSE = 1_200;

/** A knob is turned when nothing has changed for so long, in ms: who types has not finished. */
const SETTLED = 700;

/** The bet is about a message of so many letters, and is decided by so many messages on each transport. */
const LETTERS = 2;
const ENOUGH = 3;

/** The kinds of exchanges that are shown, and on which lane. @type {Record<string, string>} */
const LANES = { websocket: "websocket", sse: "sse", poll: "long-poll" };

const moments = new Moments(find("#moments", HTMLElement), TRANSPORTS, (bar) => inspector.show(bar));
const inspector = new Inspector(find("#inspector", HTMLElement), (id) => moments.open(id));
const proof = new Proof(find("#proof", HTMLElement));
const sendButton = find("#send", HTMLButtonElement);

/** @type {Session | undefined} */ let session;
sendButton.addEventListener("click", () => session?.send());

const turn = () => session?.turn();
new Demo({ name: "wire", lanes: [], isTimed: false })
  .knob("payload", turn)
  .knob("format", turn)
  .knob("binary", turn)
  .start(async (run) => {
    moments.clear();
    inspector.hide();
    proof.clear();
    offerRecording(run);
    session = new Session(run);
    run.signal.addEventListener("abort", () => (session = undefined));
    await session.begin();
  });

/** The recording outlives the run, so it can be saved afterwards. @param {import("../frame/demo.js").Run} run */
function offerRecording(run) {
  for (const form of /** @type {const} */ (["pcapng", "json"])) {
    const link = find(`#${form}`, HTMLAnchorElement);
    link.href = String(run.link.recording(form));
    link.download = `${run.link.name}.${form}`;
    link.removeAttribute("aria-disabled");
  }
}

/** What is there between Start and Stop: the tap, the three doors, and what their bytes have cost. */
class Session {
  #run;
  #costs = new Costs();
  #annotator = new Annotator();
  #hasBars = false;
  /** The doors that are open, until a knob is turned. */ #doors = new AbortController();
  /** @type {WebSocket | undefined} */ #socket;
  #settling = 0;

  /** @param {import("../frame/demo.js").Run} run */
  constructor(run) {
    this.#run = run;
    run.signal.addEventListener("abort", () => this.#end());
  }

  async begin() {
    await this.#listenToTheWire();
    await this.#measure();
    if (!this.#hasBars) throw new Error("The lab has recorded nothing. Was this server started with --lab-recording 0?");
  }

  /** Begins anew, once the knobs have come to rest: figures of different conditions are not mixed. */
  turn() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => void this.#measure().catch((error) => this.#run.fail(error)), SETTLED);
  }

  /** Sends the message over the WebSocket. All three doors bring it back. */
  send() {
    const text = String(this.#run.value("payload"));
    const bytes = new TextEncoder().encode(text);
    const isBinary = this.#run.value("binary");
    if (this.#run.value("format") === "raw") this.#socket?.send(isBinary ? bytes : text);
    else this.#socket?.send(JSON.stringify({ publish: isBinary ? { data: base64(bytes), encoding: "base64" } : { data: text } }));
  }

  #end() {
    clearTimeout(this.#settling);
    this.#doors.abort();
    sendButton.disabled = true;
    for (const { key } of TRANSPORTS) moments.state(key, "stopped");
  }

  /** The tap's channel is reached directly: what travels over the link would be recorded, and told, and recorded. */
  async #listenToTheWire() {
    const tap = connect(this.#run.direct(`channels/tap.${this.#run.link.name}`), { signal: this.#run.signal });
    tap.addEventListener("message", ({ data }) => {
      for (const item of data.wire) for (const bar of this.#annotator.add(item)) this.#show(bar);
      if (data.skipped > 0) this.#run.say(`${data.skipped} pieces came too fast to be told with their bytes.`);
    });
    await new Promise((resolve) => {
      tap.addEventListener("state", ({ detail: { state } }) => state === "open" && resolve(null));
    });
  }

  /** Opens the doors as the knobs stand, and sends some messages. */
  async #measure() {
    this.#run.say("Running.");
    this.#doors.abort();
    const doors = (this.#doors = new AbortController());
    const isOver = () => doors.signal.aborted || this.#run.signal.aborted;
    sendButton.disabled = true;
    this.#costs.begin(new TextEncoder().encode(this.#run.value("payload")).length);
    for (const { key } of TRANSPORTS) {
      moments.state(key, "connecting");
      moments.number(key, "–", "");
    }
    const channel = this.#run.link.url(`channels/${this.#run.channel}`);
    this.#socket = await openDoors(channel, this.#run.value("format"), doors.signal);
    if (isOver()) return;
    for (const { key } of TRANSPORTS) moments.state(key, "open");
    sendButton.disabled = false;
    this.#socket.addEventListener("close", () => isOver() || this.#lose());
    // The first pause sets the messages apart from the opening of the connections.
    for (let count = 0; count < MESSAGES; count++) {
      await this.#run.wait(PAUSE);
      if (isOver()) return;
      this.send();
    }
    await this.#run.wait(PAUSE);
  }

  /** Without its connection to send by, the page shows what it has. */
  #lose() {
    this.#doors.abort();
    sendButton.disabled = true;
    for (const { key } of TRANSPORTS) moments.state(key, "closed");
    this.#run.say("The server has closed the connection. Stop, and start again.");
  }

  /** @param {import("./reader.js").Bar} bar */
  #show(bar) {
    const lane = LANES[bar.kind];
    if (!lane) return;
    this.#hasBars = true;
    inspector.know(bar);
    moments.show(lane, bar);
    proof.take(bar);
    const isMasked = bar.what === "frame" && bar.direction === "up";
    if (isMasked && bar.isComplete && !inspector.isShown) moments.open(bar.id);
    for (const cost of this.#costs.take(bar)) this.#report(cost);
  }

  /** @param {import("./costs.js").Cost} cost */
  #report({ transport, payload, wire }) {
    const { n, mean } = this.#costs.of(transport);
    moments.number(transport, `${inBytes(mean)}`, `besides the ${payload} of the message, N = ${n}`);
    const format = this.#run.value("format");
    const isBinary = this.#run.value("binary");
    const besides = wire - payload;
    this.#run.samples.add({ transport, payload_bytes: payload, wire_bytes: wire, besides, format, binary: isBinary });
    if (payload === LETTERS && format === "raw" && !isBinary) this.#judge();
    else this.#run.say("Running. The bet is about a message of two letters, in raw and as text.");
  }

  /** What came true, once enough has come on all three. */
  #judge() {
    const found = TRANSPORTS.map(({ key, title }) => ({ key, title, ...this.#costs.of(key) }));
    const least = Math.min(...found.map(({ n }) => n));
    if (least < ENOUGH) return;
    const truth = Object.fromEntries(found.map(({ key, mean }) => [key, mean]));
    const words = found.map(({ title, mean }) => `${title} ${inBytes(mean)}`).join(", ");
    this.#run.reveal(truth, `Besides the two letters: ${words} (N = ${least} each).`);
  }
}

/** @param {number} count */
function inBytes(count) {
  return `${count.toLocaleString("en", { maximumFractionDigits: 1 })} bytes`;
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
