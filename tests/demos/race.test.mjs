/**
 * The race (demos/race): who delivers first, by how much, and at what price.
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

test("the race shows all three transports on one axis, and reveals who is behind", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race");

  await demo.placeBet("sse");
  await demo.start();
  for (const lane of ["websocket", "sse", "long-poll"]) await demo.seesMarks(lane, 20);
  const revealed = await demo.reveal();
  await demo.takePictures();
  await demo.stop();

  assert.match(revealed, /^Long-poll took \d+.* on average/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "long-poll");
  const rows = await demo.page.locator("[data-row]").allInnerTexts();
  for (const row of rows) assert.match(row, /\b0, 0$/, "nothing lost, nothing repeated");
});

test("a knob of the race changes the link, and begins a new measurement", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race", { query: "?delay=0" });
  await demo.placeBet("nobody");
  await demo.start();
  await demo.seesMarks("long-poll", 5);

  await demo.turn("delay", 100);

  await demo.suffers(({ latency_ms }) => latency_ms === 100);
  assert.equal(new URL(demo.page.url()).searchParams.get("delay"), "100");
  await demo.turn("delay", 0);
  await demo.suffers(({ latency_ms }) => !latency_ms);
  await demo.stop();
});

test("with other knobs than those of the bet, the race tells and does not judge", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race", { query: "?delay=0&rate=50" });
  await demo.placeBet("nobody");
  await demo.start();

  await demo.page.locator(".bet[data-told] .outcome", { hasText: "N = " }).waitFor();

  assert.equal(await demo.page.locator(".bet[data-revealed], .came-true").count(), 0);
  await demo.stop();
});

test("a copied address makes a run of its own, and disturbs nobody's", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race");
  await demo.placeBet("nobody");
  await demo.start();
  await demo.turn("delay", 100);
  await demo.suffers(({ latency_ms }) => latency_ms === 100);

  const copy = await demo.page.context().newPage();
  await copy.goto(demo.page.url().replace("delay=100", "delay=0"));
  await copy.locator('form.bet input[value="sse"]').check({ force: true });
  await copy.locator("button.start").click();
  await copy.locator(":root[data-demo=running]").waitFor({ state: "attached" });

  const runOf = (/** @type {import("playwright-core").Page} */ page) => new URL(page.url()).searchParams.get("run");
  assert.notEqual(runOf(copy), runOf(demo.page));
  await copy.close();
  await demo.suffers(({ latency_ms }) => latency_ms === 100);
  await demo.stop();
});

test("leaving the page of the race ends it", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "race");
  await demo.placeBet("nobody");
  await demo.start();
  await demo.seesMarks("sse");
  const { run } = demo;

  await demo.page.goto(`${server.origin}/demos/`);

  for (;;) {
    const link = await fetch(`${server.origin}/lab/links/${run}`);
    if (link.status === 404 || (await link.json()).exchanges === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
