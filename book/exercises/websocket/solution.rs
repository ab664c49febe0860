//! WebSocket: what the server does when something has come from the client.

use fallcast_exercises::frame::{Fault, Incoming, Reply};

// ANCHOR: hole
/// Decides what to do about what has come: a message or a control frame, or a fault that makes the rest unreadable.
///
/// Close codes are those of RFC 6455 §7.4.1.
#[must_use]
pub fn answer(incoming: Result<Incoming, Fault>) -> Reply {
    match incoming {
        Ok(Incoming::Text(text)) => Reply::Publish(text),
        // This channel carries text.
        Ok(Incoming::Binary(_)) => Reply::Close(Some(1003)),
        // §5.5.3: with the payload of the ping.
        Ok(Incoming::Ping(payload)) => Reply::Pong(payload),
        // §5.5.3: nobody has to answer a pong, expected or not.
        Ok(Incoming::Pong(_)) => Reply::Nothing,
        // §5.5.1: a close is answered by a close, typically with the code that came.
        Ok(Incoming::Close(code)) => Reply::Close(code),
        Err(Fault::Protocol) => Reply::Close(Some(1002)),
        Err(Fault::NotUtf8) => Reply::Close(Some(1007)),
        Err(Fault::TooLarge) => Reply::Close(Some(1009)),
    }
}
// ANCHOR_END: hole
