/**
 * The server's own pages in Chromium: they show one channel live, the book can be searched, and nothing of it comes
 * from another host.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { freshChannel, HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { openPage, startBrowser } from "./support/browser.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start();
after(() => server.stop());

test("the landing page shows one channel over three transports", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const { page, faults, close } = await openPage(browser, server.origin);
  test.after(close);
  await page.goto(`${server.origin}/?channel=${channel}`);

  await page.locator("#board").scrollIntoViewIfNeeded();
  await page.locator(".lane[data-phase=open]").nth(2).waitFor();
  await page.getByLabel("Message").fill("Hello, back row!");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await server.publish(channel, "from elsewhere");
  await page.getByRole("button", { name: "Send 10 quickly" }).click();

  await page.locator("#proof[data-verdict=sound]", { hasText: "12 messages, each on all three lanes" }).waitFor();
  assert.deepEqual(await page.locator(".lane .received").allTextContents(), ["12", "12", "12"]);
  assert.deepEqual(faults, []);
});

test("the page of a channel shows its messages on every transport, without a hole", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  await server.publish(channel, "published before the page was open");
  const { page, faults, close } = await openPage(browser, server.origin);
  test.after(close);
  await page.goto(server.channel(channel));
  await page.getByText("published before the page was open").waitFor();

  const transports = await page.locator("input[name=transport]").evaluateAll((inputs) => inputs.map(({ value }) => value));
  assert.equal(transports.length, 4);
  for (const transport of transports) {
    await page.locator(`input[name=transport][value=${transport}]`).check({ force: true });
    await server.publish(channel, `published for ${transport}`);
    await page.getByText(`published for ${transport}`).waitFor();
  }

  assert.equal(await page.locator("#list .message").count(), 1 + transports.length);
  await page.locator("#proof[data-verdict=sound]").waitFor();
  assert.deepEqual(faults, []);
});

test("the page of a channel shows markup as text", HANG_GUARD, async (test) => {
  const channel = freshChannel();
  const { page, faults, close } = await openPage(browser, server.origin);
  test.after(close);
  await page.goto(server.channel(channel));

  await server.publish(channel, '<img src="x" onerror="document.title = `taken over`"><script>document.title = 1</script>');

  await page.getByText("<img src=").waitFor();
  assert.notEqual(await page.title(), "taken over");
  assert.equal(await page.locator("#list img, #list script").count(), 0);
  assert.deepEqual(faults, []);
});

test("the book opens, and is searched without asking another host", HANG_GUARD, async (test) => {
  const { page, faults, close } = await openPage(browser, server.origin);
  test.after(close);
  await page.goto(`${server.origin}/book/`);
  await page.getByRole("heading", { level: 1 }).last().waitFor();

  await page.getByRole("button", { name: "Toggle Searchbar" }).click();
  await page.getByRole("searchbox").pressSequentially("cursor");
  await page.locator("#mdbook-searchresults a").first().click();

  await page.locator("main mark", { hasText: /cursor/i }).first().waitFor();
  assert.deepEqual(faults, []);
});
