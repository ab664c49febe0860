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
  return `data: ${text}\n\n`;
}
// ANCHOR_END: hole
