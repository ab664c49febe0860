/**
 * One WebSocket that publishes.
 */

import { once } from "node:events";
import WebSocket from "ws";

export class Publisher {
  #socket;
  #framing;

  /**
   * @param {string} framing `websocket`, or `socket.io`
   * @param {string} address without a scheme
   */
  static async connect(framing, address) {
    const socket = new WebSocket(`ws:${address}`, { perMessageDeflate: false });
    if (framing === "socket.io") {
      // Its server speaks first; then the namespace has to be asked for, and to be granted.
      await once(socket, "message");
      socket.send("40");
      await once(socket, "message");
    } else {
      await once(socket, "open");
    }
    return new Publisher(framing, socket);
  }

  /** @param {string} framing @param {WebSocket} socket */
  constructor(framing, socket) {
    this.#framing = framing;
    this.#socket = socket;
  }

  /** @param {string} text */
  publish(text) {
    this.#socket.send(this.#framing === "socket.io" ? `42${JSON.stringify(["m", text])}` : text);
  }

  close() {
    this.#socket.terminate();
  }
}
