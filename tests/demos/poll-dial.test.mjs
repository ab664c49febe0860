/**
 * The poll dial (demos/poll-dial): asking again and again, asking and waiting, and what each costs.
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

/** What the table says of a client: its cells, from left to right. @param {DemoPage} demo @param {string} lane */
const bill = async (demo, lane) => demo.page.locator(`[data-row="${lane}"] td`).allInnerTexts();

test("who asks and waits has the news sooner than who asks again, and sends fewer requests", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "poll-dial");

  await demo.placeBet("short, long");
  await demo.start();
  for (const lane of ["short", "long-poll", "websocket"]) await demo.seesMarks(lane, 4);
  const revealed = await demo.reveal();
  await demo.page.locator("#prices").scrollIntoViewIfNeeded();
  await demo.page.locator("#prices[data-drawn]").waitFor();
  await demo.takePictures();
  const [[, , , often, inVain], [, , , seldom, waitedInVain], [, , , never]] = await Promise.all(
    ["short", "long-poll", "websocket"].map((lane) => bill(demo, lane)),
  );
  await demo.stop();

  assert.match(revealed, /^Asking every 500 ms: .* \(N = \d+\)\. Asking and waiting: .* \(N = \d+\)\.$/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "long, long");
  assert.equal(await demo.page.locator("form.bet").getAttribute("data-revealed"), "wrong");
  assert.ok(Number(often) > Number(seldom), "asking again takes more requests");
  assert.match(inVain, /^[1-9]\d? %$/, "many of them in vain");
  assert.equal(waitedInVain, "0 %");
  assert.equal(never, "0");
});

test("the dial changes at once how often the first client asks", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "poll-dial", { query: "?every=5000&delay=0" });
  const habit = demo.page.locator('[data-lane="short"] .lamp');
  await demo.placeBet("long, long");
  await demo.start();
  await habit.filter({ hasText: "every 5,000 ms" }).waitFor();

  await demo.turn("every", 5);

  await habit.filter({ hasText: "every 100 ms" }).waitFor();
  await demo.seesMarks("short", 20);
  assert.equal(new URL(demo.page.url()).searchParams.get("every"), "100");

  await demo.turn("delay", 50);
  await demo.suffers(({ latency_ms }) => latency_ms === 50);
  await demo.turn("delay", 0);
  await demo.suffers(({ latency_ms }) => !latency_ms);
  await demo.stop();
  const { exchanges } = await (await fetch(`${server.origin}/lab/links/${demo.run}-again`)).json();
  assert.ok(!exchanges, "the first client does not ask any more");
});
