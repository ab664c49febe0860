/**
 * `fallcast check` as a shell runs it, and what becomes of its report.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";

import { BINARY } from "../../foreign/support/server.mjs";

/** Where tables are kept that the book shows. */
const TABLES = new URL("../../check/", import.meta.url);

/** The transports, in the order of a table's columns. */
const TRANSPORTS = ["websocket", "sse", "long-poll", "stream"];

const MARKS = { passed: "✓", failed: "✗", skipped: "–" };

/**
 * @typedef {object} Property
 * @property {string} id
 * @property {string} [transport] none if it belongs to all transports together
 * @property {"passed" | "failed" | "skipped"} verdict
 * @property {string} [says] what was seen, or why nobody looked
 *
 * @typedef {object} Report
 * @property {{ name: string, properties: Property[] }[]} checks
 */

/**
 * Checks a server.
 *
 * @param {...string} args what to check, and where
 * @returns {Promise<Report>}
 */
export async function check(...args) {
  // The exit code is 1 where something is violated; whatever else goes wrong leaves no report.
  const command = ["check", "--json", "--seed", "7", ...args];
  const report = await new Promise((resolve, reject) =>
    execFile(BINARY, command, { maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
      stdout === "" ? reject(new Error(stderr)) : resolve(stdout),
    ),
  );
  return JSON.parse(report);
}

/**
 * One row for each property, one column for each transport.
 *
 * @param {Report} report
 */
export function markdownOf({ checks }) {
  const properties = checks.flatMap((check) => check.properties);
  const transports = TRANSPORTS.filter((name) => properties.some(({ transport }) => transport === name));
  const rows = [...new Set(properties.map(({ id }) => id))].map((id) => {
    const found = properties.filter((property) => property.id === id);
    const together = found.find(({ transport }) => transport === undefined);
    const marks = transports.map((name) => found.find(({ transport }) => transport === name) ?? together);
    return [`\`${id}\``, ...marks.map((property) => (property ? MARKS[property.verdict] : ""))];
  });
  const table = [["property", ...transports], ["---", ...transports.map(() => ":---:")], ...rows];
  return table.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/**
 * Compares a table with the one that is kept, or writes it anew if `FALLCAST_TABLES` is `write`.
 *
 * @param {string} file
 * @param {string} table
 */
export async function keep(file, table) {
  const path = new URL(file, TABLES);
  if (process.env.FALLCAST_TABLES === "write") await writeFile(path, table);
  const kept = await readFile(path, "utf8").catch(() => "");
  assert.deepEqual(table.split("\n"), kept.split("\n"), `tests/check/${file} is stale: FALLCAST_TABLES=write`);
}
