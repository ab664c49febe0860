//! The load generator: a crowd of subscribers and a publisher, in one thread.
//!
//! It must be cheaper than the servers that it measures. So there is no task for each connection: sockets that are ready
//! are read into one buffer and parsed where the bytes lie, and in steady state nothing is allocated.
//!
//! It must not wait for the server either, or it would measure only when the server is well. So messages are published by
//! a fixed schedule, each carries the time when it was due, and its latency is counted from then: whatever holds it up,
//! the generator included, is in the figure.
//!
//! ```text
//! Phase  →  Crowd  →  Publisher  →  server  →  Subscriber  →  Decoder  →  Payload  →  Account  →  Tally
//! when      the loop  POST or one              one socket     what the    number,     lost?       everything
//!                     connection                              bytes mean  due time    repeated?   counted
//! ```

mod account;
mod alarm;
mod audience;
mod clock;
mod comeback;
mod connection;
mod cpu;
mod crowd;
pub mod decode;
mod error;
mod flights;
mod ledger;
mod payload;
mod phase;
mod publisher;
mod request;
mod schedule;
mod shared;
mod subscriber;
mod tally;
mod transport;

pub use clock::{Clock, nanoseconds};
pub use comeback::{Absences, Comeback};
pub use crowd::Crowd;
pub use error::LoadError;
pub use payload::{Payload, Stamp};
pub use phase::{Cut, Glance, Pace, Phase};
pub use request::{Frame, Pattern, Publishing, Subscription, UPGRADE, Way};
pub use tally::{CutTally, Tally, Timeline, Traffic};
pub use transport::Transport;
