/**
 * `node run.mjs EXERCISE`: the server of an exercise, with what the student has written, or with the solution.
 */

import { serveEvents } from "./given/event-stream.mjs";
import { servePolls } from "./given/poll.mjs";
import { portOf } from "./given/server.mjs";
import { serveWebSockets } from "./given/websocket.mjs";
import { isWelcome } from "./origin/solution.mjs";
import { position } from "./resume/solution.mjs";
import { event } from "./sse/solution.mjs";
import { answer } from "./websocket/solution.mjs";

const USAGE = `Usage: node run.mjs EXERCISE [solution] [--port PORT]

Serves an exercise on this machine: with the function that you have written, or with the solution.
EXERCISE is one of long-polling, sse, websocket, resume, origin.
PORT is 8090, unless it is given here or by the environment variable PORT.

The exercise back-off is no server: node back-off/check.mjs`;

/**
 * Each server is made of its own exercise and of the solutions of the others.
 *
 * @type {Record<string, (port: number, written: any) => void>}
 */
const EXERCISES = {
  "long-polling": (port, { poll }) => servePolls(port, poll),
  sse: (port, { event }) => serveEvents(port, event, position),
  websocket: (port, { answer }) => serveWebSockets(port, answer, isWelcome),
  resume: (port, { position }) => serveEvents(port, event, position),
  origin: (port, { isWelcome }) => serveWebSockets(port, answer, isWelcome),
};

const { words, port } = portOf(process.argv.slice(2));
const [name, which = "start", ...rest] = words;
const isKnown = Object.hasOwn(EXERCISES, name ?? "") && ["start", "solution"].includes(which) && rest.length === 0;
if (isKnown && port !== null) {
  EXERCISES[name](port, await import(`./${name}/${which}.mjs`));
} else {
  console.error(USAGE);
  process.exitCode = 2;
}
