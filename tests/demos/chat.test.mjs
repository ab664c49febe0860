/**
 * The chat (demos/chat): one room, three transports in it, and other devices.
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

const TRANSPORTS = ["websocket", "sse", "long-poll"];

/** Waits for a line with this text in a seat, and returns the line. */
function line(/** @type {DemoPage} */ demo, /** @type {string} */ seat, /** @type {string | RegExp} */ text) {
  return demo.page.locator(`[data-seat="${seat}"] li`, { hasText: text }).last();
}

/** Writes as a person at the page does. */
async function write(/** @type {DemoPage} */ demo, /** @type {string} */ over, /** @type {string} */ text) {
  await demo.page.locator(`.write [value="${over}"]`).check({ force: true });
  await demo.page.locator(".write [name=text]").fill(text);
  await demo.page.locator(".write button").click();
}

test("three people talk over three transports, and the page says who was late", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "chat", { query: "?room=talk" });

  await demo.placeBet("nobody");
  await demo.start();
  for (const lane of TRANSPORTS) await demo.seesMarks(lane, 2);
  const revealed = await demo.reveal();
  await demo.takePictures();
  await demo.turn("delay", 60);
  await demo.suffers(({ latency_ms }) => latency_ms === 60);
  await demo.turn("delay", 0);
  await demo.suffers(({ latency_ms }) => !latency_ms);
  await demo.turn("letters", 30);
  await demo.page.locator(".draft", { hasText: /(Ada|Ben|Cleo): .+…/ }).first().waitFor();
  await demo.stop();

  assert.match(revealed, /Ada .* ms, Ben .* ms, Cleo .* ms \(median of N = \d+ each\)/);
});

test("whoever opens the room elsewhere hears everybody, and joins and leaves", HANG_GUARD, async (test) => {
  const query = "?room=elsewhere&robots=false&delay=0";
  const [here, there] = await Promise.all([1, 2].map(() => DemoPage.open(test, browser, server, "chat", { query })));
  for (const demo of [here, there]) {
    await demo.placeBet("nobody");
    await demo.start();
  }
  await here.page.locator("#count", { hasText: "6" }).waitFor();

  for (const over of TRANSPORTS) {
    const text = `<b>over ${over}</b>`;
    await write(there, over, text);
    for (const seat of TRANSPORTS) await line(here, seat, text).waitFor();
    for (const seat of TRANSPORTS) {
      await line(there, seat, text).waitFor();
      const count = await there.page.locator(`[data-seat="${seat}"] li`, { hasText: text }).count();
      assert.equal(count, 1, "the sender's own seat got no copy from the server");
    }
  }
  await there.page.locator('[data-seat="sse"] button').click();
  for (const seat of TRANSPORTS) await line(here, seat, /^ ?Ben @.+ has left/).waitFor();
  await here.page.locator("#count", { hasText: "5" }).waitFor();
  await there.page.locator('[data-seat="sse"] button').click();
  for (const seat of TRANSPORTS) {
    await here.page.locator(`[data-seat="${seat}"] li:last-child`, { hasText: /^ ?Ben @.+ has joined \(sse\)/ }).waitFor();
  }
  await here.stop();
  await there.stop();
});
