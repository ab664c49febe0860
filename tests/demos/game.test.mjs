/**
 * The game (demos/game): a dot, its ghosts over three transports, and a line that stalls.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect } from "../../client/fallcast.js";
import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { startBrowser } from "../browser/support/browser.mjs";
import { DemoPage } from "./support/demo.mjs";

const browser = await startBrowser();
after(() => browser.close());
const server = await Server.start({ flags: ["--lab-port", "auto"] });
after(() => server.stop());

const TRANSPORTS = ["websocket", "sse", "long-poll"];

/** Listens to the room on all transports; then waits until such a position was heard on each of them. */
async function listenTo(/** @type {import("node:test").TestContext} */ test, /** @type {string} */ room) {
  const address = (/** @type {string} */ transport) => `${server.origin}/channels/${room}.${transport}`;
  const channels = TRANSPORTS.map((transport) => connect(address(transport), { transports: ["stream"] }));
  test.after(() => channels.forEach((channel) => channel.close()));
  const everybodyHears = (/** @type {(position: any) => boolean} */ isIt) =>
    Promise.all(channels.map((channel) => new Promise((resolve) => {
      channel.addEventListener("message", ({ data }) => isIt(data) && resolve(data));
    })));
  await everybodyHears(() => true);
  return everybodyHears;
}

test("a stall freezes all ghosts, and the WebSocket brings every position late", HANG_GUARD, async (test) => {
  const demo = await DemoPage.open(test, browser, server, "game", { query: "?room=stalls" });

  await demo.placeBet("lost");
  await demo.start();
  for (const lane of TRANSPORTS) await demo.seesMarks(lane, 5);
  await demo.suffers(({ bandwidth }) => bandwidth !== undefined);
  await demo.suffers(({ bandwidth }) => bandwidth === undefined);
  const revealed = await demo.reveal();
  await demo.takePictures();
  await demo.turn("ghost", "between");
  await demo.turn("rate", 60);
  await demo.turn("stall", 200);
  await demo.page.locator("#stall").click();
  await demo.suffers(({ bandwidth }) => bandwidth !== undefined);
  await demo.suffers(({ bandwidth }) => bandwidth === undefined);
  await demo.stop();

  const [, sent, came] = /N = (\d+) positions .*, (\d+) arrived/.exec(revealed) ?? [];
  assert.ok(Number(sent) > 0);
  assert.equal(came, sent, "TCP skips nothing");
  assert.equal(await demo.page.locator(".came-true input").getAttribute("value"), "replayed");
  for (const row of await demo.page.locator("[data-row]").allInnerTexts()) assert.match(row, /% of the field$/);
});

test("the arrow keys move the dot and not the page, and other players are seen", HANG_GUARD, async (test) => {
  const query = "?room=players";
  const [here, there] = await Promise.all([1, 2].map(() => DemoPage.open(test, browser, server, "game", { query })));
  for (const demo of [here, there]) {
    await demo.placeBet("newest");
    await demo.start();
  }
  await here.page.locator("#players", { hasText: "Others in this room: 1" }).waitFor();
  await there.stop();
  await here.page.locator("#players", { hasText: "alone" }).waitFor();

  await here.reveal(); // from here on, nothing moves the page but a key
  // The robot never goes as far as the edge.
  const everybodyHears = await listenTo(test, "players");
  const atTheEdge = everybodyHears(({ x, y }) => x === 0 && y === 1);
  await here.page.locator('[data-field="sse"] canvas').focus();
  const before = await here.page.evaluate(() => scrollY);
  await here.page.keyboard.down("ArrowLeft");
  await here.page.keyboard.down("ArrowDown");
  await atTheEdge;
  assert.equal(await here.page.evaluate(() => scrollY), before);
  await here.page.keyboard.up("ArrowLeft");
  await here.page.keyboard.up("ArrowDown");

  const inTheCorner = everybodyHears(({ x, y }) => x === 1 && y === 0);
  const box = await here.page.locator('[data-field="websocket"] canvas').boundingBox();
  assert.ok(box);
  await here.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await here.page.mouse.down();
  await here.page.mouse.move(box.x + box.width + 20, box.y - 20);
  await inTheCorner;
  await here.page.mouse.up();
  await here.stop();
});
