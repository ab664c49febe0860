/**
 * Publishes numbers to a channel of a server, over a healthy line: 1, 2, 3 and so on.
 */

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { WebSocket } from "ws";

export class Publisher {
  /** How many numbers have been published. */
  count = 0;

  #socket;
  #sent = 0;

  /**
   * @param {import("node:test").TestContext} test whose end is the end of the publisher
   * @param {import("../../foreign/support/server.mjs").Server} server
   * @param {string} channel
   */
  static async open(test, server, channel) {
    const socket = new WebSocket(`${server.channel(channel).replace("http", "ws")}/ws?format=json`);
    test.after(() => socket.terminate());
    await once(socket, "open");
    return new Publisher(socket);
  }

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const { published, error } = JSON.parse(String(data));
      if (error) throw new Error(error.detail);
      if (published) this.count += 1;
    });
  }

  /**
   * Publishes the next numbers, about one in a millisecond, and waits until the server has all of them.
   *
   * @param {number} count
   * @param {{ atOnce?: number, padding?: string }} [how] how many in a millisecond, and what makes each of them larger
   */
  async publish(count, { atOnce = 1, padding } = {}) {
    const last = this.#sent + count;
    while (this.#sent < last) {
      const number = ++this.#sent;
      const data = padding ? { number, padding } : number;
      this.#socket.send(JSON.stringify({ publish: { data }, ref: number }));
      if (number % atOnce === 0) await sleep(1);
    }
    while (this.count < last) await once(this.#socket, "message");
  }
}

/** The numbers from one to another. @param {number} first @param {number} last */
export function numbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
