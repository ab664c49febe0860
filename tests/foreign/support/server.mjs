/**
 * A fallcast process of its own for a test, on a free port of the loopback interface.
 *
 * The binary is the one that `FALLCAST_BIN` names, or else cargo's debug build.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The program that is tested. */
export const BINARY = process.env.FALLCAST_BIN || fileURLToPath(new URL("../../../target/debug/fallcast", import.meta.url));

/** No test takes this long: it ends one that hangs. */
export const HANG_GUARD = { timeout: 90_000 };

/** @returns {string} a channel's name that no other test uses */
export function freshChannel() {
  return `channel-${crypto.randomUUID()}`;
}

export class Server {
  #process;
  #log = "";

  /** Where the server listens, as browsers write it: `http://127.0.0.1:49152`. */
  origin = "";

  /**
   * Starts a server with two workers, so that what belongs together meets on different threads, and waits until it
   * listens. Whoever starts it, stops it.
   *
   * @param {{ host?: string, port?: string, workers?: number, flags?: string[] }} [settings]
   */
  static async start({ host = "127.0.0.1", port = "0", workers = 2, flags = [] } = {}) {
    const server = new Server(["--host", host, "--port", port, "--workers", String(workers), ...flags]);
    await server.#listening();
    return server;
  }

  /** @param {string[]} flags */
  constructor(flags) {
    this.#process = spawn(BINARY, ["serve", ...flags], {
      env: ownSettings(process.env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#log += text));
  }

  get port() {
    return new URL(this.origin).port;
  }

  /** @param {string} name */
  channel(name) {
    return `${this.origin}/channels/${name}`;
  }

  /**
   * Publishes a text and returns its cursor.
   *
   * @param {string} channel
   * @param {string} text
   * @returns {Promise<string>}
   */
  async publish(channel, text) {
    const answer = await fetch(this.channel(channel), { method: "POST", body: text });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
    return (await answer.json()).id;
  }

  /** Asks the server to drain, and waits until it has ended. */
  async drain() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }

  /** Ends the server at once, unless it has ended already. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async #listening() {
    const failed = once(this.#process, "exit").then(() => Promise.reject(new Error(`no start\n${this.#log}`)));
    const lines = createInterface({ input: this.#process.stdout });
    const [first] = await Promise.race([once(lines, "line"), failed]);
    failed.catch(() => "the server may end once it has listened");
    this.origin = first.replace(/^listening on /, "");
  }

}

/**
 * The environment without the settings of whoever runs the tests. A server has no lab unless its test asks for one with
 * `--lab-port`: of many servers, only one can have the lab's default port. It delivers as `TEST_DELIVERY` says.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
function ownSettings(environment) {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith("FALLCAST_"));
  const delivery = environment.TEST_DELIVERY ? { FALLCAST_DELIVERY: environment.TEST_DELIVERY } : {};
  return { ...Object.fromEntries(others), ...delivery, FALLCAST_LAB_PORT: "0" };
}
