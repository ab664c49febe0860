/**
 * The parts of the benchmark that can be wrong without anybody noticing: its statistics, its bookkeeping, its order.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readArguments, UsageError } from "./options.mjs";
import { fileOf, report, summarize, verdictOf } from "./report.mjs";
import { turnsOf } from "./schedule.mjs";
import { estimate, median, medianBounds } from "./statistics.mjs";
import { number, render } from "./table.mjs";
import { expectedPath, pathOf, wayOf, WAYS, winnerOf } from "./ways.mjs";

// --- statistics ----------------------------------------------------------------------------------------------------

test("the median is the middle value, or the mean of the two in the middle", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([9, 1, 5, 6]), 5.5);
  assert.equal(median([7]), 7);
});

test("the bounds of the median are the critical values of the sign test", () => {
  for (const [count, rank] of [[6, 1], [8, 1], [9, 2], [12, 3], [20, 6], [25, 8], [40, 14]]) {
    assert.equal(medianBounds(count, 0.95).rank, rank, `${count} values`);
  }
  assert.equal(medianBounds(6, 0.95).confidence, 1 - 2 / 64);
  assert.ok(Math.abs(medianBounds(40, 0.95).confidence - 0.9615) < 0.0001);
});

test("five values cannot bound the median with 95 % confidence, and it is not claimed", () => {
  assert.deepEqual(medianBounds(5, 0.95), { rank: 1, confidence: 1 - 2 / 32 });
  assert.deepEqual(medianBounds(1, 0.95), { rank: 1, confidence: 0 });
});

test("as many values as the command line allows are no trouble", () => {
  const { rank, confidence } = medianBounds(1000, 0.95);
  assert.equal(rank, 469);
  assert.ok(confidence >= 0.95 && confidence < 0.96, `${confidence}`);
});

test("the interval contains the true median about as often as it says", () => {
  const random = generator(7);
  const hits = Array.from({ length: 4000 }, () => {
    // Skewed, as times are: the median of -log(u) is log 2.
    const { low, high } = estimate(Array.from({ length: 40 }, () => -Math.log(1 - random())));
    return Number(low <= Math.LN2 && Math.LN2 <= high);
  });
  const share = hits.reduce((sum, hit) => sum + hit) / hits.length;
  assert.ok(share > 0.95 && share < 0.975, `${share}`);
});

/** Numbers from 0 to 1 that are the same in every run (mulberry32). @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// --- ways of failing -----------------------------------------------------------------------------------------------

test("each way leaves the transport that follows the blocked ones", () => {
  assert.equal(winnerOf(wayOf("nothing")), "websocket");
  assert.equal(winnerOf(wayOf("ws-mute")), "sse");
  assert.equal(winnerOf(wayOf("ws-mute-sse-held")), "long-poll");
  for (const way of WAYS) assert.ok(winnerOf(way), way.name);
});

test("the decisions are found among everything that the client logs", () => {
  const log = [
    { transport: "websocket", what: "try" },
    { transport: "websocket", what: "refused" },
    { transport: "sse", what: "try" },
    { transport: "sse", what: "alive" },
    { transport: "websocket", what: "beaten" },
  ];
  assert.equal(pathOf(log), "websocket refused, sse alive");
  assert.equal(pathOf(log), expectedPath(wayOf("ws-403")));
  assert.notEqual(pathOf(log), expectedPath(wayOf("ws-mute")));
  assert.equal(expectedPath(wayOf("ws-403-sse-late")), "websocket refused, sse alive, sse lost, long-poll alive");
});

// --- order ---------------------------------------------------------------------------------------------------------

const PLAN = { pairs: 3, latencies_ms: [0, 25], ways: ["nothing", "ws-403", "ws-mute"], head_start_ms: 500 };

test("a round measures each contender of each cell once, and those of a pair one after the other", () => {
  const turns = turnsOf(PLAN, 2);
  const keys = turns.map(({ way, latency_ms }) => `${way} ${latency_ms}`);
  assert.equal(turns.length, 2 * (2 + 3 + 3));
  assert.equal(new Set(turns.map((turn) => JSON.stringify(turn))).size, turns.length);
  assert.equal(keys.filter((key, index) => key !== keys[index - 1]).length, new Set(keys).size);
});

test("in three rounds each contender has every place once", () => {
  const orders = [1, 2, 3].map((pair) =>
    turnsOf(PLAN, pair).filter(({ way, latency_ms }) => way === "ws-403" && latency_ms === 0),
  );
  for (const place of [0, 1, 2]) {
    assert.equal(new Set(orders.map((order) => order[place].contender)).size, 3, `place ${place}`);
  }
});

// --- report --------------------------------------------------------------------------------------------------------

/** Three samples of one pair. */
function pairOf(pair, { client, alone, obstacles, path = "websocket refused, sse alive" }) {
  const turn = { pair, way: "ws-403", latency_ms: 25 };
  return [
    { ...turn, contender: "obstacles", ms: obstacles },
    { ...turn, contender: "client", ms: client, transport: "sse", path },
    { ...turn, contender: "alone", ms: alone, transport: "sse", path: "sse alive" },
  ];
}

