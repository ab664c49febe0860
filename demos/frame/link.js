// @ts-check
/**
 * The lab: the same server on another port, over links that misbehave on command.
 *
 * Demos let their streams run there for two reasons. A page can break its own link and nobody else's; and the six
 * connections that a browser opens to one host and port are those of the lab, so the page itself never waits for one.
 */

/** The server's base address. This file lives two folders below it, also behind a proxy that adds a prefix. */
export const ROOT = new URL("../..", import.meta.url);

/** A demo can't run here; the message says why, and what to do. */
export class NoLab extends Error {}

/** The link was created by somebody else, who alone may change it. */
export class NotYours extends Error {}

/** Where the lab is. @returns {Promise<URL>} */
export async function findLab() {
  const { port } = await (await reach(new URL("lab", ROOT))).json();
  if (!port) throw new NoLab("This server runs without a lab, and demos need one: start it with --lab-port auto.");
  const origin = new URL("/", ROOT);
  origin.port = port;
  return origin;
}

/**
 * What may be wrong with a link: see the book's chapter about the lab.
 *
 * @typedef {Record<string, any>} Faults
 *
 * What has gone over a link, in one direction, and as one kind of exchange. A packet is a TCP segment with data in it.
 * @typedef {{ bytes: number, packets: number }} Flow
 * @typedef {{ exchanges: number, connections: number, up: Flow, down: Flow }} Traffic
 */

/** Faults after which no end of a connection arrives. */
const SILENT = /"(silence|mute|laptop-sleep|train-tunnel)"/;

/** Resets what is open. Behind a silent line, a browser would wait a minute for the answer to its closing of a WebSocket. */
const RESET_ALL = '{"cut": {"after_ms": 0, "how": "rst", "open_only": true}}';

/** One link: this page's own way to the server, to be broken at will. */
export class Link {
  #address;
  /** @type {string | undefined} */ #secret;
  /** Whether it was given back. */ #isRemoved = false;
  /** Whether something may be open of which no end arrives. */ #wasSilent = false;
  /** Changes take effect in the order in which they were asked for. @type {Promise<unknown>} */ #last = Promise.resolve();

  /**
   * @param {string} name 1 to 60 letters, digits, hyphens and underscores
   * @param {URL} lab where the lab is
   */
  constructor(name, lab) {
    this.name = name;
    this.lab = lab;
    this.#address = new URL(`lab/links/${name}`, ROOT);
    this.#secret = recall(name);
  }

  /**
   * An address that is reached over this link.
   *
   * @param {string} path below the server's base
   * @param {Record<string, string | number | boolean | undefined>} [query]
   */
  url(path, query = {}) {
    const url = new URL(path, this.lab);
    for (const [name, value] of Object.entries({ ...query, link: this.name })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  /**
   * Sets what is wrong with the link, in place of all that was. It acts on open connections as well.
   *
   * @param {Faults} faults nothing, for a healthy link
   */
  suffer(faults) {
    return this.#inTurn(async () => {
      const answer = await this.#ask("PUT", { body: JSON.stringify(faults) });
      const { secret } = await answer.json();
      if (secret) remember(this.name, (this.#secret = secret));
      this.#wasSilent ||= SILENT.test(JSON.stringify(faults));
    });
  }

  /** Heals the link. */
  heal() {
    return this.suffer({});
  }

  /** What has gone over the link so far, by kind of exchange: `websocket`, `sse`, `poll`, `publish`, … @returns {Promise<Record<string, Traffic>>} */
  async traffic() {
    const { traffic } = await (await this.#ask("GET")).json();
    return traffic ?? {};
  }

  /**
   * The same, once nothing has moved for a moment: what has arrived a blink ago may not be counted yet.
   *
   * @param {number} [moment] in ms
   */
  async settledTraffic(moment = 60) {
    for (let before = ""; ; await new Promise((resolve) => setTimeout(resolve, moment))) {
      if (this.#isRemoved) throw new DOMException("The link was given back.", "AbortError");
      const { traffic } = await (await this.#ask("GET")).json();
      if (!traffic) throw new Error("This server's lab counts nothing: it was started with --lab-recording 0.");
      const now = JSON.stringify(traffic);
      if (now === before) return traffic;
      before = now;
    }
  }

  /** Gives the link back. */
  remove() {
    this.#isRemoved = true;
    return this.#inTurn(async () => {
      if (this.#wasSilent) await this.#ask("PUT", { body: RESET_ALL, keepalive: true }).catch(() => {});
      await this.#ask("DELETE", { keepalive: true }).catch(() => {});
    });
  }

  /** Where the link's recording is: `json` for programs, `pcapng` for Wireshark. @param {"json" | "pcapng"} form */
  recording(form) {
    return new URL(`lab/links/${this.name}/recording.${form}`, ROOT);
  }

  /** @template T @param {() => Promise<T>} change @returns {Promise<T>} */
  #inTurn(change) {
    const done = this.#last.then(change);
    this.#last = done.catch(() => {});
    return done;
  }

  /** @param {string} method @param {RequestInit} [more] */
  async #ask(method, more) {
    const headers = this.#secret && method !== "GET" ? { Authorization: `Bearer ${this.#secret}` } : undefined;
    const answer = await reach(this.#address, { method, headers, ...more });
    if (!answer.ok) {
      const { detail } = await answer.json().catch(() => ({}));
      const Kind = answer.status === 403 ? NotYours : Error;
      throw new Kind(detail ?? `${method} ${this.#address.pathname}: ${answer.status}`);
    }
    return answer;
  }
}

/** Asks the server, and says so in words if it is gone. @param {URL} address @param {RequestInit} [request] */
async function reach(address, request) {
  try {
    return await fetch(address, request);
  } catch {
    throw new Error("The server can't be reached. Is it still running?");
  }
}

/** The secret of a link outlives a reload of the page. @param {string} link */
function recall(link) {
  try {
    return sessionStorage.getItem(`link ${link}`) ?? undefined;
  } catch {
    return undefined; // storage may be forbidden
  }
}

/** @param {string} link @param {string} secret */
function remember(link, secret) {
  try {
    sessionStorage.setItem(`link ${link}`, secret);
  } catch {
    // Then the link is this page's as long as it is not reloaded.
  }
}
