//! What goes wrong: one room for each trouble. To add one, name it in `faults`, give it a room here, and let
//! `relay::exchange` ask it.
//!
//! No room has a socket, a timer or a task. They are asked what time it is and what to do with bytes, and so they can be
//! tried out without a network.
//!
//! | room | does | when |
//! | --- | --- | --- |
//! | `door` | resets, or answers 503 | before an exchange begins |
//! | `upgrade` | strips, refuses or mutes a WebSocket's handshake | before the server is asked |
//! | `retry` | sends a request twice | on the way up |
//! | `sip` | takes bytes slowly | when a socket is read |
//! | `antivirus` | holds each event until the next one | on the way down, on the answer's body |
//! | `buffering` | holds an answer until enough of it is there | behind `antivirus` |
//! | `truncate` | loses the second half of a body | behind `buffering` |
//! | `cut` | ends an exchange by bytes, messages or time | behind `truncate`, and by the clock |
//! | `pipe` | delays, and lets so many bytes a second through | last on both ways |
//!
//! `count` knows where messages end, `luck` draws what is left to chance.

pub mod antivirus;
pub mod buffering;
pub mod count;
pub mod cut;
pub mod door;
pub mod luck;
pub mod pipe;
pub mod retry;
pub mod sip;
pub mod truncate;
pub mod upgrade;

use super::faults::{Direction, How};

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should: the next exchange may follow on the same connection.
    Complete,
    /// The connection is closed in order.
    Fin,
    /// The connection is reset.
    Reset,
    /// It does not end. From now on, bytes are lost.
    Silence(Direction),
}

impl Ending {
    /// The ending that the faults ask for.
    #[must_use]
    pub const fn of(how: How, direction: Direction) -> Self {
        match how {
            How::Fin => Self::Fin,
            How::Rst => Self::Reset,
            How::Silence => Self::Silence(direction),
        }
    }
}
