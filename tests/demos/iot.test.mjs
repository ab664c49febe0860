/**
 * Things (demos/iot): lamps that listen, one that sleeps, and a hundred sensors.
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

const DEVICES = ["websocket", "sse", "long-poll", "sleeper"];

/** What the lab knows of the link of one device. */
async function linkOf(/** @type {DemoPage} */ demo, /** @type {string} */ device) {
  return (await fetch(`${server.origin}/lab/links/${demo.run}-${device}`)).json();
}

test("all lamps obey, and the one that sleeps is off the air most of the time", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "iot");
  await demo.placeBet(100);
  await demo.start();
  await demo.page.locator("button.switch:enabled").waitFor();
  for (let command = 0; command < 4; command++) await demo.page.locator("button.switch").click();
  for (const device of DEVICES) await demo.seesMarks(device, 5);
  const revealed = await demo.reveal();
  await demo.takePictures();
  const rows = await Promise.all(DEVICES.map((device) => demo.page.locator(`[data-row="${device}"] td`).allInnerTexts()));
  const traffic = await linkOf(demo, "sleeper");
  await demo.stop();

  assert.match(revealed, /^The sleeping sensor's radio is on for .+ every 3 s: [\d.]+ % of the time \(N = \d+\)/);
  for (const row of rows.slice(0, 3)) assert.equal(row[3], "100 %", "who holds a connection can always hear");
  assert.ok(parseFloat(rows[3][3]) < 100, `on for ${rows[3][3]}`);
  assert.equal(rows[0][4], "1", "a WebSocket is one request");
  assert.ok(traffic.traffic.publish.exchanges >= 4, "the sleeper reports by POST");
  assert.ok(traffic.traffic.poll.exchanges >= 4, "and asks by short polls");
});

test("the delay acts on every device, and the fleet reports over few connections", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "iot");
  await demo.placeBet(500);
  await demo.start();
  await demo.page.locator("button.switch:enabled").waitFor();

  await demo.turn("delay", 200);

  for (const device of DEVICES) {
    while ((await linkOf(demo, device)).faults.latency_ms !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await demo.page.locator(".fleet-facts", { hasText: /\d{2,} requests/ }).waitFor();
  const { traffic } = (await demo.link()) ?? {};
  await demo.stop();
  assert.ok(traffic.publish.connections <= 6, "a browser opens six connections at most");
});
