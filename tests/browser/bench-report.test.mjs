/**
 * The page that a benchmark leaves, opened from the disk in Chromium: it loads nothing, draws everything, and shows the
 * figures of its report.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { HANG_GUARD } from "../foreign/support/server.mjs";
import { openPage, startBrowser } from "./support/browser.mjs";

const BINARY = process.env.FALLCAST_BIN || fileURLToPath(new URL("../../target/debug/fallcast", import.meta.url));
const QUESTION = '</script><img src="x" onerror="document.title = `taken over`">{{content}}';

/**
 * A run as short as it can be, that has all parts: several loads, several rounds, a cut, a stop of the server. Beside that
 * stop nothing that this machine does otherwise is slow enough to make a round invalid.
 */
const RUN = [
  ...["bench", "--quiet", "--transports", "websocket,sse,long-poll", "--subscribers", "10,20", "--rounds", "3"],
  ...["--rate", "100", "--warm-up", "100ms", "--duration", "800ms", "--freeze", "400ms", "--question", QUESTION],
];

const run = promisify(execFile);
const browser = await startBrowser();
/** Its name is in the report, and longer than a phone is wide. */
const folder = await mkdtemp(join(tmpdir(), `fallcast-report-${"x".repeat(100)}-`));
/** @type {any} */ let report;

before(async () => {
  await run(BINARY, [...RUN, "--out", join(folder, "one")]);
  report = JSON.parse(await readFile(join(folder, "one", "report.json"), "utf8"));
}, { timeout: 180_000 });
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens a page from the disk. Any request to anywhere is a fault. @param {import("node:test").TestContext} test @param {string} file @param {object} [options] */
async function open(test, file, options) {
  const { page, faults, close } = await openPage(browser, "http://nobody.invalid", options);
  test.after(close);
  page.on("request", (request) => {
    if (!/^(file|blob|data):/.test(request.url())) faults.push(`request: ${request.url()}`);
  });
  await page.goto(String(pathToFileURL(join(folder, file))));
  return { page, faults };
}

/** Scrolls to every chart that there is, and waits until it is drawn. @param {import("playwright-core").Page} page */
async function drawAll(page) {
  const charts = page.locator("figure:not([hidden])");
  await charts.first().waitFor();
  const count = await charts.count();
  for (let chart = 0; chart < count; chart += 1) {
    await charts.nth(chart).scrollIntoViewIfNeeded();
    await charts.nth(chart).locator(".plot[data-drawn] svg").first().waitFor();
  }
  return count;
}

test("the programs of the pages keep to their types", HANG_GUARD, async () => {
  const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const source = (/** @type {string} */ name) => fileURLToPath(new URL(`../../src/bench/html/${name}.js`, import.meta.url));
  const options = ["--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2024", "--lib", "es2024,dom,dom.iterable", "--types", ""];
  for (const program of ["report", "comparison"]) {
    await run(process.execPath, [compiler, ...options, ...["words", "elements", "chart", program].map(source)]);
  }
});

test("the page draws every chart and loads nothing", HANG_GUARD, async (test) => {
  const { page, faults } = await open(test, "one/report.html");
  const count = await drawAll(page);
  // Latency in four ways; bytes; first message, skew and recovery. What the system tells of costs comes on top.
  assert.ok(count >= 8, `${count} charts`);
  assert.deepEqual(faults, []);
});

test("the page shows the figures of the report", HANG_GUARD, async (test) => {
  const { page } = await open(test, "one/report.html");
  const cells = report.cells.filter((/** @type {any} */ cell) => cell.summary);
  const deliveries = cells.reduce((/** @type {number} */ sum, /** @type {any} */ cell) => sum + cell.summary.totals.n, 0);
  await page.locator(".tile", { hasText: "deliveries" }).getByText(deliveries.toLocaleString("en-US"), { exact: true }).waitFor();

  const load = (/** @type {number} */ subscribers) => report.cells.filter((/** @type {any} */ cell) => cell.subscribers === subscribers && cell.summary);
  for (const subscribers of [10, 20]) {
    await page.getByLabel("Load").selectOption({ label: `${subscribers} subscribers, 100/s, 64 B` });
    const row = page.locator("#figures tr", { has: page.getByRole("rowheader", { name: "N", exact: true }) });
    const shown = await row.locator("td").allTextContents();
    const known = shown.filter((text) => text !== "–");
    assert.deepEqual(known, load(subscribers).map((/** @type {any} */ { summary }) => summary.totals.n.toLocaleString("en-US")));
  }
  for (const limit of report.does_not_show) await page.getByText(limit, { exact: true }).waitFor();
});

test("a series that is switched off is gone from the table and the charts", HANG_GUARD, async (test) => {
  const { page, faults } = await open(test, "one/report.html");
  const heads = page.locator("#figures thead th");
  const chart = page.locator("figure", { hasText: "Latency by round" });
  await chart.scrollIntoViewIfNeeded();
  await chart.locator(".ytick", { hasText: "SSE" }).waitFor();

  await page.getByRole("button", { name: "SSE" }).click();

  await chart.locator(".ytick", { hasText: "SSE" }).waitFor({ state: "detached" });
  assert.deepEqual((await heads.allTextContents()).slice(1), ["WebSocket", "long-polling"]);
  assert.deepEqual(faults, []);
});

test("what a report says is text, whatever it looks like", HANG_GUARD, async (test) => {
  const { page, faults } = await open(test, "one/report.html");
  await page.getByRole("heading", { level: 1, name: QUESTION }).waitFor();
  assert.ok((await page.title()).startsWith(QUESTION));
  assert.equal(await page.locator("main img").count(), 0);
  assert.deepEqual(faults, []);
});

test("the report can be saved from the page as it was written", HANG_GUARD, async (test) => {
  const { page } = await open(test, "one/report.html");
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save report.json" }).click();
  const saved = join(folder, "saved.json");
  await (await saving).saveAs(saved);
  assert.match((await run(BINARY, ["bench", "verify", saved])).stdout, /^✓/m);
  assert.deepEqual(JSON.parse(await readFile(saved, "utf8")), report);
});

test("on a phone nothing but tables is wider than the screen, in the dark as well", HANG_GUARD, async (test) => {
  const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true };
  const { page, faults } = await open(test, "one/report.html", phone);
  await drawAll(page);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.deepEqual(faults, []);
});

test("the page of a comparison names every report and draws every chart", HANG_GUARD, async (test) => {
  const reports = [join(folder, "one"), join(folder, "one", "report.json")];
  const { stdout } = await run(BINARY, ["bench", "compare", ...reports, "--json", "--html", join(folder, "both.html")]);
  const { cells } = JSON.parse(stdout);
  const lines = cells.filter(({ load }) => load === cells[0].load).flatMap(({ figures }) => figures);
  const known = (/** @type {"values" | "ratios"} */ which) =>
    new Set(lines.filter((/** @type {any} */ line) => line[which].some((/** @type {any} */ value) => value !== null)).map(({ metric }) => metric)).size;
  const { page, faults } = await open(test, "both.html");
  await page.getByRole("heading", { level: 1, name: "2 reports side by side" }).waitFor();
  assert.equal(await drawAll(page), known("values") + known("ratios"));
  assert.deepEqual(faults, []);
});
