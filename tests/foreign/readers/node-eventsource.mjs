/**
 * Reads a channel as server-sent events with the npm package eventsource, which reconnects and resumes by itself.
 *
 * Usage: node-eventsource.mjs CHANNEL_URL AFTER COUNT
 * Prints one line for each message: its id, a tab, its data.
 */

import { EventSource } from "eventsource";

const [channel, after, count] = process.argv.slice(2);
let missing = Number(count);

const source = new EventSource(`${channel}/sse?after=${after}`);
source.onmessage = ({ lastEventId, data }) => {
  // The package dispatches what it has read already, even after `close()`. A browser does not.
  if (missing === 0) return;
  console.log(`${lastEventId}\t${data}`);
  missing -= 1;
  if (missing === 0) source.close();
};
source.onerror = ({ message }) => console.error(message ?? "the stream has ended; it will be opened again");
