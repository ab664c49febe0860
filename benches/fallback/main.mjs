/**
 * Measures what falling back costs. `node benches/fallback/main.mjs --help` says how to use it, `benches/README.md`
 * what it does and what came out.
 */

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { startBrowser } from "../../tests/browser/support/browser.mjs";
import { describeMachine, load } from "./machine.mjs";
import { HELP, readArguments, UsageError } from "./options.mjs";
import { fileOf, report } from "./report.mjs";
import { channelOf, linkOf, takeSample } from "./sample.mjs";
import { turnsOf } from "./schedule.mjs";
import { Server } from "./server.mjs";
import { render } from "./table.mjs";
import { wayOf } from "./ways.mjs";

const args = process.argv.slice(2);
try {
  const wish = readArguments(args);
  if (wish.help) console.log(HELP);
  else await measure(wish);
} catch (fault) {
  if (!(fault instanceof UsageError)) throw fault;
  console.error(`${fault.message}\nSee node benches/fallback/main.mjs --help`);
  process.exitCode = 2;
}

/** @param {Extract<ReturnType<typeof readArguments>, { help: false }>} wish */
async function measure({ plan, server: binary, results }) {
  if (!existsSync(binary)) {
    throw new UsageError(`there is no ${binary}: cargo build --release makes it, --server names another`);
  }
  // Rather now than when everything has been measured.
  await mkdir(dirname(results), { recursive: true });
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  const command = ["node benches/fallback/main.mjs", ...args].join(" ");
  const server = await Server.start(binary);
  const browser = await startBrowser();
  try {
    const machine = describeMachine(browser);
    await makeLinks(server, plan);
    const { samples, loads } = await runRounds(browser, server, plan);
    const result = report({ date, command, machine }, plan, samples, loads);
    await writeFile(results, fileOf(result));
    process.stdout.write(render(result));
  } finally {
    await browser.close();
    await server.stop();
  }
}

/** @param {Server} server @param {import("./options.mjs").Plan} plan */
async function makeLinks(server, { latencies_ms, ways }) {
  for (const latency_ms of latencies_ms) {
    for (const way of ways) await server.link(linkOf({ way, latency_ms }), { latency_ms, ...wayOf(way).faults });
  }
}

/**
 * Runs all rounds. One before them is thrown away: in it, the browser and the server do everything for the first time.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {Server} server
 * @param {import("./options.mjs").Plan} plan
 */
async function runRounds(browser, server, plan) {
  const samples = [];
  const loads = [];
  const began = Date.now();
  for (let pair = 0; pair <= plan.pairs; pair++) {
    const title = pair === 0 ? "warming up" : `round ${pair} of ${plan.pairs}`;
    console.error(`${title}, load ${load()}${timeLeft(began, pair, plan.pairs)}`);
    if (pair > 0) loads.push(load());
    const taken = await runRound(browser, server, plan, pair);
    if (pair > 0) samples.push(...taken);
  }
  return { samples, loads };
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {Server} server
 * @param {import("./options.mjs").Plan} plan
 * @param {number} pair
 */
async function runRound(browser, server, plan, pair) {
  const samples = [];
  await server.publish(channelOf({ pair }), "the first message");
  for (const turn of turnsOf(plan, pair)) {
    samples.push({ ...turn, ...(await takeSample(browser, server, turn, plan)) });
  }
  return samples;
}

/** @param {number} began @param {number} done rounds so far, with the one for warming up @param {number} pairs */
function timeLeft(began, done, pairs) {
  if (done === 0) return "";
  const seconds = Math.round((((Date.now() - began) / done) * (pairs + 1 - done)) / 1000);
  return `, ${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}
