/**
 * A class: forty clients run the race at once, over forty links, on one machine. Nobody disturbs anybody, nothing is
 * lost for all that is asked of the machine, and the page among them that could not keep up says so.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startBrowser } from "../browser/support/browser.mjs";
import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { DemoPage } from "./support/demo.mjs";

const PUPILS = 39;
const LANES = ["websocket", "sse", "long-poll"];

/** The page may be so much later than its own bound, in ms, before it must say so: the two do not look at the same moments. */
const SURELY_LATE = 100;

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());

/** Starts the pupils; `hand in` ends their race and returns what they got. @param {import("node:test").TestContext} test @param {string} lab */
async function startPupils(test, lab) {
  const program = fileURLToPath(new URL("support/pupils.mjs", import.meta.url));
  const pupils = spawn(process.execPath, [program, server.origin, lab, String(PUPILS)], { stdio: ["pipe", "pipe", "inherit"] });
  test.after(() => pupils.kill());
  const lines = createInterface(pupils.stdout)[Symbol.asyncIterator]();
  assert.deepEqual(JSON.parse((await lines.next()).value), { begun: PUPILS });
  return async function handIn() {
    pupils.stdin.end();
    return JSON.parse((await lines.next()).value);
  };
}

/** Measures in a page, by means of its own, how late the page's timers are. @param {import("playwright-core").Page} page */
const watchTimers = (page) =>
  page.evaluate(() => {
    const lags = [];
    let last = performance.now();
    setInterval(() => {
      lags.push(performance.now() - last - 50);
      last = performance.now();
    }, 50);
    Object.assign(window, { lags });
  });

/** By how much the latest tenth of a page's timers were late at least. @param {import("playwright-core").Page} page */
const lateness = (page) =>
  page.evaluate(() => {
    const sorted = [.../** @type {any} */ (window).lags].sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length * 0.9)];
  });

test("forty clients run the race at once over forty links, and the page among them stays honest", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race", { query: "?rate=5&delay=20" });
  const handIn = await startPupils(test, demo.lab);
  await demo.placeBet("long-poll");
  await watchTimers(demo.page);

  await demo.start();
  for (const lane of LANES) await demo.seesMarks(lane, 40);

  const [verdict, late] = [await demo.verdict(), await lateness(demo.page)];
  const rows = await demo.page.locator("[data-row]").allInnerTexts();
  const results = await handIn();
  await demo.stop();
  test.diagnostic(`the page's timers were ${Math.round(late)} ms late, and it calls its figures ${verdict}`);
  if (late > SURELY_LATE) assert.equal(verdict, "bottleneck");
  for (const row of rows) assert.match(row, /\b0, 0$/, "nothing lost, nothing repeated");
  assert.equal(new Set([demo.run, ...results.map(({ name }) => name)]).size, PUPILS + 1, "a link for each");
  for (const { name, lanes } of results) {
    for (const { got, lost, repeated } of lanes) {
      assert.ok(got > 0, `${name} heard nothing`);
      assert.deepEqual({ lost, repeated }, { lost: 0, repeated: 0 }, name);
    }
    const { traffic } = await (await fetch(`${server.origin}/lab/links/${name}`)).json();
    for (const kind of ["websocket", "sse", "poll"]) assert.ok(traffic[kind].exchanges > 0, `${name} used its own link`);
  }
});

test("a page that is kept busy says that it is the bottleneck", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race");
  await demo.placeBet("nobody");
  await demo.page.evaluate(() => {
    setInterval(() => {
      const until = performance.now() + 200;
      while (performance.now() < until);
    }, 50);
  });

  await demo.start();

  await demo.page.locator(".warning[data-verdict=bottleneck]", { hasText: "This page was the bottleneck" }).waitFor();
  await demo.stop();
  assert.equal(await demo.verdict(), "bottleneck", "and does not forget it when it stops");
});
