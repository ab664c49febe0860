// @ts-check
/**
 * Small parts that several parsers need.
 *
 * @module small
 */

/**
 * The elements of all lists with this name.
 *
 * @param {import("./http.js").Header[]} headers
 * @param {string} name in lower case
 */
export function valuesOf(headers, name) {
  const lines = headers.filter((header) => header.name.toLowerCase() === name);
  return lines
    .flatMap(({ value }) => value.split(",").map((element) => element.trim()))
    .filter((element) => element !== "");
}

/** One character for each byte. @param {Uint8Array} bytes */
export function latin1(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** What a person can read of it. @param {Uint8Array} content */
export function textOf(content) {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  return /[\0-\x08\x0e-\x1f\x7f\ufffd]/.test(text) ? `${bytes(content.length)}, no text` : text;
}

/** @param {number} count */
export function bytes(count) {
  return count === 1 ? "1 byte" : `${count} bytes`;
}
