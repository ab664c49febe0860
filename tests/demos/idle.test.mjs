/**
 * Idle (demos/idle): a proxy drops silent lines, and who notices.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
// Longer than it takes to the second question, even on a slow machine, or a poll is answered before; and not much longer,
// since clients wait for two and a half of these.
const server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "10s"] });
after(() => server.stop());

const TRANSPORTS = ["websocket", "sse", "long-poll"];

/** Waits until the table says so of all three. @param {DemoPage} demo @param {number} column @param {RegExp} text */
async function allSay(demo, column, text) {
  for (const transport of TRANSPORTS) {
    await demo.page.locator(`[data-row="${transport}"] td:nth-of-type(${column})`).filter({ hasText: text }).waitFor();
  }
}

test("nobody notices a line that is dropped without a word, until the heartbeat is missed", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "idle", { noise: true });

  await demo.placeBet("page");
  await demo.start();
  for (const lane of TRANSPORTS) await demo.seesMarks(lane);
  await demo.suffers(({ idle }) => idle?.after_ms === 4_000 && idle.how === "silence");
  const revealed = await demo.reveal();
  await demo.takePictures();

  assert.equal(
    revealed,
    "3 of 3 pages say “open”, 0 of 3 have noticed a loss, the server counts 3 subscribers, " +
      "and 0 of 3 heard “Anybody there?”.",
  );
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "nobody");

  // Each comes back by itself, and gets what it has missed.
  const losses = demo.page.locator('.decisions [data-what="lost"]');
  await losses.filter({ hasText: "heartbeats are due every 10000 ms" }).first().waitFor();
  await allSay(demo, 2, /^yes$/);
  await demo.stop();
});

test("a FIN is noticed by both ends, and a server that keeps speaking is never dropped", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "idle", { query: "?after=3&how=fin", noise: true });
  await demo.placeBet("both");
  await demo.start();
  assert.match(await demo.told(), /3 of 3 have noticed a loss, the server counts 3 subscribers/);

  await demo.turn("beat", 1);

  await demo.page.locator(".status").filter({ hasText: "Nobody hung up" }).waitFor();
  await allSay(demo, 2, /^yes$/);
  await allSay(demo, 3, /^0$/);
  await demo.page.locator("#again").click();
  await demo.page.locator("#server").filter({ hasText: "3 subscribers" }).waitFor();
  await demo.stop();
});
