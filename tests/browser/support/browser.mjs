/**
 * A real Chromium, and pages in it that notice every fault.
 */

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  // Chromium's sandbox needs privileges that containers do not give.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  // What follows keeps Chromium from talking to anybody else.
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const NAMES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Starts the browser that `CHROMIUM` names, or the one that the system has.
 *
 * @param {import("playwright-core").LaunchOptions} [options]
 */
export function startBrowser(options) {
  const executablePath = process.env.CHROMIUM || NAMES.find((name) => existsSync(name));
  return chromium.launch({ executablePath, args: FLAGS, ...options });
}

/**
 * Opens a page in a profile of its own, which trusts self-signed certificates.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} origin of the server under test: a request to anybody else is a fault
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @param {string[]} [siblings] further origins of the same server, such as its lab's
 */
export async function openPage(browser, origin, options, siblings = []) {
  const own = [origin, ...siblings].map((origin) => new URL(origin).host);
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);

  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (/^(http|ws)s?:$/.test(url.protocol) && !own.includes(url.host)) faults.push(`foreign request: ${url}`);
  });
  page.on("websocket", (socket) => {
    if (!own.includes(new URL(socket.url()).host)) faults.push(`foreign WebSocket: ${socket.url()}`);
  });
  return { page, faults, close: () => context.close() };
}

/**
 * Shows a page of these tests in place of one of the server's own, so that it shares the server's origin.
 *
 * @param {import("playwright-core").Page} page
 * @param {string} origin
 * @param {string} html
 */
export async function showOwnPage(page, origin, html) {
  // A browser asks for an icon, and reports that there is none. It is not what is tested here.
  await page.route(`${origin}/favicon.ico`, (route) => route.fulfill({ status: 204 }));
  // A page that was made up here alone would not do: Chromium keeps pages of unknown origin away from loopback.
  await page.goto(`${origin}/healthz`);
  await page.setContent(html);
}
