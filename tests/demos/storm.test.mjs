/**
 * Reconnect storm (demos/storm): doubling the pause flattens nothing, chance does.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start();
after(() => server.stop());

/** What a row says: peaks, attempts, how long clients were away. @param {DemoPage} demo @param {string} rule */
async function row(demo, rule) {
  const [peak, perSecond, tried, half, last] = await demo.page.locator(`[data-row="${rule}"] td`).allTextContents();
  return { peak: count(peak), perSecond: count(perSecond), tried: count(tried), half, last };
}

/** @param {string} text */
function count(text) {
  return parseInt(text.replaceAll(",", ""));
}

test("clients of a killed server come back by five rules, and each makes another spike", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "storm");
  await demo.placeBet(900);
  await demo.start();

  const revealed = await demo.reveal();
  await demo.ended();
  await demo.takePictures();

  assert.match(revealed, /^500 clients\. In the busiest tenth of a second tried: [\d,]+ \(at once\), \d+ \(each second\), \d+ \(doubling\), \d+ \(random\), \d+ \(SSE\)\./);
  const [atOnce, fixed, doubling, jitter, retry] = await Promise.all(["at-once", "fixed", "doubling", "jitter", "retry"].map((rule) => row(demo, rule)));
  // A wave of all falls into one tenth of a second or two.
  for (const { peak } of [fixed, doubling]) assert.ok(peak >= 250, `all at a time: ${peak}`);
  for (const { peak } of [jitter, retry]) assert.ok(peak < 250, `spread: ${peak}`);
  assert.ok(atOnce.tried > 10 * fixed.tried);
  assert.ok(doubling.tried < fixed.tried, "fewer waves");
  for (const { last } of [atOnce, fixed, doubling, retry]) assert.match(last, /s$/, "everybody is back");
  assert.equal(await demo.page.locator(".truth").count(), 1);
});

test("one rule can be tried alone, and is compared with those before", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "storm", { query: "?clients=50&rule=fixed&down=500" });
  await demo.placeBet(500);
  await demo.start();
  assert.match(await demo.told(), /^50 clients\. .* tried: \d+ \(each second\)\. /);
  await demo.ended();

  await demo.turn("rule", "at-once");
  await demo.start();
  await demo.page.locator('[data-row="at-once"] td:nth-child(7)').waitFor();
  await demo.ended();

  assert.match(await demo.told(), /tried: \d+ \(at once\), \d+ \(each second\)\. /);
});
