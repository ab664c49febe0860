/**
 * The client's half of a network, in memory: a WebSocket, an EventSource and a `fetch` that do what the test says.
 *
 * Whatever a client opens becomes an `Attempt`, with the same verbs for every transport: the test lets it open, be
 * refused, carry events or break off, and sees whether the client has closed it.
 */

/** A request or a connection of the client, as the network sees it. */
class Attempt {
  /** The client has closed it, or given it up. */
  isCancelled = false;
  /** The network or the server has ended it. */
  isOver = false;
  isOpen = false;
  /** How many messages of the log it has carried. Only a server knows; here it is at hand. */
  position = 0;
  /** What runs when it ends, however that happens. @type {() => void} */
  ended = () => {};

  /**
   * @param {string} kind
   * @param {string | URL} url
   */
  constructor(kind, url) {
    this.kind = kind;
    this.url = new URL(url);
    this.query = Object.fromEntries(this.url.searchParams);
    this.at = Date.now();
  }

  get isLive() {
    return this.isOpen && !this.isOver && !this.isCancelled;
  }

  cancel() {
    if (this.isOver || this.isCancelled) return;
    this.isCancelled = true;
    this.ended();
  }

  over() {
    this.isOver = true;
    this.ended();
  }

  /**
   * Carries events, each of which has one member that names it, such as `{ message: { … } }`.
   *
   * @param {object[]} _events
   */
  send(..._events) {
    throw new Error("an attempt that carries nothing");
  }
}

// --- WebSocket --------------------------------------------------------------------------------------------------------

export class SocketAttempt extends Attempt {
  /** What the client has sent, parsed. @type {any[]} */
  commands = [];
  /** @type {number | undefined} the code with which the client has closed it */
  closeCode;

  /** @param {FakeWebSocket} socket @param {string | URL} url */
  constructor(socket, url) {
    super("websocket", url);
    this.socket = socket;
  }

  open() {
    this.isOpen = true;
    this.socket.readyState = 1;
    this.socket.emit(new Event("open"));
  }

  send(...events) {
    for (const event of events) this.socket.emit(new MessageEvent("message", { data: JSON.stringify(event) }));
  }

  /** Refuses the handshake. A script sees no status, only this. */
  refuse() {
    this.socket.emit(new Event("error"));
    this.close(1006, "", false);
  }

  /** @param {number} code @param {string} [reason] */
  close(code, reason = "", wasClean = true) {
    if (this.isOver) return;
    this.over();
    this.socket.readyState = 3;
    this.socket.emit(Object.assign(new Event("close"), { code, reason, wasClean }));
  }

  cut() {
    this.close(1006, "", false);
  }
}

/** Has the interface of a browser's WebSocket, as far as a client uses it. */
class FakeWebSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;

  /** @param {Event} event */
  emit(event) {
    this.dispatchEvent(event);
    this[`on${event.type}`]?.(event);
  }
}

/** @param {(attempt: any) => void} arrive */
export function webSocketClass(arrive) {
  return class extends FakeWebSocket {
    #attempt;

    constructor(url) {
      super();
      this.url = String(url);
      this.#attempt = new SocketAttempt(this, url);
      arrive(this.#attempt);
    }

    send(text) {
      if (this.readyState !== 1) throw new DOMException("the socket is not open", "InvalidStateError");
      const command = JSON.parse(text);
      this.#attempt.commands.push(command);
      this.#attempt.hear?.(command);
    }

    close(code, reason) {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new DOMException("a bad code");
      if (this.readyState >= 2) return;
      const wasOpen = this.readyState === 1;
      this.readyState = 2;
      this.#attempt.closeCode = code;
      this.#attempt.cancel();
      // As in a browser, the event comes later, and a handshake that was given up is a failed one.
      setTimeout(() => wasOpen || this.emit(new Event("error")), 0);
      setTimeout(() => this.#attempt.close(wasOpen ? (code ?? 1005) : 1006, reason, wasOpen), 0);
    }
  };
}

// --- EventSource ------------------------------------------------------------------------------------------------------

export class SourceAttempt extends Attempt {
  /** @param {FakeEventSource} source @param {string | URL} url */
  constructor(source, url) {
    super("sse", url);
    this.source = source;
  }

  open() {
    this.isOpen = true;
    this.source.readyState = 1;
    this.source.emit(new Event("open"));
  }

  send(...events) {
    for (const event of events) {
      const [[name, body]] = Object.entries(event);
      const lastEventId = body.id ?? (name === "hello" ? body.cursor : body.resume) ?? "";
      if (!this.isCancelled) this.source.emit(new MessageEvent(name, { data: JSON.stringify(body), lastEventId }));
    }
  }

  /** Answers with a status, after which a browser never tries again (HTML §9.2.2). */
  refuse() {
    this.#fail(2);
  }

  /** Breaks off, after which a browser would connect anew by itself. */
  cut() {
    this.#fail(0);
  }

  end() {
    this.cut();
  }

  /** @param {number} readyState */
  #fail(readyState) {
    if (this.isOver || this.isCancelled) return;
    this.over();
    this.source.readyState = readyState;
    this.source.emit(new Event("error"));
  }
}

/** Has the interface of a browser's EventSource, as far as a client uses it. */
class FakeEventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  readyState = 0;
  onopen = null;
  onmessage = null;
  onerror = null;

  /** @param {Event} event */
  emit(event) {
    this.dispatchEvent(event);
    this[`on${event.type}`]?.(event);
  }
}

