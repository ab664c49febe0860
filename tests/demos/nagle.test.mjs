/**
 * Nagle (demos/nagle): what a second small write costs, and how one option takes it away.
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

/** What a lane says it takes, in ms. @param {DemoPage} demo @param {string} lane */
async function median(demo, lane) {
  const text = (await demo.page.locator(`.strip[data-lane="${lane}"] .strip-number b`).textContent()) ?? "";
  return parseFloat(text) * (text.endsWith(" ms") ? 1 : 1_000);
}

test("a second write makes an answer wait, and TCP_NODELAY does away with it", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "nagle", { query: "?pause=0" });
  await demo.placeBet("nothing");
  await demo.start();
  for (const lane of ["one", "two", "nodelay", "poll"]) await demo.seesMarks(lane);

  const revealed = await demo.reveal();
  await demo.takePictures();
  const slow = await median(demo, "two");

  // What a system makes of it is its own affair; on Linux, where this is tested, the two wait for each other.
  assert.match(revealed, / more: .* in one write, .* in 2, and .* with TCP_NODELAY \(N = \d+ each\)\.$/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "forty");
  await demo.turn("nodelay", true);
  await demo.page.waitForFunction((slow) => {
    const text = document.querySelector('.strip[data-lane="two"] .strip-number b')?.textContent ?? "";
    return text.endsWith(" ms") && parseFloat(text) < slow - 15;
  }, slow);
  await demo.stop();
});
