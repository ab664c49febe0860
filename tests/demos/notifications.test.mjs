/**
 * Notifications (demos/notifications): what silence costs, and who has missed something after a sleep.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
// Silence is measured, so nobody waits for it longer than need be.
const server = await Server.start({ flags: ["--lab-port", "auto", "--heartbeat", "6s"] });
after(() => server.stop());

/** What a row of the table says. @param {DemoPage} demo @param {string} transport */
const row = (demo, transport) => demo.page.locator(`[data-row="${transport}"] td`).allInnerTexts();

/** How many alerts a transport has missed. @param {DemoPage} demo @param {string} transport */
const missed = async (demo, transport) => parseInt((await row(demo, transport)).at(-1) ?? "", 10);

test("after a sleep, all but a WebSocket that was opened anew have every alert", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "notifications", { query: "?sleep=3", noise: true });
  const lid = demo.page.locator("#lid");

  await demo.placeBet(500);
  await demo.start();
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 3);
  await demo.suffers(({ preset }) => preset === "laptop-sleep");
  await demo.suffers(({ preset, cut }) => !preset && !cut);
  const revealed = await demo.reveal();
  await demo.takePictures();

  assert.match(revealed, /^In an hour: WebSocket .*B, SSE .*B, Long-poll .*kB; computed \(alerts: N = \d+, empty polls: N = \d+\)\./);
  assert.match(revealed, /WebSocket has missed \d+, SSE has missed none, Long-poll has missed none\.$/);
  for (const transport of ["websocket", "sse", "long-poll"]) {
    const [alert, beat] = await row(demo, transport);
    for (const cost of [alert, beat]) assert.match(cost, /B \(N = [1-9]\d*\)$/, `${transport} was measured`);
  }

  const before = await missed(demo, "websocket");
  await lid.click();
  await demo.suffers(({ preset }) => preset === "laptop-sleep");
  await demo.page.locator("#lid:enabled").waitFor();
  assert.ok((await missed(demo, "websocket")) > before, "the second sleep costs alerts, too");
  assert.equal(await missed(demo, "sse"), 0);
  await demo.stop();
  assert.ok(await lid.isDisabled());
});

test("more alerts make the computed hour dearer, and its silence smaller", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "notifications", { noise: true });
  await demo.placeBet(300);
  await demo.start();
  const hour = demo.page.locator('[data-row="sse"] td:nth-of-type(3)');
  await hour.filter({ hasText: /B$/ }).waitFor();
  const [, , , seldom] = await row(demo, "sse");

  await demo.turn("alerts", 8);

  await demo.page.locator("#rhythm").filter({ hasText: "3,600 alerts an hour" }).waitFor();
  const [, , , often] = await row(demo, "sse");
  assert.ok(parseInt(often, 10) < parseInt(seldom, 10), `${often} of silence is less than ${seldom}`);
  await demo.stop();
});
