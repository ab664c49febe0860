/**
 * A demo in Chromium, used as a visitor would: place the bet, start, turn a knob, stop.
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";

import { openPage } from "../../browser/support/browser.mjs";

/** Where the pictures of a run are left to be looked at. */
const PICTURES = new URL("../../../target/screenshots/", import.meta.url);

/** What Chromium itself writes into the console when a network misbehaves. A page can't prevent it. */
const NETWORK_NOISE = /^(error|warning): (WebSocket connection to|Failed to load resource: |Access to (fetch|resource) at .* blocked by CORS policy)/;

export class DemoPage {
  /** @type {import("playwright-core").Page} */ page;
  #faults;

  /**
   * Opens the page of a demo. It is closed with the test.
   *
   * @param {import("node:test").TestContext} test
   * @param {import("playwright-core").Browser} browser
   * @param {import("../../foreign/support/server.mjs").Server} server with a lab
   * @param {string} name
   * @param {{ query?: string, noise?: boolean, path?: string, siblings?: string[], context?: import("playwright-core").BrowserContextOptions }} [options] `noise` if its network is broken on purpose; `siblings` are further origins of the same server
   */
  static async open(test, browser, server, name, { query = "", noise = false, path = "", siblings = [], context } = {}) {
    const { port } = await (await fetch(`${server.origin}/lab`)).json();
    const lab = new URL(server.origin);
    lab.port = port;
    const { page, faults, close } = await openPage(browser, server.origin, context, [lab.origin, ...siblings]);
    test.after(close);
    const demo = new DemoPage(server, lab.origin, name, page, () => faults.filter((fault) => !noise || !NETWORK_NOISE.test(fault)));
    await page.goto(`${server.origin}/demos/${name}/${path}${query}`);
    await page.locator(":root[data-demo]").waitFor({ state: "attached" });
    return demo;
  }

  /** @param {import("../../foreign/support/server.mjs").Server} server @param {string} lab @param {string} name @param {import("playwright-core").Page} page @param {() => string[]} faults */
  constructor(server, lab, name, page, faults) {
    this.server = server;
    this.lab = lab;
    this.name = name;
    this.page = page;
    this.#faults = faults;
  }

  /** The channel and the link of this run. */
  get run() {
    return `${this.name}-${new URL(this.page.url()).searchParams.get("run")}`;
  }

  /** Before a bet is placed, Start does nothing. */
  async placeBet(/** @type {string | number} */ bet) {
    const start = this.page.locator("button.start");
    assert.ok(await start.isDisabled(), "nothing starts without a bet");
    if (typeof bet === "number") await this.page.locator("form.bet input[type=range]").fill(String(bet));
    else await this.page.locator(`form.bet input[value="${bet}"]`).check({ force: true });
    await this.page.locator("button.start:enabled").waitFor();
  }

  async start() {
    await this.page.locator("button.start").click();
    await this.page.locator(":root[data-demo=running]").waitFor({ state: "attached" });
  }

  /** @param {string} lane @param {number} [count] */
  async seesMarks(lane, count = 1) {
    await this.page.waitForFunction(
      ([lane, count]) => Number(document.querySelector(`.strip[data-lane="${lane}"]`)?.getAttribute("data-count")) >= Number(count),
      [lane, count],
    );
  }

  /** Turns a knob as a hand would. @param {string} name @param {string | number | boolean} value */
  async turn(name, value) {
    const knob = this.page.locator(`.knobs [name="${name}"]`);
    const type = await knob.first().getAttribute("type");
    if (type === "radio") await this.page.locator(`.knobs [name="${name}"][value="${value}"]`).check({ force: true });
    else if (typeof value === "boolean") await knob.setChecked(value, { force: true });
    else if ((await knob.evaluate(({ tagName }) => tagName)) === "SELECT") await knob.selectOption(String(value));
    else await knob.fill(String(value));
  }

  /** What the lab knows of this run's link. */
  async link() {
    const answer = await fetch(`${this.server.origin}/lab/links/${this.run}`);
    return answer.ok ? answer.json() : null;
  }

  /** Waits until the link suffers what it should. @param {(faults: any) => boolean} isSo */
  async suffers(isSo) {
    for (;;) {
      const link = await this.link();
      if (link && isSo(link.faults)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits for the reveal, and returns what it says. */
  async reveal() {
    await this.page.locator("form.bet[data-revealed]").waitFor();
    await this.page.locator(".lesson").first().waitFor({ state: "visible" });
    return (await this.page.locator(".bet .outcome").textContent()) ?? "";
  }

  /** Waits for what came out with other knobs than those of the bet, and returns it. */
  async told() {
    await this.page.locator("form.bet[data-told]").waitFor();
    await this.page.locator(".lesson").first().waitFor({ state: "visible" });
    return (await this.page.locator(".bet .outcome").textContent()) ?? "";
  }

  /** Whether the page trusts its own figures: `sound`, or `bottleneck`. */
  verdict() {
    return this.page.locator(".warning").getAttribute("data-verdict");
  }

  /** Stops, and sees that nothing is left open: the link is given back. */
  async stop() {
    await this.page.locator("button.start").click();
    await this.page.locator(":root[data-demo=stopped]").waitFor({ state: "attached" });
    for (;;) {
      const link = await this.link();
      if (link === null || link.exchanges === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(this.#faults(), []);
  }

  /** Waits until the run has come to its end by itself, without a fault. */
  async ended() {
    await this.page.locator(":root[data-demo=stopped]").waitFor({ state: "attached" });
    assert.deepEqual(this.#faults(), []);
  }

  /** Takes a picture for each theme, on a phone and on a projector. */
  async takePictures() {
    mkdirSync(PICTURES, { recursive: true });
    // Charts are drawn when somebody looks at them.
    for (const chart of await this.page.locator(".chart").all()) {
      await chart.scrollIntoViewIfNeeded();
      await this.page.waitForFunction((element) => element?.hasAttribute("data-drawn"), await chart.elementHandle());
    }
    for (const [device, width, height] of /** @type {const} */ ([["phone", 390, 844], ["projector", 1600, 900]])) {
      await this.page.setViewportSize({ width, height });
      for (const theme of /** @type {const} */ (["light", "dark"])) {
        await this.page.emulateMedia({ colorScheme: theme });
        const path = new URL(`demo-${this.name}-${device}-${theme}.png`, PICTURES).pathname;
        await this.page.screenshot({ path, fullPage: true });
        const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `on a ${device} the page is ${overflow} pixels too wide`);
      }
    }
  }
}
