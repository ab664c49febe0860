/**
 * The buffering proxy (demos/buffering): an event stream starves without an error, and the other transports pass.
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

/** @param {import("node:test").TestContext} test @param {string} [query] */
async function running(test, query) {
  const demo = await DemoPage.open(test, browser, server, "buffering", { query });
  await demo.placeBet(500);
  await demo.start();
  await demo.suffers(({ buffer }) => buffer !== undefined);
  return demo;
}

/** @param {DemoPage} demo @param {string} lane @param {RegExp} words */
const says = (demo, lane, words) => demo.page.locator(`[data-lane="${lane}"] .strip-facts`, { hasText: words }).waitFor();

test("what a proxy collects comes all at once, and without an error", HANG_GUARD, async (test) => {
  const demo = await running(test);
  for (const lane of ["websocket", "long-poll", "client"]) await demo.seesMarks(lane, 5);
  await says(demo, "sse", /onopen 0 ×, onerror 0 ×/);

  const revealed = await demo.reveal();

  assert.match(revealed, /^Event 1 showed after \d.*, together with [1-9]\d* others\. onerror was called 0 times\./);
  await demo.takePictures();

  await demo.turn("honors", true);
  await demo.suffers(({ buffer }) => buffer?.honor_accel === true);
  await demo.turn("between", "scanner");
  await demo.suffers(({ hold_events }) => hold_events === true);
  await demo.stop();
});

test("nothing comes while a proxy waits for the end, and all of it when the proxy is gone", HANG_GUARD, async (test) => {
  const demo = await running(test, "?between=whole");
  await demo.seesMarks("websocket", 5);
  await says(demo, "sse", /held back/);
  await says(demo, "sse", /onopen 0 ×, onerror 0 ×/);
  await says(demo, "client", /open by long-poll/);
  assert.equal(await demo.page.locator(".lesson:visible").count(), 0, "nothing has come yet");

  await demo.page.getByRole("button", { name: "Take it out of the way" }).click();

  await demo.suffers(({ buffer }) => buffer === undefined);
  assert.match(await demo.told(), /^Event 1 showed after .*, when the proxy was taken out of the way, together with \d+ others?\./);
  await says(demo, "sse", /onopen 1 ×, onerror 0 ×/);
  await says(demo, "client", /open by sse/);
  assert.match(await demo.page.locator(".decisions").innerText(), /sse {2}moved: from long-poll/);
  await demo.stop();
});
