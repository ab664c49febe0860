/**
 * An application in TypeScript, to check `fallcast.d.ts`: what it allows, and what it must not allow. It is never run.
 */

import {
  backoffDelay,
  Channel,
  compareCursors,
  connect,
  EventStreamParser,
  LineParser,
  PublishError,
  verdictOfClose,
  type Gap,
  type LogEntry,
  type Message,
  type Options,
  type State,
  type Transport,
} from "fallcast";

// --- right ------------------------------------------------------------------------------------------------------------

const everything: Options = {
  transports: ["stream", "websocket", "sse", "long-poll"],
  after: "start",
  client: "a-secret-name-of-mine",
  as: "Ada",
  presence: true,
  echo: false,
  headStart: 500,
  patience: 10_000,
  reprobe: 0,
  backoff: { base: 500, cap: 30_000 },
  resume: "chat",
  shared: true,
  pauseWhenHidden: true,
  signal: new AbortController().signal,
  WebSocket,
  EventSource,
  fetch,
};

const channel: Channel = connect("/channels/chat", everything);
connect(new URL("http://localhost:8080/channels/chat"));
connect("/channels/chat", { EventSource: null, resume: true });

channel.addEventListener("message", (event) => {
  const cursor: string = event.lastEventId;
  const { id, at, type, content_type }: Message = event.message;
  const microseconds: number = at;
  const label: string | undefined = type;
  console.log(cursor, id, microseconds, label, content_type, event.data);
});
channel.addEventListener("gap", ({ detail }) => {
  const gap: Gap = detail;
  const missed: number | null = gap.missed;
  console.log(gap.after, gap.resume, missed, gap.reason);
});
channel.addEventListener("state", ({ detail }) => {
  const [state, from, why]: [State, State, string] = [detail.state, detail.from, detail.why];
  console.log(state, from, why);
});
channel.addEventListener("transport", ({ detail }) => {
  const transport: Transport | null = detail.transport;
  console.log(transport);
});
channel.addEventListener("log", ({ detail }) => {
  const entry: LogEntry = detail;
  const [at, what, why]: [number, string, string] = [entry.at, entry.what, entry.why];
  console.log(at, what, why, String(entry));
});
channel.addEventListener("goodbye", ({ detail }) => console.log(detail), { once: true });
channel.addEventListener("presence", { handleEvent: (event) => console.log(event.detail) });

const state: State = channel.state;
const transport: Transport | null = channel.transport;
const cursor: string | null = channel.cursor;
const secret: string = channel.client;
const member: string | null = channel.member;
const entries: LogEntry[] = channel.log;
const counts: number = channel.stats.messages + channel.stats.duplicates + channel.stats.gaps + channel.stats.moves;
console.log(state, transport, cursor, secret, member, entries, counts);

export async function publish(): Promise<string> {
  try {
    await channel.publish("text");
    await channel.publish(Uint8Array.of(1, 2));
    const { id } = await channel.publish({ hello: 1 }, { type: "greeting", contentType: "application/json", key: "k-1" });
    return id;
  } catch (error) {
    if (!(error instanceof PublishError)) throw error;
    const outcome: "refused" | "unknown" = error.outcome;
    return `${outcome}: ${error.message} (${error.status})`;
  } finally {
    channel.close();
  }
}

export async function read(): Promise<string[]> {
  const ids: string[] = [];
  for await (const message of channel) ids.push(message.id);
  return ids;
}

const order: number | null = compareCursors("k3f9z1.1", "k3f9z1.2");
const wait: number = backoffDelay(0, { base: 500, cap: 30_000 });
const verdict: "stop" | "back-off" | "at-once" | "retry" = verdictOfClose(4000);
const [event] = new EventStreamParser().feed("data: a\n\n");
const lines: string[] = new LineParser().feed("{}\n");
console.log(order, wait, verdict, event?.data, event?.event, event?.id, lines);

// --- wrong ------------------------------------------------------------------------------------------------------------

// @ts-expect-error: an address is needed
connect();
// @ts-expect-error: there is no such transport
connect("/channels/chat", { transports: ["carrier-pigeon"] });
// @ts-expect-error: there is no such option
connect("/channels/chat", { retries: 3 });
// @ts-expect-error: times are numbers, in milliseconds
connect("/channels/chat", { headStart: "500ms" });
// @ts-expect-error: both bounds are needed
connect("/channels/chat", { backoff: { base: 500 } });
// @ts-expect-error: a controller is no signal
connect("/channels/chat", { signal: new AbortController() });

// @ts-expect-error: the state is told, not set
channel.state = "open";
// @ts-expect-error: the cursor is told, not set
channel.cursor = "k3f9z1.1";
// @ts-expect-error: there may be no transport
const living: Transport = channel.transport;
// @ts-expect-error: there is no such state
const online: boolean = channel.state === "online";

// @ts-expect-error: there is no such event
channel.addEventListener("massage", () => {});
// @ts-expect-error: a gap has no data
channel.addEventListener("gap", ({ data }) => console.log(data));
// @ts-expect-error: how many are missing may be unknown
channel.addEventListener("gap", ({ detail }) => console.log(detail.missed.toFixed()));

// @ts-expect-error: something must be published
channel.publish();
// @ts-expect-error: a label is a text
channel.publish("text", { type: 7 });
// @ts-expect-error: the answer comes later
const { id } = channel.publish("text");
// @ts-expect-error: a channel is read with `for await`
for (const message of channel) console.log(message);

// @ts-expect-error: between two epochs there is no order
const difference: number = compareCursors("a.1", "b.1");
console.log(living, online, id, difference);
