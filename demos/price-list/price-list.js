// @ts-check
/**
 * The price list: the same messages over each transport, and what the lab counted at the socket.
 *
 * What to look at: nothing here is timed. The next lists are sent when all three transports have delivered the last ones,
 * so the bytes are the same on a slow machine.
 */

import { listen } from "../frame/bare.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { Chart } from "../frame/plot.js";
import { inBytes } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("../frame/link.js").Traffic} Traffic */
/**
 * What so many lists cost over one transport.
 *
 * @typedef {object} Bill
 * @property {number} lists
 * @property {number} bytes in both directions
 * @property {number} up
 * @property {number} down
 * @property {number} packets that the bytes need at least, in both directions
 * @property {number} requests
 * @property {number} connections new ones
 */

/** How many lists make a bill. */
const LISTS = 50;

/** The sizes of the curve, in bytes, and how many lists are sent of each. */
const SIZES = [10, 42, 200, 1_000, 4_000, 16_000, 64_000];
const LISTS_A_SIZE = 8;

/** Time for the eye between two batches of the bill, in ms. */
const MOMENT = 60;

/** In the lab's counters, a kind of exchange for each transport. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "sse", "long-poll": "poll" };

const chart = new Chart(find("#sizes", HTMLElement), {
  title: "Bytes, compared with WebSocket",
  x: "bytes of one list",
  y: "times as many",
}, { xaxis: { type: "log", range: [0.8, 5], dtick: 1 }, yaxis: { type: "log", range: [-0.35, 2.35], dtick: 1 } });

find("#picture", HTMLButtonElement).addEventListener("click", () => void chart.save("fallcast-price-list"));

/** Sends lists to all three transports, and knows who has got which. */
class Counter {
  /** How many lists each transport has delivered. @type {Record<string, number>} */ #got = {};
  #published = 0;
  /** Is called at each arrival. */ #arrived = () => {};
  #address;

