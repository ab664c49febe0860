/**
 * Server-sent events: what one message looks like in the stream.
 */

// ANCHOR: hole
/**
 * Writes one message as an event (WHATWG HTML §9.2.5 and §9.2.6).
 *
 * @param {string} id its cursor, which a browser sends back when it reconnects
 * @param {string} text what was published
 */
export function event(id, text) {
  // The standard ends a line at CRLF, at CR and at LF. So a line of the text must not be able to end ours.
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `id: ${id}\n${lines.join("")}\n`;
}
// ANCHOR_END: hole
