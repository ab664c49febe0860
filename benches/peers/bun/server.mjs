/**
 * Bun with its own publish and subscribe for WebSocket, and its direct streams for SSE.
 */

import { LARGEST_BACKLOG, LARGEST_MESSAGE, port, target } from "../settings.mjs";

/** @type {Map<string, Set<any>>} the streams of each channel */
const streams = new Map();

/** The number of the newest message. */
let last = 0;

/** @param {string} channel */
function streamsOf(channel) {
  let set = streams.get(channel);
  if (set === undefined) streams.set(channel, (set = new Set()));
  return set;
}

/** @param {string} channel @param {string} text */
function publish(channel, text) {
  server.publish(channel, text, false);
  last += 1;
  const event = `id: ${last}\ndata: ${text}\n\n`;
  // Bun flushes a stream by itself, once for all that was written in a turn.
  for (const stream of streamsOf(channel)) stream.write(event);
}

/** @param {string} channel @param {AbortSignal} signal */
function eventStream(channel, signal) {
  const body = new ReadableStream({
    type: "direct",
    pull(controller) {
      const set = streamsOf(channel);
      set.add(controller);
      // The head leaves with the first bytes.
      controller.write(": hi\n\n");
      controller.flush();
      return new Promise((done) => {
        signal.addEventListener("abort", () => {
          set.delete(controller);
          done(undefined);
        });
      });
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" } });
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: port(),
  idleTimeout: 0,
  fetch(request, server) {
    const { endpoint, channel } = target(request.url);
    if (endpoint === "sse") return eventStream(channel, request.signal);
    if (server.upgrade(request, { data: { endpoint, channel } })) return;
    return new Response("this is a WebSocket\n", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: LARGEST_MESSAGE,
    // By default, what doesn't fit into 16 MiB is dropped.
    backpressureLimit: LARGEST_BACKLOG,
    idleTimeout: 0,
    sendPings: false,
    open(socket) {
      if (socket.data.endpoint === "ws") socket.subscribe(socket.data.channel);
    },
    message(socket, text) {
      if (socket.data.endpoint === "publish") publish(socket.data.channel, String(text));
    },
  },
});
console.log("ready");
