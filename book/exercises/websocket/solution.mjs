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
    case "binary":
      return { close: 1003 }; // This channel carries text.
    case "ping":
      return { pong: incoming.payload }; // §5.5.3: with the payload of the ping.
    case "pong":
      return null; // §5.5.3: nobody has to answer a pong, expected or not.
    case "close":
      return { close: incoming.code }; // §5.5.1: typically with the code that came.
    case "fault":
      return { close: { protocol: 1002, "not utf-8": 1007, "too large": 1009 }[incoming.fault] };
  }
}
// ANCHOR_END: hole
