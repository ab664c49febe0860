// @ts-check
/**
 * The doctor in a browser: asks, notes what it sees, and has the server say what that means.
 *
 * The rules are the server's (`/examination/verdict`), the same by which the command `fallcast doctor` judges. Here is only
 * what a page can see by itself, in the form that `Observations` has there.
 */

import "../demos/frame/theme.js";
import { find, randomName } from "../demos/frame/page.js";

/** @typedef {{ offset_ms: number, bound_ms: number, round_trip_ms: number, median_ms: number, exchanges: number }} Clock */
/** @typedef {{ question: string, title: string, mark: string, seen: string, means: string, remedy: string }} Finding */
/** @typedef {{ verdict: { text: string, mark: string, transport: string | null }, findings: Finding[] }} Report */

const EXCHANGES = 24;
const STREAMS = 12;
/** How long each of the many streams stays open, in ms. Whichever begins later had to wait for another to end. */
const STREAM_OPEN = 1500;
const MESSAGES = 5;
const POSTS = 4;
/** How long to wait for a server that does not answer, in ms. */
const PATIENCE = 30_000;
const PAUSE = 500;
/** How long any single answer may take, in ms. */
const ANSWER = 8000;
/** What each mark is called, for those who hear the page. */
const MARKS = { well: ["✓", "Well"], unknown: ["?", "Not known"], notice: ["!", "To know"], fault: ["✗", "In the way"] };

const now = () => performance.timeOrigin + performance.now();
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The link of the lab over which the page came, for all that it asks. */
const link = new URLSearchParams(location.search).get("link");

/** An address of the server. @param {string} address relative to the page @param {"http" | "ws"} [scheme] */
function at(address, scheme = "http") {
  const url = new URL(address, document.baseURI);
  if (link) url.searchParams.set("link", link);
  if (scheme === "ws") url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** Waits for something, but not for ever. @template T @param {Promise<T>} promise @param {number} ms @returns {Promise<T>} */
function within(ms, promise) {
  const late = sleep(ms).then(() => Promise.reject(new Silence()));
  return Promise.race([promise, late]);
}

/** Nothing came. */
class Silence extends Error {}

/** Fetches, and gives up with an error when the answer does not begin in time. @param {string} address @param {RequestInit} [init] @param {number} [ms] */
async function ask(address, init = {}, ms = ANSWER) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  try {
    return { answer: await fetch(at(address), { cache: "no-store", ...init, signal: stop.signal }), stop };
  } finally {
    clearTimeout(timer);
  }
}

/** @param {string} address @param {RequestInit} [init] */
async function json(address, init) {
  const { answer } = await ask(address, init);
  return within(ANSWER, answer.json());
}

// --- the questions ---------------------------------------------------------------------------------------------------

/** Four times of each exchange; the one with the smallest round trip is believed. @returns {Promise<Clock>} */
async function clock() {
  const samples = [];
  for (let count = 0; count < EXCHANGES; count += 1) {
    const sent = now();
    const { received_us, sent_us } = await json("examination/clock");
    const back = now();
    const [arrived, left] = [received_us / 1000, sent_us / 1000];
    samples.push({ offset: (arrived - sent + left - back) / 2, trip: Math.max(back - sent - (left - arrived), 0) });
  }
  samples.sort((a, b) => a.trip - b.trip);
  const [best, middle] = [samples[0], samples[Math.floor(samples.length / 2)]];
  return { offset_ms: best.offset, bound_ms: best.trip / 2, round_trip_ms: best.trip, median_ms: middle.trip, exchanges: EXCHANGES };
}

