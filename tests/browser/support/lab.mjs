/**
 * The lab of a server: links that misbehave on command, with real sockets behind them.
 */

export class Lab {
  /** @param {string} origin where the same server is reached over links */
  constructor(origin) {
    this.origin = origin;
  }

  /**
   * Finds the lab of a server that was started with `--lab-port auto`.
   *
   * @param {import("../../foreign/support/server.mjs").Server} server
   */
  static async of(server) {
    const { port } = await (await fetch(`${server.origin}/lab`)).json();
    const origin = new URL(server.origin);
    origin.port = port;
    return new Lab(origin.origin);
  }

  /**
   * Creates a link that no other test uses.
   *
   * @param {object} [faults] healthy unless they are given
   */
  async link(faults = {}) {
    const link = new Link(this.origin);
    await link.suffer(faults);
    return link;
  }
}

export class Link {
  #name = `link-${crypto.randomUUID()}`;

  /** @param {string} origin of the lab */
  constructor(origin) {
    this.origin = origin;
  }

  /**
   * An address that is reached over this link.
   *
   * @param {string} path
   */
  url(path) {
    const url = new URL(path, this.origin);
    url.searchParams.set("link", this.#name);
    return url;
  }

  /** @param {string} name */
  channel(name) {
    return String(this.url(`/channels/${name}`));
  }

  /**
   * Sets the faults of the link, in place of those it had. They act on what is open, too.
   *
   * @param {object} faults
   */
  async suffer(faults) {
    await this.#control("PUT", JSON.stringify(faults));
  }

  /** Takes all faults away. */
  async heal() {
    await this.#control("DELETE");
  }

  /** What the lab knows of the link: its faults, and how many exchanges it carries and has carried. */
  async look() {
    return (await this.#control("GET")).json();
  }

  /** @param {string} method @param {string} [body] */
  async #control(method, body) {
    const answer = await fetch(`${this.origin}/lab/links/${this.#name}`, { method, body });
    if (!answer.ok) throw new Error(`${method} ${body ?? ""}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}
