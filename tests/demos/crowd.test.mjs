/**
 * Crowd (demos/crowd): who listens costs little, who is sent to costs more; and a class watches what its teacher starts.
 */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());

/** @param {DemoPage} demo @param {number} subscribers */
async function cells(demo, subscribers) {
  return demo.page.locator(`[data-row="${subscribers}"] td`).allTextContents();
}

test("a thousand who listen use less of the server than a hundred who are sent to", HANG_GUARD, async (test) => {
  const server = await Server.start();
  test.after(() => server.stop());
  const demo = await DemoPage.open(test, browser, server, "crowd", { query: "?subscribers=1000" });
  await demo.placeBet("idle");
  await demo.start();

  const revealed = await demo.reveal();
  await demo.ended();
  await demo.takePictures();

  assert.match(revealed, /^1,000 idle subscribers used .* of a core, and 100 with 10 messages a second .*, \d+ times as much/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "active");
  for (const subscribers of [10, 100, 1_000]) {
    const [transport, , , , deliveries, p50] = await cells(demo, subscribers);
    assert.equal(transport, "WebSocket");
    assert.match(deliveries, /^[\d,]+/);
    assert.match(p50, /m?s$/);
  }
});

test("with other knobs nothing is decided, and what was measured before stays for comparison", HANG_GUARD, async (test) => {
  const server = await Server.start();
  test.after(() => server.stop());
  const demo = await DemoPage.open(test, browser, server, "crowd", { query: "?subscribers=10&transport=sse" });
  await demo.placeBet("idle");
  await demo.start();
  assert.match(await demo.told(), /^10 idle subscribers/);
  await demo.ended();

  await demo.turn("transport", "long-poll");
  await demo.start();
  await demo.page.locator('[data-row="10"] td:has-text("Long-poll")').waitFor();
  await demo.ended();

  const names = await demo.page.locator("#costs").evaluate((chart) => chart.data?.map(({ name }) => name).filter(Boolean));
  assert.deepEqual(names, ["SSE, 10 messages a second", "SSE, idle", "Long-poll, 10 messages a second", "Long-poll, idle"]);
});

test("who stops the demo stops the experiment", HANG_GUARD, async (test) => {
  const server = await Server.start({ flags: ["--lab-port", "auto"] });
  test.after(() => server.stop());
  const demo = await DemoPage.open(test, browser, server, "crowd");
  await demo.placeBet("idle");
  await demo.start();
  const isRunning = async () => (await (await fetch(`${server.origin}/crowd`)).json()).experiment?.is_running;
  while (!(await isRunning())) await new Promise((resolve) => setTimeout(resolve, 50));

  await demo.stop();

  while (await isRunning()) await new Promise((resolve) => setTimeout(resolve, 50));
});

test("a phone may not start it, and sees what is started on the server's own machine", HANG_GUARD, async (test) => {
  const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const address = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  assert.ok(address, "this machine is on no network, and so the test for phones cannot be run");
  const server = await Server.start({ host: "0.0.0.0" });
  test.after(() => server.stop());
  const [here, there] = [`http://127.0.0.1:${server.port}`, `http://${address}:${server.port}`];
  const phone = await DemoPage.open(test, browser, /** @type {any} */ ({ origin: there }), "crowd", { query: "?transport=sse" });
  await phone.placeBet("active");
  await phone.start();
  await phone.page.locator('.status:has-text("you watch it here")').waitFor();

  const teacher = await DemoPage.open(test, browser, /** @type {any} */ ({ origin: here }), "crowd", { query: "?subscribers=100" });
  await teacher.placeBet("active");
  await teacher.start();
  await Promise.all([teacher.told(), phone.told()]);
  await Promise.all([teacher.ended(), phone.ended()]);

  for (const subscribers of [10, 100]) assert.deepEqual(await cells(phone, subscribers), await cells(teacher, subscribers));
  assert.equal((await cells(phone, 100))[0], "WebSocket", "the knobs are the teacher's");
});
