/**
 * The lying benchmark (demos/lying): the same freeze, as a closed loop and an open one report it.
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

/** Bets on both figures. @param {DemoPage} demo @param {number} closed @param {number} open */
async function placeBets(demo, closed, open) {
  await demo.page.locator("#closed").fill(String(closed));
  assert.ok(await demo.page.locator("button.start").isDisabled(), "a half bet is none");
  await demo.page.locator("#open").fill(String(open));
}

/** What a row says. @param {DemoPage} demo @param {string} loop */
async function row(demo, loop) {
  const [planned, sent, n, , , p99] = await demo.page.locator(`[data-row="${loop}"] td`).allTextContents();
  return { planned: count(planned), sent: count(sent), n: count(n), p99: parseFloat(p99) * (p99.endsWith(" ms") ? 1 : 1_000) };
}

/** @param {string} text */
function count(text) {
  return parseInt(text.replaceAll(",", ""));
}

test("a sender that waits leaves the freeze out, and one with a schedule does not", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "lying");
  await placeBets(demo, 800, 800);
  await demo.start();

  const revealed = await demo.reveal();
  await demo.ended();
  await demo.takePictures();

  assert.match(revealed, /^p99 is .* for the sender that waits and .* for the one with a schedule/);
  const [closed, open] = await Promise.all(["closed", "open"].map((loop) => row(demo, loop)));
  assert.deepEqual([open.planned, open.sent, open.n], [800, 800, 8_000]);
  assert.ok(closed.sent <= 710, `a hundred were due in the freeze: ${closed.sent}`);
  assert.ok(open.p99 > 700, `an eighth of them met it: ${open.p99} ms`);
  assert.ok(closed.p99 < open.p99 / 2, `one of them met it: ${closed.p99} ms`);
  const own = (await demo.page.locator("#own-numbers").textContent()) ?? "";
  assert.match(own, new RegExp(`100 messages were due .* sent ${closed.sent} of 800`));
  assert.equal(await demo.page.locator(".truth").count(), 2);
});

test("without a freeze there is nothing to leave out", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "lying", { query: "?freeze=0" });
  await placeBets(demo, 500, 500);
  await demo.start();
  await demo.told();
  await demo.ended();

  assert.ok(await demo.page.locator("#own-numbers").isHidden());
  assert.deepEqual((await row(demo, "open")).sent, 800);
});