/** @param {(attempt: any) => void} arrive */
export function eventSourceClass(arrive) {
  return class extends FakeEventSource {
    #attempt;

    constructor(url) {
      super();
      this.url = String(url);
      this.#attempt = new SourceAttempt(this, url);
      arrive(this.#attempt);
    }

    close() {
      this.readyState = 2;
      this.#attempt.cancel();
    }
  };
}

// --- fetch ------------------------------------------------------------------------------------------------------------

/** A request that waits for its answer. */
class RequestAttempt extends Attempt {
  /** Ends listening to the caller's signal, once it cannot matter any more. */
  #deaf = new AbortController();

  /**
   * @param {string} kind
   * @param {string | URL} url
   * @param {RequestInit} init
   */
  constructor(kind, url, init) {
    super(kind, url);
    this.headers = new Headers(init.headers);
    this.body = init.body;
    this.init = init;
    this.answered = new Promise((resolve, reject) => {
      this.respond = resolve;
      this.fail = reject;
    });
    const signal = this.#deaf.signal;
    init.signal?.addEventListener("abort", () => this.#aborted(/** @type {AbortSignal} */ (init.signal)), { signal });
  }

  over() {
    this.#deaf.abort();
    super.over();
  }

  /** @param {number} status @param {any} body @param {Record<string, string>} [headers] */
  answer(status, body, headers = {}) {
    if (this.isOver || this.isCancelled) return;
    this.isOpen = true;
    this.over();
    this.respond(new Response(body, { status, headers }));
  }

  /** @param {number} status @param {any} value @param {Record<string, string>} [headers] */
  answerJson(status, value, headers = {}) {
    this.answer(status, JSON.stringify(value), { "Content-Type": "application/json", ...headers });
  }

  /**
   * Refuses with a status: as the server does, with a problem document, or as somebody on the way does, without.
   *
   * @param {number} status
   * @param {{ problem?: object | null, headers?: Record<string, string> }} [more]
   */
  refuse(status = 503, { problem = null, headers = {} } = {}) {
    const document = problem && { type: "about:blank", title: "Refused", status, detail: "as the test says", ...problem };
    const type = problem ? "application/problem+json" : "text/html";
    this.answer(status, document ? JSON.stringify(document) : "<h1>no</h1>", { "Content-Type": type, ...headers });
  }

  /** Breaks off before there is an answer. `fetch` says no more than this. */
  cut() {
    if (this.isOver || this.isCancelled) return;
    this.over();
    this.fail(new TypeError("fetch failed"));
  }

  /** @param {AbortSignal} signal */
  #aborted(signal) {
    this.cancel();
    this.fail(signal.reason);
  }
}

/** A response that does not end: server-sent events or lines of JSON. */
class StreamAttempt extends RequestAttempt {
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  #pipe;
  #encode;

  /** @param {string} kind @param {string | URL} url @param {RequestInit} init */
  constructor(kind, url, init) {
    super(kind, url, init);
    this.#encode = kind === "sse" ? asBlock : asLine;
  }

  open() {
    this.isOpen = true;
    const body = new ReadableStream({ start: (pipe) => void (this.#pipe = pipe), cancel: () => this.cancel() });
    const type = this.kind === "sse" ? "text/event-stream" : "application/x-ndjson";
    this.respond(new Response(body, { headers: { "Content-Type": type } }));
    this.init.signal?.addEventListener("abort", () => !this.isOver && this.#pipe.error(this.init.signal?.reason));
  }

  send(...events) {
    for (const event of events) this.sendText(this.#encode(event));
  }

  /** @param {string} text */
  sendText(text) {
    if (this.isLive) this.#pipe.enqueue(new TextEncoder().encode(text));
  }

  cut() {
    if (!this.isOpen) return super.cut();
    if (!this.isLive) return;
    this.over();
    this.#pipe.error(new TypeError("terminated"));
  }

  end() {
    if (!this.isLive) return;
    this.over();
    this.#pipe.close();
  }
}

/** @param {object} event */
function asBlock(event) {
  const [[name, body]] = Object.entries(event);
  const id = body.id ?? (name === "hello" ? body.cursor : body.resume);
  return `${name === "hello" ? "retry: 1000\n" : ""}event: ${name}\n${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(body)}\n\n`;
}

/** @param {object} event */
function asLine(event) {
  return `${JSON.stringify(event)}\n`;
}

/** A poll: one request, one answer with a list of events. */
class PollAttempt extends RequestAttempt {
  open() {
    this.isOpen = true;
  }
}

/** @param {(attempt: any) => void} arrive */
export function fetchFunction(arrive) {
  return async (url, init = {}) => {
    init.signal?.throwIfAborted();
    const attempt = attemptOf(new URL(url), init);
    arrive(attempt);
    return attempt.answered;
  };
}

/** @param {URL} url @param {RequestInit} init */
function attemptOf(url, init) {
  const path = url.pathname.split("/").at(-1);
  if (init.method === "POST") return new RequestAttempt(path === "leave" ? "leave" : "publish", url, init);
  if (path === "poll") return new PollAttempt("long-poll", url, init);
  return new StreamAttempt(/** @type {string} */ (path), url, init);
}
