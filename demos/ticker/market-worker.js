// @ts-check
/**
 * The market, in a worker of its own: prices change by a fixed schedule, and go into three channels at once.
 *
 * What to look at: `send`. The same changes leave one by one, in batches, and as the latest value of each symbol. What a
 * subscriber gets is a matter of the channel that it chooses.
 */

import { now } from "../frame/clock.js";

/** How often the worker looks what is due, in ms. */
const STEP = 4;

/** How often batches and latest values are sent, in ms. */
const BEAT = 100;

/** How much more often the first symbol changes than the second, and so on: by Zipf's law. */
const SKEW = 1.2;

/** @typedef {{ symbol: number, version: number, price: number, at: number }} Change */

let rate = 0;
let due = Infinity;
let latestBeat = 0;
/** @type {WebSocket[]} */ let sockets = [];
/** @type {Change[]} */ let market = [];
/** The share of changes that go to the symbols up to each. @type {number[]} */ let shares = [];
/** What has changed since the last beat, in order. @type {Change[]} */ let batch = [];

addEventListener("message", ({ data }) => {
  if (data.rate !== undefined) rate = data.rate;
  if (data.open) open(data.open);
  if (data.snapshot) for (const socket of sockets) publish(socket, market);
});

/** @param {{ channels: string[], symbols: number }} plan the channels are for: each, batch, latest */
function open({ channels, symbols }) {
  market = Array.from({ length: symbols }, (_, symbol) => ({ symbol, version: 0, price: 100, at: now() }));
  const weights = market.map(({ symbol }) => 1 / (symbol + 1) ** SKEW);
  const whole = weights.reduce((sum, weight) => sum + weight);
  let sum = 0;
  shares = weights.map((weight) => (sum += weight / whole));
  sockets = channels.map((url) => new WebSocket(url));
  for (const socket of sockets) {
    socket.onclose = ({ code }) => postMessage({ end: `the market's connection is closed (${code})` });
  }
  Promise.all(sockets.map((socket) => new Promise((resolve) => (socket.onopen = resolve)))).then(() => {
    due = now();
    setInterval(work, STEP);
    postMessage({ isOpen: true });
  });
}

function work() {
  const time = now();
  /** @type {Change[]} */ const changes = [];
  for (; due <= time; due += 1_000 / rate) changes.push(change(due));
  batch.push(...changes);
  const isBeat = time - latestBeat >= BEAT;
  send(changes, isBeat);
  if (!isBeat) return;
  latestBeat = time;
  postMessage({ changes: batch, lag: time - (batch[0]?.at ?? time) - BEAT });
  batch = [];
}

/** @param {Change[]} changes @param {boolean} isBeat */
function send(changes, isBeat) {
  const [each, all, latest] = sockets;
  for (const one of changes) publish(each, [one]);
  if (!isBeat || batch.length === 0) return;
  publish(all, batch);
  const bySymbol = new Map(batch.map((one) => [one.symbol, one])); // the last of each symbol wins
  publish(latest, [...bySymbol.values()]);
}

/** @param {number} at when it is due */
function change(at) {
  const dice = Math.random();
  const symbol = shares.findIndex((share) => dice <= share);
  const { version, price } = market[symbol] ?? market[0];
  const step = Math.round(200 * (Math.random() - 0.5)) / 100;
  return (market[symbol] = { symbol, version: version + 1, price: Number(Math.max(1, price + step).toFixed(2)), at });
}

/** @param {WebSocket} socket @param {Change[]} changes */
function publish(socket, changes) {
  const data = changes.map(({ symbol, version, price, at }) => ({ symbol, version, price, at: Math.round(at) }));
  socket.send(JSON.stringify({ publish: { data } }));
}