test("price and excess are taken within pairs, not between medians", () => {
  const samples = [
    ...pairOf(2, { client: 300, alone: 190, obstacles: 100 }),
    ...pairOf(1, { client: 200, alone: 100, obstacles: 101 }),
    ...pairOf(3, { client: 250, alone: 140, obstacles: 105 }),
  ];
  const row = summarize({ way: "ws-403", latency_ms: 25 }, samples);
  assert.deepEqual(row.price, { median: 110, low: 100, high: 110 });
  assert.deepEqual(row.price_in_round_trips, { median: 2.2, low: 2, high: 2.2 });
  assert.deepEqual(row.over, { median: 5, low: -1, high: 10 });
  assert.equal(row.verdict, "unclear");
  assert.equal(row.strayed, 0);
});

test("a pair in which the client decided something else is counted", () => {
  const path = "websocket refused, sse silent, long-poll alive";
  const samples = [
    ...pairOf(1, { client: 200, alone: 100, obstacles: 101 }),
    ...pairOf(2, { client: 900, alone: 100, obstacles: 101, path }),
  ];
  assert.equal(summarize({ way: "ws-403", latency_ms: 25 }, samples).strayed, 1);
});

test("where nothing is in the way, the bound is nothing, and without latency there are no round trips", () => {
  const turn = { pair: 1, way: "nothing", latency_ms: 0, transport: "websocket", path: "websocket alive" };
  const samples = [
    { ...turn, contender: "client", ms: 12 },
    { ...turn, contender: "alone", ms: 10 },
  ];
  const row = summarize({ way: "nothing", latency_ms: 0 }, samples);
  assert.deepEqual([row.obstacles, row.over.median, row.price_in_round_trips], [null, 2, null]);
});

test("the verdict needs the whole interval, and enough pairs for one", () => {
  assert.equal(verdictOf({ median: -2, low: -3, high: -1 }, 40), "below");
  assert.equal(verdictOf({ median: 0, low: -1, high: 1 }, 40), "even");
  assert.equal(verdictOf({ median: 2, low: 1, high: 3 }, 40), "above");
  assert.equal(verdictOf({ median: 2, low: 1, high: 3 }, 5), "unclear");
});

test("the table names the run and shows each cell once, and tells of strays", () => {
  const programs = { commit: "abc", chromium: "1.2", node: "v20" };
  const machine = { cores: 2, processor: "Chip", memory_gib: 4, kernel: "6", ...programs };
  const samples = [1, 2, 3, 4, 5, 6].flatMap((pair) =>
    pairOf(pair, { client: 200 + pair, alone: 100, obstacles: 90, path: pair === 6 ? "websocket alive" : undefined }),
  );
  const plan = { pairs: 6, latencies_ms: [25], ways: ["ws-403"], head_start_ms: 500 };
  const text = render(report({ date: "today", command: "node x", machine }, plan, samples, [0.5, 1.25]));
  assert.match(text, /`node x` at today, commit abc, Chromium 1\.2/);
  assert.match(text, /load average was 0\.9 in the median round and at most 1\.3/);
  assert.match(text, /\| WebSocket: 403 \| SSE \| 203\.5 \| 100\.0 \| /);
  assert.match(text, /\| \*\*103\.5\*\* \(101\.0 to 106\.0\) \| 2\.07 \| 90\.0 \| 13\.5 /);
  assert.match(text, /\*\*above\*\*/);
  assert.match(text, /in 1 of 6 pairs the client decided something else/);
});

test("the file is JSON with all that is in the report", () => {
  const plan = { pairs: 1, latencies_ms: [25], ways: ["ws-403"], head_start_ms: 500 };
  const samples = pairOf(1, { client: 200, alone: 100, obstacles: 101 });
  const result = report({ date: "today", command: "node x", machine: {} }, plan, samples, [0.5]);
  assert.deepEqual(JSON.parse(fileOf(result)), result);
});

test("numbers are never a negative zero", () => {
  assert.equal(number(-0.04), "0.0");
  assert.equal(number(-0.06), "−0.1");
  assert.equal(number(12.345, 2), "12.35");
});

// --- command line --------------------------------------------------------------------------------------------------

test("the defaults measure every way forty times, with and without latency", () => {
  const wish = readArguments([]);
  const ways = WAYS.map(({ name }) => name);
  assert.deepEqual(wish.plan, { pairs: 40, latencies_ms: [0, 25], ways, head_start_ms: 500 });
});

test("lists are read, and what is named twice is measured once", () => {
  const { plan } = readArguments(["--ways", "ws-403, nothing,ws-403", "--latency", "0,100"]);
  assert.deepEqual([plan.ways, plan.latencies_ms], [["ws-403", "nothing"], [0, 100]]);
});

for (const text of ["--pairs 0", "--pairs 1e3", "--latency=", "--ways none", "--head-start", "--unknown", "extra"]) {
  test(`a command line that makes no sense is refused: ${text}`, () => {
    assert.throws(() => readArguments(text.split(" ")), UsageError);
  });
}
