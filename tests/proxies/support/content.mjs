/**
 * What an answer says, without how it is framed.
 */

/**
 * The content of an answer as far as it has come: without its head and without the frame of its chunks (RFC 9112 §7.1).
 *
 * @param {import("../../browser/support/wire.mjs").Exchange} exchange
 */
export function contentOf(exchange) {
  return isChunked(exchange) ? [...chunksOf(exchange.body)].join("") : exchange.body;
}

/**
 * Whether an answer has come to the end that its head has announced.
 *
 * @param {import("../../browser/support/wire.mjs").Exchange} exchange
 */
export function isComplete(exchange) {
  if (!exchange.received.includes("\r\n\r\n")) return false;
  if (isChunked(exchange)) return exchange.body.endsWith("0\r\n\r\n");
  const length = exchange.header("Content-Length");
  return length === undefined ? exchange.ending === "fin" : exchange.body.length === Number(length);
}

/** @param {import("../../browser/support/wire.mjs").Exchange} exchange */
function isChunked(exchange) {
  return exchange.header("Transfer-Encoding")?.toLowerCase() === "chunked";
}

/** @param {string} body */
function* chunksOf(body) {
  let at = 0;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(body.slice(at, at + 20));
    if (size === null) return;
    const begin = at + size[0].length;
    const end = begin + parseInt(size[1], 16);
    yield body.slice(begin, end);
    at = end + "\r\n".length;
  }
}
