//! Time as everything here tells it: nanoseconds since the generator began, on the system's monotonic clock.
//!
//! Publisher and subscribers are one thread, so there is one clock and no offset.

use std::time::{Duration, Instant};

/// The generator's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins to run.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    /// What this clock shows at an instant; 0 before its start.
    #[must_use]
    pub fn at_ns(&self, instant: Instant) -> u64 {
        nanoseconds(instant.saturating_duration_since(self.start))
    }
}

/// A duration in whole nanoseconds. The largest that fits is half a millennium.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