async function way() {
  const requested = [["Last-Event-ID", randomName(16)], ["Idempotency-Key", randomName(16)], ["X-Examination", randomName(16)]];
  const { answer } = await ask("examination/request", { headers: Object.fromEntries(requested) });
  const document = await within(ANSWER, answer.json());
  const entry = performance.getEntriesByName(answer.url).at(-1);
  const protocol = entry instanceof PerformanceResourceTiming ? entry.nextHopProtocol : "";
  const versions = { "http/1.0": "HTTP/1.0", "http/1.1": "HTTP/1.1", h2: "HTTP/2.0", h3: "HTTP/3.0" };
  return {
    version_here: versions[protocol] ?? null,
    version_there: document.version,
    requested,
    arrived: document.fields,
    sent: document.sent,
    received: [...answer.headers],
    coding: answer.headers.get("content-encoding") ?? "",
  };
}

/**
 * A handshake and what follows it. A browser does not say why a handshake failed, but the server knows what arrived there.
 *
 * @param {number} grace
 */
async function upgrade(grace) {
  const [nonce, echo, began] = [randomName(16), randomName(16), performance.now()];
  const socket = new WebSocket(at(`examination/ws?for=20000&nonce=${nonce}`, "ws"));
  const took = () => performance.now() - began;
  const heard = listen(socket);
  try {
    if (!(await isWithin(ANSWER, heard.opened))) return { outcome: await why(nonce, took()), took_ms: took() };
    if (!(await isWithin(grace, heard.text('"piece":1')))) return { outcome: "mute", took_ms: took() };
    const first = took();
    socket.send(echo);
    const isBack = await isWithin(grace, heard.text(echo));
    return { outcome: isBack ? "passed" : "one-way", took_ms: first };
  } finally {
    socket.close();
  }
}

/** @param {number} ms @param {Promise<unknown>} promise */
const isWithin = (ms, promise) => within(ms, promise).then(() => true, () => false);

/** Why a handshake failed, by what arrived at the server. @param {string} nonce @param {number} took */
async function why(nonce, took) {
  const { count, stripped } = await json(`examination/count?nonce=${nonce}`);
  if (stripped) return "stripped";
  if (count > 0) return "dropped";
  return took < ANSWER ? "refused" : "unanswered";
}

/** What a WebSocket says, for whoever waits for it. @param {WebSocket} socket */
function listen(socket) {
  let said = "";
  /** @type {Set<() => void>} */
  const waiting = new Set();
  const wake = () => waiting.forEach((look) => look());
  socket.addEventListener("message", ({ data }) => {
    said += data;
    wake();
  });
  socket.addEventListener("close", wake);
  const opened = new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("close", reject);
  });
  opened.catch(() => "whoever waits is told");
  const text = (/** @type {string} */ part) =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (said.includes(part)) resolve(part);
        else if (socket.readyState >= WebSocket.CLOSING) reject(new Error("closed"));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { opened, text };
}

/**
 * A stream of pieces: when each was sent, and when it arrived.
 *
 * @param {"events" | "lines" | "plain" | "fill" | "fill-plain"} of
 * @param {Clock} clock
 */
async function pieces(of, clock) {
  const isLarge = of.startsWith("fill");
  const every = isLarge ? 20 : Math.min(Math.max(Math.round(clock.round_trip_ms), 300), 1000);
  const [expected, bytes] = isLarge ? [64, 1024] : [6, 64];
  const plain = of === "plain" || of === "fill-plain" ? 1 : 0;
  const form = of === "lines" ? "lines" : "events";
  const began = now();
  const whole = every * (expected * 1.5 + 3) + 4000 + clock.round_trip_ms * 6;
  const seen = { of, coding: "", expected, bytes: Math.max(bytes, 70) + 8, seen: /** @type {number[][]} */ ([]), ended_ms: 0, is_whole: false };
  const { answer, stop } = await ask(`examination/pieces?as=${form}&count=${expected}&every=${every}&bytes=${bytes}&plain=${plain}`, {}, whole);
  seen.coding = answer.headers.get("content-encoding") ?? "";
  try {
    await within(whole, readLines(answer, (line) => {
      const at_us = timeOf(line);
      if (at_us !== null) seen.seen.push([at_us / 1000 - clock.offset_ms - began, now() - began]);
    }));
    seen.is_whole = true;
  } catch {
    // What came until then counts.
  }
  stop.abort();
  return { ...seen, ended_ms: now() - began };
}

