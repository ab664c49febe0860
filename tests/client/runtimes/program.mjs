/**
 * A small application, the same for every runtime: it reads a channel from its start over one transport. When it has
 * heard what others have published, it publishes messages of its own, each one after it has heard the one before.
 *
 *     program.mjs ADDRESS TRANSPORT OTHERS OWN
 *
 * It prints what it has heard, line by line as `id<TAB>data`, and at last how often its line was lost.
 */

import { connect } from "../../../client/fallcast.js";

const [address, transport, others, own] = globalThis.Deno?.args ?? process.argv.slice(2);

const channel = connect(address, {
  transports: [transport],
  after: "start",
  backoff: { base: 50, cap: 200 },
  // Node.js has one of its own since version 22.
  WebSocket: globalThis.WebSocket ?? (await import("ws")).WebSocket,
});

await converse(Number(others), Number(own));
console.log(`over ${channel.transport}, lost ${channel.stats.losses}`);
channel.close();

/**
 * @param {number} others how many messages are there already
 * @param {number} own how many to add
 */
async function converse(others, own) {
  let heard = 0;
  for await (const { id, data } of channel) {
    console.log(`${id}\t${data}`);
    heard += 1;
    if (heard === others + own) return;
    if (heard >= others) await channel.publish(`own ${heard - others + 1}: "é € 🚀"`);
  }
}
