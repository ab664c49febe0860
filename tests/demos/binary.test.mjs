/**
 * Binary (demos/binary): the same picture as bytes and as base64.
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

/** The colors of a picture as they are on the screen, as one text. */
function colorsOf(/** @type {DemoPage} */ demo, /** @type {string} */ transport) {
  const canvas = demo.page.locator(`[data-wall="${transport}"] canvas`);
  return canvas.evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).toDataURL());
}

test("the same picture comes by bytes and by base64, and base64 costs a third more", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "binary", { query: "?bandwidth=100" });
  const blank = await colorsOf(demo, "sse");
  await demo.placeBet(900);
  await demo.start();
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 48);
  await demo.suffers(({ bandwidth }) => bandwidth.down === 100_000);
  const revealed = await demo.reveal();
  await demo.takePictures();
  const pictures = await Promise.all(["websocket", "sse", "long-poll"].map((transport) => colorsOf(demo, transport)));
  await demo.stop();

  const percent = Number(/^Server-sent events needed (\d+) % more bytes for 48 tiles/.exec(revealed)?.[1]);
  assert.ok(percent >= 33 && percent < 45, `a third, and a little for the frame of each event: ${percent} %`);
  assert.notEqual(pictures[0], blank);
  assert.equal(pictures[1], pictures[0], "the picture by SSE is that by WebSocket");
  assert.equal(pictures[2], pictures[0], "the picture by long-polling is that by WebSocket");
});

test("with small tiles the frame around each counts, and decides no bet about large ones", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "binary", { query: "?bandwidth=400" });
  await demo.placeBet(200);
  await demo.start();
  await demo.reveal();

  await demo.turn("edge", 16);

  assert.match(await demo.told(), /for 192 tiles of/);
  await demo.page.locator("button.again").click();
  await demo.seesMarks("websocket", 48 + 2 * 192);
  const outcome = (await demo.page.locator(".bet .outcome").textContent()) ?? "";
  await demo.stop();
  assert.ok(Number(/needed (\d+) %/.exec(outcome)?.[1]) > 36, outcome);
});
