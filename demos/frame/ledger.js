// @ts-check
/** What one listener got of numbered messages, and what it did not. */

/** @typedef {{ seq: number, t_plan: number }} Numbered a message, and when it was due by `now()` of clock.js */

export class Ledger {
  received = 0;
  /** The numbers that never came. @type {number[]} */ lost = [];
  /** The newest message that came. @type {Numbered | null} */ last = null;

  /** @param {(message: Numbered, isLost: boolean) => void} onEntry is called for each that came, and each that never will */
  constructor(onEntry) {
    this.onEntry = onEntry;
  }

  /** Messages come in order. So a number that is skipped is lost. @param {Numbered} message */
  take(message) {
    const { last } = this;
    if (last && message.seq <= last.seq) return;
    for (let seq = last ? last.seq + 1 : message.seq; last && seq < message.seq; seq++) {
      // Nobody has said when it was due. The rate was steady.
      const share = (seq - last.seq) / (message.seq - last.seq);
      this.lost.push(seq);
      this.onEntry({ seq, t_plan: last.t_plan + share * (message.t_plan - last.t_plan) }, true);
    }
    this.received++;
    this.last = message;
    this.onEntry(message, false);
  }

  /** How many there were, as far as this listener can know. */
  get seen() {
    return this.received + this.lost.length;
  }

  /** Counts anew from the next message on: what is missing before it was nobody's fault. */
  reset() {
    this.received = 0;
    this.lost = [];
    this.last = null;
  }
}
