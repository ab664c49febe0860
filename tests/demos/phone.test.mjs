/**
 * A phone in the classroom: every demo over plain HTTP to an address of the local network, which is no secure context,
 * on a small screen.
 */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";

import { startBrowser } from "../browser/support/browser.mjs";
import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { DemoPage } from "./support/demo.mjs";

const PHONE = /** @type {const} */ ({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
const address = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
assert.ok(address, "this machine is on no network, and so the tests for phones cannot be run");

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ host: "0.0.0.0", flags: ["--lab-port", "auto"] });
after(() => server.stop());
const reached = { origin: `http://${address}:${server.port}` };

const list = await (await fetch(`${reached.origin}/demos/`)).text();
const names = [...list.matchAll(/<a href="([a-z-]+)\/"><b>/g)].map(([, name]) => name);
assert.ok(names.length > 0);

for (const name of names) {
  test(`${name} runs on a phone`, HANG_GUARD, async (test) => {
    const demo = await DemoPage.open(test, browser, /** @type {any} */ (reached), name, { noise: true, context: PHONE });
    assert.equal(await demo.page.evaluate(() => isSecureContext), false);
    for (const slider of await demo.page.locator("form.bet input[type=range]").all()) await slider.fill("500");
    const choice = demo.page.locator("form.bet input[type=radio]").first();
    if (await choice.count()) await choice.check({ force: true });

    await demo.start();

    const lanes = demo.page.locator(".strip");
    if (await lanes.count()) await demo.page.waitForFunction(() => document.querySelector('.strip:not([data-count="0"])'));
    const width = await demo.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= PHONE.viewport.width, `the page is ${width} pixels wide`);
    await demo.stop();
  });
}
