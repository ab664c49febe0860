/**
 * Cut the cable (demos/cut-cable): who loses messages in an outage, and how that is made impossible.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const LANES = ["websocket", "sse", "long-poll"];
const FOR_TWO_SECONDS = /for 2 seconds/;
const EXACTLY_ONE = /exactly one/;

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());

/** @param {import("node:test").TestContext} test @param {string} [query] */
async function running(test, query) {
  const demo = await DemoPage.open(test, browser, server, "cut-cable", { noise: true, query });
  await demo.placeBet("nobody");
  await demo.start();
  for (const lane of LANES) await demo.seesMarks(lane, 2);
  return demo;
}

/**
 * Presses a button, and returns what was lost.
 *
 * @param {DemoPage} demo
 * @param {RegExp} name of the button
 * @param {(faults: any) => boolean} [isBroken] how the link is seen to break, and to heal
 */
async function cut(demo, name, isBroken) {
  const before = await demo.page.locator(".outcome").textContent();
  const button = demo.page.getByRole("button", { name });
  await button.click();
  if (isBroken) {
    await demo.suffers(isBroken);
    await demo.suffers((faults) => !isBroken(faults));
  }
  await demo.page.waitForFunction((before) => ![before, ""].includes(document.querySelector(".outcome")?.textContent ?? ""), before);
  await button.and(demo.page.locator(":enabled")).waitFor();
  return (await demo.page.locator(".outcome").textContent()) ?? "";
}

test("without a cursor WebSocket loses what an outage takes, and the others lose nothing", HANG_GUARD, async (test) => {
  const demo = await running(test);

  const lost = await cut(demo, FOR_TWO_SECONDS, ({ cut }) => cut !== undefined);

  assert.match(lost, /^WebSocket lost \d+, numbers \d+ to \d+, SSE lost nothing, Long-poll lost nothing/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "websocket");
  assert.match(await demo.page.locator('[data-lane="websocket"] .strip-number').innerText(), /^[1-9]\d* lost/);
  await demo.takePictures();
  await demo.stop();
});

test("exactly one message can be lost, and with a cursor none", HANG_GUARD, async (test) => {
  const demo = await running(test, "?rate=1");
  assert.match(await cut(demo, EXACTLY_ONE), /^WebSocket lost exactly one, number \d+, SSE lost nothing, Long-poll lost nothing/);

  await demo.turn("resume", true);
  await demo.page.locator('[data-lane="websocket"] .lamp', { hasText: "with a cursor" }).waitFor();
  await demo.page.locator('[data-lane="websocket"] .strip-number', { hasText: "0 lost" }).waitFor();

  assert.match(await cut(demo, EXACTLY_ONE), /^WebSocket lost nothing, SSE lost nothing, Long-poll lost nothing/);
  assert.equal(await demo.page.locator("form.bet[data-told]").count(), 1, "the bet is about a WebSocket without a cursor");
  assert.match(await demo.page.locator(".decisions").innerText(), /websocket {2}lost: /);
  await demo.stop();
});

test("bytes that are halted and go on are not lost, cursor or not", HANG_GUARD, async (test) => {
  const demo = await running(test, "?how=halt");

  const lost = await cut(demo, FOR_TWO_SECONDS, ({ slow_reader }) => slow_reader !== undefined);

  assert.match(lost, /^WebSocket lost nothing, SSE lost nothing, Long-poll lost nothing/);
  await demo.stop();
});
