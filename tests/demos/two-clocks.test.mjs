/**
 * Two clocks (demos/two-clocks): one-way times that mix two clocks, and how far an estimate can be trusted.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());

/** A number of ms as the page writes it. @param {string | null} text */
const ms = (text) => Number((text ?? "").match(/[−\d.]+/)?.[0].replace("−", "-"));

test("the best estimate is off by half of what the ways differ, and the bound holds", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "two-clocks", { query: "?shift=900" });
  const read = async (/** @type {string} */ id) => ms(await demo.page.locator(`#${id}`).textContent());

  await demo.placeBet(0);
  await demo.start();
  await demo.seesMarks("raw", 3);
  await demo.suffers(({ latency_ms }) => latency_ms?.up === 10 && latency_ms.down === 90);
  assert.equal(await demo.page.locator("#raw-note").textContent(), "arrived before it was sent");
  assert.ok(await demo.page.locator("#raw .into-the-past").first().isVisible(), "an arrow points into the past");
  const revealed = await demo.reveal();
  await demo.takePictures();

  assert.match(revealed, /^The best of \d+ estimates is off by [\d.]+ ms, with 10 ms up and 90 ms down\./);
  assert.match(revealed, /The bound of ± [\d.]+ ms holds\.$/);
  // Half of the round trip is at least half of the delays, and the error is what is left of the bound where one way is long.
  const [error, estimate, reference] = await Promise.all([read("error"), read("estimate"), read("reference")]);
  assert.ok(error > 0, `the longer way down makes the clock seem too far ahead, by ${error} ms`);
  assert.ok(Math.abs(estimate - reference - error) <= 1, "and that is the difference of the two rows");
  await demo.stop();
});

test("the raw time follows the clock, and the arrows turn with it", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "two-clocks", { query: "?shift=0&up=100&down=0" });
  await demo.placeBet(500);
  await demo.start();
  await demo.page.locator("#raw-note").filter({ hasText: "under way, it seems" }).waitFor();
  await demo.told();

  await demo.turn("shift", 1000);
  await demo.page.locator("#raw-note").filter({ hasText: "arrived before it was sent" }).waitFor();
  await demo.turn("down", 100);
  await demo.suffers(({ latency_ms }) => latency_ms === 100 || (latency_ms?.up === 100 && latency_ms.down === 100));

  await demo.page.locator(".outcome").filter({ hasText: "with 100 ms up and 100 ms down" }).waitFor();
  assert.match((await demo.page.locator(".outcome").textContent()) ?? "", /holds\.$/);
  await demo.stop();
});
