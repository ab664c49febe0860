//! The questions: one module each. They look and note what they see; what it means is said elsewhere.

pub mod clock;
pub mod duplicates;
pub mod idle;
pub mod latency;
pub mod pieces;
pub mod room;
pub mod streams;
pub mod upgrade;
pub mod way;

use std::time::{Duration, Instant};

use super::observations::Clock;

/// What a question has to know of the way before it can ask.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// How far the server's clock is ahead, in ms.
    pub offset_ms: f64,
    /// The smallest round trip.
    pub round_trip: Duration,
}

impl From<Clock> for Pulse {
    fn from(clock: Clock) -> Self {
        let round_trip = Duration::from_secs_f64((clock.round_trip_ms / 1000.0).clamp(0.0, 60.0));
        Self { offset_ms: clock.offset_ms, round_trip }
    }
}

impl Pulse {
    /// How long to wait for what should be here already: two seconds, and more if the way is long.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(2) + self.round_trip * 3
    }
}

/// Milliseconds since a moment.
fn millis_since(moment: Instant) -> f64 {
    millis(moment.elapsed())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A name that nobody else makes up.
fn nonce() -> String {
    (0..16).map(|_| fastrand::alphanumeric()).collect()
}