/** When a piece says that it was sent; null for what is none. @param {string} line */
function timeOf(line) {
  try {
    const { piece, at_us } = JSON.parse(line.replace(/^data: /, ""));
    return piece ? at_us : null;
  } catch {
    return null;
  }
}

/** @param {Response} answer @param {(line: string) => void} take */
async function readLines(answer, take) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  }
}

/** How many streams begin before any of them has ended. @param {Clock} clock */
async function streams(clock) {
  const openFor = Math.round(STREAM_OPEN + clock.round_trip_ms * 3);
  const began = performance.now();
  const opened = await Promise.all(Array.from({ length: STREAMS }, async (_, number) => {
    try {
      // Browsers hold back a second request for the very same address while the first is open.
      const { answer } = await ask(`examination/silence?as=lines&for=${openFor}&_=${number}`, {}, openFor * 4 + ANSWER);
      const after = performance.now() - began;
      await within(openFor + ANSWER, answer.text());
      return after;
    } catch {
      return null;
    }
  }));
  const all = opened.filter((after) => after !== null);
  return { asked: STREAMS, at_once: all.filter((after) => after < openFor).length, in_all: all.length };
}

async function duplicates() {
  let arrived = 0;
  for (let count = 0; count < POSTS; count += 1) {
    const address = `examination/count?nonce=${randomName(16)}`;
    await json(address, { method: "POST" });
    arrived += (await json(address)).count;
  }
  return { sent: POSTS, arrived };
}

/**
 * Connections that are silent, and two that are not.
 *
 * @param {number} patience
 * @param {number} heartbeat
 * @param {number} grace
 */
async function idle(patience, heartbeat, grace) {
  const beat = Math.round(Math.max(Math.min(heartbeat, patience / 4), 250));
  const lines = await Promise.all([
    silentSocket(patience, 0, grace),
    silentStream(patience, 0, grace),
    silentPoll(patience, grace),
    silentSocket(patience, beat, grace),
    silentStream(patience, beat, grace),
  ]);
  return { patience_ms: patience, lines };
}

/** @param {number} patience @param {number} beat 0 for none @param {number} grace */
async function silentSocket(patience, beat, grace) {
  const line = (/** @type {string} */ end, /** @type {number} */ last) =>
    ({ kind: "websocket", beat_ms: beat || null, end, silent_ms: performance.now() - last });
  let last = performance.now();
  const socket = new WebSocket(at(`examination/ws?for=${patience}&beat=${beat}`, "ws"));
  return new Promise((resolve) => {
    let isOpen = false;
    let timer = setTimeout(() => end("not-opened"), ANSWER);
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => end("silence"), (beat || patience) + grace);
    };
    const end = (/** @type {string} */ how) => {
      clearTimeout(timer);
      resolve(line(how, last));
      socket.close();
    };
    socket.onmessage = ({ data }) => {
      if (data.includes('"awake"')) return end("lived");
      isOpen = true;
      last = performance.now();
      wait();
    };
    socket.onclose = () => end(isOpen ? "ended" : "not-opened");
  });
}

