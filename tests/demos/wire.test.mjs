/**
 * The wire microscope (demos/wire): bars on three lanes, the bytes of a bar and what they mean, what a message costs.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const LANES = ["websocket", "sse", "long-poll"];

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());

/** Opens the demo, bets 100 bytes on each transport, and starts. */
async function started(test, options) {
  const demo = await DemoPage.open(test, browser, server, "wire", options);
  const start = demo.page.locator("button.start");
  for (const lane of LANES) {
    assert.ok(await start.isDisabled(), "all three are part of the bet");
    await demo.page.locator(`form.bet input[name="${lane}"]`).fill("500");
  }
  await demo.start();
  return demo;
}

/** The bars of a lane with this title, oldest first. */
function bars(demo, lane, title) {
  return demo.page.locator(`[data-lane="${lane}"] .chip`).filter({ hasText: title });
}

/** Until a lane tells what a message of so many bytes costs. Returns what it costs besides. */
async function cost(demo, lane, payload) {
  const number = demo.page.locator(`[data-lane="${lane}"] .strip-number`).filter({ hasText: `besides the ${payload} of` });
  const text = await number.textContent();
  return Number(text.split(" ")[0].replaceAll(",", ""));
}

test("each transport has its bars and its price, and the bet is decided by the recording", HANG_GUARD, async (test) => {
  const demo = await started(test);
  for (const lane of LANES) await demo.seesMarks(lane, 8);
  const revealed = await demo.reveal();
  assert.match(revealed, /WebSocket 2 bytes, SSE \d+ bytes, Long-poll [\d,]+ bytes \(N = \d+ each\)/);

  const [socket, sse, poll] = await Promise.all(LANES.map((lane) => cost(demo, lane, 2)));
  assert.equal(socket, 2, "the head of an unmasked frame (RFC 6455 §5.2)");
  assert.ok(sse > 10 * socket);
  assert.ok(poll > 10 * sse);
  assert.equal(await demo.page.locator(".bet .truth").count(), 3);
  for (const [lane, titles] of [
    ["websocket", ["↑ request", "↓ 101", "↑ text", "↓ text"]],
    ["sse", ["↑ request", "↓ 200", "↓ chunk", "↳ event hello", "↳ event message"]],
    ["long-poll", ["↑ request", "↓ 200", "↓ body", "↳ JSON"]],
  ]) {
    for (const title of titles) await bars(demo, lane, title).first().waitFor();
  }
  await bars(demo, "long-poll", "↓ 200").last().click();
  await demo.takePictures();
  await demo.page.locator("#send").click();
  await demo.stop();
  await canSaveTheRecording(demo);
});

/** It is there also when the run is over. */
async function canSaveTheRecording({ page }) {
  const [capture, json] = await Promise.all(["#pcapng", "#json"].map((link) => page.locator(link).getAttribute("href")));
  const magic = new Uint8Array(await (await fetch(capture)).arrayBuffer()).subarray(0, 4);
  assert.deepEqual([...magic], [0x0a, 0x0d, 0x0d, 0x0a], "a section header of pcapng");
  const { wire } = await (await fetch(json)).json();
  const kinds = new Set(wire.flatMap(({ piece }) => piece?.kind ?? []));
  for (const kind of ["websocket", "sse", "poll"]) assert.ok(kinds.has(kind), kind);
}

test("a bar opens into its bytes, each with its field, its meaning and its source", HANG_GUARD, async (test) => {
  const demo = await started(test);
  const inspector = demo.page.locator(".inspector");
  const [hex, meaning] = [inspector.locator(".hex"), inspector.locator(".meaning")];
  await bars(demo, "sse", "↳ event message").first().waitFor();

  await bars(demo, "websocket", "↓ text").first().click();
  assert.equal((await hex.innerText()).replaceAll(/\s/g, ""), "81024869");
  await inspector.locator(".fields button", { hasText: "payload" }).focus();
  assert.match(await meaning.innerText(), /payload[^]*Hi[^]*RFC 6455 §5\.2/);
  assert.equal((await hex.locator("[data-active]").innerText()).replaceAll(/\s/g, ""), "4869");

  await bars(demo, "websocket", "↑ text").first().click();
  const masked = (await hex.innerText()).replaceAll(/\s/g, "");
  assert.match(masked, /^8182[0-9a-f]{12}$/);
  await inspector.locator(".unmask input").check();
  assert.equal((await hex.innerText()).replaceAll(/\s/g, ""), `${masked.slice(0, 12)}4869`);

  await bars(demo, "sse", "↓ chunk").last().click();
  await inspector.locator(".run[data-field]").first().hover();
  assert.match(await meaning.innerText(), /chunk size[^]*RFC 9112 §7\.1/);
  await inspector.locator(".relatives button").first().click();
  assert.match(await inspector.locator("h2").innerText(), /^event message/);
  await inspector.locator(".fields button", { hasText: "data" }).hover();
  assert.match(await meaning.innerText(), /WHATWG HTML §9\.2\.6/);
  await demo.stop();
});

test("the bars and the fields can be reached with the keyboard alone", HANG_GUARD, async (test) => {
  const demo = await started(test);
  const { page } = demo;
  const title = page.locator(".inspector h2");
  await bars(demo, "websocket", "↓ text").first().waitFor();

  await bars(demo, "websocket", "↑ request").focus();
  await page.keyboard.press("Enter");
  assert.match(await title.innerText(), /GET .*\/ws/);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.match(await title.innerText(), /101 Switching Protocols/);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  assert.match(await title.innerText(), /text frame/);
  await page.locator(".bytes").focus();
  for (const _ of [1, 2]) await page.keyboard.press("ArrowRight");
  assert.match(await page.locator(".meaning").innerText(), /masking key[^]*RFC 6455 §5\.3/);
  await demo.stop();
});

test("Sec-WebSocket-Accept is computed step by step from the page's own handshake", HANG_GUARD, async (test) => {
  const demo = await started(test);
  const { page } = demo;
  await demo.seesMarks("websocket", 2);
  const steps = page.locator(".handshake ol li");

  for (let shown = 1; shown <= 7; shown += 1) {
    await page.locator(".handshake button").click();
    assert.equal(await steps.count(), shown);
  }

  assert.match(await steps.nth(6).innerText(), /✓/);
  await bars(demo, "websocket", "↓ 101").click();
  const accept = page.locator(".fields button", { hasText: "sec-websocket-accept" }).locator("code");
  assert.equal((await steps.nth(5).locator("code").innerText()).trim(), (await accept.innerText()).trim());
  await demo.stop();
});

test("a knob changes what is sent, and begins a new measurement", HANG_GUARD, async (test) => {
  const demo = await started(test);
  for (const lane of LANES) assert.ok((await cost(demo, lane, 2)) > 0);

  await demo.turn("payload", "Hello!");
  assert.equal(await cost(demo, "websocket", 6), 2);
  await demo.turn("binary", true);
  await bars(demo, "websocket", "↑ binary").first().waitFor();
  await bars(demo, "sse", "↳ event binary").first().waitFor();
  await demo.turn("format", "json");
  await bars(demo, "websocket", "↑ request").nth(2).waitFor();
  await demo.page.locator('[data-lane="websocket"] .strip-number').filter({ hasText: "N = 3" }).waitFor();
  assert.ok((await cost(demo, "websocket", 6)) > 50, "in json, a message brings its id and its time");
  await demo.stop();
});
