/**
 * WebSocket: what the server does when something has come from the client.
 */

// ANCHOR: hole
/**
 * Decides what to do about what has come: a message or a control frame, or a fault that makes the rest unreadable.
 *
 * Close codes are those of RFC 6455 §7.4.1.
 *
 * @param {import("../given/frame.mjs").Incoming} incoming
 * @returns {import("../given/frame.mjs").Reply}
 */
export function answer(incoming) {
  switch (incoming.type) {
    case "text":
      return { publish: incoming.text };
    case "ping":
      return { pong: Buffer.alloc(0) };
    case "close":
      return { close: 1000 };
    default:
      return null;
  }
}
// ANCHOR_END: hole
