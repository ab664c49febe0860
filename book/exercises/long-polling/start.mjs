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
  const hasNews = await channel.published(hold);
  return hasNews ? channel.readAfter(channel.head - 1) : [];
}
// ANCHOR_END: hole
