/**
 * The page `/doctor` in Chromium: it examines its own way, over the lab's links as well, and says what the command says.
 * Pictures of it are left in target/screenshots.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { openPage, startBrowser } from "./support/browser.mjs";
import { Lab } from "./support/lab.mjs";

const PICTURES = new URL("../../target/screenshots/", import.meta.url);

/** What Chromium itself writes into the console when a network misbehaves. A page can't prevent it. */
const NETWORK_NOISE = /^(error|warning): (WebSocket connection to|Failed to load resource: )/;

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());
const lab = await Lab.of(server);

/** @param {import("playwright-core").Page} page @param {string} name */
async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: fileURLToPath(new URL(`doctor-${name}.png`, PICTURES)), fullPage: true });
}

/** @param {import("node:test").TestContext} test @param {string} origin @param {string} address @param {object} [options] */
async function open(test, origin, address, options) {
  const { page, faults, close } = await openPage(browser, origin, options);
  test.after(close);
  await page.goto(address);
  await page.locator(":root[data-doctor=ready]").waitFor({ state: "attached" });
  await page.locator("select[name=idle]").selectOption("4000");
  return { page, faults };
}

/** @param {import("playwright-core").Page} page */
async function verdictOf(page) {
  await page.locator(":root[data-doctor=done]").waitFor({ state: "attached" });
  return (await page.locator("#words").textContent()) ?? "";
}

/** @param {import("playwright-core").Page} page @param {string} question */
const markOf = (page, question) => page.locator(`#findings [data-question=${question}]`).getAttribute("data-mark");

/** Opens the page over a link with faults, and has it examine that. @param {import("node:test").TestContext} test @param {object} faults */
async function examineThrough(test, faults) {
  const link = await lab.link(faults);
  const { page, faults: seen } = await open(test, lab.origin, String(link.url("/doctor")));
  await page.getByRole("button", { name: "Examine" }).click();
  const verdict = await verdictOf(page);
  assert.deepEqual(seen.filter((fault) => !NETWORK_NOISE.test(fault)), []);
  return { page, verdict };
}

test("the landing page leads to the doctor", HANG_GUARD, async (test) => {
  const { page, close } = await openPage(browser, server.origin);
  test.after(close);
  await page.goto(server.origin);
  await page.locator(".doors").getByRole("link", { name: /^Doctor/ }).click();
  await page.getByRole("heading", { name: "What lies between?" }).waitFor();
});

test("a healthy way is examined by keyboard alone, and nothing is in the way", HANG_GUARD, async (test) => {
  const { page, faults } = await open(test, server.origin, `${server.origin}/doctor`, { colorScheme: "light" });

  await page.locator("select[name=idle]").focus();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "start");
  await page.keyboard.press("Enter");
  await page.locator("#now[role=status]", { hasText: "…" }).waitFor();
  const verdict = await verdictOf(page);

  assert.equal(verdict, "Use WebSocket here: it gets through, and so does everything else.");
  for (const question of ["line", "upgrade", "flush", "idle", "fields", "compression", "duplicates", "latency", "clock"]) {
    assert.equal(await markOf(page, question), "well", question);
  }
  // Over HTTP/1.1 a browser has six connections to a host.
  const streams = page.locator("#findings [data-question=streams]");
  assert.match((await streams.textContent()) ?? "", /Of 12 streams 6 began/);
  assert.equal(await page.locator("#verdict").getAttribute("data-mark"), "notice");
  assert.equal(await page.locator("#progress").evaluate((bar) => bar.value), 1);
  await picture(page, "light");
  assert.deepEqual(faults, []);
});

test("over HTTP/2 all streams begin at once", HANG_GUARD, async (test) => {
  const secure = await Server.start({ flags: ["--tls-self-signed"] });
  test.after(() => secure.stop());
  const { page } = await open(test, secure.origin, `${secure.origin}/doctor`);

  await page.getByRole("button", { name: "Examine" }).click();
  await verdictOf(page);

  assert.equal(await markOf(page, "streams"), "well");
  assert.match((await page.locator("#findings [data-question=way]").textContent()) ?? "", /HTTP\/2/);
});

test("a company's proxy leaves only long-polling", HANG_GUARD, async (test) => {
  const { page, verdict } = await examineThrough(test, { preset: "corporate-proxy" });
  assert.match(verdict, /^Use long-polling here: .*does not let WebSockets through.*until they are whole/);
  await picture(page, "company");
});

test("a virus scanner is told by what it does to events alone", HANG_GUARD, async (test) => {
  const { verdict } = await examineThrough(test, { preset: "antivirus" });
  assert.match(verdict, /^Use WebSocket here: a virus scanner/);
});

test("a bare proxy_pass is told by the handshake that reached the server", HANG_GUARD, async (test) => {
  const { page, verdict } = await examineThrough(test, { preset: "nginx-default" });
  assert.match(verdict, /^Use server-sent events here: .*does not pass Upgrade on; it behaves like nginx/);
  await page.emulateMedia({ colorScheme: "dark" });
  await picture(page, "dark");
});

test("a time limit for silence is measured, and the remedy is half of it", HANG_GUARD, async (test) => {
  const { page, verdict } = await examineThrough(test, { preset: "load-balancer-60s", idle: { after_ms: 2000 } });
  assert.match(verdict, /cuts connections that are silent for 2\.\d s/);
  assert.match((await page.locator("#findings [data-question=idle] .remedy").textContent()) ?? "", /--heartbeat 1/);
});

test("on a phone nothing is wider than the screen", HANG_GUARD, async (test) => {
  const { page } = await open(test, server.origin, `${server.origin}/doctor`, PHONE);
  await page.getByRole("button", { name: "Examine" }).tap();
  await verdictOf(page);
  const [width, available] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= available, `${width} > ${available}`);
  await picture(page, "phone");
});
