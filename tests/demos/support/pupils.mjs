/**
 * Pupils without a browser: each runs the race's own program over a link of its own, and sends by the race's schedule.
 *
 *     node pupils.mjs ORIGIN LAB COUNT
 *
 * Writes a line of JSON when all have begun, and one with what each has got when its input is closed.
 */

import { WebSocket } from "ws";

import { now } from "../../../demos/frame/clock.js";
import { Racer } from "../../../demos/race/racer.js";

const [origin, lab, count] = process.argv.slice(2);
const TRANSPORTS = /** @type {const} */ (["websocket", "sse", "long-poll"]);

/** Messages a second of each pupil. */
const RATE = 5;

/** What arrives while connections are young does not count, in ms. */
const WARM_UP = 1_000;

/** One pupil with three racers and a sender. @param {number} number */
async function pupil(number) {
  const name = `race-pupil${number}-${process.pid}`;
  const put = await fetch(`${origin}/lab/links/${name}`, { method: "PUT", body: JSON.stringify({ latency_ms: 20 }) });
  if (!put.ok) throw new Error(await put.text());
  const url = new URL(`channels/${name}?link=${name}`, `${lab}/`);
  const racers = TRANSPORTS.map((transport) => new Racer(url, transport, { WebSocket, EventSource: null }));
  await Promise.all(racers.map(({ channel }) => opened(channel)));
  const socket = new WebSocket(`${origin.replace("http", "ws")}/channels/${name}/ws?format=json&echo=0`);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  for (const racer of racers) racer.countAnew(WARM_UP);
  const timer = send(socket);
  return { name, racers, stop: () => (clearInterval(timer), socket.close()) };
}

/** @param {import("../../../client/fallcast.js").Channel} channel */
function opened(channel) {
  return new Promise((resolve) => channel.addEventListener("state", ({ detail }) => detail.state === "open" && resolve(null)));
}

/** Sends by a fixed schedule: a message that is late keeps its plan. @param {WebSocket} socket */
function send(socket) {
  let seq = 0;
  let due = now();
  return setInterval(() => {
    for (; due <= now(); due += 1_000 / RATE) {
      socket.send(JSON.stringify({ publish: { data: { seq: ++seq, t_plan: due } } }));
    }
  }, 10);
}

const pupils = await Promise.all(Array.from({ length: Number(count) }, (_, number) => pupil(number)));
console.log(JSON.stringify({ begun: pupils.length }));

for await (const _ of process.stdin);
for (const { stop } of pupils) stop();
const results = pupils.map(({ name, racers }) => ({
  name,
  lanes: racers.map(({ latencies, lost, repeated }) => ({ got: latencies.length, lost, repeated })),
}));
console.log(JSON.stringify(results));
process.exit();
