/**
 * Publishes each line of the standard input over WebSocket with the npm package ws, and waits for each id.
 *
 * Usage: node-ws.mjs CHANNEL_URL
 * Prints the id of each message.
 */

import { once } from "node:events";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

const [channel] = process.argv.slice(2);
const socket = new WebSocket(`${channel.replace("http", "ws")}/ws?format=json`);
await once(socket, "open");

/** @type {Map<number, (id: string) => void>} */
const waiting = new Map();
socket.on("message", (frame) => {
  const { published, ref } = JSON.parse(frame);
  if (published) waiting.get(ref)(published.id);
});

let ref = 0;
for await (const line of createInterface({ input: process.stdin })) {
  ref += 1;
  const id = new Promise((resolve) => waiting.set(ref, resolve));
  socket.send(JSON.stringify({ publish: { data: line }, ref }));
  console.log(await id);
}
socket.close(1000);
