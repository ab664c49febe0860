/**
 * The ticker (demos/ticker): more changes than a line carries, and what is left when only the latest prices are sent.
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

test("over a narrow line all fall behind with every change, and catch up with the latest prices", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "ticker");
  const less = demo.page.locator("button.less");
  await demo.placeBet("each");
  assert.ok(await less.isDisabled());
  await demo.start();
  await demo.suffers(({ bandwidth }) => bandwidth?.down === 24_000);
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 20);
  await demo.page.locator("button.less:enabled").waitFor();
  const wrong = await demo.page.locator('[data-board="long-poll"] output').innerText();
  assert.ok(parseInt(wrong) > 20, `of the prices on the screen, ${wrong}`);

  await less.click();

  const revealed = await demo.reveal();
  await demo.takePictures();
  assert.equal(await demo.page.locator("select[name=mode]").inputValue(), "latest");
  assert.match(revealed, /^Behind, with every change: WebSocket .+ SSE .+ Long-poll .+ With the latest prices: /);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "latest");
  await demo.stop();
});

test("the knobs of the ticker change the line and what is sent", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "ticker", { query: "?rate=100&bandwidth=400" });
  await demo.placeBet("tie");
  await demo.start();
  await demo.seesMarks("sse", 3);

  await demo.turn("bandwidth", 80);
  await demo.suffers(({ bandwidth }) => bandwidth.down === 80_000);
  await demo.turn("mode", "batch");

  await demo.page.locator('[data-row="batch"] td', { hasText: "B/s" }).first().waitFor();
  await demo.stop();
});
