//! Direct delivery: a socket leaves the framework once its response has begun, and is fed from the log by itself.
//!
//! The framework does what it is good at: it accepts, reads the request, finds the handler, checks who may do what, and
//! writes the head of the response. From then on it would only copy bytes from one buffer into another, and keep a task
//! with two buffers of 8 KiB for it. So the handler opens the [exit](Exit) of the [socket](Socket), and when the head is
//! written the TCP stream moves to the worker's [stage](Stage). There a connection is a small record: a descriptor, and
//! an [occupant](Occupant), which knows the position and the protocol. A publication is then one `send` for each of them.
//!
//! It exists on Linux, for plain HTTP/1.1. Everything else is delivered by response bodies, as ever.

mod boarding;
mod chunked;
mod occupant;
mod socket;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(not(target_os = "linux"))]
#[path = "no_stage.rs"]
mod stage;

pub use boarding::Boarding;
pub use chunked::Chunked;
pub use occupant::{Occupant, Turn};
pub use socket::{Exit, Homecoming, Socket};
pub use stage::Stage;

/// A seat on a worker's stage.
///
/// Seats are given away again. Whoever is called up by an old number looks for news, finds none, and that is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(u32);

impl Seat {
    /// The seat with this number. There are never more of them than descriptors, whose numbers are shorter.
    fn of(number: usize) -> Self {
        Self(u32::try_from(number).unwrap_or(u32::MAX))
    }

    const fn number(self) -> usize {
        self.0 as usize
    }
}
