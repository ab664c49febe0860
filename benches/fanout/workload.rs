//! What is done to a server, whichever it is.

use std::time::Duration;

/// Deliveries in flight at most. With many subscribers this narrows the window, so that a round over all of them stays
/// short against the phase that measures the rate.
const MOST_IN_FLIGHT: u32 = 500_000;

/// Bytes of payload in flight at most, so that a server that keeps all of them for each subscriber has room for them.
const MOST_BYTES_IN_FLIGHT: u64 = 512 << 20;

/// One audience, one size of messages, and the phases that a sample goes through.
#[derive(Clone)]
pub struct Workload {
    pub subscribers: u32,
    /// Bytes of each message.
    pub payload: u32,
    /// Length of each phase.
    pub phase: Duration,
    /// A phase with one message in flight is extended to this many messages, however many subscribers there are.
    pub fewest_messages: u32,
    /// Messages in flight in the saturated phase, if nothing else narrows it.
    pub window: u32,
    /// The load generator never sleeps.
    pub busy_poll: bool,
    /// Also measure latency, with this many messages at this distance.
    pub low_rate: Option<LowRate>,
}

/// A schedule that no server should have trouble with.
#[derive(Clone, Copy)]
pub struct LowRate {
    pub messages: u32,
    pub interval: Duration,
}

impl Workload {
    /// Messages that may be in flight at a time.
    pub fn window(&self) -> u32 {
        let bytes = u64::from(self.subscribers) * u64::from(self.payload);
        let by_bytes = u32::try_from(MOST_BYTES_IN_FLIGHT / bytes).unwrap_or(u32::MAX);
        self.window.min(MOST_IN_FLIGHT / self.subscribers).min(by_bytes).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_narrowed_by_the_audience_and_by_the_bytes() {
        let window = |subscribers, payload| {
            let phase = Duration::ZERO;
            let (fewest_messages, window, busy_poll, low_rate) = (1, 256, false, None);
            Workload { subscribers, payload, phase, fewest_messages, window, busy_poll, low_rate }.window()
        };
        assert_eq!(window(100, 64), 256);
        assert_eq!(window(10_000, 64), 50);
        assert_eq!(window(1_000, 16 << 10), 32);
        assert_eq!(window(20_000, 1 << 20), 1);
    }
}
