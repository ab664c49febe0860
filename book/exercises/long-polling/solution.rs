//! Long-polling: a request that is answered when there is something to say.

use std::time::Duration;

use fallcast_exercises::channel::{Channel, Message};
use tokio::time::timeout;

// ANCHOR: hole
/// Answers the poll of a client that has seen everything up to `position`.
///
/// The answer is what came after it. If there is nothing, the request is held until something comes, for no longer than
/// `hold`; then the answer is empty. `None` if nobody can go on from `position`.
pub async fn poll(channel: &Channel, position: u64, hold: Duration) -> Option<Vec<Message>> {
    // First the signal, then the log: what is published between the two is in both, rather than in none.
    let mut published = channel.published();
    let messages = channel.read_after(position)?;
    if !messages.is_empty() {
        return Some(messages);
    }
    // Whether it was a message or the clock that ended the wait: the log knows.
    let _ = timeout(hold, published.changed()).await;
    channel.read_after(position)
}
// ANCHOR_END: hole