/** @param {number} patience @param {number} beat 0 for none @param {number} grace */
async function silentStream(patience, beat, grace) {
  let last = performance.now();
  const line = (/** @type {string} */ end) => ({ kind: "stream", beat_ms: beat || null, end, silent_ms: performance.now() - last });
  const { promise: ended, resolve } = promiseOf();
  let timer = setTimeout(() => resolve("silence"), patience + grace);
  const stop = new AbortController();
  const reading = async () => {
    const answer = await fetch(at(`examination/silence?as=lines&for=${patience}&beat=${beat}`), { cache: "no-store", signal: stop.signal });
    if (!answer.ok) return "answered";
    let isAwake = false;
    await readLines(answer, (text) => {
      isAwake ||= text.includes('"awake"');
      last = performance.now();
      clearTimeout(timer);
      timer = setTimeout(() => resolve("silence"), (beat || patience) + grace);
    });
    return isAwake ? "lived" : "fin";
  };
  reading().then(resolve, () => resolve("ended"));
  const how = await ended;
  clearTimeout(timer);
  const seen = line(how);
  stop.abort();
  return seen;
}

/** @param {number} patience @param {number} grace */
async function silentPoll(patience, grace) {
  const began = performance.now();
  const line = (/** @type {string} */ end, /** @type {number | null} */ status = null) => ({ kind: "poll", end, status, silent_ms: performance.now() - began });
  try {
    const { answer } = await ask(`examination/silence?late=1&for=${patience}`, {}, patience + grace);
    return answer.ok ? line("lived") : line("answered", answer.status);
  } catch (fault) {
    return line(fault instanceof DOMException && fault.name === "AbortError" ? "silence" : "ended");
  }
}

