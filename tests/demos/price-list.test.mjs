/**
 * The price list (demos/price-list): what the same messages cost over each transport, in bytes, requests and connections.
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

/** The numbers in a row of the table: lists, bytes a list, up, down, packets, requests, connections. */
async function row(/** @type {DemoPage} */ demo, /** @type {string} */ transport) {
  const cells = await demo.page.locator(`[data-row="${transport}"] td`).allInnerTexts();
  return cells.map((text) => (text.endsWith("kB") ? 1_000 : 1) * parseFloat(text));
}

test("the price list counts bytes, requests and connections of each transport", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "price-list");
  await demo.placeBet(500);
  await demo.start();
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 50);
  const revealed = await demo.reveal();
  const [socket, sse, poll] = await Promise.all(["websocket", "sse", "long-poll"].map((transport) => row(demo, transport)));
  await demo.page.locator("#sizes").evaluate((chart) => chart.scrollIntoView());
  await demo.page.locator("#sizes[data-drawn]").waitFor();
  await demo.page.locator(".status", { hasText: "All is counted" }).waitFor();
  await demo.takePictures();
  await demo.stop();

  const ratio = Number(/^Long-polling moved ([\d.]+) times/.exec(revealed)?.[1]);
  assert.ok(ratio > 5, `for small messages polls cost many times as much, not ${ratio}`);
  assert.match(revealed, /no new connection/);
  assert.deepEqual(socket.slice(0, 4), [50, 44, 0, 44], "42 bytes, and 2 for the head of a frame; nothing goes up");
  assert.equal(sse[2], 0, "nothing goes up");
  assert.equal(poll[5], 50, "a request for each list");
});

test("many lists at once share the price of a poll", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "price-list");
  await demo.placeBet(500);
  await demo.start();
  await demo.reveal();
  const [, alone] = await row(demo, "long-poll");

  await demo.turn("batch", 20);

  await demo.page.waitForFunction(() => /20 at once/.test(document.querySelector(".bet .outcome")?.textContent ?? ""));
  const [lists, together, , , , requests] = await row(demo, "long-poll");
  await demo.stop();
  assert.equal(lists, 50);
  assert.ok(requests < 50, `${requests} requests for 50 lists`);
  assert.ok(together < alone, `${together} bytes a list instead of ${alone}`);
});
