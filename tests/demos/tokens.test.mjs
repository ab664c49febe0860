/**
 * Tokens (demos/tokens): a text that arrives word by word, a cut, and where each transport goes on.
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

/** Words that came, lost ones, repeated ones. */
async function counts(/** @type {DemoPage} */ demo, /** @type {string} */ transport) {
  const cells = await demo.page.locator(`[data-row="${transport}"] td`).allInnerTexts();
  return cells.slice(0, 3).map((text) => parseInt(text));
}

/** The text is written once more, to its end. */
async function isWritten(/** @type {DemoPage} */ demo) {
  await demo.page.locator(".status", { hasText: "is being written" }).waitFor();
  await demo.page.locator(".status", { hasText: "The text is written" }).waitFor();
}

test("a cut leaves a hole in the text of a bare WebSocket, and none where there is an id", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "tokens", { noise: true });
  await demo.placeBet("all");
  await demo.start();
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 3);

  await demo.suffers(({ cut }) => cut?.open_only);
  await demo.suffers(({ cut }) => !cut);

  const revealed = await demo.reveal();
  await demo.takePictures();
  const [socket, sse, poll] = await Promise.all(["websocket", "sse", "long-poll"].map((transport) => counts(demo, transport)));
  assert.match(revealed, /^WebSocket: \d+ words lost/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "http");
  assert.ok(socket[1] > 0, "words are missing");
  assert.deepEqual([sse, poll], [[63, 0, 0], [63, 0, 0]]);
  assert.match(await demo.page.locator('[data-text="websocket"] del').innerText(), /words missing/);
  await demo.stop();
});

test("with the id of the last word all texts are whole, and without ids they begin again", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "tokens", { noise: true, query: "?back=cursor&outage=500&rate=15" });
  await demo.placeBet("all");
  await demo.start();
  await demo.page.locator(".bet .outcome", { hasText: /^All three texts are whole/ }).waitFor();
  assert.equal(await demo.page.locator(".came-true").count(), 0, "the bet was about what each transport does by itself");

  await demo.turn("back", "start");

  await isWritten(demo);
  const all = await Promise.all(["websocket", "sse", "long-poll"].map((transport) => counts(demo, transport)));
  for (const [words, lost, twice] of all) {
    assert.deepEqual([words, lost], [63, 0]);
    assert.ok(twice > 0, "words are repeated");
  }
  assert.ok((await demo.page.locator('[data-text="sse"] mark').count()) > 0);
  await demo.stop();
});
