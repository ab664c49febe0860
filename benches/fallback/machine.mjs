/**
 * What a reader needs to know of the machine and the programs to judge a result.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";

/** @param {import("playwright-core").Browser} browser */
export function describeMachine(browser) {
  const processors = os.cpus();
  return {
    processor: processors[0]?.model.trim() || "unknown",
    cores: processors.length,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    commit: commit(),
    node: process.version,
    chromium: browser.version(),
    playwright: versionOfPlaywright(),
  };
}

/** How many programs wanted to run, on average over the last minute. This benchmark is among them. */
export const load = () => Math.round(os.loadavg()[0] * 100) / 100;

/** The commit, or that it is unknown, which is no reason not to measure. */
function commit() {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty", "--abbrev=12"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

function versionOfPlaywright() {
  const text = readFileSync(new URL("../../tests/node_modules/playwright-core/package.json", import.meta.url), "utf8");
  return JSON.parse(text).version;
}
