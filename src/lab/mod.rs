//! The lab: the same server, reached over a network that misbehaves on command.
//!
//! A request that carries `link=NAME` travels over the link of that name, and suffers what is wrong with it. [`faults`]
//! is the vocabulary, and [`presets`] are faults under the names of real things. [`links`] holds what is wrong where.
//! [`relay`] carries the bytes, and asks on their way each fault in its own room of [`troubles`]. [`tap`] records them.

pub mod control;
pub mod faults;
pub mod house;
pub mod links;
pub mod peers;
pub mod playback;
pub mod presets;
pub mod relay;
pub mod tap;
pub mod troubles;

pub use control::{Desk, routes};
pub use faults::{BadFaults, Faults};
pub use house::{House, Plan};
pub use links::{BadLinkName, LinkError, LinkLimits, Links};
pub use peers::{Peers, RelayedStream};
pub use tap::Tap;
