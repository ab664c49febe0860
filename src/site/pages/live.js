// @ts-check
/**
 * The live pages of this site: the landing page, which reads one channel over three transports at once, and the page
 * that shows any channel. It uses what a browser brings along (WebSocket, EventSource, fetch) and no library, so it
 * doubles as an example of how to read a channel by hand.
 *
 * Worth a try with the network panel open: cut a lane, send ten messages, resume it. The address of the new
 * request carries `after=`, the cursor at which the old connection ended. The client holds the position, the server
 * only the log; that is why nothing is missing and nothing is repeated.
 *
 * The file reads from the wire upwards:
 *
 *  1. addresses and cursors
 *  2. four transports, each an async generator of the same events
 *  3. a subscription: one position, any transport, reconnects
 *  4. a ledger: was anything lost or repeated?
 *  5. publishing
 *  6. the landing page
 *  7. the channel page
 *  8. what both pages share: copy buttons, theme, visibility
 */

// ---------------------------------------------------------------------------------------------------------------------
// 1. Addresses and cursors
// ---------------------------------------------------------------------------------------------------------------------

/** The server's base address. This module lives one folder below it, also behind a proxy that adds a prefix. */
const ROOT = new URL("..", import.meta.url);

/**
 * The address of a channel or of one of its transports.
 *
 * @param {string} channel
 * @param {string} path  `""` for the channel itself, or `/ws`, `/sse`, `/poll`, `/stream`
 * @param {Record<string, string | undefined>} [query]  empty values are left out
 */
function addressOf(channel, path, query = {}) {
  const url = new URL(`channels/${encodeURIComponent(channel)}${path}`, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value) url.searchParams.set(name, value);
  }
  return url;
}

