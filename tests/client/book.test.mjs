/**
 * What the book says about the client: that a real run leads to the decisions that its chapter on falling back shows.
 * Times differ from run to run, and some waits are random; what is decided, about which transport, and why, does not.
 *
 * `FALLCAST_BOOK=write` keeps the new run for the book, as `node tests/book/fallback-log.mjs` does.
 */

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { KEPT, record } from "../book/fallback-log.mjs";
import { HANG_GUARD } from "../foreign/support/server.mjs";

/** The decisions of a run. */
function decisions({ silence, journey }) {
  const acts = journey.acts.map(({ name, faults, log }) => ({ name, faults, log: log.map(decision) }));
  return { silence: { faults: silence.faults, log: silence.log.map(decision) }, acts };
}

/** A line of the log without what differs from run to run: times and cursors. */
function decision(line) {
  return line.trim().replace(/[\d.]+ ms/g, "TIME").replace(/[a-z0-9]{10}\.\d+/g, "CURSOR");
}

test("a run over a link that gets worse, heals and breaks leads to the decisions that the book shows", HANG_GUARD, async () => {
  const run = await record();

  assert.ok(run.journey.published > 0, "somebody has published");
  const { missing, repeated, gaps } = run.journey;
  assert.deepEqual({ missing, repeated, gaps }, { missing: 0, repeated: 0, gaps: 0 });
  if (process.env.FALLCAST_BOOK === "write") await writeFile(KEPT, `${JSON.stringify(run, null, 2)}\n`);
  const kept = JSON.parse(await readFile(KEPT, "utf8"));
  assert.deepEqual(decisions(run), decisions(kept));
});
