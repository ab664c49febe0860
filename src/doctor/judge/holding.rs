//! Whether a stream was passed on as it came, told by when pieces were sent and when they arrived.

use crate::doctor::observations::{Observations, Pieces, Stream};

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Holding {
    /// Each piece arrived before the next was sent.
    PassedOn,
    /// Each piece arrived when the next was sent.
    UntilNext,
    /// Pieces arrived together when there were enough of them.
    InBlocks,
    /// All pieces arrived together, when the answer ended.
    UntilEnd,
    /// Nothing arrived.
    Never,
}

impl Holding {
    /// Whether it is of use to whoever waits for messages.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        self == Self::PassedOn
    }
}

/// How much later than the next piece was sent one may have arrived and still count as having waited for it: clocks of two
/// machines agree only so well.
const TOLERANCE_MS: f64 = 5.0;

/// Judges one stream.
#[must_use]
pub fn holding(pieces: &Pieces) -> Holding {
    let seen = &pieces.seen;
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Holding::Never };
    if seen.len() < 2 {
        // The rest was lost with the connection, so it cannot be told what would have become of it.
        return if pieces.is_whole { Holding::UntilEnd } else { Holding::PassedOn };
    }
    // The end comes long after the last piece, so whatever waits for it waits visibly.
    if first.1 >= last.0 && seen.len() > 2 {
        return Holding::UntilEnd;
    }
    let waited = |ahead: usize| {
        seen.iter().zip(seen.iter().skip(ahead)).filter(|(piece, later)| piece.1 + TOLERANCE_MS >= later.0).count()
    };
    let (for_next, for_next_but_one, pairs) = (waited(1), waited(2), seen.len() - 1);
    if for_next * 2 <= pairs {
        Holding::PassedOn
    } else if for_next_but_one * 2 <= pairs.saturating_sub(1) {
        Holding::UntilNext
    } else {
        Holding::InBlocks
    }
}

/// What became of a kind of stream, if it was looked at.
#[must_use]
pub fn holding_of(o: &Observations, of: Stream) -> Option<Holding> {
    o.pieces.iter().find(|pieces| pieces.of == of).map(holding)
}

/// After how many bytes a stream is passed on that is held until there are enough; `None` if it is held to its end.
#[must_use]
pub fn block_size(o: &Observations, of: Stream) -> Option<f64> {
    let pieces = o.pieces.iter().find(|pieces| pieces.of == of)?;
    let first_arrival = pieces.seen.first()?.1;
    let sent_until_then = pieces.seen.iter().filter(|piece| piece.0 <= first_arrival).count();
    let is_held_to_the_end = u64::try_from(sent_until_then).is_ok_and(|sent| sent >= pieces.expected);
    // The last piece of a block is mostly cut in two, so the block is larger than the pieces that it completes. Both counts
    // err upwards when a machine is busy.
    let in_block = pieces.seen.iter().filter(|piece| piece.1 <= first_arrival + TOLERANCE_MS).count();
    #[expect(clippy::cast_precision_loss, reason = "there are some dozens")]
    (!is_held_to_the_end).then(|| sent_until_then.min(in_block + 1) as f64 * pieces.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When six pieces are sent, as the server sends them.
    const SENT: [f64; 6] = [0.0, 150.0, 450.0, 600.0, 900.0, 1050.0];

    fn judged(arrived: [f64; 6]) -> Holding {
        let seen = SENT.into_iter().zip(arrived).collect();
        let pieces = Pieces {
            of: Stream::Events,
            coding: None,
            expected: 6,
            bytes: 78.0,
            seen,
            ended_ms: 1500.0,
            is_whole: true,
        };
        holding(&pieces)
    }

    #[test]
    fn what_arrives_at_once_was_passed_on_and_a_long_way_changes_nothing() {
        assert_eq!(judged(SENT), Holding::PassedOn);
        assert_eq!(judged(SENT.map(|sent| sent + 140.0)), Holding::PassedOn);
    }

    #[test]
    fn one_piece_that_is_late_on_a_busy_machine_is_no_middlebox() {
        assert_eq!(judged([0.0, 150.0, 700.0, 700.0, 900.0, 1050.0]), Holding::PassedOn);
    }

    #[test]
    fn what_arrives_with_the_next_piece_was_held_until_then() {
        assert_eq!(judged([150.0, 450.0, 600.0, 900.0, 1050.0, 1500.0]), Holding::UntilNext);
    }

    #[test]
    fn what_arrives_together_was_held_until_there_was_enough_or_to_the_end() {
        assert_eq!(judged([600.0, 600.0, 600.0, 1500.0, 1500.0, 1500.0]), Holding::InBlocks);
        assert_eq!(judged([1500.0; 6]), Holding::UntilEnd);
    }

    #[test]
    fn the_size_of_a_block_is_what_was_sent_before_the_first_arrived() {
        let pieces = |arrived: f64| Pieces {
            of: Stream::Fill,
            coding: None,
            expected: 64,
            bytes: 1032.0,
            seen: (0..64).map(|number| (f64::from(number) * 30.0, arrived.max(f64::from(number) * 30.0))).collect(),
            ended_ms: 2000.0,
            is_whole: true,
        };
        let sized = |arrived| {
            block_size(&Observations { pieces: vec![pieces(arrived)], ..Observations::default() }, Stream::Fill)
        };
        assert_eq!(sized(91.0), Some(4.0 * 1032.0));
        assert_eq!(sized(2000.0), None);
    }
}
