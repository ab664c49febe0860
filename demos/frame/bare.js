// @ts-check
/**
 * The three transports by the browser's own means: no client, no falling back, no more than each can do by itself.
 *
 *     const { opened } = listen("sse", run.link.url(`channels/${run.channel}`), {
 *       signal: run.signal,
 *       onMessage: (data, id) => console.log(data),
 *     });
 *
 * What to look at: who remembers where it was. An EventSource sends the last id by itself when it reconnects, a poll
 * names its cursor in each request, and a WebSocket that is closed stays closed.
 */

/** How long a poll that failed waits before it asks again, in ms. */
const PAUSE = 500;

/**
 * @typedef {object} Listener
 * @property {AbortSignal} signal ends it
 * @property {(data: any, id: string | null) => void} onMessage is given the JSON value; a raw WebSocket knows no ids
 * @property {(phase: "connecting" | "open" | "retrying" | "refused", words: string) => void} [onState]
 */

/**
 * Listens to a channel of JSON messages.
 *
 * @param {string} transport "websocket", "sse" or "long-poll"
 * @param {URL} channel its address; its parameters travel along
 * @param {Listener} listener
 * @returns {{ opened: Promise<void> }} fulfilled when nothing that is published from now on is missed
 */
export function listen(transport, channel, listener) {
  listener.onState?.("connecting", "connecting");
  const how = { websocket: byWebSocket, sse: byEventSource, "long-poll": byPolling }[transport];
  if (!how) throw new RangeError(`there is no transport ${transport}`);
  return { opened: new Promise((resolve) => how(channel, listener, resolve)) };
}

/** @param {URL} channel @param {Listener} listener @param {() => void} opened */
function byWebSocket(channel, { signal, onMessage, onState }, opened) {
  const socket = new WebSocket(below(channel, "ws", { format: "raw" }));
  socket.onopen = () => {
    onState?.("open", "open");
    opened();
  };
  socket.onmessage = ({ data }) => onMessage(JSON.parse(data), null);
  socket.onclose = ({ code }) => signal.aborted || onState?.("refused", `closed (${code})`);
  signal.addEventListener("abort", () => hangUp(socket));
}

/**
 * Closes a WebSocket. One that is still being opened is closed then: browsers complain about anything else.
 *
 * @param {WebSocket} socket
 */
export function hangUp(socket) {
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}

/** @param {URL} channel @param {Listener} listener @param {() => void} opened */
function byEventSource(channel, { signal, onMessage, onState }, opened) {
  const source = new EventSource(below(channel, "sse", { format: "raw" }));
  source.onopen = () => onState?.("open", "open");
  source.addEventListener("hello", () => opened());
  source.onmessage = ({ data, lastEventId }) => onMessage(JSON.parse(data), lastEventId);
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) onState?.("refused", "given up");
    else onState?.("retrying", "reconnecting");
  };
  signal.addEventListener("abort", () => source.close());
}

/** @param {URL} channel @param {Listener} listener @param {() => void} opened */
async function byPolling(channel, { signal, onMessage, onState }, opened) {
  /** @type {string | undefined} */ let cursor;
  while (!signal.aborted) {
    try {
      // The first poll has no cursor. It is answered at once, and says where the channel stands.
      const answer = await fetch(below(channel, "poll", cursor ? { after: cursor } : {}), { signal });
      if (!answer.ok) throw new Error(`answered with ${answer.status}`);
      const batch = await answer.json();
      if (signal.aborted) return;
      cursor = batch.cursor;
      onState?.("open", "polling");
      opened();
      for (const { message } of batch.events) if (message) onMessage(message.data, message.id);
    } catch (error) {
      if (signal.aborted) return;
      onState?.("retrying", error instanceof Error ? error.message : "asking again");
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/**
 * The address of one door of a channel.
 *
 * @param {URL} channel
 * @param {"ws" | "sse" | "poll"} door
 * @param {Record<string, string>} query
 */
export function below(channel, door, query) {
  const url = new URL(channel);
  url.pathname += `/${door}`;
  if (door === "ws") url.protocol = url.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}
