/**
 * Too large (demos/too-large): what a message beyond the limit costs on a WebSocket, and what by POST.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const LANES = ["websocket", "sse", "long-poll"];

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto", "--max-message-size", "64KiB"] });
after(() => server.stop());

/** @param {import("node:test").TestContext} test @param {string} query */
async function running(test, query) {
  const demo = await DemoPage.open(test, browser, server, "too-large", { noise: true, query });
  await demo.placeBet("message");
  await demo.start();
  for (const lane of LANES) await demo.seesMarks(lane, 2);
  return demo;
}

/** Sends, and returns the newest row of the table. @param {DemoPage} demo @param {string} bytes as they are shown */
async function send(demo, bytes) {
  await demo.page.getByRole("button", { name: "Send it" }).click();
  const row = demo.page.locator("tbody tr").first();
  await row.locator("td:first-child", { hasText: bytes }).waitFor();
  return row.locator("td").allInnerTexts();
}

test("one byte too many ends a bare WebSocket, and a POST is told why", HANG_GUARD, async (test) => {
  const demo = await running(test, "?size=65536&more=true");

  const row = await send(demo, "65,537");

  assert.deepEqual(row.slice(1, 4), ["0 of 3", "0 of 3", "0 of 3"]);
  assert.match(row[4], /^closed with 1009, “the message is larger/);
  assert.match(row[5], /^413, “a message has at most 65536 bytes/);
  assert.match(await demo.reveal(), /WebSocket: closed with 1009.*; [1-9]\d* small messages lost\. POST: 413.*; 0 small messages lost\./);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "connection");
  await demo.page.locator('[data-lane="websocket"] .lamp', { hasText: "open" }).waitFor();
  for (const lane of ["sse", "long-poll"]) {
    assert.match(await demo.page.locator(`[data-lane="${lane}"] .strip-number`).innerText(), /^0 lost/);
  }
  await demo.takePictures();
  await demo.stop();
});

test("up to the limit everything arrives everywhere", HANG_GUARD, async (test) => {
  const demo = await running(test, "?size=1024&more=false");

  const small = await send(demo, "1,024");
  await demo.turn("size", 65536);
  const large = await send(demo, "65,536");

  for (const row of [small, large]) {
    for (const cell of row.slice(1, 4)) assert.match(cell, /^3 of 3, \d/);
    assert.match(row[4], /it came back/);
    assert.match(row[5], /^201/);
  }
  assert.match(await demo.told(), /WebSocket: no answer, but it came back; 0 small messages lost\./);
  assert.equal(await demo.page.locator(".came-true").count(), 0, "the bet is about a message that is too large");
  await demo.stop();
});

test("a protocol with answers refuses the message, and keeps the connection", HANG_GUARD, async (test) => {
  const demo = await running(test, "?size=65536&more=true&speaks=client");

  const row = await send(demo, "65,537");

  assert.match(row[4], /^refused: a message has at most 65536 bytes/);
  assert.match(await demo.told(), /WebSocket: refused: .*; 0 small messages lost\./);
  assert.match(await demo.page.locator(".decisions").innerText(), /websocket {2}alive: hello came/);
  await demo.stop();
});
