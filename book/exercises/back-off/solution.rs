//! Back-off: how long a client waits before it tries again.

use std::time::Duration;

#[cfg(test)]
#[path = "check.rs"]
mod check;

/// The window after the first failure.
pub const FIRST_WINDOW: Duration = Duration::from_secs(1);

/// No window is longer, so that nobody waits for minutes after the server is back.
pub const LAST_WINDOW: Duration = Duration::from_secs(30);

// ANCHOR: hole
/// How long to wait before the next attempt.
///
/// - `failures`: how many attempts have failed in a row, counted from 1.
/// - `retry_after`: what the server has asked for by `Retry-After`, if it has.
/// - `random`: a random number from 0 up to 1.
#[must_use]
pub fn delay(failures: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let window = FIRST_WINDOW.saturating_mul(doubled).min(LAST_WINDOW);
    retry_after.unwrap_or_default().saturating_add(window.mul_f64(random))
}
// ANCHOR_END: hole