/** @returns {{ promise: Promise<string>, resolve: (value: string) => void }} */
function promiseOf() {
  let resolve = (/** @type {string} */ _) => {};
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

/**
 * How long a message takes from its publication until it is back.
 *
 * @param {keyof typeof READERS} transport
 * @param {Clock} clock
 */
async function latency(transport, clock) {
  const channel = `channels/doctor-${randomName(16)}`;
  const patience = 1000 + clock.round_trip_ms * 4;
  const reader = await READERS[transport](channel, patience);
  if (!reader) return null;
  const seen = { transport, times_ms: /** @type {number[]} */ ([]), lost: 0, patience_ms: patience };
  try {
    for (let count = 0; count < MESSAGES && seen.lost < 2; count += 1) {
      const message = randomName(16);
      const back = reader.next(message);
      const began = performance.now();
      await ask(channel, { method: "POST", body: message });
      if (await isWithin(patience, back)) seen.times_ms.push(performance.now() - began);
      else seen.lost += 1;
    }
  } finally {
    reader.close();
  }
  return seen;
}

/** @type {Record<string, (channel: string, patience: number) => Promise<{ next(message: string): Promise<unknown>, close(): void } | null>>} */
const READERS = {
  async websocket(channel, patience) {
    const socket = new WebSocket(at(`${channel}/ws?format=json`, "ws"));
    const heard = listen(socket);
    const isOpen = await isWithin(patience, heard.text('"hello"'));
    if (!isOpen) socket.close();
    return isOpen ? { next: heard.text, close: () => socket.close() } : null;
  },
  async sse(channel, patience) {
    const source = new EventSource(at(`${channel}/sse`));
    await isWithin(patience, new Promise((resolve) => source.addEventListener("open", resolve)));
    const next = (/** @type {string} */ message) =>
      new Promise((resolve) => source.addEventListener("message", ({ data }) => data === message && resolve(data)));
    return { next, close: () => source.close() };
  },
  async stream(channel, patience) {
    const stop = new AbortController();
    let said = "";
    /** @type {Set<() => void>} */
    const waiting = new Set();
    const reading = fetch(at(`${channel}/stream`), { signal: stop.signal }).then((answer) => {
      void readLines(answer, (line) => {
        said += line;
        waiting.forEach((look) => look());
      }).catch(() => "whoever waits waits in vain");
    });
    await isWithin(patience, reading);
    const next = (/** @type {string} */ message) =>
      new Promise((resolve) => waiting.add(() => said.includes(message) && resolve(message)));
    return { next, close: () => stop.abort() };
  },
  async "long-poll"(channel) {
    let { cursor } = await json(`${channel}/poll`);
    if (!cursor) return null;
    const stop = new AbortController();
    const next = async (/** @type {string} */ message) => {
      const answer = await fetch(at(`${channel}/poll?after=${cursor}&wait=10`), { cache: "no-store", signal: stop.signal });
      const text = await answer.text();
      ({ cursor } = JSON.parse(text));
      if (!text.includes(message)) throw new Error("another message");
    };
    return { next, close: () => stop.abort() };
  },
};

// --- the examination -------------------------------------------------------------------------------------------------

/** What was seen so far, as `Observations` has it. */
class Examination {
  began = performance.now();
  /** @type {Record<string, any>} */
  seen = { seen_from: "browser", url: at("."), outages: [], pieces: [], latency: [] };
  asked = 0;

  /** @param {number} patience for silent connections, in ms */
  constructor(patience) {
    this.patience = patience;
  }

  /** Asks everything, one after the other; silent connections are beside the rest. */
  async run() {
    await this.reach();
    const clockSeen = await this.ask("Comparing clocks", "clock", clock);
    const grace = 2000 + clockSeen.round_trip_ms * 3;
    // Before there are silent ones: over HTTP/1.1 they take half of the connections that a browser has.
    await this.ask("Opening twelve streams", "streams", () => streams(clockSeen));
    const silent = idle(this.patience, this.seen.offer?.heartbeat_ms ?? 20_000, grace);
    await this.ask("Looking who sits between", "way", way);
    await this.ask("Opening a WebSocket", "upgrade", () => upgrade(grace));
    await this.flush(clockSeen);
    await this.ask("Counting requests", "duplicates", duplicates);
    for (const transport of Object.keys(READERS)) {
      const seen = await this.ask(`Publishing, and reading over ${transport}`, null, () => latency(transport, clockSeen));
      if (seen) this.seen.latency.push(seen);
    }
    await this.judge();
    show("Waiting for silent connections", this.done);
    this.seen.idle = await silent;
    // Whether new connections are possible tells a dead network from one that has changed.
    await this.reach();
    return this.judge();
  }

  /** @param {Clock} clockSeen */
  async flush(clockSeen) {
    const look = () => Promise.all([pieces("events", clockSeen), pieces("lines", clockSeen), pieces("plain", clockSeen)]);
    this.seen.pieces = await this.ask("Reading streams", null, look);
    for (const [index, fill] of /** @type {const} */ ([[0, "fill"], [2, "fill-plain"]])) {
      // If they arrive together, it is worth to know how many bytes that takes.
      const { seen } = this.seen.pieces[index];
      const isTogether = seen.length > 2 && seen[0][1] >= seen[2][0];
      if (isTogether) this.seen.pieces.push(await this.ask("Filling a buffer", null, () => pieces(fill, clockSeen)));
    }
    await this.judge();
  }

  /**
   * Asks a question. If the connection breaks, it waits until the server is there again, and asks once more.
   *
   * @template T @param {string} what @param {string | null} name under which the answer is kept @param {() => Promise<T>} question
   */
  async ask(what, name, question) {
    show(`${what} …`, this.done);
    let answer;
    try {
      answer = await question();
    } catch {
      await this.reach();
      answer = await question();
    }
    this.asked += 1;
    if (name) {
      this.seen[name] = answer;
      await this.judge();
    }
    return answer;
  }

  /** Waits until the server answers, and notes how long that took if it was long. */
  async reach() {
    const began = performance.now();
    for (let isFirst = true; ; isFirst = false) {
      try {
        const { answer } = await ask("examination");
        if (answer.status === 503) throw new Error("not now");
        if (!isFirst) {
          const [after_ms, lasted_ms] = [began - this.began, performance.now() - began];
          this.seen.outages.push({ after_ms, lasted_ms, how: "ended" });
        }
        const offer = answer.ok ? await within(ANSWER, answer.json()) : null;
        this.seen.offer = offer?.server === "fallcast" ? only(offer, ["heartbeat_ms", "poll_hold_ms", "may_see_room"]) : null;
        return;
      } catch (fault) {
        if (performance.now() - began > PATIENCE) throw fault;
        show("Waiting for the server …", this.done);
        await sleep(PAUSE);
      }
    }
  }

  /** Has the server say what was seen. */
  async judge() {
    const report = /** @type {Report} */ (await json("examination/verdict", { method: "POST", body: JSON.stringify(this.seen) }));
    tell(report, this.seen);
    return report;
  }

  get done() {
    // Twelve questions without those that come up on the way, and the silence.
    return Math.min(this.asked / 12, 0.95);
  }
}

/** @param {Record<string, any>} object @param {string[]} names */
const only = (object, names) => Object.fromEntries(names.map((name) => [name, object[name]]));

// --- the page --------------------------------------------------------------------------------------------------------

const nowLine = find("#now", HTMLElement);
const progress = find("#progress", HTMLProgressElement);
const verdict = find("#verdict", HTMLElement);
const words = find("#words", HTMLElement);
const findings = find("#findings", HTMLOListElement);
const start = find("#start", HTMLButtonElement);
const save = find("#save", HTMLButtonElement);
const form = find("#examine", HTMLFormElement);

/** @type {unknown} */
let saved = null;

/** @param {string} what @param {number} done from 0 to 1 */
function show(what, done) {
  nowLine.textContent = what;
  progress.value = done;
}

/** @param {Report} report @param {unknown} observations */
function tell(report, observations) {
  saved = { doctor_report: 1, report, observations };
  save.disabled = false;
  findings.replaceChildren(...report.findings.map(findingItem));
}

/** @param {Finding} finding */
function findingItem({ question, title, mark, seen, means, remedy }) {
  const item = document.createElement("li");
  item.dataset.mark = mark;
  item.dataset.question = question;
  const [sign, word] = MARKS[mark] ?? MARKS.unknown;
  const signElement = element("span", "sign", sign);
  signElement.setAttribute("aria-hidden", "true");
  const heading = element("h3", "", title);
  heading.prepend(element("span", "spoken", `${word}: `));
  item.append(signElement, heading, element("p", "seen", seen));
  if (means) item.append(element("p", "means", means));
  if (remedy && mark !== "well") item.append(element("p", "remedy", remedy));
  return item;
}

/** @param {string} name @param {string} className @param {string} text */
function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...withCode(text));
  return made;
}

