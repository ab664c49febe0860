/**
 * Shared text (demos/shared-text): three people type at one place, over three transports and a cable that is cut.
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

const TRANSPORTS = ["websocket", "sse", "long-poll"];
const SENTENCES = ["Ada likes green tea.", "Ben drinks it black.", "Cleo takes milk in."];

/** What the three screens show. */
function screens(/** @type {DemoPage} */ demo) {
  const areas = demo.page.locator(".editor textarea");
  return areas.evaluateAll((areas) => areas.map((area) => /** @type {HTMLTextAreaElement} */ (area).value));
}

/** Waits until all screens of all pages show the same, and that is right. */
async function untilAllShow(/** @type {DemoPage[]} */ demos, /** @type {(text: string) => boolean} */ isRight) {
  for (;;) {
    const texts = (await Promise.all(demos.map(screens))).flat();
    if (texts.every((text) => text === texts[0]) && isRight(texts[0])) return texts[0];
    await demos[0].page.waitForTimeout(100);
  }
}

test("three who type at one place agree, also after a cut, and whole texts lose letters", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "shared-text", { query: "?room=cut", noise: true });

  await demo.placeBet("both");
  await demo.start();
  for (const lane of TRANSPORTS) await demo.seesMarks(lane, 5);
  const revealed = await demo.reveal();
  await demo.takePictures();
  assert.match(revealed, /^Letters inserted: all agree, (\d+) of \1 letters are there\./);
  assert.match(revealed, /Whole text: all agree, \d+ of \d+ letters are there\.$/);
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "lost");
  const [once] = await screens(demo);
  for (const sentence of SENTENCES) assert.ok(once.includes(sentence), `“${sentence}” is in one piece: ${once}`);

  await demo.turn("cut", true);
  const benLine = async () => (await (await fetch(`${server.origin}/lab/links/${demo.run}-sse`)).json()).faults;
  assert.equal((await benLine()).cut?.how, "rst");
  await demo.page.locator('[data-lane="sse"]:not([data-phase="open"])').waitFor();
  await demo.page.locator("#again").click();
  const ben = demo.page.locator('[data-editor="sse"] textarea');
  const ada = demo.page.locator('[data-editor="websocket"] textarea');
  while (!/Cleo.*Cleo/s.test(await ada.inputValue())) await demo.page.waitForTimeout(100);
  assert.notEqual(await ben.inputValue(), await ada.inputValue(), "Ben hears nothing");
  await demo.turn("cut", false);
  await demo.suffers(({ cut }) => !cut);
  const twice = await untilAllShow([demo], (text) => SENTENCES.every((sentence) => text.split(sentence).length === 3));
  assert.equal(twice.length, 2 * once.length);
  await demo.stop();
});

test("hands at two devices write into one text, and who comes late reads all of it", HANG_GUARD, async (test) => {
  const query = "?room=hands&delay=0&letters=20";
  const here = await DemoPage.open(test, browser, server, "shared-text", { query });
  await here.placeBet("differ");
  await here.start();
  await here.told();
  const [text] = await screens(here);

  const there = await DemoPage.open(test, browser, server, "shared-text", { query });
  await there.placeBet("differ");
  await there.start();
  await untilAllShow([here, there], (now) => now.length === 2 * text.length); // what was there, and what is typed anew
  await there.told();

  const area = there.page.locator('[data-editor="long-poll"] textarea');
  await area.press("Control+Home");
  await area.pressSequentially("<b>🫖</b> ");
  await untilAllShow([here, there], (now) => now.startsWith("<b>🫖</b> "));
  const other = here.page.locator('[data-editor="websocket"] textarea');
  await other.press("Control+Home");
  await other.press("Delete");
  await untilAllShow([here, there], (now) => now.startsWith("b>🫖</b> "));
  const mirror = await here.page.locator('[data-editor="sse"] .mirror').innerText();
  assert.ok(mirror.startsWith("b>🫖</b>"), "what others write is text, and never HTML");
  await there.stop();
  await here.stop();
});
