/**
 * Six tabs (demos/six-tabs): streams keep a browser's connections to one port, until nothing else comes through.
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

/** Tabs come fast, so that the test does. */
const FAST = "?pause=100&most=8&patience=1500";

test("event streams and polls make a picture wait, WebSockets do not, and closing one tab helps", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "six-tabs", { query: FAST });
  const { page } = demo;
  const same = page.locator('[data-port="same"]');

  await demo.placeBet("websocket+sse+long-poll");
  await demo.start();

  await page.locator('.tabs [data-kind="sse"][data-state="waiting"]').waitFor();
  assert.equal(await same.getAttribute("data-state"), "waiting");
  assert.equal(await page.locator('[data-port="other"]').getAttribute("data-state"), "here", "another port answers meanwhile");
  await page.locator('.happening:has-text("One tab was closed")').waitFor();
  assert.equal(await same.getAttribute("data-state"), "here", "the picture was there when a tab was closed");
  await page.locator('.tabs [data-kind="long-poll"][data-state="waiting"]').waitFor();
  await demo.turn("most", 9);
  for (const lane of ["websocket", "sse", "long-poll", "other"]) await demo.seesMarks(lane);
  const revealed = await demo.reveal();
  await demo.takePictures();

  assert.equal(await page.locator(".came-true input").getAttribute("value"), "websocket");
  assert.match(revealed, /with \d+ event streams it waited .* with \d+ held polls it waited .* with 9 WebSockets it came/);
  assert.match(revealed, /Another port of the same server answered (\d+) times of \1\b/);

  // By hand, kinds can be mixed: polls and event streams share their connections.
  for (const kind of ["sse", "long-poll", "sse", "long-poll", "sse", "long-poll", "sse", "long-poll"]) {
    await page.locator(`[data-open="${kind}"]`).click();
  }
  await page.locator('[data-port="same"][data-state="waiting"]').waitFor();
  for (let closed = 0; closed < 4; closed++) await page.locator("[data-close]").click();
  await page.locator('[data-port="same"][data-state="here"]').waitFor();
  await demo.stop();

  assert.equal(await page.locator(".tabs li").count(), 0, "nothing keeps other tabs waiting");
});
