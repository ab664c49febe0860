// @ts-check
/**
 * One racer: a subscriber over one transport, and what it got. It needs no page, so that a whole class of racers can be
 * run without browsers, too.
 */

import { connect } from "../../client/fallcast.js";
import { now } from "../frame/clock.js";

/**
 * One message as it arrived.
 *
 * @typedef {{ seq: number, t_plan: number, latency: number }} Arrival `latency` in ms from when it was due until now
 */

export class Racer {
  /** In ms, since counting began. @type {number[]} */ latencies = [];
  repeated = 0;
  /** @type {Set<number>} */ #seen = new Set();
  #first = Infinity;
  #last = 0;
  #countsFrom = Infinity;

  /**
   * @param {URL} url of the channel, over whichever link
   * @param {import("../../client/fallcast.js").Transport} transport
   * @param {import("../../client/fallcast.js").Options} options
   */
  constructor(url, transport, options) {
    this.channel = connect(url, { transports: [transport], ...options });
    this.channel.addEventListener("message", ({ data: { seq, t_plan } }) => {
      const latency = now() - t_plan;
      const counts = performance.now() >= this.#countsFrom;
      if (counts) this.#count(seq, latency);
      this.onArrival({ seq, t_plan, latency }, counts);
    });
  }

  /** Is called for every message, with whether it counts. @type {(arrival: Arrival, counts: boolean) => void} */
  onArrival = () => {};

  /** Forgets all and counts anew, but not before connections have warmed up. @param {number} warmUp in ms */
  countAnew(warmUp) {
    this.latencies = [];
    this.repeated = 0;
    this.#seen.clear();
    this.#first = Infinity;
    this.#last = 0;
    this.#countsFrom = performance.now() + warmUp;
  }

  /** How many are missing between the first and the last that came. */
  get lost() {
    return this.#seen.size === 0 ? 0 : this.#last - this.#first + 1 - this.#seen.size;
  }

  /** @param {number} seq @param {number} latency */
  #count(seq, latency) {
    if (this.#seen.has(seq)) return void this.repeated++;
    this.#seen.add(seq);
    this.#first = Math.min(this.#first, seq);
    this.#last = Math.max(this.#last, seq);
    this.latencies.push(latency);
  }
}
