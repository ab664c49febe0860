/**
 * `fallcast doctor` through nginx and HAProxy as Debian has them: it names them, and says what they do and what to use.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, suite, test } from "node:test";
import { fileURLToPath } from "node:url";

import { HANG_GUARD, Server } from "../foreign/support/server.mjs";
import { Proxy } from "./support/proxy.mjs";

const BINARY = process.env.FALLCAST_BIN || fileURLToPath(new URL("../../target/debug/fallcast", import.meta.url));

/** The idle limit of every proxy here, in place of their 60 or 50 s. Nothing depends on how long it is. */
const LIMIT = 2_000;
const IDLE = "5s";

const server = await Server.start();
after(() => server.stop());

/** Most of the time passes in waiting, so tests wait together. */
suite("the doctor", { concurrency: true }, () => {
  test("names nginx with a bare proxy_pass, that it strips the upgrade, and its limit for silence", HANG_GUARD, async (test) => {
    const { report, code } = await examine(test, "nginx-default.conf", { changes: `proxy_read_timeout ${LIMIT}ms;` });
    assert.deepEqual(kinds(report), ["stripping-proxy", "idle-timeout"], JSON.stringify(report, null, 2));
    assert.equal(report.verdict.transport, "sse");
    assert.equal(code, 1);
    assert.match(report.verdict.text, /^Use server-sent events here: nginx\S* \(by its field `Server`\) does not pass `Upgrade` on, as it does with a bare `proxy_pass`/);
    assert.match(finding(report, "way").seen, /HTTP\/1\.1 here and HTTP\/1\.0 at the server/);
    assert.match(finding(report, "flush").seen, /do not say `X-Accel-Buffering: no` are held back until/);
    assert.match(finding(report, "idle").seen, /504/);
  });

  test("sees that nginx holds everything back if it is told to", HANG_GUARD, async (test) => {
    const changes = "proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 16k; proxy_buffers 4 16k; proxy_busy_buffers_size 32k;";
    const { report } = await examine(test, "nginx-default.conf", { changes });
    assert.deepEqual(kinds(report), ["stripping-proxy"], JSON.stringify(report, null, 2));
    assert.equal(report.verdict.transport, "long-poll");
    assert.match(report.verdict.text, /^Use long-polling here: nginx.* holds answers back until they are about 1[5-9] KiB/);
  });

  test("finds nothing to say against nginx as it should be, but that it is there", HANG_GUARD, async (test) => {
    const { report, code } = await examine(test, "nginx-correct.conf");
    assert.deepEqual(kinds(report), [], JSON.stringify(report, null, 2));
    assert.equal(report.verdict.transport, "websocket");
    assert.equal(code, 0);
    assert.match(finding(report, "way").seen, /nginx.*`x-forwarded-for`/);
  });

  test("names HAProxy by its page, and its limit for silence", HANG_GUARD, async (test) => {
    const edit = (/** @type {string} */ config) => config.replaceAll("50000", String(LIMIT));
    const { report, code } = await examine(test, "haproxy-default.cfg", { edit });
    assert.deepEqual(kinds(report), ["idle-timeout"], JSON.stringify(report, null, 2));
    assert.equal(report.verdict.culprits[0].name, "HAProxy");
    assert.equal(report.verdict.transport, "websocket");
    assert.equal(code, 1);
    // It also delays the hello from which on the client counts.
    assert.match(report.verdict.text, /HAProxy \(by its page for faults\) cuts connections that are silent for (1\.[5-9]|2\.\d) s/);
    assert.match(finding(report, "flush").remedy, /option http-no-delay/);
  });

  test("finds nothing to say against HAProxy as it should be", HANG_GUARD, async (test) => {
    const { report, code } = await examine(test, "haproxy-correct.cfg");
    assert.deepEqual(kinds(report), [], JSON.stringify(report, null, 2));
    assert.equal(report.verdict.transport, "websocket");
    assert.equal(code, 0);
  });
});

/** @typedef {{ question: string, seen: string, mark: string, remedy: string }} Finding */
/** @typedef {{ verdict: { text: string, transport: string, culprits: { kind: string, name: string }[] }, findings: Finding[] }} Report */

/** @param {Report} report */
const kinds = (report) => report.verdict.culprits.map(({ kind }) => kind);

/** @param {Report} report @param {string} question */
function finding(report, question) {
  const found = report.findings.find((finding) => finding.question === question);
  assert.ok(found, `nothing about ${question}`);
  return found;
}

/**
 * Runs the doctor through a proxy in front of the server.
 *
 * @param {import("node:test").TestContext} test
 * @param {string} config
 * @param {import("./support/proxy.mjs").Settings} [settings]
 * @returns {Promise<{ report: Report, code: number }>}
 */
async function examine(test, config, settings) {
  const proxy = await Proxy.start(config, server, settings);
  test.after(() => proxy.stop());
  const doctor = spawn(BINARY, ["doctor", "--json", "--quiet", "--idle", IDLE, proxy.url("/")], { stdio: ["ignore", "pipe", "inherit"] });
  test.after(() => doctor.kill("SIGKILL"));
  let output = "";
  doctor.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(doctor, "close");
  return { report: JSON.parse(output).report, code };
}
