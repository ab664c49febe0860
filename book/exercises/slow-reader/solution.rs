//! The slow reader: what happens to the others when one subscriber takes nothing.

use fallcast_exercises::channel::Message;
use tokio::sync::mpsc::Sender;

// ANCHOR: hole
/// Hands a message to all subscribers. Each of them has a queue, which holds 64 messages.
///
/// A subscriber that is taken out of the list is cut off once its queue is empty. It comes back by itself, with its last
/// cursor.
#[expect(clippy::unused_async, reason = "it must not wait for anybody")]
pub async fn deliver(subscribers: &mut Vec<Sender<Message>>, message: &Message) {
    // A full queue belongs to somebody who is too slow, a closed one to somebody who is gone. Neither may be waited for:
    // the next subscriber has done nothing wrong.
    subscribers.retain(|subscriber| subscriber.try_send(message.clone()).is_ok());
}
// ANCHOR_END: hole