  /** @param {Run} run */
  constructor(run) {
    this.run = run;
    this.#address = run.direct(`channels/${run.channel}`);
    run.signal.addEventListener("abort", () => this.#arrived());
  }

  /** Opens the three. What that costs is not on the bill: it is paid once, and not for each message. */
  async open() {
    const doors = TRANSPORTS.map(({ key }) => {
      this.#got[key] = 0;
      return listen(key, this.run.link.url(`channels/${this.run.channel}`), {
        signal: this.run.signal,
        onState: (phase, words) => this.run.signal.aborted || this.run.lanes.state(key, phase, words),
        onMessage: () => {
          this.#got[key]++;
          this.run.lanes.mark(key);
          this.#arrived();
        },
      }).opened;
    });
    await Promise.all(doors);
  }

  /** Publishes lists of so many bytes at once, and waits until all have got them. @param {number} count @param {number} size */
  async send(count, size) {
    const list = JSON.stringify("9".repeat(size - 2)); // the quotes are the other two
    const sent = Array.from({ length: count }, () => fetch(this.#address, { method: "POST", body: list, headers: JSON_TYPE }));
    this.#published += count;
    for (const answer of await Promise.all(sent)) if (!answer.ok) throw new Error(`the server refused a list: ${answer.status}`);
    while (TRANSPORTS.some(({ key }) => this.#got[key] < this.#published)) {
      if (this.run.signal.aborted) throw new DOMException("The demo was stopped.", "AbortError");
      await new Promise((resolve) => (this.#arrived = () => resolve(undefined)));
    }
  }
}

const JSON_TYPE = { "Content-Type": "application/json" };

/** Counts which run: a knob that is turned begins a new bill. */
let edition = 0;
/** @type {Promise<unknown>} */ let working = Promise.resolve();
/** @type {Counter | null} */ let counter = null;

new Demo({ name: "price-list", seconds: 10, isTimed: false, prepare: () => chart.prepare() })
  .knob("size", (_, run) => begin(run))
  .knob("batch", (_, run) => begin(run))
  .start(async (run) => {
    counter = new Counter(run);
    await counter.open();
    await begin(run);
    await inTurn(() => counter?.run === run && drawCurve(run, counter));
    run.signal.throwIfAborted();
    run.say("All is counted. Choose another length, or send many lists at once.");
  });

/** Counts anew, when what is under way has noticed. @param {Run} run */
function begin(run) {
  const own = ++edition;
  return inTurn(() => counter?.run === run && own === edition && countLists(run, counter, own));
}

/** One thing is counted after the other, or their bytes would be mixed. @param {() => unknown} work */
function inTurn(work) {
  const turn = working.then(work);
  working = turn.catch(() => {});
  return turn;
}

/**
 * Sends the list as often as is billed, and shows the bill as it grows.
 *
 * @param {Run} run
 * @param {Counter} counter
 * @param {number} own
 */
async function countLists(run, counter, own) {
  const [size, batch] = [Number(run.value("size")), run.value("batch")];
  const before = await run.link.settledTraffic();
  for (let lists = 0; lists < LISTS; ) {
    await counter.send(Math.min(batch, LISTS - lists), size);
    lists = Math.min(LISTS, lists + batch);
    present(run, before, await run.link.traffic(), lists, size);
    await run.wait(MOMENT);
    if (own !== edition) return;
  }
  const bills = present(run, before, await run.link.settledTraffic(), LISTS, size);
  for (const [transport, bill] of bills) run.samples.add({ transport, size, batch, ...bill });
  reveal(run, bills, size, batch);
}

/**
 * @param {Run} run
 * @param {Record<string, Traffic>} before
 * @param {Record<string, Traffic>} after
 * @param {number} lists
 * @param {number} size
 */
function present(run, before, after, lists, size) {
  const bills = new Map(TRANSPORTS.map(({ key }) => [key, billOf(before[KINDS[key]], after[KINDS[key]], lists)]));
  const most = Math.max(...[...bills.values()].map(({ bytes }) => bytes));
  for (const [transport, bill] of bills) {
    showBar(transport, bill, size, most);
    showRow(transport, bill);
    run.lanes.number(transport, inBytes(bill.bytes / lists), `a list, N = ${lists}`);
  }
  return bills;
}

/**
 * What lies between two looks at the lab's counters.
 *
 * @param {Traffic} before
 * @param {Traffic} after
 * @param {number} lists
 * @returns {Bill}
 */
function billOf(before, after, lists) {
  const up = after.up.bytes - before.up.bytes;
  const down = after.down.bytes - before.down.bytes;
  return {
    lists,
    bytes: up + down,
    up,
    down,
    packets: after.up.packets + after.down.packets - before.up.packets - before.down.packets,
    requests: after.exchanges - before.exchanges,
    connections: after.connections - before.connections,
  };
}

/** @param {string} transport @param {Bill} bill @param {number} size @param {number} most */
function showBar(transport, { lists, bytes }, size, most) {
  const element = find(`[data-bill="${transport}"]`, HTMLElement);
  const shares = { ".bytes .list": (lists * size) / most, ".bytes .around": (bytes - lists * size) / most };
  for (const [part, share] of Object.entries(shares)) {
    /** @type {HTMLElement} */ (element.querySelector(part)).style.setProperty("--share", String(share));
  }
  const total = document.createElement("b");
  total.textContent = inBytes(bytes);
  element.querySelector("p")?.replaceChildren(total, ` for ${lists} lists of ${inBytes(size)}`);
}

/** @param {string} transport @param {Bill} bill */
function showRow(transport, { lists, bytes, up, down, packets, requests, connections }) {
  const cells = [
    String(lists),
    inBytes(bytes / lists),
    inBytes(up / lists),
    inBytes(down / lists),
    (packets / lists).toFixed(1),
    String(requests),
    String(connections),
  ];
  fillRow(transport, cells);
}

/** @param {Run} run @param {Map<string, Bill>} bills @param {number} size @param {number} batch */
function reveal(run, bills, size, batch) {
  const [socket, poll] = [bills.get("websocket"), bills.get("long-poll")];
  if (!socket || !poll) return;
  const ratio = poll.bytes / socket.bytes;
  const connections = poll.connections === 0 ? "no new connection" : `${poll.connections} new connections`;
  const sent = batch === 1 ? "" : `, ${batch} at once`;
  const lists = `${LISTS} lists of ${inBytes(size)}${sent}`;
  const text = `Long-polling moved ${ratio.toPrecision(3)} times the bytes of WebSocket for ${lists}.`;
  const whole = `${text} Its ${poll.requests} requests needed ${connections}.`;
  if (run.isAsBet("size", "batch")) run.reveal(ratio, whole);
  else run.tell(whole);
}

/** One point after the other, from small lists to large ones. @param {Run} run @param {Counter} counter */
async function drawCurve(run, counter) {
  /** @type {{ size: number, "long-poll": number, sse: number }[]} */ const points = [];
  for (const size of SIZES) {
    const before = await run.link.settledTraffic();
    for (let list = 0; list < LISTS_A_SIZE; list++) await counter.send(1, size);
    const after = await run.link.settledTraffic();
    const bills = TRANSPORTS.map(({ key }) => billOf(before[KINDS[key]], after[KINDS[key]], LISTS_A_SIZE));
    TRANSPORTS.forEach(({ key }, index) => run.samples.add({ transport: key, size, batch: 1, ...bills[index] }));
    const [socket, sse, poll] = bills.map(({ bytes }) => bytes);
    points.push({ size, sse: sse / socket, "long-poll": poll / socket });
    await chart.draw((colors) => ["long-poll", "sse"].map((key) => curve(key, points, colors[key])));
  }
}

/** @param {string} key @param {any[]} points @param {string} color */
function curve(key, points, color) {
  return {
    name: TRANSPORTS.find((transport) => transport.key === key)?.title,
    x: points.map(({ size }) => size),
    y: points.map((point) => point[key]),
    text: points.map((point) => `${point[key].toFixed(point[key] < 10 ? 2 : 0)}×`),
    mode: "lines+markers+text",
    textposition: key === "sse" ? "bottom center" : "top center",
    cliponaxis: false,
    line: { color, width: 4 },
    marker: { size: 10, color },
  };
}
