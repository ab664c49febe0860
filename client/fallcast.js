/**
 * The fallcast client: one channel, whatever the network lets through.
 *
 *     import { connect } from "/client/fallcast.js";
 *
 *     const channel = connect("/channels/chat", { after: "start" });
 *     channel.addEventListener("message", (event) => console.log(event.lastEventId, event.data));
 *     const { id } = await channel.publish({ hello: 1 });
 *
 * Every transport speaks the same events and the same cursor, and the cursor is held here, not by the server. So this
 * file may race transports, change them and come back after any failure, and nothing is lost or repeated: it asks for
 * "everything after my cursor" and drops what it has seen.
 *
 * Read it from top to bottom: the channel, the race, the transports, publishing, one connection for all tabs, and the
 * small parts that they stand on. `channel.log` tells what it decided, and why.
 *
 * @module fallcast
 */

// --- what an application sees ------------------------------------------------------------------------------------------

/**
 * @typedef {"websocket" | "sse" | "long-poll" | "stream" | "shared"} Transport `shared` is the way to another tab's
 * @typedef {"connecting" | "open" | "waiting" | "paused" | "closed"} State
 *
 * @typedef {object} Options
 * @property {Transport[]} [transports] in order of preference; WebSocket, SSE and long-polling unless given
 * @property {string} [after] where to begin: a cursor, `start` (the oldest message retained) or `end` (the default)
 * @property {string} [client] this subscriber's secret name, 16 to 64 of `A-Z a-z 0-9 _ -`; random unless given
 * @property {string} [as] announce me under this name
 * @property {boolean} [presence] tell me who is here
 * @property {boolean} [echo] whether my own publications come back to me; true unless given
 * @property {number} [headStart] how long a transport may be silent before the next one is tried as well: 500 ms
 * @property {number} [patience] how long a whole race, or one POST, may take: 10,000 ms
 * @property {number} [reprobe] how long after a fallback the better transport is tried again: 30,000 ms; 0 is never
 * @property {{ base: number, cap: number }} [backoff] bounds of the wait before a new race: 500 and 30,000 ms
 * @property {boolean | string} [resume] keep the cursor over reloads of the page, under this name in `sessionStorage`
 * @property {boolean} [shared] one connection for all tabs
 * @property {boolean} [pauseWhenHidden] let go of the connection while the page is hidden
 * @property {AbortSignal} [signal] closes the channel
 * @property {typeof globalThis.WebSocket} [WebSocket] for a runtime that has none of its own
 * @property {typeof globalThis.EventSource | null} [EventSource] null reads the event stream with `fetch` instead
 * @property {typeof globalThis.fetch} [fetch]
 *
 * @typedef {object} Message a publication, with the names of the protocol
 * @property {string} id its cursor
 * @property {number} at when it was appended, by the server's clock, in microseconds since 1970
 * @property {string} [type] the publisher's label
 * @property {string} content_type
 * @property {any} data a JSON value, a string, or a `Uint8Array`
 *
 * @typedef {{ after: string | null, resume: string, missed: number | null, reason: string }} Gap
 * @typedef {{ at: number, transport: Transport | null, what: string, why: string }} LogEntry `at` in ms since `connect`
 *
 * @typedef {object} ChannelEvents
 * @property {MessageEvent & { message: Message }} message
 * @property {CustomEvent<Gap>} gap messages are missing, and no transport can bring them back
 * @property {CustomEvent<any>} presence
 * @property {CustomEvent<{ state: State, from: State, why: string }>} state
 * @property {CustomEvent<{ transport: Transport | null, from: Transport | null, why: string }>} transport
 * @property {CustomEvent<{ reason: string, reconnect_ms: number }>} goodbye the server lets go; the client comes back by itself
 * @property {CustomEvent<LogEntry>} log
 */

/**
 * Subscribes to a channel and stays subscribed until it is closed.
 *
 * @param {string | URL} url the channel's address; its query, such as `?link=train`, travels with every request
 * @param {Options} [options]
 * @returns {Channel}
 */
export function connect(url, options = {}) {
  return new Channel(url, options);
}

const TRANSPORTS = /** @type {Transport[]} */ (["websocket", "sse", "long-poll"]);
/** In ms. @type {{ headStart: number, patience: number, reprobe: number }} */
const DEFAULTS = { headStart: 500, patience: 10_000, reprobe: 30_000 };
const LOG_LENGTH = 500;
const QUEUE_LENGTH = 10_000;
/** A line is silent for too long after so many heartbeats: one may be late, two are not. */
const HEARTBEATS_MISSED = 2.5;
/** Until the server has told its own heartbeat. */
const HEARTBEAT = 20_000;
/** A transport that dies so often without delivering anything is no better than a blocked one. */
const STRIKES = 2;
/** A line that lived so long has done its work: its end is no reason to wait longer than the first time. */
const LONG_LIFE = 5_000;
/** One-way responses, of which something between may hold back the last event. @type {Transport[]} */
const HELD = ["sse", "stream"];
/** The close code of a WebSocket that is left for another line. Unlike 1000, it does not end the stay in the channel. */
const MOVED = 3000;

/** One subscription, over whichever transport lives. */
export class Channel extends EventTarget {
  /** Every decision, the newest last. @type {LogEntry[]} */
  log = [];
  /** What has happened so far, in numbers. */
  stats = { messages: 0, duplicates: 0, gaps: 0, attempts: 0, losses: 0, moves: 0 };
  /** The public name that others know this subscriber by. @type {string | null} */
  member = null;

