//! Whether somebody compresses. The server does not, so whoever does sits between.

use super::{Finding, Mark};
use crate::doctor::observations::Observations;

/// What was compressed.
pub fn find(o: &Observations) -> Option<Finding> {
    let is_compressed = |coding: &&str| !matches!(*coding, "" | "identity");
    let of_streams = o.pieces.iter().filter_map(|pieces| pieces.coding.as_deref()).find(is_compressed);
    let of_answers = o.way.as_ref()?.coding.as_deref();
    let new = |mark, seen: String| Finding::new("compression", "Compression", mark, seen);
    Some(match (of_streams, of_answers.filter(|coding| is_compressed(coding))) {
        (Some(coding), _) => new(Mark::Fault, format!("Streams are compressed on the way ({coding})."))
            .means("Whoever compresses has to gather first, and so holds events back. The answer says `no-transform`.")
            .remedy("Switch compression off for `text/event-stream` and `application/x-ndjson` at the proxy."),
        (None, Some(coding)) => {
            new(Mark::Notice, format!("Short answers are compressed on the way ({coding}), streams are not."))
                .means("That does no harm.")
        }
        (None, None) => new(Mark::Well, "Nothing is compressed on the way.".to_owned()),
    })
}
