//! WebSocket: what the server does when something has come from the client.

use bytes::Bytes;
use fallcast_exercises::frame::{Fault, Incoming, Reply};

// ANCHOR: hole
/// Decides what to do about what has come: a message or a control frame, or a fault that makes the rest unreadable.
///
/// Close codes are those of RFC 6455 §7.4.1.
#[must_use]
pub fn answer(incoming: Result<Incoming, Fault>) -> Reply {
    match incoming {
        Ok(Incoming::Text(text)) => Reply::Publish(text),
        Ok(Incoming::Ping(_)) => Reply::Pong(Bytes::new()),
        Ok(Incoming::Close(_)) => Reply::Close(Some(1000)),
        _ => Reply::Nothing,
    }
}
// ANCHOR_END: hole
