/**
 * Shows coordinated omission: a server that stands still for a while, measured once by a fixed schedule and once by a loop
 * that waits for each answer before it sends the next message.
 *
 * `node benches/omission.mjs` takes half a minute with a release build, and writes measurements/omission.json.
 */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BINARY = process.env.FALLCAST_BIN || join(ROOT, "target/release/fallcast");
const RUN = ["bench", "--quiet", "--transports", "websocket", "--subscribers", "100", "--rate", "100", "--duration", "2s", "--freeze", "500ms"];

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "fallcast-omission-"));

/** One report. @param {"open" | "closed"} loop */
async function measure(loop) {
  const out = join(folder, loop);
  await run(BINARY, [...RUN, "--loop", loop, "--out", out]);
  return JSON.parse(await readFile(join(out, "report.json"), "utf8"));
}

/** What one way of measuring says. @param {any} report */
function told(report) {
  const [{ summary }] = report.cells;
  if (!summary) throw new Error("no round counts: the machine was busy; measure again");
  const ms = (/** @type {number | undefined} */ ns) => (ns === undefined ? null : ns / 1e6);
  const { n, p50_ns, p90_ns, p99_ns, max_ns } = summary.latency;
  return { deliveries: n, p50_ms: ms(p50_ns), p90_ms: ms(p90_ns), p99_ms: ms(p99_ns), max_ms: ms(max_ns) };
}

try {
  const [open, closed] = [await measure("open"), await measure("closed")];
  const { made, machine, settings } = open;
  const results = {
    version: 1,
    date: made.at,
    command: "node benches/omission.mjs",
    bench: `fallcast ${RUN.join(" ")} --loop open, and --loop closed`,
    machine,
    rounds: settings.rounds,
    stop_ms: settings.freeze_s * 1000,
    round_ms: settings.duration_s * 1000,
    open: told(open),
    closed: told(closed),
  };
  await writeFile(join(ROOT, "measurements/omission.json"), `${JSON.stringify(results, null, 2)}\n`);
  console.log(results);
} finally {
  await rm(folder, { recursive: true, force: true });
}
