/**
 * What all demos have in common: they are listed by their questions, nothing runs before a bet is placed and the demo is
 * started, the keyboard is enough, and every link leads somewhere.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { openPage, startBrowser } from "../browser/support/browser.mjs";
import { HANG_GUARD, Server } from "../foreign/support/server.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());
const { page, faults, close } = await openPage(browser, server.origin);
after(close);

await page.goto(`${server.origin}/demos/`);
const listed = await page.locator(".doors a").evaluateAll((links) =>
  links.map((link) => ({ name: link.getAttribute("href").replace("/", ""), question: link.querySelector("b").textContent })),
);

test("the demos are listed by their questions", () => {
  assert.ok(listed.length > 0);
  assert.equal(new Set(listed.map(({ name }) => name)).size, listed.length);
  for (const { question } of listed) assert.match(question, /\?$/);
  assert.deepEqual(faults, []);
});

for (const { name, question } of listed) {
  test(`${name}: ${question}`, HANG_GUARD, async () => {
    /** @type {string[]} */ const requests = [];
    const note = (/** @type {{ url(): string }} */ request) => requests.push(request.url());
    page.on("request", note).on("websocket", note);
    await page.goto(`${server.origin}/demos/${name}/`);
    await page.locator(":root[data-demo=ready]").waitFor({ state: "attached" });
    page.off("request", note).off("websocket", note);

    assert.equal(await page.locator("h1").innerText(), question);
    assert.deepEqual(requests.filter((url) => !url.startsWith(`${server.origin}/`)), [], "nothing runs before it is started");
    assert.deepEqual(requests.filter((url) => /\/(channels|lab)\//.test(url)), []);
    assert.match(new URL(page.url()).searchParams.get("run") ?? "", /^[a-z0-9]{8}$/, "the run has a name of its own");
    assert.ok(await page.locator("button.start").isDisabled());
    assert.ok(await page.locator(".lesson").first().isHidden());
    const knobs = await page.locator(".knobs [name]").evaluateAll((inputs) => new Set(inputs.map((input) => input.name)).size);
    assert.ok(knobs <= 3, `${knobs} knobs`);
    assert.ok((await page.locator("[data-save]").count()) > 0, "the raw samples can be saved");
    assert.ok((await page.locator('.sources a[href$=".js"]').count()) > 0, "the code is a click away");
    assert.ok((await page.locator('.sources a[href*="/book/"]').count()) > 0, "and so is a chapter");
    await placeBetByKeyboard();
    assert.deepEqual(await deadLinks(), []);
    assert.deepEqual(faults, []);
  });
}

/** Goes through the page with keys alone, chooses wherever the bet asks for something, and comes to Start. */
async function placeBetByKeyboard() {
  for (let key = 0; key < 60; key++) {
    if (await page.evaluate(() => document.activeElement?.matches("button.start"))) return;
    if (await page.evaluate(() => document.activeElement?.matches("form.bet input"))) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Tab");
  }
  assert.fail("the keyboard does not reach Start");
}

/** The links of the page that lead nowhere, anchors included. */
function deadLinks() {
  return page.evaluate(async () => {
    const dead = [];
    for (const { href } of document.querySelectorAll("a[href]")) {
      const address = new URL(href);
      const answer = await fetch(address);
      const text = await answer.text();
      const id = address.hash.slice(1);
      if (!answer.ok || (id && address.pathname !== location.pathname && !text.includes(`id="${id}"`))) dead.push(href);
    }
    return dead;
  });
}
