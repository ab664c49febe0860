//! The doctor: finds out what lies between a client and a server, and which transport to use there.
//!
//! It stands on the client's side and knows nothing of the server but the addresses below `/examination`, which exist for
//! it, and the protocol. `questions` look and fill in `observations`; `judge` says what these mean. The page
//! `/doctor` fills in the same observations as far as a browser shows them, and has them judged by the same rules.

mod client;
mod examine;
mod handshake;
mod judge;
mod observations;
mod questions;
mod target;

pub use client::{Client, Fault};
pub use examine::{Audience, Examiner, Plan};
pub use judge::{Culprit, Finding, Kind, Mark, Report, Verdict};
pub use observations::{Observations, Room};
pub use target::{BadTarget, Target};
