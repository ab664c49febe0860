/**
 * A bad line between client and server: it passes bytes on, and cuts each connection after a while.
 *
 * It counts bytes, not messages, so a cut falls anywhere: in the middle of an event, a line or a character.
 */

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Relay {
  /** How many connections were cut so far. */
  cuts = 0;

  #lines = createServer((client) => this.#join(client));
  #target;
  #cutAfter;

  /**
   * @param {{ port: string }} target
   * @param {{ cutAfter: number }} limit how many bytes of the server pass on one connection
   */
  static async start(target, { cutAfter }) {
    const relay = new Relay(target, cutAfter);
    relay.#lines.listen(0, "127.0.0.1");
    await once(relay.#lines, "listening");
    return relay;
  }

  /**
   * @param {{ port: string }} target
   * @param {number} cutAfter
   */
  constructor(target, cutAfter) {
    this.#target = target;
    this.#cutAfter = cutAfter;
  }

  get origin() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#lines.address());
    return `http://127.0.0.1:${port}`;
  }

  /** Takes no more connections. */
  stop() {
    this.#lines.close();
  }

  /** @param {import("node:net").Socket} client */
  #join(client) {
    const server = connect(Number(this.#target.port), "127.0.0.1");
    const cut = () => {
      client.destroy();
      server.destroy();
    };
    let left = this.#cutAfter;
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => {
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left > 0) return;
      this.cuts += 1;
      client.end(cut);
    });
    for (const end of [client, server]) end.on("close", cut).on("error", cut);
  }
}
