// @ts-check
/**
 * The game: one dot, and its ghost over each transport, while the line stalls now and then.
 *
 * What to look at: every position goes up and comes down over the same transport (player.js), as it would to the other
 * player. A mark in the lanes is a position that came, as high as it was old.
 */

import { now } from "../frame/clock.js";
import { Demo, find, randomName, TRANSPORTS } from "../frame/demo.js";
import { inMs, quantile, summarize } from "../frame/statistics.js";
import { fillRow } from "../frame/table.js";
import { distance, Dot, drawField } from "./field.js";
import { Player } from "./player.js";

/** @typedef {import("../frame/demo.js").Run} Run */
/** @typedef {import("./field.js").Place} Place @typedef {import("./player.js").Position} Position */

/** The line when it is well: no place on the network is nearer than that, in ms each way. */
const HEALTHY = { latency_ms: 10 };
/** When it stalls, next to nothing passes: one byte a second. */
const STALLED = { latency_ms: 10, bandwidth: 1 };

/** The first stall comes so long after the start, and the next ones so long after each other, in ms. */
const [FIRST_STALL, STALLS] = [3_000, 6_000];
/** What is late by then will not come any more, in ms. */
const AFTERMATH = 1_500;

/** A ghost between two positions is drawn so late, in ms. */
const LATE = 100;

/** From so many players on, all send less, so that the room can take it. */
const CROWD = 4;

const PAGE = randomName(6);

/** How many positions a ghost keeps at most. */
const MOST = 400;

/** What others see, over one transport. */
class Ghost {
  /** What has come and was not passed yet. @type {Position[]} */ #path = [];
  /** Up to which moment it has been drawn. */ #head = -Infinity;
  /** @type {Place | null} */ place = null;
  /** Where positions came that were late. @type {Place[]} */ trail = [];
  /** How old the newest position that has come was when it came. @type {number[]} */ ages = [];
  /** Other players, by their page. @type {Map<string, { x: number, y: number, at: number }>} */ others = new Map();