/** A sentence, in which what stands between backticks is code. @param {string} text */
function withCode(text) {
  return text.split("`").map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

/** The whole of it, from the button to the verdict. */
async function examine() {
  start.disabled = true;
  document.documentElement.dataset.doctor = "running";
  verdict.dataset.mark = "unknown";
  words.textContent = "Not yet.";
  findings.replaceChildren();
  try {
    const patience = Number(new FormData(form).get("idle"));
    const report = await new Examination(patience).run();
    verdict.dataset.mark = report.verdict.mark;
    words.replaceChildren(...withCode(report.verdict.text));
    show("Done.", 1);
  } catch (fault) {
    verdict.dataset.mark = "fault";
    words.textContent = "The server cannot be reached any more. If a page of it still opens, reload this one and try again.";
    show(`It ended early: ${fault instanceof Silence ? "nothing came" : fault}`, 1);
  }
  document.documentElement.dataset.doctor = "done";
  start.disabled = false;
  start.textContent = "Examine again";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void examine();
});

save.addEventListener("click", () => {
  const file = document.createElement("a");
  file.href = URL.createObjectURL(new Blob([JSON.stringify(saved, null, 2)], { type: "application/json" }));
  file.download = "fallcast-doctor.json";
  file.click();
  URL.revokeObjectURL(file.href);
});

words.textContent = "Not examined yet.";
find("#origin", HTMLElement).textContent = new URL(".", document.baseURI).href;
document.documentElement.dataset.doctor = "ready";
