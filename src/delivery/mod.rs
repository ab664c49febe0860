//! From a position in the log to a socket.
//!
//! Encoded events lie in [rings](ring::Ring), one for each channel and framing in use, shared by all workers. What lies
//! between a position and the head is one slice, however many messages it holds, and all subscribers at one position
//! share it. A publication wakes each worker once; from there thread-local lists wake the subscribers.
//!
//! Nothing in here knows what the bytes mean.

mod body;
mod clock;
mod direct;
mod fanout;
mod ring;
mod segment;
mod subscription;
mod worker;

pub use body::{EventBody, farewell};
pub use clock::Clock;
pub use direct::{Boarding, Chunked, Exit, Homecoming, Occupant, Seat, Socket, Stage, Turn};
pub use fanout::{Fanout, Feed, Whom};
pub use ring::{Ring, Rings};
pub use segment::{MAX_SLICE, Slice, Taken};
pub use subscription::{Next, PresenceFrom, Start, Subscription, goodbye};
pub use worker::{Hangup, Pace, Worker};
