/**
 * The hijack (demos/hijack): a foreign page reads what a bank tells its customer, until the bank asks who is asking.
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

/**
 * Waits until the table says of these settings what came of the way in its column.
 *
 * @param {import("playwright-core").Page} page
 * @param {string[]} settings
 * @param {number} column
 * @param {RegExp} words
 */
async function seesResult(page, settings, column, words) {
  await page.waitForFunction(
    ([settings, column, words]) =>
      [...document.querySelectorAll(".results tbody tr")].some(({ children }) => {
        const cells = [...children].map(({ textContent }) => textContent ?? "");
        return cells.slice(0, 3).join() === settings && new RegExp(words).test(cells[column]);
      }),
    /** @type {const} */ ([settings.join(), column, words.source]),
  );
}

const PORT = "another port of the same host";
const LAX = "SameSite=Lax";
const [FETCH, EVENT_SOURCE, WEBSOCKET, OWN] = [3, 4, 5, 6];

test("a foreign page reads the balance over WebSocket alone, and Origin check or token stop it", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "hijack", { noise: true });
  const { page } = demo;

  await demo.placeBet("");
  await demo.start();
  for (const lane of ["fetch", "sse", "websocket", "own"]) await demo.seesMarks(lane, 2);
  const balance = await page.locator('[data-window="bank"] .balance').innerText();
  const foreign = page.frameLocator(".frame iframe").locator('[data-way="websocket"] dd');
  assert.match(balance, /^[\d,]+ €$/);
  assert.match(await foreign.innerText(), /^Ada has [\d,]+ €$/);
  const revealed = await demo.reveal();
  await demo.takePictures();

  assert.match(revealed, /fetch 0 of \d+, EventSource 0 of \d+, WebSocket [1-9]\d* of \d+/);
  assert.equal(await page.locator(".came-true input").getAttribute("value"), "websocket");
  await seesResult(page, [PORT, LAX, "none"], FETCH, /stopped/);
  await seesResult(page, [PORT, LAX, "none"], EVENT_SOURCE, /stopped/);

  for (const [check, words] of [["origin", "Origin must be its own"], ["token", "a token, which only its own page has"]]) {
    await demo.turn("check", check);
    await seesResult(page, [PORT, LAX, words], WEBSOCKET, /stopped/);
    await seesResult(page, [PORT, LAX, words], OWN, /read it/);
  }
  await demo.turn("check", "none");
  await demo.turn("same_site", "strict");
  await seesResult(page, [PORT, "SameSite=Strict", "none"], WEBSOCKET, /read it/);
  await demo.stop();

  assert.equal(await page.locator("iframe").count(), 0, "the foreign page is gone");
});

test("from another site the WebSocket opens as well, but without the cookie", HANG_GUARD, async (test) => {
  const { port } = await (await fetch(`${server.origin}/lab`)).json();
  const otherName = `http://localhost:${port}`;
  const demo = await DemoPage.open(test, browser, server, "hijack", { noise: true, siblings: [otherName] });
  await demo.placeBet("websocket");
  await demo.start();

  await demo.turn("from", "site");

  await seesResult(demo.page, ["another site", LAX, "none"], WEBSOCKET, /knows nobody/);
  await seesResult(demo.page, ["another site", LAX, "none"], OWN, /read it/);
  assert.equal(await demo.page.locator('[data-window="attacker"] .address').innerText(), otherName);
  await demo.stop();
});
