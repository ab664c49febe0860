// @ts-check
/**
 * Binary: one picture, cut into tiles of bytes, over three lines of the same bandwidth.
 *
 * What to look at: `listeners`. A WebSocket hands over bytes. An event stream and a poll hand over text, and the page has
 * to make bytes of it: see how much larger it was on the way, and what making bytes of it takes.
 */

import { below, hangUp } from "../frame/bare.js";
import { Demo, find, TRANSPORTS } from "../frame/demo.js";
import { inBytes } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { cut, draw, fromBase64, paint, read } from "./tiles.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("../frame/link.js").Traffic} Traffic */
/** What a listener is given: bytes, or base64. @typedef {(tile: Uint8Array | string) => void} OnTile */

/** In the lab's counters, a kind of exchange for each transport. @type {Record<string, string>} */
const KINDS = { websocket: "websocket", sse: "sse", "long-poll": "poll" };

/** Decoding is timed over at least so many ms, since the clock has steps. */
const DECODING = 40;

/** How often the next tiles are published, in ms. */
const STEP = 50;

/**
 * How each transport hands over a message of bytes.
 *
 * @type {Record<string, (channel: URL, signal: AbortSignal, onTile: OnTile, onEnd: (why: string) => void) => Promise<unknown>>}
 */
const listeners = {
  websocket: (channel, signal, onTile, onEnd) => {
    const socket = new WebSocket(below(channel, "ws", { format: "raw" }));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => onTile(new Uint8Array(data));
    socket.onclose = ({ code }) => onEnd(`The WebSocket is closed (${code}).`);
    signal.addEventListener("abort", () => hangUp(socket));
    return new Promise((resolve) => (socket.onopen = resolve));
  },

  sse: (channel, signal, onTile) => {
    const source = new EventSource(below(channel, "sse", { format: "raw" }));
    source.addEventListener("binary", ({ data }) => onTile(data));
    signal.addEventListener("abort", () => source.close());
    return new Promise((resolve) => source.addEventListener("hello", resolve));
  },

  "long-poll": async (channel, signal, onTile, onEnd) => {
    const poll = async (/** @type {Record<string, string>} */ query) => {
      const answer = await fetch(below(channel, "poll", query), { signal });
      return answer.json();
    };
    let { cursor } = await poll({});
    const goOn = async () => {
      while (!signal.aborted) {
        const batch = await poll({ after: cursor });
        cursor = batch.cursor;
        for (const { message } of batch.events) if (message) onTile(message.data);
      }
    };
    goOn().catch((error) => onEnd(`Polling has failed: ${error.message}.`));
  },
};

/** The picture as it comes over one transport. */
class Wall {
  /** The tiles as they came, for timing how long decoding takes. @type {(Uint8Array | string)[]} */ raw = [];
  /** @type {Set<number>} */ #seen = new Set();
  #canvas;
  #output;
  #began = 0;
  #picture = 0;
  #whole = Infinity;
  /** How long the whole picture took, in ms. @type {number | null} */ took = null;
  onWhole = () => {};

  /** @param {string} transport */
  constructor(transport) {
    const figure = find(`[data-wall="${transport}"]`, HTMLElement);
    this.#canvas = /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas"));
    this.#output = /** @type {HTMLElement} */ (figure.querySelector("output"));
  }

