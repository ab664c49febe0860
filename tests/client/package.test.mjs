/**
 * The package that npm would publish: what is in it, and how small it is.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import { transform } from "esbuild";

const CLIENT = new URL("../../client/", import.meta.url);
const LARGEST = 10_240;

test(`minified and gzipped the client has less than ${LARGEST} bytes`, async (test) => {
  const source = await readFile(new URL("fallcast.js", CLIENT), "utf8");
  const { code } = await transform(source, { minify: true, format: "esm", target: "es2022" });
  const size = gzipSync(code, { level: 9 }).length;
  test.diagnostic(`${source.length} characters, ${code.length} minified, ${size} bytes gzipped`);
  assert.ok(size < LARGEST, `${size} bytes`);
});

test("the package holds the client, its types, its manual and its licenses, and nothing else", async () => {
  const [{ files }] = JSON.parse(await npm("pack", "--dry-run", "--json"));
  assert.deepEqual(files.map(({ path }) => path).sort(), [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "fallcast.d.ts",
    "fallcast.js",
    "package.json",
  ]);
});

test("the package needs no other, and nothing runs when it is installed", async () => {
  const manifest = JSON.parse(await readFile(new URL("package.json", CLIENT), "utf8"));
  for (const field of ["dependencies", "peerDependencies", "optionalDependencies", "scripts"]) {
    assert.equal(manifest[field], undefined, field);
  }
});

test("the package has the version and the licenses of the server", async () => {
  const manifest = JSON.parse(await readFile(new URL("package.json", CLIENT), "utf8"));
  const server = await readFile(new URL("../Cargo.toml", CLIENT), "utf8");
  assert.ok(server.includes(`version = "${manifest.version}"`), `the client's version is ${manifest.version}`);
  assert.ok(server.includes(`license = "${manifest.license}"`));
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    const texts = [name, `../${name}`].map((path) => readFile(new URL(path, CLIENT), "utf8"));
    const [own, original] = await Promise.all(texts);
    assert.equal(own, original, name);
  }
});

test("the client imports nothing, and names no other host", async () => {
  const source = await readFile(new URL("fallcast.js", CLIENT), "utf8");
  assert.doesNotMatch(source, /^\s*import\s|\bimport\(|\brequire\(/m);
  assert.doesNotMatch(source, /["'`]https?:\/\/\w/);
});

test("the manual explains every option, member, event and word of the log, and no others", async () => {
  const manual = await readFile(new URL("README.md", CLIENT), "utf8");
  const types = await readFile(new URL("fallcast.d.ts", CLIENT), "utf8");
  const source = await readFile(new URL("fallcast.js", CLIENT), "utf8");

  assert.deepEqual(explained(manual, "option"), membersOf(types, "type Options = {"));
  assert.deepEqual(explained(manual, "member"), membersOf(types, "class Channel extends").filter(isPublic));
  assert.deepEqual(explained(manual, "event"), membersOf(types, "type ChannelEvents = {"));
  const noted = Array.from(source.matchAll(/note\([^,()]+(?:\(\))?, "([a-z]+)"/g), ([, word]) => word);
  assert.deepEqual(explained(manual, "`what`"), [...new Set(noted)].sort());
});

/** The names in the first column of the table that has this heading. @param {string} manual @param {string} heading */
function explained(manual, heading) {
  const table = manual.slice(manual.indexOf(`\n| ${heading} |`)).trimStart().split("\n\n")[0];
  const cells = table.split("\n").slice(2).map((row) => row.split("|")[1]);
  return cells.flatMap((cell) => Array.from(cell.matchAll(/`(\w+)/g), ([, name]) => name)).sort();
}

/** The names that a declaration declares. @param {string} types @param {string} beginning */
function membersOf(types, beginning) {
  const block = types.slice(types.indexOf(beginning)).split("\n}")[0];
  const names = Array.from(block.matchAll(/^ {4}(?:get )?(\w+)\??[:(]/gm), ([, name]) => name);
  return [...new Set(names)].sort();
}

/** What a channel has besides being an EventTarget. @param {string} name */
function isPublic(name) {
  return !["constructor", "addEventListener", "removeEventListener"].includes(name);
}

/** @param {string[]} words */
async function npm(...words) {
  const { stdout } = await promisify(execFile)("npm", words, { cwd: fileURLToPath(CLIENT) });
  return stdout;
}
