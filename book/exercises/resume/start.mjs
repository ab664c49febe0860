/**
 * Resume: where a subscriber goes on that was here before.
 */

// ANCHOR: hole
/**
 * The position of a subscriber: everything after it is still to come.
 *
 * `cursor` is the last one that the subscriber has seen, such as `5f0c1a7e.42`; a subscriber that comes for the first
 * time has `null`, and begins at the head. Where nobody can say that nothing is missing, the position is `null`, and the
 * subscriber is told of a gap.
 *
 * @param {import("../given/channel.mjs").Channel} channel
 * @param {string | null} cursor
 * @returns {number | null}
 */
export function position(channel, cursor) {
  return channel.head;
}
// ANCHOR_END: hole
