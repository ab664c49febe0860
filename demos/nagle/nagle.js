// @ts-check
/**
 * Nagle: one small answer, written at once or in parts, with and without TCP_NODELAY.
 *
 * The lab answers `/lab/nagle` by itself, because it owns the socket: it can leave the option off and flush each part,
 * which the server behind it never does. What to look at: all four are asked in turn over one connection, by one loop, so
 * whatever is slow about this machine is slow for all of them.
 */

import { Demo } from "../frame/demo.js";
import { inMs, summarize } from "../frame/statistics.js";

/** How many answers of each kind there must be before the page says what the second write costs. */
const ENOUGH = 20;

/** What the first answers of a connection took is not counted: Linux acknowledges them at once. */
const WARM_UP = 10;

/** So many values are kept of each way, the newest. */
const MOST = 2_000;

/** An answer that took longer is drawn in red, in ms. */
const LATE = 15;

/** @typedef {{ key: string, title: string, address: (run: import("../frame/demo.js").Run) => URL }} Way */

/** @type {Way[]} */
const WAYS = [
  { key: "one", title: "One write", address: (run) => ask(run, 1, false) },
  { key: "two", title: "Two writes or more", address: (run) => ask(run, run.value("writes"), run.value("nodelay")) },
  { key: "nodelay", title: "… with TCP_NODELAY", address: (run) => ask(run, run.value("writes"), true) },
  {
    key: "poll",
    title: "A poll of fallcast",
    address: (run) => run.link.url(`channels/${run.channel}/poll`, { wait: 0, _: Math.random() }),
  },
];

/** @param {import("../frame/demo.js").Run} run @param {number} writes @param {boolean} nodelay */
function ask(run, writes, nodelay) {
  const url = new URL("lab/nagle", run.link.lab);
  url.search = String(new URLSearchParams({ writes: String(writes), nodelay: nodelay ? "1" : "0" }));
  return url;
}

/** What each way took, in ms. @type {Map<string, number[]>} */ let took = new Map();

/** Figures of different conditions are not mixed. */
const measureAnew = () => void (took = new Map(WAYS.map(({ key }) => [key, []])));

new Demo({ name: "nagle", lanes: WAYS, unit: "ms" })
  .knob("writes", measureAnew)
  .knob("pause", measureAnew)
  .knob("nodelay", measureAnew)
  .start((run) => {
    measureAnew();
    return askInTurns(run);
  });

/** @param {import("../frame/demo.js").Run} run */
async function askInTurns(run) {
  for (let round = 0; !run.signal.aborted; round++) {
    for (const way of WAYS) {
      try {
        await run.wait(run.value("pause"));
        await askOnce(run, way, round);
      } catch (error) {
        if (run.signal.aborted) return;
        throw error;
      }
    }
    judge(run);
  }
}

/** @param {import("../frame/demo.js").Run} run @param {Way} way @param {number} round */
async function askOnce(run, { key, address }, round) {
  const url = address(run);
  const before = took;
  const asked = performance.now();
  const answer = await fetch(url, { signal: run.signal, cache: "no-store" });
  await answer.text();
  const ms = performance.now() - asked;
  run.lanes.mark(key, { value: ms, tone: ms > LATE ? "late" : "plain" });
  run.lanes.state(key, answer.ok ? "open" : "refused", answer.ok ? "answers" : `status ${answer.status}`);
  // While a question was under way, a knob may have been turned.
  if (round < WARM_UP || before !== took) return;
  const mine = took.get(key) ?? [];
  mine.push(ms);
  if (mine.length > MOST) mine.shift();
  run.samples.add({ way: key, writes: url.searchParams.get("writes"), nodelay: url.searchParams.get("nodelay"), took_ms: ms });
  const { n, median } = summarize(mine);
  run.lanes.number(key, inMs(median), `median of ${n}`);
}

/** What the second write costs, once enough has come. @param {import("../frame/demo.js").Run} run */
function judge(run) {
  const [one, two, nodelay] = WAYS.map(({ key }) => summarize(took.get(key) ?? []));
  const n = Math.min(one.n, two.n, nodelay.n);
  if (n < ENOUGH) return;
  const added = two.median - one.median;
  const truth = added < 2 ? "nothing" : added < LATE ? "little" : added < 100 ? "forty" : "much";
  const text =
    truth === "nothing"
      ? `Nothing that counts here: ${inMs(one.median)} in one write, ${inMs(two.median)} in more (N = ${n} each).`
      : `${inMs(added)} more: ${inMs(one.median)} in one write, ${inMs(two.median)} in ${run.value("writes")}, ` +
        `and ${inMs(nodelay.median)} with TCP_NODELAY (N = ${n} each).`;
  if (run.isAsBet("writes", "nodelay")) run.reveal(truth, text);
  else run.tell(text);
}
