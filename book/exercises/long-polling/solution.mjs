/**
 * Long-polling: a request that is answered when there is something to say.
 */

// ANCHOR: hole
/**
 * Answers the poll of a client that has seen everything up to a position.
 *
 * The answer is what came after it. If there is nothing, the request is held until something comes, for no longer than
 * `hold`; then the answer is empty. `null` if nobody can go on from the position.
 *
 * @param {import("../given/channel.mjs").Channel} channel
 * @param {number} position
 * @param {number} hold in milliseconds
 */
export async function poll(channel, position, hold) {
  const messages = channel.readAfter(position);
  if (messages === null || messages.length > 0) return messages;
  // Nothing can be published between these lines: JavaScript runs them without a break, up to the `await`.
  await channel.published(hold);
  // Whether it was a message or the clock that ended the wait: the log knows.
  return channel.readAfter(position);
}
// ANCHOR_END: hole
