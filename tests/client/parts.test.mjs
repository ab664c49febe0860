/**
 * The small parts of the client, by the tables that they share with the server's own clients in Rust.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffDelay, compareCursors, EventStreamParser, LineParser, verdictOfClose } from "../../client/fallcast.js";
import { cuts, fed, table } from "./support/tables.mjs";

for (const { name, stream, base64, items, last_event_id } of table("event-stream").cases) {
  test(`event stream: ${name}`, () => {
    const bytes = base64 === undefined ? new TextEncoder().encode(stream) : Buffer.from(base64, "base64");
    const events = items.filter(({ event }) => event !== undefined);
    const retry = items.findLast((item) => item.retry !== undefined)?.retry ?? null;
    for (const { how, chunks } of cuts(bytes)) {
      const parser = new EventStreamParser();
      assert.deepEqual(fed(parser, chunks), events, how);
      assert.deepEqual([parser.lastEventId, parser.retry], [last_event_id, retry], how);
    }
  });
}

for (const { name, stream, lines } of table("ndjson").cases) {
  test(`lines: ${name}`, () => {
    for (const { how, chunks } of cuts(new TextEncoder().encode(stream))) {
      assert.deepEqual(fed(new LineParser(), chunks), lines, how);
    }
  });
}

test("an empty chunk changes nothing, not even between CR and LF", () => {
  const parser = new EventStreamParser();
  const texts = ["data: a\r", "", "\n", "", "data: b\r\n\r", "", "\ndata: c\n", "", "\n"];
  assert.deepEqual(
    texts.flatMap((text) => parser.feed(text)).map(({ data }) => data),
    ["a\nb", "c"],
  );
});

const SIGNS = { older: -1, same: 0, newer: 1, unrelated: null };

for (const { a, b, order } of table("cursors").comparisons) {
  test(`cursors: ${a} is ${order} to ${b}`, () => {
    const difference = compareCursors(a, b);
    assert.equal(difference === null ? null : Math.sign(difference), SIGNS[order]);
  });
}

for (const { text, why } of table("cursors").malformed) {
  test(`cursors: ${JSON.stringify(text)} is none, since ${why}`, () => {
    assert.equal(compareCursors(text, "a.1"), null);
    assert.equal(compareCursors("a.1", text), null);
    assert.equal(compareCursors(text, text), null);
  });
}

for (const { code, verdict, why } of table("close-codes").cases) {
  test(`close code ${code} (${why}): ${verdict}`, () => assert.equal(verdictOfClose(code), verdict));
}

test("a wait is anything from nothing up to a bound that doubles with each try, and is capped", () => {
  const bounds = { base: 500, cap: 30_000 };
  for (const [tries, bound] of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    assert.equal(backoffDelay(tries, bounds, () => 0), 0);
    assert.equal(backoffDelay(tries, bounds, () => 0.25), bound / 4);
    assert.equal(backoffDelay(tries, bounds, () => 0.5), bound / 2);
    assert.ok(backoffDelay(tries, bounds, () => 1 - Number.EPSILON) <= bound);
  }
});

test("no number of tries makes a wait longer than its cap, or no number", () => {
  for (const tries of [31, 100, 1024, 1e6, Number.MAX_SAFE_INTEGER]) {
    assert.equal(backoffDelay(tries, { base: 500, cap: 30_000 }, () => 0.5), 15_000);
  }
  assert.equal(backoffDelay(50, { base: 0, cap: 30_000 }, () => 0.5), 0);
  assert.equal(backoffDelay(0, { base: 500, cap: 100 }, () => 0.5), 50);
});

test("a wait is random unless told otherwise", () => {
  const waits = new Set(Array.from({ length: 20 }, () => backoffDelay(0, { base: 1000, cap: 1000 })));
  assert.ok(waits.size > 1);
  for (const wait of waits) assert.ok(wait >= 0 && wait < 1000);
});
