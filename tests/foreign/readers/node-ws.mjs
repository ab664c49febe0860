/**
 * Reads a channel over WebSocket with the npm package ws, in the format that names the ids.
 *
 * Usage: node-ws.mjs CHANNEL_URL AFTER COUNT
 * Prints one line for each message: its id, a tab, its data.
 */

import { WebSocket } from "ws";

const [channel, after, count] = process.argv.slice(2);
let missing = Number(count);

const socket = new WebSocket(`${channel.replace("http", "ws")}/ws?format=json&after=${after}`);
socket.on("message", (frame) => {
  const { message } = JSON.parse(frame);
  if (!message || missing === 0) return;
  console.log(`${message.id}\t${message.data}`);
  missing -= 1;
  if (missing === 0) socket.close(1000);
});
