/**
 * Talk while listening (demos/talk): what a POST adds to a message, and where its queue begins.
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

/** What a row of the table says in each column. */
async function row(/** @type {DemoPage} */ demo, /** @type {string} */ transport) {
  const [up, , , bytes, waiting, connections, down] = await demo.page.locator(`[data-row="${transport}"] td`).allInnerTexts();
  return { up: Number(up), bytes: parseInt(bytes), waiting: Number(waiting), connections, down: Number(down) };
}

test("at ten messages a second all three talk and listen, and POST pays in bytes", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "talk");

  await demo.placeBet(300);
  await demo.start();
  for (const lane of TRANSPORTS) await demo.seesMarks(lane, 10);
  const revealed = await demo.reveal();
  await demo.takePictures();
  const [socket, sse, poll] = await Promise.all(TRANSPORTS.map((transport) => row(demo, transport)));
  await demo.stop();

  assert.match(revealed, /^A POST took .* up \(N = \d+\), a WebSocket's message .* \(N = \d+\): .* (more|less)\./);
  assert.match((await demo.page.locator(".bet .truth").textContent()) ?? "", /^measured: .* ms$/);
  for (const { up, down } of [socket, sse, poll]) assert.ok(up > 0 && down > 0);
  for (const post of [sse, poll]) assert.ok(post.bytes > socket.bytes, `${post.bytes} bytes by POST, ${socket.bytes} by frame`);
  assert.match(socket.connections, /^websocket 1$/);
  assert.match(sse.connections, /^(sse 1, POST \d+|POST \d+, sse 1)$/);
});

test("more messages than round trips: by POST they queue, until there is time for them", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "talk", { query: "?delay=100&rate=30&down=0" });
  await demo.placeBet(300);
  await demo.start();
  await demo.suffers(({ latency_ms }) => latency_ms === 100);
  for (const transport of ["sse", "long-poll"]) {
    while (!((await row(demo, transport)).waiting > 40)) await demo.page.waitForTimeout(100);
  }

  await demo.turn("rate", 1);
  await demo.turn("delay", 0);

  await demo.suffers(({ latency_ms }) => !latency_ms);
  for (const transport of TRANSPORTS) {
    for (let now = await row(demo, transport); !(now.waiting <= 1 && now.up > 0); now = await row(demo, transport)) {
      await demo.page.waitForTimeout(100);
    }
  }
  await demo.stop();
});
