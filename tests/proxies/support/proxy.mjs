/**
 * Real proxies: nginx and HAProxy as the system has them, each as one process of its own with a configuration of the
 * test's own, on the loopback interface.
 */

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const CONFIGS = new URL("../configs/", import.meta.url);

/** Debian keeps servers where only root looks for commands. */
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;

const COMMANDS = {
  nginx: (/** @type {string} */ config) => ["nginx", "-e", "stderr", "-c", config],
  haproxy: (/** @type {string} */ config) => ["haproxy", "-q", "-db", "-f", config],
};

/** How often an address may turn out to be taken. */
const ATTEMPTS = 3;

/**
 * @typedef {object} Settings
 * @property {string} [changes] lines for nginx's `http` block, beside its configuration
 * @property {(config: string) => string} [edit] changes the configuration itself
 * @property {string} [logLevel] what nginx writes to its log
 */

export class Proxy {
  #process;
  #directory;
  #complaints = "";

  /**
   * Starts a proxy in front of a server and waits until it listens. Whoever starts it, stops it.
   *
   * @param {string} config such as `nginx-default.conf`
   * @param {{ port: string | number }} server
   * @param {Settings} [settings]
   */
  static async start(config, server, settings = {}) {
    for (let attempt = 1; ; attempt += 1) {
      const directory = await mkdtemp(join(tmpdir(), "fallcast-proxy-"));
      const [host, port] = ownAddress();
      const values = { ADDRESS: `${host}:${port}`, SERVER_PORT: server.port };
      const file = await writeConfig(config, directory, values, settings);
      const proxy = new Proxy(file, directory, host, port);
      if (await proxy.#listens()) return proxy;
      await proxy.stop();
      if (attempt === ATTEMPTS) throw new Error(`${config} does not start\n${proxy.#complaints}`);
    }
  }

  /** @param {string} file @param {string} directory @param {string} host @param {number} port */
  constructor(file, directory, host, port) {
    const [command, ...args] = file.endsWith(".cfg") ? COMMANDS.haproxy(file) : COMMANDS.nginx(file);
    this.#directory = directory;
    this.host = host;
    this.port = port;
    this.#process = spawn(command, args, { env: { ...process.env, PATH }, stdio: ["ignore", "ignore", "pipe"] });
    this.#process.on("error", (fault) => (this.#complaints += fault));
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#complaints += text));
  }

  /** How a path of the server is reached through the proxy. @param {string} path */
  url(path) {
    return `http://${this.host}:${this.port}${path}`;
  }

  /** What nginx has written to its log. */
  async log() {
    return readFile(join(this.#directory, "error.log"), "utf8");
  }

  /** Ends the proxy, and takes everything away that it has left. */
  async stop() {
    if (this.#isRunning) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await ended;
    }
    await rm(this.#directory, { recursive: true });
  }

  get #isRunning() {
    return this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits until a connection is accepted; false if the process ends before that. */
  async #listens() {
    while (this.#isRunning) {
      if (await isOpen(this.port, this.host)) return this.#isRunning;
      await sleep(10);
    }
    return false;
  }
}

/**
 * @param {string} config
 * @param {string} directory
 * @param {Record<string, string | number>} values
 * @param {Settings} settings
 */
async function writeConfig(config, directory, values, { changes = "", edit = (text) => text, logLevel = "error" }) {
  const known = { ...values, DIR: directory, LOG_LEVEL: logLevel };
  const template = edit(await readFile(new URL(config, CONFIGS), "utf8"));
  const file = join(directory, config);
  await writeFile(join(directory, "changes.conf"), changes);
  await writeFile(file, template.replaceAll(/@([A-Z_]+)@/g, (_, name) => String(known[name])));
  return file;
}

/**
 * An address that nobody else has. A proxy cannot be told to take any free port and say which, and a port found free
 * may be gone a moment later. But all of 127.0.0.0/8 is this machine, with more addresses than tests collide on.
 *
 * @returns {[string, number]}
 */
function ownAddress() {
  const host = [127, randomInt(1, 255), randomInt(1, 255), randomInt(1, 255)].join(".");
  // Below the ports that the system gives to connections.
  return [host, randomInt(10_000, 30_000)];
}

/** @param {number} port @param {string} host */
async function isOpen(port, host) {
  const socket = connect(port, host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