  /** @type {State} */ #state = "connecting";
  /** @type {Transport | null} */ #transport = null;
  /** @type {string | null} */ #cursor = null;
  /** The line that delivers. @type {Attempt | null} */ #line = null;
  /** The attempts that may become the line. @type {Race | null} */ #race = null;
  /** Transports that failed while another one lived. @type {Map<Transport, string>} */ #beaten = new Map();
  /** Transports that have lived. @type {Set<Transport>} */ #proven = new Set();
  /** How often a transport has died without delivering. @type {Map<Transport, number>} */ #strikes = new Map();
  /** Why there is no line and no race on purpose. @type {Set<string>} */ #pauses = new Set();
  /** What may carry the channel, in order of preference. @type {Transport[]} */ #order;
  #options;
  #target;
  #publisher;
  #memory;
  #began = performance.now();
  #failures = 0;
  #heardAt = 0;
  #openedAt = 0;
  #delivered = false;
  #isBehind = false;
  /** Counts what the line says. */ #news = 0;
  #probeWait;
  #retryTimer = 0;
  #probeTimer = 0;
  #watchdog = 0;
  #auditTimer = 0;
  #dueTimer = 0;
  /** Ends what listens to the page. */ #ended = new AbortController();
  /** Hears the line. @type {Judge} */ #judge = {
    event: (line, name, body, ref) => this.#hear(line, name, body, ref),
    over: (line, end) => this.#lose(line, end),
  };
  /** @type {((name: string, body: any) => void) | undefined} */ #tap;

  /**
   * @param {string | URL} url
   * @param {Options} [options]
   * @param {(name: string, body: any) => void} [tap] hears every event that counts, for whoever passes them on
   */
  constructor(url, options = {}, tap) {
    super();
    const base = globalThis.location?.href;
    const backoff = { base: 500, cap: 30_000, ...options.backoff };
    this.#options = { ...DEFAULTS, ...defined(options), backoff };
    this.#order = preferences(options);
    this.#memory = new Memory(options.resume === true ? String(url) : options.resume || null);
    this.#target = new Target(new URL(url, base), options, this.#memory);
    this.#publisher = new Publisher(this.#target, this.#options.patience, this.#options.backoff);
    this.#probeWait = this.#options.reprobe;
    this.#tap = tap;
    this.#listenToPage();
    options.signal?.addEventListener("abort", () => this.close(), { signal: this.#ended.signal });
    if (options.signal?.aborted) this.close();
    else if (this.#pauses.size === 0) this.#begin("first");
  }

  /** Where the channel stands. @returns {State} */
  get state() {
    return this.#state;
  }

  /** What carries the channel now. @returns {Transport | null} */
  get transport() {
    return this.#transport;
  }

  /** The position: everything up to here has been delivered. @returns {string | null} */
  get cursor() {
    return this.#cursor;
  }

  /** This subscriber's secret name. */
  get client() {
    return this.#target.client;
  }

  /**
   * Publishes a message, once, however often it must be sent for that, and after those that were published before it. Only
   * where the server refuses some as too many (429) on a WebSocket, those under way at that moment may overtake them.
   *
   * @param {any} data a string is text, a `Uint8Array` or `ArrayBuffer` is bytes, anything else is JSON
   * @param {{ type?: string, contentType?: string, key?: string, signal?: AbortSignal }} [options]
   * @returns {Promise<{ id: string }>} rejects with a `PublishError`
   */
  publish(data, options = {}) {
    if (this.#state === "closed") return Promise.reject(new PublishError("the channel is closed"));
    return this.#publisher.publish(data, options);
  }

  /** Ends the subscription. Publications that have no answer yet are rejected. */
  close() {
    this.#stop("closed by the application");
  }

  /** The messages, for `for await`. Ends when the channel is closed. @returns {AsyncGenerator<Message, void>} */
  [Symbol.asyncIterator]() {
    /** @type {Message[]} */ const waiting = [];
    /** @type {(value?: any) => void} */ let wake = () => {};
    const reading = new AbortController();
    const take = (/** @type {{ message: Message }} */ { message }) => {
      if (waiting.push(message) > QUEUE_LENGTH) reading.abort();
      wake();
    };
    this.addEventListener("message", take, { signal: reading.signal });
    const ended = this.#ended.signal;
    ended.addEventListener("abort", () => wake(), { signal: reading.signal });
    // Messages are kept from now on, not from when the loop asks for the first one.
    return (async function* () {
      try {
        while (waiting.length > 0 || !ended.aborted) {
          if (reading.signal.aborted) throw new Error(behind(waiting[0]));
          const next = waiting.shift();
          if (next) yield next;
          else await new Promise((resolve) => (wake = resolve));
        }
      } finally {
        reading.abort();
      }
    })();
  }

  /**
   * @template {keyof ChannelEvents} K
   * @param {K} type
   * @param {((event: ChannelEvents[K]) => void) | { handleEvent(event: ChannelEvents[K]): void } | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(type, listener, options) {
    super.addEventListener(type, /** @type {EventListener} */ (listener), options);
  }

  // --- from one line to the next ---

  // ANCHOR: begin
  /** Starts a race of all transports, the better ones first. @param {string} why */
  #begin(why) {
    this.#turn("connecting", why);
    // What was beaten lately goes last, so that a reconnect does not pay for it again.
    const order = [...this.#order].sort((a, b) => Number(this.#beaten.has(a)) - Number(this.#beaten.has(b)));
    this.#startRace(order, why, {
      won: (line, hello, failed) => this.#open(line, hello, failed),
      // Nobody lived, so this says nothing about any of the transports: the server or the whole network is away.
      lost: (wait) => this.#wait("no transport lives", wait),
      stopped: (because) => this.#stop(because),
    });
  }
  // ANCHOR_END: begin

  /**
   * @param {Transport[]} order
   * @param {string} why
   * @param {RaceEnds} ends
   */
  #startRace(order, why, ends) {
    const race = new Race(order, this.#options, {
      start: (transport, judge) => {
        this.stats.attempts++;
        this.#target.after = this.#cursor ?? this.#target.after;
        return new Attempt(transport, this.#target, judge);
      },
      note: (transport, what, because) => this.#note(transport, what, because),
      ...ends,
    });
    this.#race = race;
    race.begin(why);
  }

  // ANCHOR: open
  /**
   * Takes a line that has proved alive.
   *
   * @param {Attempt} line
   * @param {any} hello
   * @param {Map<Transport, string>} failed the transports that did not, and why
   */
  #open(line, hello, failed) {
    const transport = line.transport;
    const left = this.#line;
    this.#race = null;
    this.#line = line;
    line.judge = this.#judge;
    this.#openedAt = this.#heardAt = Date.now();
    this.#delivered = this.#isBehind = false;
    this.#proven.add(transport);
    // Only what is better than the line can be beaten. How the others would do is not known any more.
    const better = this.#betterTransports();
    for (const name of this.#beaten.keys()) if (!better.includes(name)) this.#beaten.delete(name);
    for (const [name, why] of failed) if (better.includes(name)) this.#beat(name, why);
    if (left) {
      this.stats.moves++;
      this.#note(transport, "moved", `from ${left.transport}`);
      left.cancel();
    }
    this.#takeHello(hello);
    this.#publisher.line = line;
    this.#watch();
    const { headStart } = this.#options;
    const opening = Date.now() - line.beganAt;
    // The head start has begun with the attempt. But a network that took so long for the hello may need it again.
    this.#expect(line, hello.head, Math.max(headStart - opening, 2 * opening));
    this.#planAudit(line, headStart);
    // What stands behind a shared connection, its host tells.
    if (transport !== "shared") this.#turn("open", `${transport} is alive`, transport);
    this.#planProbe();
  }
  // ANCHOR_END: open

  /** @param {Transport} transport @param {string} why */
  #beat(transport, why) {
    if (!this.#beaten.has(transport)) this.#note(transport, "beaten", why);
    this.#beaten.set(transport, why);
  }

  /** The line is over. @param {Attempt} line @param {End} end */
  #lose(line, end) {
    line.cancel();
    this.#line = this.#publisher.line = null;
    this.stats.losses++;
    this.#note(line.transport, "lost", end.why);
    if (end.stop) return this.#stop(end.why);
    if (this.#delivered || Date.now() - this.#openedAt > LONG_LIFE) this.#failures = 0;
    this.#strike(line.transport, end);
    this.#wait(end.why, end.wait ?? null);
  }

  /** Counts a transport that dies without having delivered anything. @param {Transport} transport @param {End} end */
  #strike(transport, end) {
    const strikes = this.#delivered || end.wait !== undefined ? 0 : (this.#strikes.get(transport) ?? 0) + 1;
    this.#strikes.set(transport, strikes % STRIKES);
    if (strikes === STRIKES) this.#beat(transport, `it died ${STRIKES} times without delivering anything`);
  }

  // ANCHOR: wait
  /**
   * Waits before the next race: for as long as the server said, or for a random time that grows.
   *
   * @param {string} why
   * @param {number | null} asked in ms
   */
  #wait(why, asked) {
    this.#leave();
    const random = backoffDelay(this.#failures, this.#options.backoff);
    // Who is sent back at once, again and again, waits all the same.
    const delay = asked === null ? random : asked + (this.#failures > 1 ? random : 0);
    this.#failures++;
    this.#note(null, "wait", `${Math.round(delay)} ms: ${why}`);
    this.#turn("waiting", why);
    this.#retryTimer = setTimer(() => this.#begin("again"), delay);
  }
  // ANCHOR_END: wait

  /** Lets go of the line, the race and every timer. */
  #leave() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#probeTimer);
    clearTimeout(this.#auditTimer);
    clearTimeout(this.#dueTimer);
    clearInterval(this.#watchdog);
    this.#race?.cancel();
    this.#line?.cancel();
    this.#race = this.#line = this.#publisher.line = null;
  }

  /** @param {string} why */
  #stop(why) {
    if (this.#state === "closed") return;
    const isMember = this.#options.as !== undefined || this.#options.presence;
    const isLeft = this.#line?.leave() ?? false;
    this.#publisher.close();
    this.#leave();
    if (isMember && !isLeft) this.#target.sayGoodbye();
    this.#note(null, "stop", why);
    this.#turn("closed", why);
    this.#ended.abort();
    this.#memory.save(this.#cursor, this.client);
  }

  // --- back up to a better transport ---

  // ANCHOR: plan_probe
  #planProbe() {
    clearTimeout(this.#probeTimer);
    const better = this.#betterTransports();
    if (better.length === 0 || this.#options.reprobe === 0) {
      this.#probeWait = this.#options.reprobe;
      return;
    }
    // Something that worked before is probably not blocked: the server was away for a moment, or the network changed.
    const isProven = better.some((transport) => this.#proven.has(transport)) && this.#probeWait === this.#options.reprobe;
    const wait = isProven ? Math.min(2_000, this.#probeWait) : this.#probeWait;
    this.#probeTimer = setTimer(() => this.#probe(better), wait);
  }
  // ANCHOR_END: plan_probe

  /** @returns {Transport[]} */
  #betterTransports() {
    return this.#line ? this.#order.slice(0, this.#order.indexOf(this.#line.transport)) : [];
  }

  // ANCHOR: probe
  /** Tries better transports while the present one delivers. @param {Transport[]} better */
  #probe(better) {
    if (this.#race) return;
    this.#note(null, "probe", `is anything better than ${this.#line?.transport} possible?`);
    const inVain = () => {
      this.#race = null;
      this.#probeWait = Math.min(this.#probeWait * 2, this.#options.reprobe * 10);
      this.#planProbe();
    };
    const won = (/** @type {Attempt} */ line, /** @type {any} */ hello, /** @type {Map<Transport, string>} */ failed) =>
      this.#open(line, hello, failed);
    this.#startRace(better, "probe", { won, lost: inVain, stopped: inVain });
  }
  // ANCHOR_END: probe

  // --- what the line says ---

  /**
   * @param {Attempt} line
   * @param {string} name
   * @param {any} body
   * @param {number} [ref]
   */
  #hear(line, name, body, ref) {
    this.#heardAt = Date.now();
    this.#news++;
    switch (name) {
      case "hello":
        this.#takeHello(body);
        return this.#watch();
      case "message":
        return this.#takeMessage(line, body);
      case "gap":
        return this.#takeGap(body);
      case "heartbeat":
        return this.#takeHeartbeat(line, body);
      case "presence":
        this.#tap?.(name, body);
        return this.#tell("presence", body);
      case "goodbye":
        this.#note(line.transport, "goodbye", body.reason);
        this.#tellSoon("goodbye", body);
        return this.#lose(line, { why: `the server said goodbye: ${body.reason}`, wait: body.reconnect_ms });
      case "published":
      case "error":
        return this.#publisher.answer(name, body, ref);
      case "relay":
        return this.#mirror(body);
      // Whatever a later version of the protocol adds is ignored.
    }
  }

  /** @param {any} hello */
  #takeHello(hello) {
    this.#target.heartbeat = hello.heartbeat_ms ?? this.#target.heartbeat;
    this.#target.keyWindow = hello.key_window_ms ?? this.#target.keyWindow;
    this.member = hello.member ?? this.member;
    this.#target.client = hello.client ?? this.#target.client;
    // Only the first one is news; later ones repeat what was asked for, or are followed by a gap.
    this.#cursor ??= hello.cursor ?? null;
  }

  // ANCHOR: take_message
  /** @param {Attempt} line @param {Message & { encoding?: string }} message */
  #takeMessage(line, message) {
    const order = this.#cursor === null ? 1 : compareCursors(message.id, this.#cursor);
    if (order !== null && order <= 0) {
      this.stats.duplicates++;
      return;
    }
    if (order === null) {
      // The log was created anew, and whoever stands between has swallowed the gap that said so.
      this.#takeGap({ after: this.#cursor, resume: cursorBefore(message.id), missed: null, reason: "epoch" });
      if (line.isOver) return;
    } else if (order > 1 && this.#cursor !== null && this.#options.echo !== false) {
      // Offsets are dense, so something between us and the server has lost a message. The log has it still.
      return this.#lose(line, { why: `${message.id} came after ${this.#cursor}`, wait: 0 });
    }
    if (message.encoding === "base64") {
      message.data = bytesOf(message.data);
      delete message.encoding;
    }
    this.#progress();
    this.stats.messages++;
    this.#tap?.("message", message);
    const event = new MessageEvent("message", { data: message.data, lastEventId: message.id });
    this.dispatchEvent(Object.assign(event, { message }));
    // It counts as seen when the application has seen it.
    this.#cursor = message.id;
    this.#memory.saveSoon(this.#cursor, this.client);
  }
  // ANCHOR_END: take_message

  /** @param {Gap} gap */
  #takeGap(gap) {
    const missed = this.#cursor === null ? null : compareCursors(gap.resume, this.#cursor);
    // After a move the new line may tell of a gap that the old one has bridged already.
    const isOfThisLog = compareCursors(gap.after ?? "", this.#cursor ?? "") !== null;
    if ((gap.reason !== "epoch" || !isOfThisLog) && missed !== null && missed <= 0) return;
    const found = { ...gap, after: this.#cursor ?? gap.after, missed: gap.reason === "epoch" ? gap.missed : missed ?? gap.missed };
    this.stats.gaps++;
    this.#progress();
    this.#note(this.#transport, "gap", `${found.missed ?? "unknown"} missing after ${found.after}: ${gap.reason}`);
    this.#tap?.("gap", found);
    this.#tell("gap", found);
    this.#cursor = gap.resume;
    this.#memory.saveSoon(this.#cursor, this.client);
  }

  // ANCHOR: heartbeat
  /** @param {Attempt} line @param {{ cursor: string, head?: string }} heartbeat */
  #takeHeartbeat(line, { cursor, head }) {
    this.#tap?.("heartbeat", { cursor, head });
    const ahead = this.#cursor === null ? 1 : compareCursors(cursor, this.#cursor);
    if (this.#cursor === null || (this.#options.echo === false && ahead !== null && ahead > 0)) {
      // Own publications, which are left out, advance the position all the same.
      this.#cursor = cursor;
    } else if (ahead !== 0 && (ahead === null || ahead > 0)) {
      return this.#lose(line, { why: `the server stands at ${cursor}, and only ${this.#cursor} came`, wait: 0 });
    }
    this.#progress();
    // Messages may be on their way when a heartbeat is sent, but not for a whole heartbeat.
    const isBehind = head !== undefined && (compareCursors(head, this.#cursor ?? head) ?? 1) > 0;
    if (isBehind && this.#isBehind) this.#lose(line, { why: `it stays behind the head ${head}`, wait: 0 });
    this.#isBehind = isBehind;
  }
  // ANCHOR_END: heartbeat

  /** Something came after the hello. */
  #progress() {
    if (this.#delivered) return;
    this.#delivered = true;
    if (this.#line) this.#strikes.delete(this.#line.transport);
  }

  /** Shows what the shared connection does as if it were this tab's own. @param {any} news */
  #mirror({ state, transport, why, entry }) {
    if (entry) this.#note(entry.transport, entry.what, `${entry.why} (shared by all tabs)`);
    else this.#turn(state, why, transport);
  }

  // ANCHOR: watch
  /** Ends a line that has been silent for too long, which no transport notices by itself. */
  #watch() {
    clearInterval(this.#watchdog);
    const { heartbeat } = this.#target;
    this.#watchdog = setTicker(() => {
      // By the wall clock: others stand still while a laptop sleeps.
      const silence = Date.now() - this.#heardAt;
      if (this.#line && silence > heartbeat * HEARTBEATS_MISSED) {
        this.#lose(this.#line, { why: `nothing came for ${silence} ms; heartbeats are due every ${heartbeat} ms` });
      }
    }, heartbeat / 4);
  }
  // ANCHOR_END: watch

  // --- is anything held back? ---

  // ANCHOR: audit
  /**
   * Some proxies and virus scanners let a stream begin and hold back its last event until the next one comes. What they
   * hold cannot be told from what never was; so ask beside the stream, now and then, where the channel stands.
   *
   * @param {Attempt} line
   * @param {number} wait in ms
   */
  #planAudit(line, wait) {
    clearTimeout(this.#auditTimer);
    if (!HELD.includes(line.transport) || this.#options.echo === false) return;
    const { messages } = this.stats;
    this.#auditTimer = setTimer(async () => {
      const isNew = messages !== this.stats.messages || wait !== this.#target.heartbeat;
      const head = isNew ? await this.#target.head(this.#cursor ?? "end") : null;
      if (line !== this.#line) return;
      this.#expect(line, head);
      this.#planAudit(line, this.#target.heartbeat);
    }, wait);
  }

  /**
   * What lies before the head must come, or something holds it back.
   *
   * @param {Attempt} line
   * @param {string | null} [head]
   * @param {number} [patience] in ms, since the last event
   */
  #expect(line, head, patience = this.#options.headStart) {
    clearTimeout(this.#dueTimer);
    const isDue = () => line === this.#line && (compareCursors(head ?? "", this.#cursor ?? "") ?? 0) > 0;
    if (!HELD.includes(line.transport) || this.#options.echo === false || !isDue()) return;
    const news = this.#news;
    this.#dueTimer = setTimer(() => {
      if (!isDue()) return;
      if (news !== this.#news) return this.#expect(line, head);
      const why = `${head} is held back: nothing after ${this.#cursor} came for ${patience} ms`;
      this.#beat(line.transport, why);
      // It may have been slow and no more. Either way it is not to be tried again at once.
      this.#proven.delete(line.transport);
      this.#lose(line, { why, wait: 0 });
      // A large event on a slow network looks the same, and takes longer than that.
    }, patience * 2 ** Math.min(this.#failures, 6));
  }
  // ANCHOR_END: audit

  // --- what the page says ---

  #listenToPage() {
    const { signal } = this.#ended;
    /** @type {(target: any, type: string, run: () => void) => void} */
    const on = (target, type, run) => target?.addEventListener?.(type, run, { signal });
    const page = globalThis;
    const { document } = page;
    on(page, "pagehide", () => {
      this.#memory.save(this.#cursor, this.client);
      this.#pause("the page is put away");
    });
    on(page, "pageshow", () => this.#resume("the page is put away"));
    if (!this.#target.isLoopback) {
      on(page, "offline", () => this.#pause("offline"));
      on(page, "online", () => this.#resume("offline"));
    }
    if (this.#options.pauseWhenHidden) {
      on(document, "visibilitychange", () => (document.hidden ? this.#pause("hidden") : this.#resume("hidden")));
      if (document?.hidden) this.#pause("hidden");
    }
  }

  /** @param {string} why */
  #pause(why) {
    if (this.#state === "closed") return;
    this.#pauses.add(why);
    this.#leave();
    this.#note(null, "pause", why);
    this.#turn("paused", why);
  }

  /** @param {string} why */
  #resume(why) {
    if (!this.#pauses.delete(why) || this.#pauses.size > 0) return;
    // It may be another network.
    this.#failures = 0;
    this.#beaten.clear();
    this.#probeWait = this.#options.reprobe;
    this.#note(null, "resume", `no longer: ${why}`);
    this.#begin(`no longer: ${why}`);
  }

  // --- telling ---

  /** @param {State} state @param {string} why @param {Transport | null} [transport] */
  #turn(state, why, transport = null) {
    const from = this.#state;
    const left = this.#transport;
    this.#state = state;
    this.#transport = transport;
    if (left !== transport) this.#tellSoon("transport", { transport, from: left, why });
    if (from !== state) this.#tellSoon("state", { state, from, why });
  }

  /** @param {string} type @param {any} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** What is told in the middle of a decision must not bring the application's own decisions into it. @param {string} type @param {any} detail */
  #tellSoon(type, detail) {
    queueMicrotask(() => this.#tell(type, detail));
  }

  /** @param {Transport | null} transport @param {string} what @param {string} why */
  #note(transport, what, why) {
    const at = Math.round((performance.now() - this.#began) * 10) / 10;
    const entry = { at, transport, what, why };
    Object.defineProperty(entry, "toString", {
      value: () => `${entry.at} ms  ${entry.transport ?? "channel"}  ${entry.what}: ${entry.why}`,
    });
    if (this.log.push(entry) > LOG_LENGTH) this.log.shift();
    this.#tellSoon("log", entry);
  }
}

// --- the race ----------------------------------------------------------------------------------------------------------

/**
 * How an attempt or a line ends.
 *
 * @typedef {object} End
 * @property {string} why
 * @property {number} [wait] how long the server asks to wait, in ms
 * @property {boolean} [stop] whether trying again makes no sense
 *
 * @typedef {object} Judge who decides what an attempt's news mean
 * @property {(attempt: Attempt, hello: any) => void} [alive]
 * @property {(attempt: Attempt, name: string, body: any, ref?: number) => void} [event]
 * @property {(attempt: Attempt, end: End) => void} over
 *
 * @typedef {object} RaceEnds how a race may end
 * @property {(line: Attempt, hello: any, failed: Map<Transport, string>) => void} won
 * @property {(wait: number | null) => void} lost nobody lived; in ms, how long the server asked to wait
 * @property {(why: string) => void} stopped the server said that there is no use in trying
 */

/** One try of one transport. From its hello on, a line. */
class Attempt {
  beganAt = Date.now();
  #line;
  #isAlive = false;
  #isOver = false;

  /**
   * @param {Transport} transport
   * @param {Target} target
   * @param {Judge} judge
   */
  constructor(transport, target, judge) {
    this.transport = transport;
    this.judge = judge;
    try {
      this.#line = openers[transport](target, this);
    } catch (fault) {
      this.#line = failing(this, messageOf(fault));
    }
  }

  // ANCHOR: attempt
  /** A line says something. The first thing must be hello: an open connection alone proves nothing. @param {string} name @param {any} body @param {number} [ref] */
  event(name, body, ref) {
    if (this.#isOver || (!body && name !== "pulse")) return;
    // What somebody between makes of an event may be well-formed and make no sense.
    try {
      if (this.#isAlive) {
        this.judge.event?.(this, name, body, ref);
      } else if (name === "hello") {
        this.#isAlive = true;
        this.judge.alive?.(this, body);
      } else if (name === "goodbye") {
        this.end({ why: `the server said goodbye: ${body.reason}`, wait: body.reconnect_ms });
      }
    } catch (fault) {
      this.end({ why: messageOf(fault) });
    }
  }
  // ANCHOR_END: attempt

  /** @param {End} end */
  end(end) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.judge.over(this, end);
  }

  get isOver() {
    return this.#isOver;
  }

  /** Closes the line, whose news do not matter any more. */
  cancel() {
    this.#isOver = true;
    this.#line.close();
  }

  /** Leaves the channel for good. Tells whether the server understands that by the way the line is closed. */
  leave() {
    this.#isOver = true;
    return this.#line.leave?.() ?? false;
  }

  /** Sends a publication, if this transport can. @param {Publication} publication @param {number} ref */
  publish(publication, ref) {
    return !this.#isOver && (this.#line.publish?.(publication, ref) ?? false);
  }
}

/**
 * Happy eyeballs (RFC 8305) for transports: the preferred one starts, the next one follows when it is silent for the head
 * start, or at once when it is refused. The first hello wins.
 */
class Race {
  /** @type {Transport[]} */ #waiting;
  /** @type {Attempt[]} */ #running = [];
  /** @type {Map<Transport, string>} */ #failed = new Map();
  /** @type {number | null} */ #wait = null;
  #timer = 0;
  #settings;
  #ends;

  /**
   * @param {Transport[]} order
   * @param {{ headStart: number, patience: number }} settings
   * @param {RaceEnds & {
   *   start(transport: Transport, judge: Judge): Attempt,
   *   note(transport: Transport, what: string, why: string): void,
   * }} ends
   */
  constructor(order, settings, ends) {
    this.#waiting = [...order];
    this.#settings = settings;
    this.#ends = ends;
  }

  // ANCHOR: race_begin
  /** @param {string} why */
  begin(why) {
    const transport = /** @type {Transport} */ (this.#waiting.shift());
    const { patience } = this.#settings;
    // A worker takes its time to start.
    const headStart = this.#settings.headStart * (transport === "shared" ? 2 : 1);
    this.#ends.note(transport, "try", why);
    this.#running.push(this.#ends.start(transport, this));
    clearTimeout(this.#timer);
    this.#timer =
      this.#waiting.length > 0
        ? setTimer(() => this.#passOver(transport, headStart), headStart)
        : setTimer(() => this.#giveUp(), patience);
  }

  /** The head start is used up. It may still win. @param {Transport} transport @param {number} headStart */
  #passOver(transport, headStart) {
    this.#failed.set(transport, `silent for ${headStart} ms`);
    this.#ends.note(transport, "silent", `no hello within ${headStart} ms`);
    this.begin(`${transport} is silent`);
  }
  // ANCHOR_END: race_begin

  // ANCHOR: race_alive
  /** @param {Attempt} attempt @param {any} hello */
  alive(attempt, hello) {
    this.#ends.note(attempt.transport, "alive", "hello came");
    this.#failed.delete(attempt.transport);
    for (const other of this.#running) {
      if (other !== attempt) this.#ends.note(other.transport, "cancelled", `${attempt.transport} was first`);
    }
    this.cancel(attempt);
    this.#ends.won(attempt, hello, this.#failed);
  }
  // ANCHOR_END: race_alive

  // ANCHOR: race_over
  /** @param {Attempt} attempt @param {End} end */
  over(attempt, end) {
    const { transport } = attempt;
    const isNewest = attempt === this.#running.at(-1);
    attempt.cancel();
    this.#running = this.#running.filter((other) => other !== attempt);
    this.#ends.note(transport, "refused", end.why);
    this.#failed.set(transport, end.why);
    if (end.wait !== undefined) this.#wait = Math.max(this.#wait ?? 0, end.wait);
    if (end.stop) {
      this.cancel();
      this.#ends.stopped(end.why);
    } else if (isNewest && this.#waiting.length > 0) {
      this.begin(`${transport} was refused`);
    } else if (this.#running.length === 0) {
      this.#giveUp();
    }
  }

  #giveUp() {
    for (const { transport } of this.#running) {
      this.#ends.note(transport, "silent", `no hello within ${this.#settings.patience} ms`);
    }
    this.cancel();
    this.#ends.lost(this.#wait);
  }
  // ANCHOR_END: race_over

  /** Ends all attempts but one. @param {Attempt} [winner] */
  cancel(winner) {
    clearTimeout(this.#timer);
    for (const attempt of this.#running) if (attempt !== winner) attempt.cancel();
    this.#running = [];
  }
}

// --- the transports ----------------------------------------------------------------------------------------------------

/**
 * Where a channel is, and what every request for it carries.
 */
class Target {
  /** How long the server is silent at most, in ms. */
  heartbeat = HEARTBEAT;
  #url;

  /** @param {URL} url @param {Options} options @param {{ client?: string, cursor?: string }} [remembered] from before a reload */
  constructor(url, options, { client, cursor } = {}) {
    if (!/^https?:$/.test(url.protocol)) throw new TypeError(`a channel's address begins with http: or https:, unlike ${url}`);
    this.#url = url;
    this.options = options;
    this.client = options.client ?? client ?? randomName();
    this.after = cursor ?? options.after ?? "end";
    /** How long the server knows a publication's key, once it has told. @type {number | null} */
    this.keyWindow = null;
    /** @type {typeof globalThis.fetch} */
    this.fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
  }

  /** The address as the application gave it, but absolute. */
  get base() {
    return String(this.#url);
  }

  /** Without a network a browser calls itself offline, and still reaches a server on its own machine. */
  get isLoopback() {
    return /^(.*\.)?localhost$|^127\.|^\[::1\]$/.test(this.#url.hostname);
  }

  /** @param {string} path @param {Record<string, string | number | undefined>} parameters */
  address(path, parameters) {
    const url = new URL(this.#url);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    url.hash = "";
    for (const [name, value] of Object.entries({ ...parameters, client: this.client })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  /** The address of a subscription. @param {string} path @param {Record<string, string | undefined>} [more] */
  subscription(path, more) {
    const { as, presence, echo } = this.options;
    const wishes = { as, presence: presence ? "1" : undefined, echo: echo === false ? "0" : undefined };
    return this.address(path, { after: this.after, ...wishes, ...more });
  }

  /** Where the channel stands, or null if nobody answers. @param {string} after */
  async head(after) {
    const address = this.address("/poll", { after, wait: "0", _: randomName() });
    const signal = AbortSignal.timeout(this.heartbeat);
    try {
      const response = await this.fetch(address, { cache: "no-store", signal });
      return (await response.json()).cursor ?? null;
    } catch {
      return null;
    }
  }

  /** Ends the stay in the channel at once, which otherwise ends after a grace. */
  sayGoodbye() {
    const address = this.address("/leave", {});
    const isSent = globalThis.navigator?.sendBeacon?.(address);
    if (!isSent) this.fetch(address, { method: "POST", keepalive: true }).catch(() => {});
  }
}

/**
 * @typedef {object} Line
 * @property {() => void} close
 * @property {() => boolean} [leave]
 * @property {(publication: Publication, ref: number) => boolean} [publish]
 */

/** How each transport is opened. @type {Record<string, (target: Target, news: Attempt) => Line>} */
const openers = { websocket: openWebSocket, sse: openEventStream, "long-poll": openLongPoll, stream: openStream, shared: openShared };

/** @param {Target} target @param {Attempt} news @returns {Line} */
function openWebSocket(target, news) {
  const address = target.subscription("/ws", { format: "json" });
  address.protocol = address.protocol.replace("http", "ws");
  const Socket = target.options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) return failing(news, "this runtime has no WebSocket; pass one in as an option");
  const socket = new Socket(address);
  let isOpen = false;
  socket.onopen = () => (isOpen = true);
  socket.onmessage = ({ data }) => {
    const { ref, ...event } = parsed(data, news);
    for (const [name, body] of Object.entries(event)) news.event(name, body, ref);
  };
  // The error event never says why, and some runtimes let no close event follow it.
  socket.onerror = () => isOpen || news.end({ why: "the handshake failed" });
  socket.onclose = ({ code, reason }) => news.end(endOfClose(code, reason, isOpen));
  return {
    close: () => socket.close(MOVED),
    leave: () => {
      socket.close(1000);
      return isOpen;
    },
    publish: (publication, ref) => {
      if (socket.readyState !== 1) return false;
      socket.send(JSON.stringify({ publish: publication.command(), ref }));
      return true;
    },
  };
}

/** @param {number} code @param {string} reason @param {boolean} wasOpen @returns {End} */
function endOfClose(code, reason, wasOpen) {
  // Scripts see 1006 for every failed handshake, whatever its status was (WHATWG WebSockets, "feedback from the protocol").
  if (!wasOpen) return { why: "the handshake failed" };
  const why = `closed with ${code}${reason ? `: ${reason}` : ""}`;
  const verdict = verdictOfClose(code);
  return { why, stop: verdict === "stop", wait: verdict === "at-once" ? 0 : undefined };
}

/**
 * What a close code asks of a client.
 *
 * @param {number} code
 * @returns {"stop" | "back-off" | "at-once" | "retry"}
 */
export function verdictOfClose(code) {
  if (code >= 4000 && code < 4100) return "stop";
  if (code >= 4200 && code < 4300) return "at-once";
  return (code >= 4100 && code < 4200) || code === 1013 ? "back-off" : "retry";
}

const EVENTS = ["hello", "message", "gap", "presence", "heartbeat", "goodbye"];

/** @param {Target} target @param {Attempt} news @returns {Line} */
function openEventStream(target, news) {
  const address = target.subscription("/sse", { format: "json" });
  const { EventSource = globalThis.EventSource } = target.options;
  if (!EventSource) {
    const parser = new EventStreamParser();
    return readStream(target, news, address, (text) => {
      for (const { event, data } of parser.feed(text)) if (EVENTS.includes(event)) news.event(event, parsed(data, news));
    });
  }
  const source = new EventSource(address);
  for (const name of EVENTS) {
    source.addEventListener(name, (event) => news.event(name, parsed(/** @type {MessageEvent} */ (event).data, news)));
  }
  // It would reconnect by itself, but to the same transport for ever; and after most statuses it would not.
  source.onerror = () => news.end({ why: `the event stream ${source.readyState === 2 ? "was refused" : "broke off"}` });
  return { close: () => source.close() };
}

/** @param {Target} target @param {Attempt} news @returns {Line} */
function openStream(target, news) {
  const parser = new LineParser();
  return readStream(target, news, target.subscription("/stream"), (text) => {
    for (const line of parser.feed(text)) tellEach([parsed(line, news)], news);
  });
}

/**
 * Reads an endless response piece by piece.
 *
 * @param {Target} target
 * @param {Attempt} news
 * @param {URL} address
 * @param {(text: string) => void} take
 * @returns {Line}
 */
function readStream(target, news, address, take) {
  const abort = new AbortController();
  const read = async () => {
    const response = await target.fetch(address, { signal: abort.signal, cache: "no-store" });
    if (!response.ok || !response.body) return news.end(await endOfAnswer(response));
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return news.end({ why: "the stream ended" });
      take(decoder.decode(value, { stream: true }));
    }
  };
  read().catch((fault) => news.end({ why: messageOf(fault) }));
  return { close: () => abort.abort() };
}

/** @param {Target} target @param {Attempt} news @returns {Line} */
function openLongPoll(target, news) {
  const abort = new AbortController();
  const request = (/** @type {Record<string, string>} */ more) =>
    target.fetch(target.subscription("/poll", more), { signal: abort.signal, cache: "no-store" });
  const greet = async () => {
    const response = await request({ after: "end", wait: "0", _: randomName() });
    const { hello } = response.ok ? (await response.json()).events[0] : {};
    return { ...hello, cursor: target.after };
  };
  const poll = async () => {
    let { after } = target;
    let wait = 0;
    // Who begins with a cursor has yet to learn how long keys are known.
    const greeting = target.keyWindow === null && after.includes(".") ? await greet() : {};
    while (!news.isOver) {
      // No cache has this address yet, and no request to it is in flight: browsers queue requests for equal addresses.
      const response = await request({ after, wait: `${wait}ms`, _: randomName() });
      if (!response.ok) return news.end(await endOfAnswer(response));
      if (!hasType(response, "application/json")) return news.end({ why: "what came is not JSON" });
      // A poll that carries a cursor is not greeted. That an answer begins to arrive says as much, however long it takes.
      if (wait === 0) news.event("hello", { cursor: after.includes(".") ? after : undefined, ...greeting });
      const { cursor, events } = await response.json();
      if (Number(response.headers.get("age")) > 0 || (compareCursors(cursor, after) ?? 0) < 0 && !events.some(isGap)) {
        return news.end({ why: "a cache answered" });
      }
      tellEach(events, news);
      news.event("heartbeat", { cursor });
      after = cursor;
      wait = target.heartbeat;
    }
  };
  poll().catch((fault) => news.end({ why: messageOf(fault) }));
  return { close: () => abort.abort() };
}

/** @param {any} event */
const isGap = (event) => event.gap !== undefined;

/** @param {any[]} events each `{"name": body}` @param {Attempt} news */
function tellEach(events, news) {
  for (const event of events) for (const [name, body] of Object.entries(event)) news.event(name, body);
}

/** What came, unless something between put its own words there. @param {string} text @param {Attempt} news */
function parsed(text, news) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    news.end({ why: `what came is not JSON: ${text.slice(0, 40)}` });
    return {};
  }
}

/**
 * What an answer that is no success means. Only the server itself, which speaks in problem documents, can say that there
 * is no use in trying; anybody between may say 403.
 *
 * @param {Response} response
 * @returns {Promise<End>}
 */
async function endOfAnswer(response) {
  const problem = await problemOf(response);
  const why = [`the answer was ${response.status}`, problem?.title, problem?.detail].filter(Boolean).join(": ");
  return { why, stop: problem !== null && isFinal(response.status), wait: retryAfter(response) };
}

/** @param {Response} response @returns {Promise<any>} the problem document (RFC 9457), or null */
async function problemOf(response) {
  return hasType(response, "application/problem+json") ? response.json().catch(() => null) : null;
}

/** @param {Response} response @param {string} type */
const hasType = (response, type) => response.headers.get("content-type")?.startsWith(type) ?? false;

/** @param {number} status */
const isFinal = (status) => status >= 400 && status < 500 && ![408, 425, 429].includes(status);

/** @param {Response} response @returns {number | undefined} in ms */
function retryAfter(response) {
  const text = response.headers.get("retry-after");
  if (!text) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  // Whoever was told the same must not come back at the same moment.
  return Number.isFinite(wait) ? Math.max(0, wait) * (1 + Math.random() / 4) : undefined;
}

/** A line that cannot be opened. @param {Attempt} news @param {string} why @returns {Line} */
function failing(news, why) {
  queueMicrotask(() => news.end({ why }));
  return { close: () => {} };
}

// --- publishing --------------------------------------------------------------------------------------------------------

const PENDING = 10_000;
/** No publication is tried in vain for longer, if the server does not tell for how long it knows a key. */
const KEY_WINDOW = 60_000;

/** Why a publication has no id. */
export class PublishError extends Error {
  name = "PublishError";

  /**
   * @param {string} message
   * @param {{ problem?: any, outcome?: "refused" | "unknown" }} [more]
   */
  constructor(message, { problem = null, outcome = "refused" } = {}) {
    super(message);
    /** The server's problem document (RFC 9457), or null. */
    this.problem = problem;
    /** `refused`: nothing was published. `unknown`: it may have been, and nobody can tell any more. */
    this.outcome = outcome;
    this.status = problem?.status ?? null;
  }
}

/** One message on its way to the server. Its key makes it the same message however often it is sent. */
class Publication {
  /** When it was first handed to the network. @type {number | null} */ firstSentAt = null;
  /** Whether it may have arrived without an answer. */ isUnsure = false;
  /** Its place among all publications. */ number = 0;
  /** Ends what waits for the outcome. */ settled = new AbortController();

  /**
   * @param {any} data
   * @param {{ type?: string, contentType?: string, key?: string }} options
   * @param {(answer: { id: string }) => void} resolve
   * @param {(error: Error) => void} reject
   */
  constructor(data, options, resolve, reject) {
    this.key = options.key ?? randomName();
    this.type = options.type;
    this.resolve = resolve;
    this.reject = reject;
    if (data instanceof ArrayBuffer) data = new Uint8Array(data);
    this.bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() : null;
    const isText = typeof data === "string";
    const kind = this.bytes ? "application/octet-stream" : isText ? "text/plain" : "application/json";
    this.contentType = options.contentType ?? kind;
    this.isJson = !this.bytes && /^application\/json\b|\+json\b/.test(this.contentType);
    this.text = isText && !this.isJson ? data : this.bytes ? "" : JSON.stringify(data);
    if (this.text === undefined) throw new TypeError("this value has no form in JSON");
    // Browsers remember what they may send by address. A key in the query would cost a preflight for each message.
    this.headers = new Headers({ "Content-Type": this.contentType, "Idempotency-Key": this.key });
  }

  /** As a command over a WebSocket. */
  command() {
    const { key, type, contentType: content_type } = this;
    if (this.bytes) return { data: base64Of(this.bytes), encoding: "base64", key, type, content_type };
    return { data: this.isJson ? JSON.parse(this.text) : this.text, key, type, content_type };
  }
}

/**
 * Sends publications in their order, until each one is answered: over the line if it can carry them, one after the other
 * without waiting; otherwise by POST, one at a time, since two requests may overtake each other.
 */
class Publisher {
  /** Those that are yet to be sent. @type {Publication[]} */ #unsent = [];
  /** Those that the line has taken, by the number that their answers will carry. @type {Map<number, Publication>} */ #sent = new Map();
  /** @type {Attempt | null} */ #line = null;
  /** The one that is being posted. @type {{ publication: Publication, abort: AbortController } | null} */ #posting = null;
  #isClosed = false;
  /** Whether the server has asked to wait. */ #isAsked = false;
  /** Whether the line has put one off. */ #isSlowed = false;
  #count = 0;
  #lastRef = 0;
  #tries = 0;
  #retryTimer = 0;
  #answerTimer = 0;
  #target;
  #patience;
  #backoff;

  /** @param {Target} target @param {number} patience @param {{ base: number, cap: number }} backoff */
  constructor(target, patience, backoff) {
    this.#target = target;
    this.#patience = patience;
    this.#backoff = backoff;
  }

  // ANCHOR: line
  /** What was sent over a line that is gone has no answer, and is sent again. @param {Attempt | null} line */
  set line(line) {
    this.#line = line;
    for (const publication of this.#sent.values()) publication.isUnsure = true;
    this.#putBack(...this.#sent.values());
    this.#sent.clear();
    this.#isSlowed = false;
    clearTimeout(this.#answerTimer);
    // Who lives again need not wait any longer, unless the server asked for it.
    if (line && !this.#isAsked) this.#goOn();
    else this.#pump();
  }
  // ANCHOR_END: line

  /**
   * @param {any} data
   * @param {{ type?: string, contentType?: string, key?: string, signal?: AbortSignal }} options
   * @returns {Promise<{ id: string }>}
   */
  publish(data, options) {
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      if (this.#unsent.length + this.#sent.size >= PENDING) throw new PublishError(`${PENDING} publications wait already`);
      const publication = new Publication(data, options, resolve, reject);
      const { signal } = publication.settled;
      options.signal?.addEventListener("abort", () => this.#fail(publication, "aborted"), { signal });
      publication.number = this.#count++;
      this.#isSlowed &&= this.#unsent.length + this.#sent.size > 0;
      this.#unsent.push(publication);
      this.#pump();
    });
  }

  /** Sends what can be sent now. */
  #pump() {
    while (!this.#isClosed && !this.#posting && !this.#retryTimer && this.#unsent.length > 0) {
      const publication = /** @type {Publication} */ (this.#unsent[0]);
      if (this.#isSettled(publication)) this.#unsent.shift();
      else if (this.#isSlowed && this.#sent.size > 0) return;
      else if (this.#line?.publish(publication, this.#lastRef + 1)) this.#awaitAnswer();
      else if (this.#sent.size === 0) this.#post();
      else return;
    }
  }

  // ANCHOR: settled
  /** Whether there is nothing to send: it has an outcome, or the server may have forgotten its key. @param {Publication} publication */
  #isSettled(publication) {
    const { firstSentAt, key } = publication;
    // What is sent now may be under way for a while.
    const window = Math.max(0, (this.#target.keyWindow ?? KEY_WINDOW) - this.#patience);
    if (firstSentAt !== null && Date.now() - firstSentAt > window) {
      this.#fail(publication, `no answer came for as long as the server knows the key ${key}`);
    }
    return publication.settled.signal.aborted;
  }
  // ANCHOR_END: settled

  /** The line has taken the first one. */
  #awaitAnswer() {
    const publication = /** @type {Publication} */ (this.#unsent.shift());
    publication.firstSentAt ??= Date.now();
    this.#sent.set(++this.#lastRef, publication);
    if (this.#sent.size === 1) this.#expectAnswer();
  }

  /** A line may be dead in one direction, which nobody notices but who waits for an answer. */
  #expectAnswer() {
    clearTimeout(this.#answerTimer);
    if (this.#sent.size > 0) this.#answerTimer = setTimer(() => (this.line = null), this.#patience);
  }

  /** @param {string} name @param {any} body @param {number} [ref] */
  answer(name, body, ref = 0) {
    const publication = this.#sent.get(ref);
    if (!publication) return;
    this.#sent.delete(ref);
    this.#expectAnswer();
    if (name === "published") this.#succeed(publication, body.id);
    else if (isFinal(body.status)) this.#fail(publication, body.detail, body);
    else {
      // One at a time from here on: a later one might be taken where this one was not.
      this.#isSlowed = true;
      this.#again(publication);
    }
    this.#pump();
  }

  // ANCHOR: post
  async #post() {
    const publication = /** @type {Publication} */ (this.#unsent.shift());
    const abort = new AbortController();
    this.#posting = { publication, abort };
    const timer = setTimer(() => abort.abort(), this.#patience);
    try {
      publication.firstSentAt ??= Date.now();
      const response = await this.#request(publication, abort.signal);
      if (response.ok) this.#succeed(publication, (await response.json()).id);
      else if (isFinal(response.status)) this.#fail(publication, `the answer was ${response.status}`, await refusalOf(response));
      else this.#again(publication, retryAfter(response));
    } catch {
      // It may have arrived: only its key lets us send it again.
      publication.isUnsure = true;
      this.#again(publication);
    }
    clearTimeout(timer);
    this.#posting = null;
    this.#pump();
  }
  // ANCHOR_END: post

  /** @param {Publication} publication @param {AbortSignal} signal */
  #request({ headers, type, bytes, text }, signal) {
    return this.#target.fetch(this.#target.address("", { type }), { method: "POST", headers, body: bytes ?? text, signal });
  }

  /** Puts it back, to be sent again after a while. @param {Publication} publication @param {number} [wait] */
  #again(publication, wait) {
    if (publication.settled.signal.aborted) return;
    this.#isAsked ||= wait !== undefined;
    this.#putBack(publication);
    this.#retryTimer ||= setTimer(() => this.#goOn(), wait ?? backoffDelay(this.#tries, this.#backoff));
    this.#tries++;
  }

  /** Puts what is to be sent again where it was. @param {Publication[]} publications */
  #putBack(...publications) {
    this.#unsent = [...publications, ...this.#unsent].sort((a, b) => a.number - b.number);
  }

  #goOn() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#isAsked = false;
    this.#pump();
  }

  /** @param {Publication} publication @param {string} id */
  #succeed(publication, id) {
    this.#tries = 0;
    publication.settled.abort();
    publication.resolve({ id });
  }

  /** @param {Publication} publication @param {string} why @param {any} [problem] */
  #fail(publication, why, problem = null) {
    if (publication.settled.signal.aborted) return;
    publication.settled.abort();
    const outcome = (problem && !publication.isUnsure) || publication.firstSentAt === null ? "refused" : "unknown";
    publication.reject(new PublishError(problem?.detail ?? why, { problem, outcome }));
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#answerTimer);
    const posted = this.#posting ? [this.#posting.publication] : [];
    for (const publication of [...posted, ...this.#sent.values(), ...this.#unsent]) {
      this.#fail(publication, "the channel was closed before an answer came");
    }
    this.#posting?.abort.abort();
  }
}

/** The problem document of a refusal. Whoever stands between may have refused without one. @param {Response} response */
async function refusalOf(response) {
  return (await problemOf(response)) ?? { status: response.status };
}

// --- one connection for all tabs ---------------------------------------------------------------------------------------

/**
 * Six connections to one host are all that HTTP/1.1 in a browser gets, for all tabs together. So tabs may share one: the
 * file that you read runs once more in a SharedWorker (or, where there is none, in the tab that holds a Web Lock), keeps
 * the connection there, and serves the tabs as a transport of its own. Each tab keeps a cursor, as over any transport.
 *
 * @typedef {{ postMessage(message: any): void, onmessage: ((event: MessageEvent) => void) | null, close(): void }} Port
 */

/** How often a host shows its tabs that it lives. */
const PULSE = 2_000;
/** A tab that has not answered for so long is gone. Browsers wake a hidden one once a minute at least. */
const TAB_GONE = 300_000;

/** Whether this runtime has a way for tabs to find each other. Without one, each tab has a connection of its own. */
const canShare = () => Boolean(globalThis.SharedWorker ?? globalThis.navigator?.locks);

/** @param {Target} target @param {Attempt} news @returns {Line} */
function openShared(target, news) {
  const { transports, client, as, presence, echo, headStart, patience, reprobe, backoff } = target.options;
  const options = { transports, client, as, presence, echo, headStart, patience, reprobe, backoff };
  const url = target.base;
  const port = portToHost(`${url} ${JSON.stringify(options)}`, news);
  port.onmessage = ({ data: [name, body, ref] }) => {
    if (name === "pulse") port.postMessage(["pulse"]);
    if (name === "end") news.end(body);
    else news.event(name, body, ref);
  };
  port.postMessage(["open", { url, options, after: target.after }]);
  const close = () => {
    port.postMessage(["bye"]);
    port.close();
    // The stay in the channel belongs to all tabs.
    return true;
  };
  return {
    close,
    leave: close,
    publish: ({ bytes, text, isJson, type, contentType, key }, ref) => {
      const data = bytes ?? (isJson ? JSON.parse(text) : text);
      port.postMessage(["publish", { data, options: { type, contentType, key } }, ref]);
      return true;
    },
  };
}

/** @param {string} name of what is shared @param {Attempt} news @returns {Port} */
function portToHost(name, news) {
  if (!globalThis.SharedWorker) return Election.of(name).open(news);
  const worker = new SharedWorker(import.meta.url, { type: "module", name: "fallcast" });
  worker.onerror = () => news.end({ why: "the shared worker did not start" });
  return worker.port;
}

/**
 * Where there is no SharedWorker, one tab serves the others: whoever holds the lock, for as long as its page lives. What
 * tabs say to each other goes through a BroadcastChannel, with the name of the port that it is from or for.
 */
class Election {
  /** @type {Map<string, Election>} */ static #all = new Map();
  /** @type {Map<string, Port & { news: Attempt, opening?: any, isHeard?: boolean }>} */ #ports = new Map();
  /** The other tabs' ports, if this tab serves them. @type {Map<string, MessagePort>} */ #guests = new Map();
  #serves = false;
  #air;

  /** @param {string} name */
  static of(name) {
    const election = this.#all.get(name) ?? new Election(`fallcast ${name}`);
    this.#all.set(name, election);
    return election;
  }

  /** @param {string} name */
  constructor(name) {
    this.#air = new BroadcastChannel(name);
    this.#air.onmessage = ({ data }) => this.#hear(data);
    navigator.locks.request(name, () => {
      this.#serves = true;
      this.#air.postMessage({ isNew: true });
      for (const port of [...this.#ports.values()]) this.#connect(port);
      return new Promise(() => {});
    });
  }

  /** @param {Attempt} news @returns {Port} */
  open(news) {
    if (this.#serves) {
      const { port1, port2 } = new MessageChannel();
      ownHost.accept(port2);
      return port1;
    }
    const from = randomName();
    /** @type {Port & { news: Attempt, opening?: any }} */
    const port = {
      news,
      onmessage: null,
      postMessage: (message) => {
        port.opening ??= message;
        this.#air.postMessage({ from, message });
      },
      close: () => void this.#ports.delete(from),
    };
    this.#ports.set(from, port);
    return port;
  }

  /** @param {{ from?: string, to?: string, message?: any, isNew?: boolean }} said */
  #hear({ from, to, message, isNew }) {
    const port = this.#ports.get(to ?? "");
    if (port) {
      port.isHeard = true;
      port.onmessage?.(new MessageEvent("message", { data: message }));
    }
    if (isNew) for (const { news } of [...this.#ports.values()]) news.end(TAKEN_OVER);
    else if (from && this.#serves) this.#guest(from, message)?.postMessage(message);
  }

  /** @param {string} name @param {any} message */
  #guest(name, [said]) {
    const known = this.#guests.get(name);
    if (known && said === "bye") this.#guests.delete(name);
    if (known || said !== "open") return known;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => this.#air.postMessage({ to: name, message: data });
    ownHost.accept(port2);
    this.#guests.set(name, port1);
    return port1;
  }

  /** This tab serves, from now on, its own ports too: those that nobody has answered yet. @param {Port & { news: Attempt, opening?: any, isHeard?: boolean }} port */
  #connect(port) {
    if (port.isHeard) return port.news.end(TAKEN_OVER);
    const { port1, port2 } = new MessageChannel();
    ownHost.accept(port2);
    port1.onmessage = (event) => port.onmessage?.(event);
    port.postMessage = (message) => port1.postMessage(message);
    port.postMessage(port.opening);
  }
}

const TAKEN_OVER = { why: "another tab holds the connection now", wait: 0 };

/** Holds the connections that tabs share. */
class Host {
  /** @type {Map<string, SharedChannel>} */ #channels = new Map();

  /** Serves one tab. @param {MessagePort} port */
  accept(port) {
    /** @type {SharedChannel | undefined} */ let channel;
    const tab = new Tab(port);
    port.onmessage = ({ data: [name, body, ref] }) => {
      tab.heardAt = Date.now();
      if (name === "open") channel = this.#channel(body.url, body.options).join(tab, body.after);
      else if (name === "publish") channel?.publish(tab, body, ref);
      else if (name === "bye") channel?.leave(tab);
    };
  }

  /** @param {string} url @param {Options} options */
  #channel(url, options) {
    const name = `${url} ${JSON.stringify(options)}`;
    const found = this.#channels.get(name) ?? new SharedChannel(url, options, () => this.#channels.delete(name));
    this.#channels.set(name, found);
    return found;
  }
}

/** One tab, as its host sees it. */
class Tab {
  heardAt = Date.now();
  /** Whether it gets what is live. Until then it is brought up to date. */
  isLive = false;

  /** @param {MessagePort} port */
  constructor(port) {
    this.port = port;
  }

  /** @param {...any} message */
  tell(...message) {
    this.port.postMessage(message);
  }
}

/** A channel, the tabs that read it, and what they must be told first. */
class SharedChannel {
  /** @type {Set<Tab>} */ #tabs = new Set();
  /** @type {Map<string, any>} */ #members = new Map();
  #channel;
  #target;
  #pulse;
  #closed;

  /** @param {string} url @param {Options} options @param {() => void} closed */
  constructor(url, options, closed) {
    this.#closed = closed;
    this.#channel = new Channel(url, options, (name, body) => this.#pass(name, body));
    this.#target = new Target(new URL(url), { ...options, client: this.#channel.client });
    this.#channel.addEventListener("log", ({ detail }) => this.#tellAll("relay", { entry: { ...detail } }));
    this.#channel.addEventListener("state", () => this.#tellState());
    this.#channel.addEventListener("transport", () => this.#tellState());
    this.#pulse = setTicker(() => this.#beat(), PULSE);
  }

  /** @param {Tab} tab @param {string} after */
  join(tab, after) {
    this.#tabs.add(tab);
    this.#bringUp(tab, after).catch((fault) => tab.tell("end", { why: messageOf(fault) }));
    return this;
  }

  /** @param {Tab} tab */
  leave(tab) {
    tab.isLive = false;
    this.#tabs.delete(tab);
    tab.port.close();
    if (this.#tabs.size > 0) return;
    clearInterval(this.#pulse);
    this.#channel.close();
    this.#closed();
  }

  /** @param {Tab} tab @param {any} publication @param {number} ref */
  publish(tab, { data, options }, ref) {
    this.#channel.publish(data, options).then(
      (answer) => tab.tell("published", answer, ref),
      // Anything but a refusal is left to the tab, which sends it again under the same key.
      ({ problem, message }) => problem && tab.tell("error", { detail: message, ...problem }, ref),
    );
  }

  // ANCHOR: bring_up
  /**
   * Brings a tab from its own position to that of the connection, by polls that never wait. Nothing may happen between
   * the last comparison and `isLive`; what arrives twice, the tab drops.
   *
   * @param {Tab} tab
   * @param {string} after
   */
  async #bringUp(tab, after) {
    tab.tell("hello", { client: this.#channel.client, member: this.#channel.member, heartbeat_ms: PULSE });
    this.#tellState();
    await this.#hasCursor();
    const here = () => /** @type {string} */ (this.#channel.cursor);
    let position = after === "end" ? here() : after;
    while (this.#tabs.has(tab) && !((compareCursors(position, here()) ?? -1) >= 0)) {
      const address = this.#target.subscription("/poll", { after: position, wait: "0", _: randomName() });
      const response = await this.#target.fetch(address, { cache: "no-store" });
      if (!response.ok) return tab.tell("end", await endOfAnswer(response));
      const { cursor, events } = await response.json();
      for (const { hello, ...event } of events) {
        if (hello) tab.tell("heartbeat", { cursor: hello.cursor });
        for (const [name, body] of Object.entries(event)) tab.tell(name, body);
      }
      // The connection is in another epoch yet, and will soon hear of this one.
      if (position === cursor) await new Promise((resolve) => setTimer(() => resolve(null), 100));
      position = cursor;
    }
    tab.tell("heartbeat", { cursor: position });
    tab.isLive = this.#tabs.has(tab);
    if (this.#members.size > 0) tab.tell("presence", { action: "here", members: [...this.#members.values()], count: this.#members.size });
  }
  // ANCHOR_END: bring_up

  /** Waits until the connection knows where it stands. */
  async #hasCursor() {
    while (this.#channel.cursor === null) {
      if (this.#channel.state === "closed") throw new Error(this.#channel.log.at(-1)?.why);
      await new Promise((resolve) => setTimer(() => resolve(null), 50));
    }
  }

  /** @param {string} name @param {any} body */
  #pass(name, body) {
    if (name === "presence") this.#remember(body);
    if (name !== "heartbeat") for (const tab of this.#tabs) if (tab.isLive) tab.tell(name, body);
  }

  /** @param {any} change */
  #remember({ action, members, member, ...rest }) {
    if (action === "here") this.#members = new Map(members.map((/** @type {any} */ one) => [one.member, one]));
    else if (action === "join") this.#members.set(member, { member, as: rest.as, transport: rest.transport });
    else this.#members.delete(member);
  }

  #tellState() {
    const { state, transport, log } = this.#channel;
    if (state === "closed") this.#tellAll("end", { why: log.at(-1)?.why, stop: true });
    else this.#tellAll("relay", { state, transport, why: log.at(-1)?.why });
  }

  /** @param {string} name @param {any} body */
  #tellAll(name, body) {
    for (const tab of this.#tabs) tab.tell(name, body);
  }

  /** Shows the tabs that it lives, and drops those that do not. */
  #beat() {
    this.#tellAll("pulse", null);
    for (const tab of this.#tabs) if (Date.now() - tab.heardAt > TAB_GONE) this.leave(tab);
  }
}

const ownHost = new Host();

// In the worker that tabs share, this file is the program.
const scope = /** @type {any} */ (globalThis);
if (scope.name === "fallcast" && "onconnect" in scope) {
  scope.onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => ownHost.accept(port);
}

// --- small parts -------------------------------------------------------------------------------------------------------

/**
 * Compares positions: how far `a` is behind (< 0) or ahead of (> 0) `b`, or null if they belong to different logs or are
 * no cursors.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number | null}
 */
export function compareCursors(a, b) {
  const [, epochOfA, offsetOfA] = CURSOR.exec(a) ?? [];
  const [, epochOfB, offsetOfB] = CURSOR.exec(b) ?? [];
  const offsets = [Number(offsetOfA), Number(offsetOfB)];
  return epochOfA === epochOfB && offsets.every(Number.isSafeInteger) ? offsets[0] - offsets[1] : null;
}

const CURSOR = /^([A-Za-z0-9-]+)\.(0|[1-9]\d{0,15})$/;

/** The position before a message. @param {string} id */
function cursorBefore(id) {
  const dot = id.lastIndexOf(".");
  return `${id.slice(0, dot)}.${Number(id.slice(dot + 1)) - 1}`;
}

// ANCHOR: backoff
/**
 * How long to wait before try number `tries`, counted from 0: anything up to a bound that doubles ("full jitter"), so that
 * clients that were cut off together do not come back together.
 *
 * @param {number} tries
 * @param {{ base: number, cap: number }} bounds in ms
 * @param {() => number} [random]
 * @returns {number} in ms
 */
export function backoffDelay(tries, { base, cap }, random = Math.random) {
  return random() * Math.min(cap, base * 2 ** Math.min(tries, 30));
}
// ANCHOR_END: backoff

/** Splits a text that comes in pieces into lines that end with a line feed, and leaves out blank ones. */
export class LineParser {
  #rest = "";

  /** @param {string} text @returns {string[]} the lines that are complete */
  feed(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = /** @type {string} */ (lines.pop());
    return lines.filter((line) => line.trim());
  }
}

/** Reads server-sent events (WHATWG HTML §9.2.6) from text that comes in pieces. */
export class EventStreamParser {
  /** The `id` of the last complete block. */
  lastEventId = "";
  /** The last valid `retry`, in ms. @type {number | null} */
  retry = null;

  #rest = "";
  #endedWithReturn = false;
  #event = "";
  #data = "";
  #id = "";

  /** @param {string} text decoded by a `TextDecoder`, which drops the byte order mark @returns {{ event: string, data: string, id: string }[]} */
  feed(text) {
    const events = [];
    // A line feed that belongs to a carriage return may come in the next piece.
    const rest = this.#endedWithReturn && text.startsWith("\n") ? text.slice(1) : text;
    if (text) this.#endedWithReturn = text.endsWith("\r");
    const lines = (this.#rest + rest).split(/\r\n|\r|\n/);
    this.#rest = /** @type {string} */ (lines.pop());
    for (const line of lines) {
      if (line) this.#take(line);
      else events.push(...this.#dispatch());
    }
    return events;
  }

  /** @param {string} line */
  #take(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data += `${value}\n`;
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }

  #dispatch() {
    const event = { event: this.#event || "message", data: this.#data.slice(0, -1), id: this.#id };
    const hasData = this.#data !== "";
    this.lastEventId = this.#id;
    this.#event = this.#data = "";
    return hasData ? [event] : [];
  }
}

/** @param {Message} first that the loop has not taken */
const behind = ({ id }) =>
  `the loop is ${QUEUE_LENGTH} messages behind; read faster, or go on with { after: "${cursorBefore(id)}" }`;

/** Keeps a position over reloads of the page. */
class Memory {
  /** @type {string | undefined} */ cursor;
  /** @type {string | undefined} */ client;
  /** @type {string | null} */ #name;
  #timer = 0;
  /** @type {[string | null, string]} */ #newest = [null, ""];

  /** @param {string | null} name */
  constructor(name) {
    this.#name = name && `fallcast ${name}`;
    try {
      const stored = this.#name && globalThis.sessionStorage?.getItem(this.#name);
      if (stored) ({ cursor: this.cursor, client: this.client } = JSON.parse(stored));
    } catch {
      // Storage may be switched off. Then a reload begins where `after` says.
    }
  }

  /** Not for every message: storing is slow next to receiving. @param {string | null} cursor @param {string} client */
  saveSoon(cursor, client) {
    if (!this.#name) return;
    this.#newest = [cursor, client];
    this.#timer ||= setTimer(() => this.save(...this.#newest), 250);
  }

  /** @param {string | null} cursor @param {string} client */
  save(cursor, client) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#name || !cursor) return;
    try {
      globalThis.sessionStorage?.setItem(this.#name, JSON.stringify({ cursor, client }));
    } catch {
      // As above.
    }
  }
}

/** What may carry a channel, in order of preference. @param {Options} options @returns {Transport[]} */
function preferences({ transports = TRANSPORTS, shared }) {
  const known = Object.keys(openers).filter((name) => name !== "shared");
  const unknown = transports.find((name) => !known.includes(name));
  if (unknown !== undefined || transports.length === 0) {
    throw new TypeError(`transports is a list of ${known.join(", ")}, unlike [${transports}]`);
  }
  return shared && canShare() ? ["shared", ...transports] : transports;
}

/** A name that nobody guesses: 128 bits. Unlike `randomUUID`, `getRandomValues` works on plain HTTP too. */
function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What is undefined leaves the default as it is. @param {Options} options @returns {Options} */
const defined = (options) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** @param {string} base64 */
const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** @param {Uint8Array} bytes */
const base64Of = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** @param {unknown} fault */
const messageOf = (fault) => (fault instanceof Error ? fault.message : String(fault));

/** Timers are numbers in browsers and objects in Node.js; both go back into `clearTimeout`. @param {() => void} run @param {number} ms @returns {number} */
const setTimer = (run, ms) => /** @type {any} */ (setTimeout(run, Math.min(ms, LONGEST_TIMER)));

/** What is longer would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** @param {() => void} run @param {number} ms @returns {number} */
const setTicker = (run, ms) => /** @type {any} */ (setInterval(run, ms));
