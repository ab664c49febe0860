/**
 * The slow reader (demos/slow-reader): the server's memory is bounded, and whoever falls behind is told so.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
// A small log is soon full, and a slow reader soon falls off it.
const server = await Server.start({ flags: ["--lab-port", "auto", "--log-bytes", "2MiB"] });
after(() => server.stop());

test("slow readers miss messages and are told so; memory stops rising, a fast one misses nothing", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "slow-reader");
  const { page } = demo;

  await demo.placeBet("rises");
  await demo.start();
  for (const lane of ["fast", "websocket", "sse", "long-poll"]) await demo.seesMarks(lane);
  await demo.suffers(({ slow_reader }) => slow_reader === 50_000);
  await page.locator("#memory[data-drawn]").waitFor();

  const revealed = await demo.reveal();
  await demo.suffers(({ slow_reader }) => slow_reader === undefined);
  for (const reader of ["websocket", "sse", "long-poll"]) {
    await page.locator(`.decisions li[data-what="gap"]:has-text("[${reader}]")`).first().waitFor();
  }
  await demo.takePictures();

  await page.locator("#slow:enabled").click();
  await demo.suffers(({ slow_reader }) => slow_reader === 50_000);
  await demo.turn("taken", 60);
  await demo.suffers(({ slow_reader }) => slow_reader === 60_000);
  await demo.stop();

  assert.match(revealed, /left [\d.]+ MB untaken.* The server’s memory (grew|shrank) by [\d.]+ [kM]?B/);
  assert.equal(await page.locator(".came-true").count(), 1);
  assert.notEqual(await page.locator(".came-true input").getAttribute("value"), "rises", "no queue for each reader");
  const missed = async (/** @type {string} */ reader) =>
    Number(await page.locator(`[data-row="${reader}"] td:nth-child(3)`).textContent());
  assert.equal(await missed("fast"), 0);
  for (const reader of ["websocket", "sse", "long-poll"]) assert.ok((await missed(reader)) > 0, `${reader} has missed some`);
});