  /** @param {number} picture its number @param {number} tiles how many it has */
  begin(picture, tiles) {
    this.#canvas.getContext("2d")?.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#seen.clear();
    this.raw = [];
    this.took = null;
    [this.#picture, this.#whole, this.#began] = [picture, tiles, performance.now()];
  }

  /** @param {Uint8Array | string} raw */
  add(raw) {
    const tile = read(typeof raw === "string" ? fromBase64(raw) : raw);
    if (tile.picture !== (this.#picture & 0xff)) return; // of a picture that was given up
    draw(this.#canvas, tile);
    this.#seen.add(tile.index);
    this.raw.push(raw);
    const time = performance.now() - this.#began;
    this.#output.textContent = `${(time / 1_000).toFixed(1)} s`;
    if (this.#seen.size < this.#whole || this.took !== null) return;
    this.took = time;
    this.#output.textContent += " ✓";
    this.onWhole();
  }

  get size() {
    return this.#seen.size;
  }
}

/** @type {Record<string, Wall>} */
const walls = Object.fromEntries(TRANSPORTS.map(({ key }) => [key, new Wall(key)]));
const again = find("button.again", HTMLButtonElement);
/** The run, once all three listen. @type {Run | null} */ let running = null;
/** Counts the pictures. One that is newer ends the work on those before. */
let picture = 0;

again.addEventListener("click", () => void (running && show(running)));

new Demo({ name: "binary", seconds: 10 })
  .knob("bandwidth", (kilobytes, run) => {
    void show(run);
    return run.link.suffer({ bandwidth: { down: 1_000 * kilobytes } });
  })
  .knob("edge", (_, run) => void show(run))
  .start(async (run) => {
    run.signal.addEventListener("abort", () => {
      running = null;
      again.disabled = true;
    });
    await Promise.all(TRANSPORTS.map(({ key }) => open(run, key)));
    running = run;
    await show(run);
  });

/** @param {Run} run @param {string} transport */
async function open(run, transport) {
  const onTile = (/** @type {Uint8Array | string} */ tile) => {
    if (run.signal.aborted) return;
    walls[transport].add(tile);
    run.lanes.mark(transport);
  };
  const onEnd = (/** @type {string} */ why) => {
    if (run.signal.aborted) return;
    run.lanes.state(transport, "refused", "lost");
    run.say(why);
  };
  run.lanes.state(transport, "connecting");
  await listeners[transport](run.link.url(`channels/${run.channel}`), run.signal, onTile, onEnd);
  run.lanes.state(transport, "open");
}

/** Sends one picture, and says what it cost when all three have it. @param {Run} run */
async function show(run) {
  if (running !== run) return; // a knob that was turned before all listen
  const own = ++picture;
  try {
    const { width, height } = find(".walls canvas", HTMLCanvasElement);
    const tiles = cut(paint(width, height, own), Number(run.value("edge")), own);
    const before = await run.link.settledTraffic();
    if (own !== picture) return;
    const whole = TRANSPORTS.map(({ key }) => new Promise((resolve) => (walls[key].onWhole = () => resolve(key))));
    for (const { key } of TRANSPORTS) walls[key].begin(own, tiles.length);
    await publish(run, tiles, own);
    await Promise.all(whole);
    if (own === picture && !run.signal.aborted) report(run, tiles, before, await run.link.settledTraffic());
  } catch (error) {
    run.fail(error);
  }
}

/**
 * Publishes the tiles as fast as the lines could carry them if there were nothing but tiles. Who needs more bytes for
 * them falls behind.
 *
 * @param {Run} run
 * @param {Uint8Array<ArrayBuffer>[]} tiles
 * @param {number} own
 */
async function publish(run, tiles, own) {
  const address = run.direct(`channels/${run.channel}`);
  const pace = run.value("bandwidth") / tiles[0].length; // kB/s are bytes a ms
  const began = performance.now();
  for (let next = 0; next < tiles.length; await run.wait(STEP)) {
    const due = Math.min(tiles.length, 1 + Math.floor((performance.now() - began) * pace));
    const post = (/** @type {BodyInit} */ body) => fetch(address, { method: "POST", body, headers: BYTES, signal: run.signal });
    const posts = tiles.slice(next, due).map(post);
    for (const answer of await Promise.all(posts)) if (!answer.ok) throw new Error(`the server refused a tile: ${answer.status}`);
    if (own !== picture) return;
    next = due;
  }
}

const BYTES = { "Content-Type": "application/octet-stream" };

/** @param {Run} run @param {Uint8Array[]} tiles @param {Record<string, Traffic>} before @param {Record<string, Traffic>} after */
function report(run, tiles, before, after) {
  const bytes = tiles.reduce((sum, tile) => sum + tile.length, 0);
  const [edge, bandwidth] = [Number(run.value("edge")), run.value("bandwidth")];
  const wire = Object.fromEntries(TRANSPORTS.map(({ key }) => [key, since(before[KINDS[key]], after[KINDS[key]])]));
  for (const { key } of TRANSPORTS) {
    const decoding = timeDecoding(walls[key].raw);
    run.lanes.number(key, inBytes(wire[key].bytes), `moved, N = ${tiles.length} tiles`);
    showRow(key, tiles.length, bytes, wire[key], decoding);
    const { bytes: wire_bytes, requests } = wire[key];
    const sample = { transport: key, picture, edge, bandwidth, tiles: tiles.length, bytes, wire_bytes, requests };
    run.samples.add({ ...sample, took_ms: walls[key].took, decoding_us: decoding });
  }
  const more = 100 * (wire.sse.bytes / wire.websocket.bytes - 1);
  const slower = (/** @type {number} */ (walls.sse.took) - /** @type {number} */ (walls.websocket.took)) / 1_000;
  const sent = `${tiles.length} tiles of ${inBytes(tiles[0].length)}`;
  const text = `Server-sent events needed ${more.toFixed(0)} % more bytes for ${sent}`;
  const whole = slower > 0 ? `${text}, and the picture was whole ${slower.toFixed(1)} s later.` : `${text}.`;
  if (run.isAsBet("edge")) run.reveal(more, whole);
  else run.tell(whole);
  again.disabled = false;
}

/** @param {Traffic} before @param {Traffic} after */
function since(before, after) {
  return {
    bytes: after.up.bytes + after.down.bytes - before.up.bytes - before.down.bytes,
    requests: after.exchanges - before.exchanges,
  };
}

/** How long one tile takes to become bytes, on average, in µs: 0 if it came as bytes. @param {(Uint8Array | string)[]} raw */
function timeDecoding(raw) {
  const texts = raw.filter((tile) => typeof tile === "string");
  if (texts.length === 0) return 0;
  const began = performance.now();
  let rounds = 0;
  for (; performance.now() - began < DECODING; rounds++) texts.forEach(fromBase64);
  return (1_000 * (performance.now() - began)) / (rounds * texts.length);
}

/**
 * @param {string} transport
 * @param {number} tiles
 * @param {number} bytes
 * @param {{ bytes: number, requests: number }} wire
 * @param {number} decoding
 */
function showRow(transport, tiles, bytes, wire, decoding) {
  const cells = [
    String(tiles),
    inBytes(bytes),
    inBytes(wire.bytes),
    `${(100 * (wire.bytes / bytes - 1)).toFixed(1)} %`,
    String(wire.requests),
    decoding === 0 ? "none" : `${decoding.toFixed(0)} µs`,
  ];
  fillRow(transport, cells);
}
