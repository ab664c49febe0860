/**
 * Reads what a channel holds, over a healthy line.
 *
 * @param {import("../../foreign/support/server.mjs").Server} server
 * @param {string} channel
 * @returns {Promise<{ id: string, data: any }[]>} the messages, the oldest first
 */
export async function stored(server, channel) {
  const messages = [];
  for (let after = "start", hasMore = true; hasMore; ) {
    const answer = await fetch(`${server.channel(channel)}/poll?after=${after}&wait=0`);
    const { cursor, events, more } = await answer.json();
    for (const { message } of events) if (message) messages.push({ id: message.id, data: message.data });
    [after, hasMore] = [cursor, more];
  }
  return messages;
}
