//! The slow reader: what happens to the others when one subscriber takes nothing.

use fallcast_exercises::channel::Message;
use tokio::sync::mpsc::Sender;

// ANCHOR: hole
/// Hands a message to all subscribers. Each of them has a queue, which holds 64 messages.
///
/// A subscriber that is taken out of the list is cut off once its queue is empty. It comes back by itself, with its last
/// cursor.
pub async fn deliver(subscribers: &mut Vec<Sender<Message>>, message: &Message) {
    for subscriber in subscribers {
        // Waits while the queue is full. It fails if the subscriber is gone.
        let _ = subscriber.send(message.clone()).await;
    }
}
// ANCHOR_END: hole
