// @ts-check
/**
 * One player on one transport: sends where it is, and hears where everybody is, itself included.
 *
 * What to look at: `send`. A WebSocket takes every position at once. A POST must be answered before the next one leaves,
 * and meanwhile a newer position takes the place of the one that waits.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";

/**
 * @typedef {object} Position
 * @property {string} page whose it is
 * @property {number} n counts
 * @property {number} t when it was taken
 * @property {number} x from 0 to 1
 * @property {number} y
 */

export class Player {
  #channel;
  #isWaiting = false;
  /** The newest position that has not been sent. @type {Position | null} */ #next = null;
  /** Positions that never left, since newer ones took their place. */ replaced = 0;
  /** Hears each position that comes, one's own as well. @type {(position: Position, age: number) => void} */
  onPosition = () => {};

  /** @param {import("../../client/fallcast.js").Transport} transport @param {import("../frame/demo.js").Run} run */
  constructor(transport, run) {
    // A channel for each transport, so that nobody is woken by the positions of another one.
    const { link, channel, signal } = run;
    this.#channel = connect(link.url(`channels/${channel}.${transport}`), { transports: [transport], signal });
    this.#channel.addEventListener("state", ({ detail: { state } }) => {
      if (!run.signal.aborted) run.lanes.state(transport, state === "open" ? "open" : "connecting", state);
    });
    this.#channel.addEventListener("message", ({ data }) => {
      if (isPosition(data)) this.onPosition(data, now() - data.t);
    });
  }

  /** @param {Position} position */
  send(position) {
    if (this.#channel.state !== "open") return;
    if (this.#channel.transport === "websocket") return void this.#channel.publish(position).catch(() => {});
    if (this.#next) this.replaced++;
    this.#next = position;
    if (!this.#isWaiting) void this.#sendNext();
  }

  async #sendNext() {
    this.#isWaiting = true;
    while (this.#next) {
      const position = this.#next;
      this.#next = null;
      await this.#channel.publish(position).catch(() => {}); // the demo has been stopped
    }
    this.#isWaiting = false;
  }
}

/** Others may send anything. @param {any} data @returns {data is Position} */
function isPosition(data) {
  return typeof data?.page === "string" && [data.n, data.t, data.x, data.y].every(Number.isFinite);
}
