/**
 * What the peers that run JavaScript have in common.
 */

/** The largest message that a peer has to take, in bytes. */
export const LARGEST_MESSAGE = 1 << 20;

/** How many bytes may wait for one subscriber. It is out of reach, so that no peer drops what another one keeps. */
export const LARGEST_BACKLOG = 1 << 30;

/** Connections that may wait to be accepted, where a peer lets one choose. */
export const LISTEN_BACKLOG = 4096;

/** For intervals and limits that must not end within a sample: an hour, in milliseconds. */
export const LONG = 3_600_000;

/**
 * The port of the command line `PORT WORKERS`.
 *
 * @returns {number}
 */
export function port() {
  const [port, workers] = process.argv.slice(2);
  if (!/^\d+$/.test(port ?? "") || workers !== "1") {
    console.error("usage: start PORT 1 (more workers would be more processes, with a broker between them)");
    process.exit(2);
  }
  return Number(port);
}

/**
 * Takes a path such as `/ws/lab` apart.
 *
 * @param {string} url
 * @returns {{ endpoint: string, channel: string, query: URLSearchParams }}
 */
export function target(url) {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  const [, endpoint = "", channel = ""] = pathname.split("/");
  return { endpoint, channel, query: searchParams };
}
