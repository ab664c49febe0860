//! What time it is while a stage serves one seat after the other.

use std::cell::Cell;

use crate::channel::now_us;

/// The time in microseconds since 1970. Whoever does many short things in a row lets it stand still meanwhile: to ask the
/// system costs a fiftieth of a whole delivery.
#[derive(Debug, Default)]
pub struct Clock(Cell<Option<u64>>);

impl Clock {
    /// The time, or when it was stopped.
    pub fn now_us(&self) -> u64 {
        self.0.get().unwrap_or_else(now_us)
    }

    /// Sets it, and lets it stand still.
    pub fn stop(&self) {
        self.0.set(Some(now_us()));
    }

    /// Lets it go again.
    pub fn go_on(&self) {
        self.0.set(None);
    }
}