/** The same address for `new WebSocket`: `ws` for `http` and `wss` for `https`. */
function overWebSocket(url) {
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/**
 * Takes a cursor apart. Offsets are comparable within one epoch only.
 *
 * @param {string} cursor  for example `k3f9z1.42`
 */
function parseCursor(cursor) {
  const dot = cursor.lastIndexOf(".");
  return { epoch: cursor.slice(0, dot), offset: Number(cursor.slice(dot + 1)) };
}

/** A random name. `crypto.randomUUID` is missing on plain http to a LAN address; `getRandomValues` is not. */
function randomName(length = 20) {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join("");
}

// ---------------------------------------------------------------------------------------------------------------------
// 2. Four transports, each an async generator of the same events
// ---------------------------------------------------------------------------------------------------------------------

/**
 * An event of a subscription has one field, which names it, as in `{ message: { id, at, data, … } }`.
 * @typedef {Record<string, any>} ChannelEvent
 *
 * What a transport needs to know.
 * @typedef {object} Journey
 * @property {(path: string, query: Record<string, string>) => URL} address
 * @property {string} after  the cursor to continue from, or `start`, or `end`
 * @property {AbortSignal} signal  ends the connection
 * @property {(phase: Phase, words?: string) => void} report  tells what the connection is doing
 *
 * @typedef {"connecting" | "open" | "retrying" | "stopped" | "refused"} Phase
 */

/** Every event that a subscription knows. An EventSource needs them by name. */
const EVENTS = ["hello", "message", "gap", "presence", "heartbeat", "goodbye"];

/** How long a poll may wait at the server, in seconds: below the time after which common proxies cut. */
const POLL_WAIT_S = 20;

/** WebSocket: a text frame per event. @param {Journey} journey */
async function* readWebSocket({ address, after, signal, report }) {
  const pipe = new Pipe(signal);
  const socket = new WebSocket(overWebSocket(address("/ws", { format: "json", after })));
  socket.onopen = () => report("open", "open");
  socket.onmessage = ({ data }) => pipe.push(JSON.parse(data));
  socket.onclose = ({ code, reason }) => pipe.end(closed(code, reason));
  try {
    yield* pipe;
  } finally {
    socket.close();
  }
}

/** Server-sent events: one endless response. After a drop, the browser itself reconnects with `Last-Event-ID`. */
async function* readEventSource({ address, after, signal, report }) {
  const pipe = new Pipe(signal);
  const source = new EventSource(address("/sse", { format: "json", after }));
  source.onopen = () => report("open", "open");
  source.onerror = () => {
    if (source.readyState === EventSource.CONNECTING) report("retrying", "dropped; reconnects by itself");
    else whyRefused(address("/poll", { after, wait: "0" })).then((reason) => pipe.end(reason));
  };
  for (const name of EVENTS) {
    source.addEventListener(name, ({ data }) => pipe.push({ [name]: JSON.parse(data) }));
  }
  try {
    yield* pipe;
  } finally {
    source.close();
  }
}

/** An EventSource keeps to itself why it was refused. A short poll for the same position gets an answer in words. */
async function whyRefused(poll) {
  const nothing = new Ended("the EventSource gave up and did not say why");
  return accepted(fetch(poll)).then(() => nothing, asEnded);
}

/** Long-polling: a request that the server answers when there is something to tell, and then the next one. */
async function* readLongPoll({ address, after, signal, report }) {
  let cursor = after;
  for (;;) {
    const answer = fetch(address("/poll", { after: cursor, wait: String(POLL_WAIT_S) }), { signal, cache: "no-store" });
    report("open", "a request waits at the server");
    const { events, cursor: next } = await (await accepted(answer)).json();
    yield* events;
    yield { heartbeat: { cursor: next } }; // An answer, even an empty one, is this transport's sign of life.
    cursor = next;
  }
}

/** The stream: one endless response with a JSON object a line. What follows the last line end is unfinished. */
async function* readStream({ address, after, signal, report }) {
  const response = await accepted(fetch(address("/stream", { after }), { signal, cache: "no-store" }));
  report("open", "open");
  const reader = /** @type {ReadableStream} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let unfinished = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (unfinished + value).split("\n");
    unfinished = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

/** The transports by the name that the server's `hello` gives them, with the name for people. */
const TRANSPORTS = {
  websocket: { title: "WebSocket", read: readWebSocket },
  sse: { title: "Server-sent events", read: readEventSource },
  poll: { title: "Long-polling", read: readLongPoll },
  stream: { title: "HTTP stream", read: readStream },
};

/** @typedef {keyof typeof TRANSPORTS} TransportName */

/** From callbacks to `for await`: what is pushed in comes out in the same order, until the pipe is ended. */
class Pipe {
  /** @type {ChannelEvent[]} */ #waiting = [];
  /** @type {Error | undefined} */ #fault;
  #ended = false;
  #wake = () => {};

  /** @param {AbortSignal} signal  ends the pipe as well */
  constructor(signal) {
    signal.addEventListener("abort", () => this.end());
  }

  push(event) {
    this.#waiting.push(event);
    this.#wake();
  }

  /** @param {Error} [fault]  thrown at the reader, after what still waits */
  end(fault) {
    this.#ended = true;
    this.#fault ??= fault;
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const events = this.#waiting;
      this.#waiting = [];
      yield* events;
      if (this.#waiting.length > 0) continue;
      if (this.#ended && this.#fault) throw this.#fault;
      if (this.#ended) return;
      await new Promise((wake) => (this.#wake = /** @type {() => void} */ (wake)));
    }
  }
}

/** Why a connection ended: whether to come back (`final` says no), and when, if the server named a time. */
class Ended extends Error {
  /** @param {string} reason @param {{ final?: boolean, wait?: number }} [advice] */
  constructor(reason, { final = false, wait } = {}) {
    super(reason);
    this.final = final;
    this.wait = wait;
  }
}

/** The reason for an end, whatever was thrown. `fetch` throws a TypeError for all that a network can do. */
function asEnded(fault) {
  if (fault instanceof Ended) return fault;
  if (fault instanceof SyntaxError) console.error(fault); // Something sent what is no JSON.
  return new Ended("no connection");
}

/** A WebSocket's close code tells the client what to do: stop at 40xx, back off at 41xx, come back at once at 42xx. */
function closed(code, reason) {
  const words = reason ? `closed with ${code}, ${reason}` : `closed with ${code}`;
  return new Ended(words, { final: code >= 4000 && code < 4100, wait: code >= 4200 && code < 4300 ? 0 : undefined });
}

/**
 * Waits for a response and turns a refusal into an error with the server's own words.
 *
 * @param {Promise<Response>} request
 */
async function accepted(request) {
  const response = await request;
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const words = [problem.title, problem.detail].filter(Boolean).join(": ");
  const comeBack = response.status >= 500 || response.status === 429;
  const seconds = Number(response.headers.get("Retry-After"));
  throw new Ended(`${response.status} ${words || response.statusText}`, {
    final: !comeBack,
    wait: seconds > 0 ? seconds * 1000 : undefined,
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// 3. A subscription: one position, any transport, reconnects
// ---------------------------------------------------------------------------------------------------------------------

/** The position after an event, if it says one. A gap's `resume` counts even if it is smaller than what was seen. */
function positionAfter({ message, gap, hello, heartbeat }) {
  return message?.id ?? gap?.resume ?? hello?.cursor ?? heartbeat?.cursor;
}

/** How long to wait before the next attempt, in milliseconds: doubling, and random, lest a class returns in step. */
function backoff(failures) {
  return Math.random() * Math.min(20_000, 500 * 2 ** failures);
}

/** A position in a channel that is carried forward by one transport after the other. */
class Subscription {
  #failures = 0;
  /** @type {number | undefined} */ #askedToWait;
  /** @type {AbortController | null} */ #life = null;

  /**
   * @param {object} options
   * @param {string} options.channel
   * @param {TransportName} options.transport
   * @param {string} options.after
   * @param {Record<string, string | undefined>} [options.query]  sent along with every request
   * @param {(event: ChannelEvent) => void} options.onEvent
   * @param {(phase: Phase, words: string) => void} options.onState
   */
  constructor({ channel, transport, after, query = {}, onEvent, onState }) {
    this.channel = channel;
    this.transport = transport;
    this.cursor = after;
    this.query = query;
    this.onEvent = onEvent;
    this.onState = onState;
  }

  get running() {
    return this.#life !== null;
  }

  start() {
    if (this.running) return;
    this.#life = new AbortController();
    this.#follow(this.#life.signal);
  }

  /** Ends the connection at once. The cursor stays, so `start` goes on where this left off. */
  stop(words = "stopped") {
    if (!this.running) return;
    this.#life?.abort();
    this.#life = null;
    this.#failures = 0;
    this.onState("stopped", words);
  }

  /** Goes on over another transport, from the same cursor. @param {TransportName} transport */
  switchTo(transport) {
    const wasRunning = this.running;
    this.stop("switching");
    this.transport = transport;
    if (wasRunning) this.start();
  }

  /** Connects, reads until the connection ends, waits, and begins again, until `stop` or a final refusal. */
  async #follow(signal) {
    while (!signal.aborted) {
      this.onState("connecting", "connecting");
      const { message, final, wait } = await this.#readUntilItEnds(signal);
      if (signal.aborted) return;
      if (final) return this.#refused(message);
      await this.#pause(message, wait ?? this.#askedToWait ?? backoff(this.#failures), signal);
      this.#askedToWait = undefined;
      this.#failures += 1;
    }
  }

  /** One connection, from its request to its end. Returns why it ended. */
  async #readUntilItEnds(stopped) {
    const silence = new Silence();
    const signal = AbortSignal.any([stopped, silence.signal]);
    const address = (path, query) => addressOf(this.channel, path, { ...this.query, ...query });
    const report = (phase, words) => signal.aborted || this.onState(phase, words);
    try {
      for await (const event of TRANSPORTS[this.transport].read({ address, after: this.cursor, signal, report })) {
        if (signal.aborted) break; // What a cut connection still holds comes again, after the cursor.
        silence.broken(event);
        this.#take(event);
      }
      return new Ended(silence.signal.aborted ? "silent for too long" : "ended by the server");
    } catch (fault) {
      return silence.signal.aborted ? new Ended("silent for too long") : asEnded(fault);
    } finally {
      silence.ignore();
    }
  }

  #take(event) {
    this.#failures = 0;
    this.#askedToWait = event.goodbye?.reconnect_ms;
    this.cursor = positionAfter(event) ?? this.cursor;
    this.onEvent(event);
  }

  #refused(words) {
    this.#life = null;
    this.onState("refused", words);
  }

  async #pause(words, milliseconds, signal) {
    this.onState("retrying", `${words}; again in ${(milliseconds / 1000).toFixed(1)} s`);
    await new Promise((over) => {
      setTimeout(over, milliseconds);
      signal.addEventListener("abort", over);
    });
  }
}

/** Notices a dead connection. A broken network says nothing; a living server speaks at least every heartbeat. */
class Silence {
  #abort = new AbortController();
  #timer = 0;
  #limit = POLL_WAIT_S * 1000 + 10_000; // Until a `hello` tells the heartbeat: the longest poll, and some air.
  signal = this.#abort.signal;

  constructor() {
    this.#listen();
  }

  broken({ hello }) {
    if (hello) this.#limit = Math.max(this.#limit, 2 * hello.heartbeat_ms);
    this.ignore();
    this.#listen();
  }

  ignore() {
    clearTimeout(this.#timer);
  }

  #listen() {
    this.#timer = setTimeout(() => this.#abort.abort(), this.#limit);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// 4. A ledger: was anything lost or repeated?
// ---------------------------------------------------------------------------------------------------------------------

/** Checks what arrives against the promise: ids of one epoch count up by one, so every hole and every repeat shows. */
class Ledger {
  received = 0;
  missing = 0;
  repeated = 0;
  gaps = 0;
  /** Whether messages may be missing that nobody can count. */
  uncertain = false;
  /** @type {string | undefined} */ last;

  /** @param {string | undefined} position  the cursor after which messages are expected, if it is known yet */
  constructor(position) {
    this.position = position;
  }

  take({ hello, message, gap }) {
    if (hello) this.position ??= hello.cursor;
    if (gap) this.#takeGap(gap);
    if (message) this.#takeMessage(message.id);
  }

  #takeMessage(id) {
    const step = this.#stepTo(id);
    if (step < 1) {
      this.repeated += 1;
      return;
    }
    this.received += 1;
    this.missing += step - 1;
    this.position = this.last = id;
  }

  /** How far an id lies ahead of the position: 1 if it is the next. */
  #stepTo(id) {
    if (this.position === undefined) return 1;
    const [here, there] = [parseCursor(this.position), parseCursor(id)];
    if (here.epoch === there.epoch) return there.offset - here.offset;
    this.uncertain = true; // Another epoch, and no gap has announced it.
    return 1;
  }

  #takeGap({ resume, missed }) {
    this.gaps += 1;
    this.missing += missed ?? 0;
    this.uncertain ||= missed === null;
    this.position = resume;
  }
}

/** What ledgers found, in words, and whether all is well. */
function verdict(...ledgers) {
  const sum = (field) => ledgers.reduce((sum, ledger) => sum + ledger[field], 0);
  const [missing, repeated, gaps] = ["missing", "repeated", "gaps"].map(sum);
  const uncertain = ledgers.some(({ uncertain }) => uncertain);
  const lost = !uncertain ? number(missing) : missing > 0 ? `at least ${number(missing)}` : "an unknown number";
  const announced = gaps > 0 ? `, ${count(gaps, "gap")} announced` : "";
  const words = `${lost} missing, ${number(repeated)} repeated${announced}`;
  return { sound: missing + repeated + gaps === 0 && !uncertain, words };
}

// ---------------------------------------------------------------------------------------------------------------------
// 5. Publishing
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Publishes with a POST. Browsers and proxies repeat a POST by themselves when a connection breaks at the wrong
 * moment; the key lets the server recognize the repetition.
 *
 * @param {string} channel
 * @param {string} body
 * @param {{ contentType?: string, type?: string, client?: string }} [options]
 * @returns {Promise<{ id: string, subscribers: number }>}
 */
async function publish(channel, body, { contentType = "text/plain", type, client } = {}) {
  const url = addressOf(channel, "", { type, client, key: randomName() });
  const response = await accepted(fetch(url, { method: "POST", headers: { "Content-Type": contentType }, body }));
  return response.json();
}

/** The head of a channel: a poll without a cursor never waits. */
async function headOf(channel) {
  const response = await accepted(fetch(addressOf(channel, "/poll", { after: "end" }), { cache: "no-store" }));
  return (await response.json()).cursor;
}

// ---------------------------------------------------------------------------------------------------------------------
// 6. The landing page
// ---------------------------------------------------------------------------------------------------------------------

/** Shows the landing page of a channel that is this visitor's own, so that forty phones do not disturb each other. */
function landingPage() {
  const channel = ownChannel();
  const share = new URL(`?channel=${channel}`, ROOT).href;
  fill({ channel, share });
  find("#all").href = addressOf(channel, "").href;
  find("#only-here").hidden = !/^(localhost|127\.|\[::1\])/.test(location.hostname);
  find("#self-signed").hidden = location.protocol !== "https:";
  new Board(find("#board"), channel);
}

/** The channel named in the address, or else a random one, which is then written into the address. */
function ownChannel() {
  const url = new URL(location.href);
  const asked = url.searchParams.get("channel") ?? "";
  if (/^[A-Za-z0-9._~-]{1,64}$/.test(asked) && asked !== "." && asked !== "..") return asked;
  const channel = `try-${randomName(6)}`;
  url.searchParams.set("channel", channel);
  history.replaceState(null, "", url);
  return channel;
}

/** A message counts as together on all lanes if its marks stand one below the other. */
const TOGETHER_MS = 150;

/** The live view: three lanes that start at one position, and a line that compares what they received. */
class Board {
  #wanted = true;
  /** @type {Promise<string> | undefined} */ #start;
  /** The few newest messages, by id: when each lane got them, and when this page sent them. */
  #arrivals = new Map();
  /** Whether a message has reached all lanes since the last frame. */
  #tied = false;
  redraw = oncePerFrame(() => this.#draw());

  constructor(element, channel) {
    this.channel = channel;
    this.ties = find(".ties", element);
    this.lanes = findAll(".lane", element).map((lane) => new Lane(lane, this));
    this.button = find("#toggle", element);
    this.button.addEventListener("click", () => this.#toggle());
    find("#send", element).addEventListener("submit", (event) => this.#submit(event));
    find("#ten", element).addEventListener("click", () => this.#sendTen());
    whenFirstSeen(element, () => whilePageIsVisible(() => this.#wake(), () => this.#rest("paused while hidden")));
  }

  /** A lane received a message. */
  arrived(lane, id) {
    this.#note(id, lane.transport, performance.now());
    this.#tied ||= this.#isTogether(id);
    this.redraw();
  }

  #draw() {
    for (const lane of this.lanes) lane.draw();
    if (this.#tied) this.#drawTie();
    this.#tied = false;
    this.#prove();
  }

  /** The proof. Every lane began at one position, and its ledger is sound, so equal counts mean equal messages. */
  #prove() {
    const ledgers = this.lanes.map(({ ledger }) => ledger);
    const total = Math.max(...ledgers.map(({ received, missing }) => received + missing));
    const everywhere = Math.min(...ledgers.map(({ received }) => received));
    const complete = total > 0 && everywhere === total;
    const spread = complete ? "each on all three lanes" : `${number(everywhere)} of them on all three lanes so far`;
    const { sound, words } = verdict(...ledgers);
    const sentence = total === 0 ? "No message yet. Send one." : `${count(total, "message")}, ${spread}, ${words}.`;
    showProof(sentence, sound, complete);
    const leader = this.lanes.find(({ ledger }) => ledger.received + ledger.missing === total);
    if (leader?.subscription) fill({ cursor: leader.subscription.cursor });
  }

  get running() {
    return this.#wanted && !document.hidden;
  }

  #toggle() {
    this.#wanted = !this.#wanted;
    if (this.#wanted) this.#wake();
    else this.#rest("stopped by you");
  }

  /** Starts all lanes at the position which was the channel's head when the first of them started. */
  async #wake() {
    this.#showRunning();
    if (!this.running) return;
    try {
      const start = await (this.#start ??= headOf(this.channel));
      if (this.running) this.lanes.forEach((lane) => lane.start(start));
    } catch (fault) {
      this.#start = undefined;
      this.#wanted = false;
      this.#showRunning();
      this.#say(`Could not start: ${asEnded(fault).message}.`);
    }
  }

  #rest(words) {
    this.lanes.forEach((lane) => lane.stop(words));
    this.#showRunning();
  }

  #showRunning() {
    show(this.button, this.#wanted ? "Stop" : "Start");
    find("#running").dataset.phase = this.#wanted ? "open" : "stopped";
    show(find("#running"), this.#wanted ? "running" : "stopped");
  }

  #submit(event) {
    event.preventDefault();
    const box = find("#text");
    this.#send(box.value || box.placeholder);
    box.select();
  }

  /** One after the other, so that the ids follow the numbers. */
  async #sendTen() {
    for (let n = 1; n <= 10; n++) {
      if (!(await this.#send(`${n} of 10`))) return;
    }
  }

  async #send(text) {
    const sent = performance.now();
    try {
      const { id } = await publish(this.channel, text);
      this.#note(id, "sent", sent);
      this.#say(`“${text}” is ${id}.`);
      return true;
    } catch (fault) {
      this.#say(`Not published: ${asEnded(fault).message}.`);
      return false;
    }
  }

  #say(words) {
    show(find("#said"), words);
  }

  /** Remembers when something happened to a message. The lanes can be faster than the answer to the POST. */
  #note(id, what, when) {
    const times = this.#arrivals.get(id) ?? {};
    this.#arrivals.set(id, times);
    times[what] = when;
    for (const lane of this.lanes) {
      if (times.sent && times[lane.transport]) lane.took = times[lane.transport] - times.sent;
    }
    if (this.#arrivals.size > 100) this.#arrivals.delete(this.#arrivals.keys().next().value);
    this.redraw();
  }

  /** Whether a message is on all lanes, and came to them at about the same time. */
  #isTogether(id) {
    const times = this.lanes.map(({ transport }) => this.#arrivals.get(id)?.[transport] ?? Infinity);
    return Math.max(...times) - Math.min(...times) < TOGETHER_MS;
  }

  /** A line through the marks of one message. */
  #drawTie() {
    const tie = make("i", { class: "tie" });
    this.ties.append(tie);
    drift(tie, this.ties);
  }
}

/** One lane of the board: a subscription, its ledger, and a track on which arrivals drift away from "now". */
class Lane {
  #cut = false;
  /** @type {Subscription | undefined} */ subscription;
  /** The offsets that arrived since the last frame. */
  #fresh = [];
  /** The newest mark, which grows while more messages arrive than there is room for. */
  #mark = { element: make("span"), first: 0, at: -Infinity };
  /** The time from Send to arrival of the newest message that this page sent, both read from this page's clock. */
  took = NaN;

  constructor(element, board) {
    this.element = element;
    this.board = board;
    this.transport = /** @type {TransportName} */ (element.dataset.transport);
    this.track = find(".track", element);
    this.ledger = new Ledger(undefined);
    this.button = find("button", element);
    this.button.addEventListener("click", () => this.#toggle());
  }

  /** Begins at `position`, or goes on where this lane stopped. */
  start(position) {
    this.subscription ??= this.#subscribe(position);
    if (!this.#cut) this.subscription.start();
  }

  stop(words) {
    if (!this.#cut) this.subscription?.stop(words);
  }

  #subscribe(position) {
    this.ledger = new Ledger(position);
    return new Subscription({
      channel: this.board.channel,
      transport: this.transport,
      after: position,
      // Browsers hold back a request for an address that is already being fetched, so every page gets its own.
      query: { client: CLIENT },
      onEvent: (event) => this.#take(event),
      onState: (phase, words) => this.#showState(phase, words),
    });
  }

  #toggle() {
    if (!this.#cut) this.subscription?.stop("cut by you; the cursor is kept");
    this.#cut = !this.#cut;
    if (!this.#cut && this.board.running) this.subscription?.start();
    show(this.button, this.#cut ? "Resume" : "Cut");
  }

  #take(event) {
    this.ledger.take(event);
    if (event.gap) this.#drawGap(event.gap);
    if (event.message) this.#fresh.push(parseCursor(event.message.id).offset);
    if (event.message) this.board.arrived(this, event.message.id);
    this.board.redraw();
  }

  /** Shows what arrived since the last frame. */
  draw() {
    if (this.#fresh.length > 0) this.#drawMessages(this.#fresh[0], this.#fresh.at(-1));
    this.#fresh = [];
    show(find(".last", this.element), this.ledger.last ?? "none yet");
    show(find(".received", this.element), number(this.ledger.received));
    if (this.took >= 0) show(find(".took", this.element), `${duration(this.took)} after Send`);
  }

  /** Marks messages from `first` to `last`. While the newest mark has not yet made room for another one, it grows. */
  #drawMessages(first, last) {
    const now = performance.now();
    const drifted = ((now - this.#mark.at) / 1000) * speedOf(this.track);
    if (drifted > this.#mark.element.offsetWidth) this.#mark = { element: this.#newMark("mark"), first, at: now };
    show(this.#mark.element, this.#mark.first === last ? `${last}` : `${this.#mark.first}–${last}`);
  }

  #drawGap({ missed }) {
    this.draw();
    show(this.#newMark("mark gap"), missed === null ? "gap" : `gap: ${number(missed)}`);
    this.#mark.at = -Infinity;
  }

  #newMark(className) {
    const mark = make("span", { class: className });
    this.track.append(mark);
    drift(mark, this.track);
    return mark;
  }

  #showState(phase, words) {
    this.element.dataset.phase = phase;
    show(find(".state", this.element), words);
  }
}

/** How fast the time axis runs, in pixels per second. The style sheet decides, by the width of the screen. */
function speedOf(element) {
  return Number.parseFloat(getComputedStyle(element).getPropertyValue("--second"));
}

/** Lets an element drift from "now" into the past and removes it there; in steps, for those who prefer less motion. */
function drift(element, track) {
  const distance = track.clientWidth + 100;
  const seconds = distance / speedOf(track);
  const easing = matchMedia("(prefers-reduced-motion: reduce)").matches ? `steps(${Math.ceil(seconds)})` : "linear";
  const past = element.animate({ translate: ["0", `${-distance}px`] }, { duration: seconds * 1000, easing });
  past.onfinish = () => element.remove();
}

// ---------------------------------------------------------------------------------------------------------------------
// 7. The channel page
// ---------------------------------------------------------------------------------------------------------------------

/** So many rows are kept in the page; the count goes on. */
const ROWS = 300;

/** So much of one message is shown. */
const LONGEST_TEXT = 4000;
const LONGEST_DUMP = 512;

/** Shows any channel live, over the transport that the viewer picks. */
class ChannelPage {
  #wanted = true;
  #restAt = 0;
  /** Rows to be made in the next frame. @type {(() => HTMLElement)[]} */ #newRows = [];
  #redraw = oncePerFrame(() => this.#draw());
  #members = new Map();
  #ledger = new Ledger(undefined);

  constructor() {
    this.channel = decodeURIComponent(location.pathname.split("/").pop() ?? "");
    this.settings = readSettings();
    this.subscription = this.#subscribe();
    document.title = `${this.channel} · fallcast`;
    fill({ channel: this.channel });
    find("#compare").search = `channel=${this.channel}`;
    this.#showSettings();
    this.#listen();
    whilePageIsVisible(() => this.#wake(), () => this.#rest());
  }

  /** A fresh subscription for the settings. It begins at the position that they name. */
  #subscribe() {
    const { transport, after, presence, as } = this.settings;
    return new Subscription({
      channel: this.channel,
      transport,
      after,
      query: { client: CLIENT, presence: presence ? "1" : undefined, as },
      onEvent: (event) => this.#take(event),
      onState: (phase, words) => this.#showState(phase, words),
    });
  }

  #listen() {
    find("#transports").addEventListener("change", ({ target }) => this.#switch(target.value));
    find("#who").addEventListener("change", () => this.#askPresence());
    find("#history").addEventListener("change", ({ target }) => this.#begin(target.value));
    find("#toggle").addEventListener("click", () => this.#toggle());
    find("#publish").addEventListener("submit", (event) => this.#publish(event));
    find("#data").addEventListener("keydown", sendWithEnter);
    addEventListener("pagehide", () => this.settings.as && this.#leave());
  }

  // Connection

  #switch(transport) {
    this.settings.transport = transport;
    writeSettings(this.settings);
    this.subscription.switchTo(transport);
    this.#note(`continued over ${TRANSPORTS[transport].title} after ${this.subscription.cursor}`);
  }

  /** Empties the list and begins anew, at the oldest message or behind the newest. */
  #begin(after) {
    this.subscription.stop();
    this.settings.after = after;
    writeSettings(this.settings);
    find("#list").replaceChildren();
    this.#newRows = [];
    this.#ledger = new Ledger(undefined);
    this.subscription = this.#subscribe();
    this.#wanted = true;
    this.#wake();
  }

  /** Presence is part of the request, so asking for it means a new connection, from the same cursor. */
  #askPresence() {
    this.settings.presence = find("#presence").checked;
    this.settings.as = find("#as").value.trim();
    writeSettings(this.settings);
    this.#showSettings();
    this.subscription.stop();
    const { cursor } = this.subscription;
    this.subscription = this.#subscribe();
    this.subscription.cursor = cursor;
    this.#wake();
  }

  #toggle() {
    this.#wanted = !this.subscription.running;
    if (this.#wanted) this.#wake();
    else this.subscription.stop("paused by you; the cursor is kept");
  }

  #wake() {
    if (!this.#wanted || this.subscription.running) return;
    if (this.#restAt > 0) {
      const hidden = duration(performance.now() - this.#restAt);
      this.#note(`this page was hidden for ${hidden}; continued after ${this.subscription.cursor}`);
    }
    this.#restAt = 0;
    this.subscription.start();
  }

  #rest() {
    if (!this.subscription.running) return;
    this.#restAt = performance.now();
    this.subscription.stop("paused while this page is hidden");
  }

  /** Tells the others at once that this member is gone. Without it they would learn after a while. */
  #leave() {
    navigator.sendBeacon(addressOf(this.channel, "/leave", { client: CLIENT }));
  }

  // Events

  #take(event) {
    this.#ledger.take(event);
    if (event.message) this.#add(() => messageRow(event.message));
    if (event.gap) this.#add(() => gapRow(event.gap));
    if (event.presence) this.#takePresence(event.presence);
    if (event.goodbye) this.#note(`the server said goodbye: ${event.goodbye.reason}`);
    this.#redraw();
  }

  #takePresence({ action, members, member, as, transport, count }) {
    if (action === "here") this.#members = new Map(members.map((one) => [one.member, one]));
    if (action === "join") this.#members.set(member, { member, as, transport });
    if (action === "leave") this.#members.delete(member);
    show(find("#count"), `${number(count ?? this.#members.size)} here`);
    find("#members").replaceChildren(...[...this.#members.values()].map(memberItem));
  }

  #note(words) {
    this.#add(() => make("li", { class: "note" }, words));
  }

  /** What no frame has shown yet is bounded like the list itself. */
  #add(row) {
    this.#newRows.push(row);
    if (this.#newRows.length > ROWS) this.#newRows.shift();
    this.#redraw();
  }

  #showRows() {
    const list = find("#list");
    list.prepend(...this.#newRows.reverse().map((row) => row()));
    this.#newRows = [];
    while (list.childElementCount > ROWS) list.lastElementChild?.remove();
    find("#empty").hidden = list.childElementCount > 0;
  }

  // What the page says

  #showSettings() {
    const { transport, after, presence, as } = this.settings;
    find(`#transports [value=${transport}]`).checked = true;
    for (const choice of findAll("#history input")) choice.checked = choice.value === after;
    find("#presence").checked = presence;
    find("#as").value = as;
    find("#people").hidden = !presence;
  }

  #showState(phase, words) {
    find("#state").dataset.phase = phase;
    show(find("#state"), words);
    show(find("#toggle"), this.subscription.running ? "Pause" : "Continue");
    this.#redraw();
  }

  #draw() {
    this.#showRows();
    this.#showCounts();
  }

  #showCounts() {
    const { sound, words } = verdict(this.#ledger);
    showProof(`${number(this.#ledger.received)} received, ${words}`, sound, this.#ledger.received > 0);
    fill({ cursor: this.subscription.cursor });
  }

  async #publish(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const options = { contentType: String(form.get("content")), type: String(form.get("type")), client: CLIENT };
    try {
      const { id, subscribers } = await publish(this.channel, String(form.get("data")), options);
      show(find("#said"), `Published as ${id}, to about ${count(subscribers, "subscriber")}.`);
      find("#data").select();
    } catch (fault) {
      show(find("#said"), `Not published: ${asEnded(fault).message}.`);
    }
  }
}

/** What the viewer chose is in the address, so that a reload keeps it and a link shares it. */
function readSettings() {
  const query = new URLSearchParams(location.search);
  const transport = query.get("transport") ?? "";
  return {
    transport: /** @type {TransportName} */ (transport in TRANSPORTS ? transport : "websocket"),
    after: query.get("after") || "start",
    presence: query.get("presence") === "1",
    as: query.get("as") ?? "",
  };
}

function writeSettings({ transport, after, presence, as }) {
  const query = new URLSearchParams({ transport, after });
  if (presence) query.set("presence", "1");
  if (as) query.set("as", as);
  history.replaceState(null, "", `?${query}`);
}

/** Enter sends; Shift and Enter begins a new line. @param {KeyboardEvent} event */
function sendWithEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  /** @type {HTMLTextAreaElement} */ (event.target).form?.requestSubmit();
}

function messageRow(message) {
  const { epoch, offset } = parseCursor(message.id);
  return make(
    "li",
    { class: "message" },
    make("span", { class: "id" }, make("small", {}, `${epoch}.`), make("b", {}, String(offset))),
    make("time", { datetime: new Date(message.at / 1000).toISOString() }, clock(message.at)),
    make("span", { class: "kind" }, make("b", {}, message.type ?? ""), make("small", {}, message.content_type)),
    make("pre", { class: message.encoding ? "hex" : "" }, shownData(message)),
  );
}

function gapRow({ after, resume, missed, reason }) {
  const why = {
    evicted: "They had already left the log",
    epoch: "The log was begun anew and cannot prove what came before",
    slow: "This reader was too slow, and the log moved on",
  }[reason];
  const what = missed === null ? "Messages may be missing" : `${count(missed, "message")} missing`;
  return make(
    "li",
    { class: "gap", role: "alert" },
    make("b", {}, `Gap: ${what}`),
    make("span", {}, `${why ?? reason}. After ${after} it goes on behind ${resume}.`),
  );
}

function memberItem({ member, as, transport }) {
  return make("li", {}, make("b", {}, as || member), make("small", {}, transport ?? ""));
}

/** The data as text: JSON indented, bytes in hexadecimal, text as it is. */
function shownData({ data, content_type, encoding }) {
  if (encoding === "base64") return hexDump(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
  return shortened(/[/+]json/.test(content_type) ? prettyJson(data) : String(data));
}

/** JSON on one line if it is short, otherwise indented. */
function prettyJson(value) {
  const line = JSON.stringify(value);
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

function shortened(text) {
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… and ${number(text.length - LONGEST_TEXT)} characters more`;
}

/** Lines of offset, bytes and printable characters, as `hexdump -C` writes them. */
function hexDump(bytes) {
  const width = matchMedia("(width < 45rem)").matches ? 8 : 16;
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, LONGEST_DUMP); at += width) {
    const part = [...bytes.slice(at, at + width)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(3 * width)} ${text}`);
  }
  if (bytes.length > LONGEST_DUMP) lines.push(`… and ${number(bytes.length - LONGEST_DUMP)} bytes more`);
  return lines.join("\n");
}

/** The server's time of a message, in microseconds, as this device's time of day. */
function clock(microseconds) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false };
  return new Date(microseconds / 1000).toLocaleTimeString("en-US", /** @type {any} */ (options));
}

// ---------------------------------------------------------------------------------------------------------------------
// 8. What both pages share
// ---------------------------------------------------------------------------------------------------------------------

/** This page's name as a subscriber and publisher. It survives a reload, so a member who reloads is the same one. */
const CLIENT = recall("sessionStorage", "client") ?? remember("sessionStorage", "client", randomName());

/**
 * What this browser stored under a name; nothing, if it is set to store nothing.
 *
 * @param {"sessionStorage" | "localStorage"} storage
 * @param {string} name
 */
function recall(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

/**
 * Stores a value, if the browser lets it, and returns it.
 *
 * @param {"sessionStorage" | "localStorage"} storage
 * @param {string} name
 * @param {string} value
 */
function remember(storage, name, value) {
  try {
    window[storage].setItem(name, value);
  } catch {
    // Then it lasts as long as this page.
  }
  return value;
}

/**
 * The first element that matches, which the page must have.
 *
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {any}
 */
function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`this page has no ${selector}`);
  return element;
}

/** @returns {any[]} all elements that match */
function findAll(selector, within = document) {
  return [...within.querySelectorAll(selector)];
}

/**
 * Makes an element. Strings become text and never markup: what others publish cannot become part of this page.
 *
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {(string | Node)[]} children
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text, unless it is there already: an unchanged text must neither be selected away nor read out again. */
function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows what was proved so far: broken, sound, or still open. */
function showProof(sentence, sound, complete) {
  const proof = find("#proof");
  show(proof, sentence);
  proof.dataset.verdict = sound ? (complete ? "sound" : "open") : "broken";
}

/** Calls `draw` once in the next frame, however often it is asked for until then: a flood must not freeze the page. */
function oncePerFrame(draw) {
  let asked = false;
  const frame = () => {
    asked = false;
    draw();
  };
  return () => {
    if (!asked) requestAnimationFrame(frame);
    asked = true;
  };
}

/** Writes values into every place of the page that asks for them with `data-fill`. */
function fill(values) {
  for (const element of findAll("[data-fill]")) {
    const value = values[element.dataset.fill ?? ""];
    if (value !== undefined) show(element, value);
  }
}

function number(value) {
  return value.toLocaleString("en-US");
}

function count(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Calls `begin` once, when the element has come into view. */
function whenFirstSeen(element, begin) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    begin();
  });
  observer.observe(element);
}

/**
 * Keeps connections only while the page can be seen. HTTP/1.1 gives a browser six connections per server for all its
 * tabs together, and a phone in a pocket should not hold any. Resuming costs nothing: there is a cursor.
 */
function whilePageIsVisible(wake, rest) {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : wake()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", () => document.hidden || wake());
  if (!document.hidden) wake();
}

/** Each copy button copies the code beside it. */
function copyButtons() {
  for (const button of findAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const copied = await copy(find("code", button.parentElement));
      show(button, copied ? "Copied" : "Selected");
      setTimeout(() => show(button, "Copy"), 1500);
    });
  }
}

/** Copies the text of an element, or at least selects it. Plain http to a LAN address has no clipboard API. */
async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy"); // Deprecated, and the only way in such a page.
  }
}

/** The theme button goes round: as the system says, light, dark. */
function themeButton() {
  const themes = ["auto", "light", "dark"];
  const button = find("#theme");
  const root = document.documentElement;
  const apply = (theme) => {
    root.dataset.theme = remember("localStorage", "theme", theme);
    show(button, `Theme: ${theme}`);
  };
  button.addEventListener("click", () => apply(themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length]));
  apply(themes.find((theme) => theme === recall("localStorage", "theme")) ?? "auto");
}

themeButton();
copyButtons();
fill({ origin: ROOT.href.replace(/\/$/, ""), socket: overWebSocket(new URL(ROOT)).href.replace(/\/$/, "") });
if (document.body.dataset.page === "landing") landingPage();
else new ChannelPage();