  /** @param {Position} position @param {number} age */
  add(position, age) {
    this.#path.push(position);
    if (this.#path.length > MOST) this.#path.shift();
    this.ages.push(age);
    if (this.ages.length > 5 * MOST) this.ages = this.ages.slice(-MOST);
    this.trail.push({ x: position.x, y: position.y });
    if (this.trail.length > 12) this.trail.shift();
  }

  /** Goes on by so many ms, in the way that is asked for. @param {"replay" | "newest" | "between"} how @param {number} ms */
  move(how, ms) {
    const newest = this.#path.at(-1);
    if (!newest) return;
    if (how === "newest") this.#head = newest.t;
    else if (how === "between") this.#head = Math.min(newest.t, now() - LATE);
    // At double speed, but it can't overtake what has come. What is older than all that is kept is passed over.
    else this.#head = Math.min(newest.t, Math.max(this.#head, this.#path[0].t) + 2 * ms);
    while (this.#path.length > 1 && this.#path[1].t <= this.#head) this.#path.shift();
    const [from, to = from] = this.#path;
    const share = to.t > from.t ? Math.min(1, Math.max(0, (this.#head - from.t) / (to.t - from.t))) : 1;
    this.place = { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
  }
}

/** What a stall did to one transport. */
class Damage {
  /** Numbers of the positions that were taken during the stall. @type {Set<number>} */ sent = new Set();
  came = 0;
  oldest = 0;
  farthest = 0;
  replaced = 0;
}

/** @type {Map<string, Player>} */ let players = new Map();
/** @type {Map<string, Ghost>} */ let ghosts = new Map();
/** The stall that is being looked at. @type {Map<string, Damage> | null} */ let damages = null;
let isStalled = false;
let count = 0;

new Demo({ name: "game", room: true, unit: "ms", lanes: TRANSPORTS.map(({ key, title }) => ({ key, title: `Ghost: ${title}` })) })
  .start(async (run) => {
    await run.link.suffer(HEALTHY);
    isStalled = false;
    damages = null;
    ghosts = new Map(TRANSPORTS.map(({ key }) => [key, new Ghost()]));
    players = new Map(TRANSPORTS.map(({ key }) => [key, new Player(/** @type {any} */ (key), run)]));
    for (const [transport, player] of players) player.onPosition = (position, age) => hear(run, transport, position, age);
    const dot = new Dot([...canvases().values()], run.signal);
    send(run, dot);
    draw(run, dot);
    bindButton(run);
    run.every(500, () => report(run));
    stallNowAndThen(run).catch((error) => run.fail(error)); // it ends with the run
  });

// --- positions, up and down ---

/** Takes positions by the clock, as often as the knob says. @param {Run} run @param {Dot} dot */
function send(run, dot) {
  let due = performance.now();
  run.every(4, () => {
    if (performance.now() < due) return;
    const rate = run.value("rate") * Math.min(1, CROWD / playersHere());
    due = Math.max(due + 1_000 / rate, performance.now() - 1_000 / rate);
    const position = { page: PAGE, n: count++, t: now(), ...dot.place };
    for (const [transport, player] of players) {
      if (isStalled) damages?.get(transport)?.sent.add(position.n);
      player.send(position);
    }
  });
}

/** @param {Run} run @param {string} transport @param {Position} position @param {number} age */
function hear(run, transport, position, age) {
  const ghost = /** @type {Ghost} */ (ghosts.get(transport));
  if (position.page !== PAGE) return meet(ghost, position);
  ghost.add(position, age);
  run.lanes.mark(transport, { value: age });
  run.samples.add({ transport, n: position.n, t: position.t, age_ms: age, rate: run.value("rate"), stalled: isStalled });
  const damage = damages?.get(transport);
  if (!damage?.sent.has(position.n)) return;
  damage.came++;
  damage.oldest = Math.max(damage.oldest, age);
}

/** Another player, at another page. @param {Ghost} ghost @param {Position} position */
function meet(ghost, { page, x, y }) {
  if (ghost.others.size < 100 || ghost.others.has(page)) ghost.others.set(page, { x, y, at: performance.now() });
}

/** How many players are in the room, with this one. */
function playersHere() {
  return 1 + Math.max(0, ...[...ghosts.values()].map(({ others }) => others.size));
}

// --- the stall ---

/** @param {Run} run */
async function stallNowAndThen(run) {
  await run.wait(FIRST_STALL);
  for (;;) {
    await stall(run);
    await run.wait(STALLS);
  }
}

/** @param {Run} run */
async function stall(run) {
  if (isStalled || damages) return;
  await run.link.suffer(STALLED);
  damages = new Map(TRANSPORTS.map(({ key }) => [key, new Damage()]));
  for (const [transport, damage] of damages) damage.replaced = -(players.get(transport)?.replaced ?? 0);
  isStalled = true;
  const band = run.lanes.band({ label: "stalled" });
  try {
    await run.wait(run.value("stall"));
  } finally {
    band.end();
    isStalled = false;
  }
  for (const [transport, damage] of damages) damage.replaced += players.get(transport)?.replaced ?? 0;
  await run.link.suffer(HEALTHY);
  await run.wait(AFTERMATH);
  judge(run, damages);
  damages = null;
}

/** @param {Run} run */
function bindButton(run) {
  const button = find("#stall", HTMLButtonElement);
  button.disabled = false;
  button.addEventListener("click", () => void stall(run).catch((error) => run.fail(error)), { signal: run.signal });
  run.signal.addEventListener("abort", () => (button.disabled = true));
}

/** @param {Run} run @param {Map<string, Damage>} damages */
function judge(run, damages) {
  for (const [transport, damage] of damages) showDamage(transport, damage);
  const { sent, came, oldest } = /** @type {Damage} */ (damages.get("websocket"));
  if (sent.size === 0) return;
  const truth = came === sent.size ? "replayed" : came <= 2 ? "newest" : "lost";
  const sentence = `Of N = ${sent.size} positions sent during the stall, ${came} arrived over the WebSocket`;
  run.reveal(truth, `${sentence}, the oldest ${inMs(oldest)} old.`);
}

/** @param {string} transport @param {Damage} damage */
function showDamage(transport, { sent, came, oldest, farthest, replaced }) {
  const cells = [sent.size, came, replaced, came ? inMs(oldest) : "–", `${Math.round(100 * farthest)} % of the field`];
  fillRow(transport, cells);
}

// --- what is shown ---

/** @returns {Map<string, HTMLCanvasElement>} */
function canvases() {
  return new Map(TRANSPORTS.map(({ key }) => [key, find(`[data-field="${key}"] canvas`, HTMLCanvasElement)]));
}

/** @param {Run} run @param {Dot} dot */
function draw(run, dot) {
  let last = performance.now();
  const next = (/** @type {number} */ time) => {
    if (run.signal.aborted) return;
    const ms = Math.max(0, time - last);
    last = time;
    dot.move(ms);
    for (const [transport, canvas] of canvases()) drawOne(run, { transport, canvas, dot: dot.place, ms });
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}

/** @param {Run} run @param {{ transport: string, canvas: HTMLCanvasElement, dot: Place, ms: number }} what */
function drawOne(run, { transport, canvas, dot, ms }) {
  const ghost = /** @type {Ghost} */ (ghosts.get(transport));
  ghost.move(run.value("ghost"), ms);
  const damage = damages?.get(transport);
  if (damage && ghost.place) damage.farthest = Math.max(damage.farthest, distance(dot, ghost.place));
  drawField(canvas, { dot, ghost: ghost.place, trail: ghost.trail, others: [...ghost.others.values()], isStalled });
}

/** @param {Run} run */
function report(run) {
  for (const [transport, ghost] of ghosts) {
    for (const [page, { at }] of ghost.others) if (performance.now() - at > 3_000) ghost.others.delete(page);
    const { n, median } = summarize(ghost.ages);
    if (n === 0) continue;
    const worst = quantile([...ghost.ages].sort((one, other) => one - other), 1);
    run.lanes.number(transport, inMs(median), `old, median of ${n}; worst ${inMs(worst)}`);
    find(`[data-field="${transport}"] output`, HTMLOutputElement).textContent = `${inMs(ghost.ages.at(-1))} old`;
  }
  const others = playersHere() - 1;
  find("#players", HTMLElement).textContent = others === 0 ? "You are alone in this room." : `Others in this room: ${others}.`;
}
