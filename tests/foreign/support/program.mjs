/**
 * A foreign client as a process: lines in, lines out.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { HANG_GUARD } from "./server.mjs";

const HERE = new URL("../", import.meta.url);
const INTERPRETERS = { ".sh": "bash", ".py": process.env.PYTHON || "python3", ".mjs": process.execPath };

/**
 * The names of the programs in a folder beside this one.
 *
 * @param {"readers" | "publishers"} folder
 */
export function programsIn(folder) {
  return readdirSync(new URL(folder, HERE)).map((file) => `${folder}/${file}`);
}

export class Program {
  #process;
  #lines = /** @type {string[]} */ ([]);
  #complaints = "";
  #ended;
  #firstLine;

  /**
   * @param {string} name such as `readers/curl-sse.sh`
   * @param {(string | number)[]} args
   */
  constructor(name, ...args) {
    this.name = name;
    const file = fileURLToPath(new URL(name, HERE));
    this.#process = spawn(INTERPRETERS[extname(name)], [file, ...args.map(String)], HANG_GUARD);
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (this.#complaints += text));
    const output = createInterface({ input: this.#process.stdout });
    output.on("line", (line) => this.#lines.push(line));
    this.#firstLine = once(output, "line");
    this.#ended = once(this.#process, "close");
  }

  /**
   * Gives the program lines to read. After that it gets no more.
   *
   * @param {string[]} lines
   */
  feed(lines) {
    this.#process.stdin.end(lines.map((line) => `${line}\n`).join(""));
    return this;
  }

  /** Resolves as soon as the program has printed something. */
  async spoke() {
    await Promise.race([this.#firstLine, this.#ended]);
    return this;
  }

  /** Waits for the end of the program and returns the lines that it printed. A program that fails, fails the test. */
  async output() {
    const [code, signal] = await this.#ended;
    if (code !== 0) throw new Error(`${this.name} ended with ${code ?? signal}\n${this.#complaints}`);
    return this.#lines;
  }
}
