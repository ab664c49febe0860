//! The server under measurement, from outside: its process, its processor cores, and what it costs.

mod cores;
mod cost;
#[cfg(unix)]
mod freeze;
mod own;
mod sockets;

pub use cores::Cores;
pub use cost::{CpuTime, kernel_memory, memory, settle};
#[cfg(unix)]
pub use freeze::Freezer;
pub use own::{OwnServer, ServerError, UNTIL_INPUT_ENDS};
pub use sockets::{Segments, Sockets};
