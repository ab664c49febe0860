//! The tap: what the lab records of its connections, at the client's end.
//!
//! Every byte passes through one place, `relay::client`, and a [`Recorder`] there hears of it. It attributes the byte to
//! an exchange and to a link, counts it ([`traffic`]), keeps it within bounds ([`store`]), and tells it to whoever
//! listens ([`live`]). [`items`] is how all of them speak of it; [`mod@capture`] says the same in the language of packets.

pub mod capture;
pub mod items;
pub mod live;
pub mod recorder;
pub mod store;
pub mod tapped;
pub mod traffic;

pub use capture::capture;
pub use items::{Close, Direction, How, Item, Open, Piece};
pub use live::Live;
pub use recorder::{Recorder, Subject};
pub use store::{Playback, Tap, Track};
pub use tapped::TappedLink;
pub use traffic::Traffic;
