/**
 * A channel of the client in a page, and a record of all that it tells. Every page of a test has this script from its
 * first moment on.
 *
 * The record proves by the cursors alone that nothing is lost or repeated: offsets are dense, so each message is the
 * one after the message before it, unless a gap says where it goes on.
 */

/** No test waits for anything this long: the test that does is told what the client had decided by then. */
const IN_VAIN = 75_000;

// Every random wait is half of what it could be.
Math.random = () => 0.5;

class Subscriber {
  /** @type {[string, any][]} the cursor and the data of each message */
  heard = [];
  gaps = [];
  states = [];
  transports = [];
  goodbyes = [];
  /** What must not be: holes and repetitions. @type {string[]} */
  faults = [];

  /** The position that the record itself proves. @type {string | null} */
  #position = null;
  #watchers = new Set();

  constructor(channel) {
    this.channel = channel;
    const on = (type, note) =>
      channel.addEventListener(type, (event) => {
        note(event);
        for (const look of [...this.#watchers]) look();
      });
    on("message", ({ lastEventId, data }) => this.#hear(lastEventId, data));
    on("gap", ({ detail }) => this.#fallInto(detail));
    on("state", ({ detail }) => this.states.push(detail.state));
    on("transport", ({ detail }) => detail.transport && this.transports.push(detail.transport));
    on("goodbye", ({ detail }) => this.goodbyes.push(detail.reason));
    on("log", () => {});
  }

  /** The decision log as `transport what`. */
  get decisions() {
    return this.channel.log.map(({ transport, what }) => (transport ? `${transport} ${what}` : what));
  }

  /** Waits until something is true, and looks whenever the channel tells anything. */
  async until(description, isTrue) {
    let look;
    const isReached = new Promise((resolve) => (look = () => isTrue(this) && resolve("reached")));
    this.#watchers.add(look);
    look();
    const outcome = await Promise.race([isReached, new Promise((resolve) => setTimeout(resolve, IN_VAIN, "in vain"))]);
    this.#watchers.delete(look);
    if (outcome === "in vain") throw new Error(`waited in vain for ${description}, after ${this}`);
  }

  toString() {
    const { heard, gaps, channel } = this;
    return [`${heard.length} messages and ${gaps.length} gaps, being ${channel.state}:`, ...channel.log].join("\n  ");
  }

  #hear(id, data) {
    const [epoch, offset] = id.split(".");
    const expected = this.#position === null ? id : successor(this.#position);
    if (id !== expected) this.faults.push(`${epoch}.${offset} came in place of ${expected}`);
    this.#position = id;
    this.heard.push([id, data]);
  }

  #fallInto(gap) {
    if (this.#position !== null && gap.after !== this.#position) {
      this.faults.push(`a gap begins at ${gap.after}, and ${this.#position} has been heard`);
    }
    this.#position = gap.resume;
    this.gaps.push(gap);
  }
}

function successor(cursor) {
  const [epoch, offset] = cursor.split(".");
  return `${epoch}.${Number(offset) + 1}`;
}

/** Subscribes this page. Nothing can happen between `connect` and the first listener, for both are in one task. */
globalThis.subscribe = async (url, options) => {
  const { connect } = await import("/client/fallcast.js");
  globalThis.subscriber = new Subscriber(connect(url, options));
};
