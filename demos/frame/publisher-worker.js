// @ts-check
/** The worker behind publisher.js: sends `{ seq, t_plan, t_send, … }` by a fixed schedule over one WebSocket. */

import { now } from "./clock.js";
import { quantile } from "./statistics.js";

/** How often the worker looks what is due, in ms. What became due in between is sent at once, with its plan. */
const STEP = 4;

/** More than so many bytes in the socket's buffer mean that the network does not keep up; then it is waited for. */
const MOST_BUFFERED = 1 << 20;

/** @type {WebSocket} */ let socket;
/** @type {{ rate: number, size?: number, more?: object, isIrregular?: boolean }} */ let schedule = { rate: 1 };
/** When the next message is due. */ let due = Infinity;
let isPaused = false;
let tally = { sent: 0, acknowledged: 0, failed: 0, lag: 0 };
/** @type {number[]} */ let lags = [];

addEventListener("message", ({ data }) => {
  if (data.schedule) schedule = { ...schedule, ...data.schedule };
  if (data.pause !== undefined) isPaused = data.pause;
  if (data.connect) connect(data.connect);
});

/** @param {string} url */
function connect(url) {
  socket = new WebSocket(url);
  socket.onclose = ({ code, reason }) => {
    due = Infinity;
    postMessage({ end: `the sender's connection is closed (${code}${reason ? `: ${reason}` : ""})` });
  };
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.hello) due = now();
    else if (event.published) tally.acknowledged++;
    else if (event.error) tally.failed++;
  };
  setInterval(send, STEP);
  setInterval(report, 250);
}

function send() {
  const time = now();
  if (isPaused) due = Math.max(due, time);
  while (due <= time && socket.bufferedAmount < MOST_BUFFERED) {
    const data = { seq: ++tally.sent, t_plan: due, t_send: now(), ...schedule.more };
    if (schedule.size) Object.assign(data, { pad: "x".repeat(schedule.size) });
    socket.send(JSON.stringify({ publish: { data }, ref: data.seq }));
    lags.push(data.t_send - due);
    due += (1_000 / schedule.rate) * (schedule.isIrregular ? chance() : 1);
  }
  if (lags.length > 2_000) lags = lags.slice(-1_000);
}

function report() {
  tally.lag = quantile([...lags].sort((one, other) => one - other), 0.9) || 0;
  postMessage({ tally });
}

/** The pauses between things that happen by chance are distributed like this, with a mean of 1. */
function chance() {
  return -Math.log(1 - Math.random());
}
