/**
 * UTF-8, strictly.
 */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param {Uint8Array} bytes
 * @returns {string | null} `null` if they are no UTF-8
 */
export function decoded(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
