/**
 * tshark, Wireshark's terminal: a reader of captures that knows nothing of who wrote them.
 */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** More than tshark says about any capture here. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** A capture, as tshark dissects it. */
export class Capture {
  #packets;

  /** @param {object[]} packets */
  constructor(packets) {
    this.#packets = packets;
  }

  /**
   * Has a capture dissected.
   *
   * @param {Uint8Array} bytes in pcapng
   * @param {string} port the port that speaks HTTP
   * @param {{ filter?: string, waits?: boolean }} [how] which packets count, in tshark's own language; and whether a body
   *   is shown when all of it has come, or packet by packet
   */
  static async read(bytes, port, { filter = "", waits = true } = {}) {
    const folder = await mkdtemp(join(tmpdir(), "fallcast-"));
    try {
      const file = join(folder, "capture.pcapng");
      await writeFile(file, bytes);
      const reading = ["-r", file, "-d", `tcp.port==${port},http`, "-o", `http.desegment_body:${waits}`, "-Y", filter];
      const options = [...reading, "-T", "json", "--no-duplicate-keys"];
      const { stdout } = await run("tshark", options, { maxBuffer: MAX_OUTPUT });
      return new Capture(JSON.parse(stdout));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  get length() {
    return this.#packets.length;
  }

  /**
   * All values of a field, in the order of packets.
   *
   * @param {string} name such as `http.request.uri`
   * @returns {string[]}
   */
  values(name) {
    return this.#packets.flatMap((packet) => valuesIn(packet, name));
  }
}

/** Values lie as deep as the protocol is nested, and several of one name are a list. */
function valuesIn(tree, name) {
  if (tree === null || typeof tree !== "object") return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    if (key === name && typeof value !== "object") return [value];
    if (key === name && Array.isArray(value)) return value.filter((item) => typeof item === "string");
    return valuesIn(value, name);
  });
}
