//! How far the clocks are apart.

use super::{Finding, Mark, words::time};
use crate::doctor::observations::Observations;

/// From this difference on, times of messages mislead people.
const FAR_MS: f64 = 1000.0;

/// How far.
pub fn find(o: &Observations) -> Option<Finding> {
    let clock = o.clock?;
    let (offset, bound) = (clock.offset_ms, clock.bound_ms);
    let seen = if offset.abs() <= bound {
        format!("The server's clock and this one agree (± {}).", time(bound))
    } else {
        let direction = if offset > 0.0 { "ahead" } else { "behind" };
        format!("The server's clock is {} {direction} (± {}).", time(offset.abs()), time(bound))
    };
    let seen = format!(
        "{seen} A round trip takes {} at best and {} in the middle of {}.",
        time(clock.round_trip_ms),
        time(clock.median_ms),
        clock.exchanges
    );
    let is_far = offset.abs() - bound > FAR_MS;
    let finding = Finding::new("clock", "Clocks", if is_far { Mark::Notice } else { Mark::Well }, seen);
    Some(if is_far {
        finding
            .means("The time of a message is the server's, so here it looks as if it came from the future or the past.")
            .remedy("Let both machines get their time from the network (NTP).")
    } else {
        finding
    })
}
