//! Whether requests arrive once.

use super::{Finding, Mark};
use crate::doctor::observations::Observations;

/// How often they arrived.
pub fn find(o: &Observations) -> Option<Finding> {
    let duplicates = o.duplicates?;
    let (sent, arrived) = (duplicates.sent, duplicates.arrived);
    let new = |mark, seen: String| Finding::new("duplicates", "Requests that are repeated", mark, seen);
    Some(match arrived {
        _ if arrived == sent => new(Mark::Well, format!("{sent} POSTs were sent, and each arrived once.")),
        _ if arrived > sent => new(Mark::Fault, format!("{sent} POSTs were sent, and {arrived} arrived."))
            .means(
                "Something on the way repeats requests, though a POST must not be repeated unasked (RFC 9110 §9.2.2).",
            )
            .remedy(
                "Publish with `Idempotency-Key`: the server then appends a message once, however often it arrives.",
            ),
        _ => new(Mark::Fault, format!("{sent} POSTs were sent and answered, and {arrived} arrived."))
            .means("Something on the way answers in the server's place."),
    })
}
