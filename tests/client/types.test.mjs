/**
 * The types: the client passes the checker, its declarations are those of the source, and they hold for a consumer who
 * installs the package.
 *
 * `FALLCAST_TYPES=write node --test tests/client/types.test.mjs` writes the declarations anew.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CLIENT = fileURLToPath(new URL("../../client", import.meta.url));
const CONSUMER = fileURLToPath(new URL("./", import.meta.url));
const DEMOS = fileURLToPath(new URL("../demos", import.meta.url));
const COMPILER = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

test("the client passes the type checker", async () => {
  await check("--project", CLIENT);
});

test("the demos pass the type checker", async () => {
  await check("--project", DEMOS);
});

test("the declarations are those of the source", async (test) => {
  const folder = await temporaryFolder(test);
  await check("--project", CLIENT, "--noEmit", "false", "--outDir", folder);
  const declared = join(folder, "fallcast.d.ts");
  const kept = join(CLIENT, "fallcast.d.ts");
  if (process.env.FALLCAST_TYPES === "write") await copyFile(declared, kept);
  const advice = "client/fallcast.d.ts is out of date: FALLCAST_TYPES=write node --test tests/client/types.test.mjs";
  assert.ok((await readFile(declared, "utf8")) === (await readFile(kept, "utf8")), advice);
});

test("an application in TypeScript can use the package in the right way and not in wrong ones", async (test) => {
  const folder = await temporaryFolder(test);
  const installed = join(folder, "node_modules", "fallcast");
  await mkdir(installed, { recursive: true });
  for (const file of ["package.json", "fallcast.d.ts"]) await copyFile(join(CLIENT, file), join(installed, file));
  for (const file of ["consumer.ts", "tsconfig.json"]) await copyFile(join(CONSUMER, file), join(folder, file));
  await check("--project", folder);
});

/** Runs the compiler, whose complaints fail the test. @param {string[]} settings */
async function check(...settings) {
  try {
    await promisify(execFile)(process.execPath, [COMPILER, ...settings]);
  } catch (fault) {
    assert.fail(fault.stdout || fault.stderr);
  }
}

/** A folder that lasts as long as a test. @param {import("node:test").TestContext} test */
async function temporaryFolder(test) {
  const folder = await mkdtemp(join(tmpdir(), "fallcast-types-"));
  test.after(() => rm(folder, { recursive: true }));
  return folder;
}
