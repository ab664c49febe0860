/**
 * The blocked upgrade (demos/blocked-upgrade): what a page is told, what was on the wire, and who gets through.
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

/** @param {DemoPage} demo @param {string} lane @param {RegExp} words */
const says = (demo, lane, words) => demo.page.locator(`[data-lane="${lane}"] .strip-facts`, { hasText: words }).waitFor();

/** Waits until the row of a middlebox is full, and returns its cells. @param {DemoPage} demo @param {string} kind */
async function row(demo, kind) {
  const row = demo.page.locator(`[data-row="${kind}"]`);
  await row.locator("td:nth-child(7)", { hasText: /\d/ }).waitFor();
  await row.locator("td:nth-child(8)", { hasText: /, by/ }).waitFor();
  return row.locator("td").allInnerTexts();
}

test("a page is told 1006 and no reason, while a client gets through, and comes up again", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "blocked-upgrade", { noise: true });
  await demo.placeBet("status");
  await demo.start();

  await demo.suffers(({ upgrade }) => upgrade === "403");
  const revealed = await demo.reveal();

  assert.match(revealed, /an error without a message, then close code 1006 with an empty reason/);
  assert.match(revealed, /On the wire stood “HTTP\/1\.1 403 Forbidden” \(N = 1\)/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "1006");
  for (const lane of ["sse", "long-poll", "client"]) await demo.seesMarks(lane, 3);
  await says(demo, "client", /open by sse/);

  await demo.page.getByRole("button", { name: "Repair" }).click();
  await demo.suffers(({ upgrade }) => upgrade === undefined);
  await says(demo, "websocket", /open/);
  await demo.seesMarks("websocket", 2);
  await says(demo, "client", /open by websocket/);
  await says(demo, "client", /messages, 0 lost/);
  assert.match(await demo.page.locator(".decisions").innerText(), /websocket {2}moved: from sse/);
  assert.equal((await row(demo, "403"))[0], "HTTP/1.1 403 Forbidden", "what met the repaired middlebox is not counted here");
  await demo.takePictures();
  await demo.stop();
});

test("each kind of middlebox says something else on the wire, and a page can't tell", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "blocked-upgrade", { noise: true, query: "?upgrade=400&headStart=200" });
  await demo.placeBet("1006");
  await demo.start();

  assert.deepEqual((await row(demo, "400")).slice(0, 4), ["HTTP/1.1 400 Bad Request", "error, close", "1006", "empty"]);
  await demo.turn("upgrade", "strip");
  assert.deepEqual((await row(demo, "strip")).slice(0, 4), ["HTTP/1.1 426 Upgrade Required", "error, close", "1006", "empty"]);
  await demo.turn("upgrade", "mute");
  await demo.suffers(({ upgrade }) => upgrade === "mute");
  assert.deepEqual((await row(demo, "mute")).slice(0, 4), ["HTTP/1.1 101 Switching Protocols", "open", "–", "–"]);
  await says(demo, "client", /open by sse/);
  await demo.stop();
});
