/**
 * The server under test, with its lab.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Server {
  #process;
  #log = "";

  /** Where pages come from, on the main port. */
  origin = "";
  /** Where channels are reached over links. */
  lab = "";

  /**
   * Starts a server on free ports and waits until it listens. Whoever starts it, stops it.
   *
   * @param {string} binary
   */
  static async start(binary) {
    const server = new Server(binary);
    await server.#listening();
    const { port } = await server.#ask("GET", "/lab");
    server.lab = `http://127.0.0.1:${port}`;
    return server;
  }

  /** @param {string} binary */
  constructor(binary) {
    const flags = ["serve", "--host", "127.0.0.1", "--port", "0", "--lab-port", "auto"];
    this.#process = spawn(binary, flags, { env: withoutSettings(process.env), stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#log += text));
    // Whoever interrupts the benchmark ends the browser, which Playwright sees to, and this server.
    process.once("exit", () => this.#process.kill("SIGKILL"));
  }

  async #listening() {
    const failed = once(this.#process, "exit").then(([status]) => {
      throw new Error(`the server ended with status ${status}\n${this.#log}`);
    });
    const [first] = await Promise.race([once(createInterface({ input: this.#process.stdout }), "line"), failed]);
    failed.catch(() => "it may end from now on");
    this.origin = first.replace(/^listening on /, "");
  }

  /**
   * Creates a link, or gives it other faults.
   *
   * @param {string} name
   * @param {Record<string, any>} faults
   */
  link(name, faults) {
    return this.#ask("PUT", `/lab/links/${name}`, JSON.stringify(faults));
  }

  /** @param {string} channel @param {string} text */
  publish(channel, text) {
    return this.#ask("POST", `/channels/${channel}`, text);
  }

  /** @param {string} method @param {string} path @param {string} [body] */
  async #ask(method, path, body) {
    const answer = await fetch(this.origin + path, { method, body });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Ends the server at once, unless it has ended already. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

/**
 * The environment without settings of a server, so that the defaults are measured.
 *
 * @param {NodeJS.ProcessEnv} environment
 */
function withoutSettings(environment) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("FALLCAST_")));
}
