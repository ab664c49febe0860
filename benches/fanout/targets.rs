//! What a sound server of this design should reach, to be shown next to what it does.
//!
//! All but the memory are ratios, since only those can be compared between machines.

use super::options::Transport;

/// CPU per delivery with one message in flight, in units of the bare sender's: at most this much with 1,000
/// subscribers.
pub fn cpu_per_delivery(transport: Transport, subscribers: u32) -> Option<f64> {
    match (transport, subscribers) {
        (Transport::WebSocket, 1000) => Some(1.5),
        (Transport::Sse, 1000) => Some(1.2),
        _ => None,
    }
}

/// Memory of an idle connection, in bytes: at most this much with 10,000 of them.
pub fn idle_memory(transport: Transport, subscribers: u32) -> Option<f64> {
    (subscribers == 10_000).then_some(match transport {
        Transport::WebSocket | Transport::Sse => 11_000.0,
        Transport::LongPoll => 17_000.0,
    })
}

/// POST requests per second with no subscriber, in units of the bare handler's: at least this many.
pub const POSTS_PER_SECOND: f64 = 0.8;
