//! What a transport does with a socket of its own.

use std::fmt;

use bytes::Bytes;

use crate::delivery::Whom;

/// What an occupant wants to be done next.
#[derive(Debug)]
pub enum Turn {
    /// Send these bytes. They are all with the system before the occupant is asked again.
    Send(Bytes),
    /// Nothing, until there is news.
    Wait,
    /// Say goodbye: everything is sent, so end the server's half, and listen to the rest of the peer's half for a moment.
    End,
    /// Close at once.
    Drop,
    /// Give the socket back to the framework, with what has been read of the next request.
    GiveBack(Vec<u8>),
}

// ANCHOR: occupant
/// A connection's protocol: what it says, and what it makes of what it hears.
pub trait Occupant: fmt::Debug {
    /// What to do next. With [`Turn::Wait`], `whom` is told when there is news.
    fn next(&mut self, whom: Whom<'_>) -> Turn;

    /// Takes what the peer has sent. What comes of it is for [`next`](Self::next) to say.
    fn hear(&mut self, bytes: &[u8]);

    /// Whether it takes more now. What it does not take stays with the system, and slows the peer down.
    fn is_listening(&self) -> bool {
        true
    }
}
// ANCHOR_END: occupant
