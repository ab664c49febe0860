/**
 * nginx with Nchan, a server of the same kind that is not ours: what it keeps of what `fallcast check` looks for, and
 * what it does not. The table is kept in `tests/check/nchan.md`, and the book shows it.
 */

import { access } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { check, keep, markdownOf } from "./support/check.mjs";
import { Proxy } from "./support/proxy.mjs";

/** Debian's module, as `benches/peers/nchan/install` unpacks it. */
const MODULE = fileURLToPath(
  new URL("../../benches/peers/nchan/debian/usr/lib/nginx/modules/ngx_nchan_module.so", import.meta.url),
);

/**
 * What is not looked at. Whether Nchan understands a frame that comes byte by byte depends on how its reads fall, so it
 * differs from run to run. And its polls without a cursor begin with the oldest message, while the check waits for the
 * newest.
 */
const SKIPPED = ["--skip", "ws.one-byte-writes", "--skip", "storm.answers"];

/** It ends a test that hangs; every check has a time limit of its own, and a broken promise takes all of it. */
const HANG_GUARD = { timeout: 600_000 };

test("Nchan keeps and breaks what the table says", HANG_GUARD, async () => {
  await access(MODULE);
  const edit = (/** @type {string} */ config) => config.replace("@NCHAN@", MODULE);
  const nginx = await Proxy.start("nchan.conf", { port: "" }, { edit });
  try {
    const report = await check("all", "--url", nginx.url(""), "--profile", "nchan", ...SKIPPED);
    const broken = report.checks.flatMap(({ properties }) => properties.filter(({ verdict }) => verdict === "failed"));
    for (const { id, transport, says } of broken) console.log(`${id} on ${transport ?? "all transports"}: ${says}`);
    await keep("nchan.md", markdownOf(report));
  } finally {
    await nginx.stop();
  }
});
