// @ts-check
/**
 * A sender with a fixed schedule, in a worker of its own, so that a page that is busy drawing does not send late.
 *
 * It sends over a direct WebSocket, not over the link that the demo breaks: what is measured is the way down. Each
 * message says when it was planned (`t_plan`). A message that is late keeps its plan, so that a slow sender or a slow
 * server can't hide by sending less ("coordinated omission").
 */

import { ROOT } from "./link.js";

/**
 * @typedef {object} Schedule
 * @property {number} rate messages a second
 * @property {number} [size] how many bytes of padding each message carries
 * @property {Record<string, unknown>} [more] what else stands in each message
 * @property {boolean} [isIrregular] messages come as if by chance, at this rate on average, and fit no other rhythm
 *
 * @typedef {object} Tally what the sender has done so far
 * @property {number} sent
 * @property {number} acknowledged
 * @property {number} failed refused by the server
 * @property {number} lag by how much a tenth of the messages were late at least, in ms
 */

export class Publisher {
  #worker = new Worker(new URL("publisher-worker.js", import.meta.url), { type: "module" });
  /** @type {Tally} */ tally = { sent: 0, acknowledged: 0, failed: 0, lag: 0 };
  /** Is called with every tally, some times a second. @type {(tally: Tally) => void} */ onTally = () => {};
  /** Is called with the reason when the sender has lost its connection. @type {(why: string) => void} */ onEnd = () => {};

  /**
   * @param {string} channel
   * @param {Schedule} schedule
   */
  constructor(channel, schedule) {
    const url = new URL(`channels/${channel}/ws?format=json&echo=0`, ROOT);
    url.protocol = url.protocol.replace("http", "ws");
    this.#worker.onmessage = ({ data }) => {
      if (data.tally) this.onTally((this.tally = data.tally));
      if (data.end) this.onEnd(data.end);
    };
    this.#worker.postMessage({ connect: String(url), schedule });
  }

  /** Changes the schedule from the next message on. @param {Partial<Schedule>} schedule */
  set(schedule) {
    this.#worker.postMessage({ schedule });
  }

  /** Sends nothing for a while, and leaves out what was planned meanwhile. @param {boolean} pause */
  pause(pause) {
    this.#worker.postMessage({ pause });
  }

  stop() {
    this.#worker.terminate();
  }
}
