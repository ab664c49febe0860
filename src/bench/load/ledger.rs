//! What one subscriber has received: exact about loss, repetition and order, because messages are numbered.

use std::{cmp::Ordering, ops::Range};

/// The books of one subscriber for one phase.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The number behind the highest that has arrived.
    next: u64,
    /// What was skipped on the way there, in ascending order. No longer than the phase has messages.
    missing: Vec<Range<u64>>,
}

/// What the arrival of a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is new, and comes after all that have arrived before.
    InOrder,
    /// It is new, but a later one has arrived before it.
    Reordered,
    /// It has arrived before.
    Repeated,
}

impl Ledger {
    /// Opens the books for a phase whose first message has this number.
    pub fn begin(&mut self, first: u64) {
        self.next = first;
        self.missing.clear();
    }

    /// Books an arrival.
    pub fn enter(&mut self, sequence: u64) -> Arrival {
        match sequence.cmp(&self.next) {
            Ordering::Less => self.enter_late(sequence),
            ahead => {
                if ahead == Ordering::Greater {
                    self.missing.push(self.next..sequence);
                }
                self.next = sequence + 1;
                Arrival::InOrder
            }
        }
    }

    /// The highest number that has arrived, if one has.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    fn enter_late(&mut self, sequence: u64) -> Arrival {
        let position = self.missing.partition_point(|range| range.end <= sequence);
        let Some(range) = self.missing.get_mut(position).filter(|range| range.contains(&sequence)) else {
            return Arrival::Repeated;
        };
        let (before, behind) = (range.start..sequence, sequence + 1..range.end);
        match (before.is_empty(), behind.is_empty()) {
            (true, true) => drop(self.missing.remove(position)),
            (false, true) => *range = before,
            (true, false) => *range = behind,
            (false, false) => {
                *range = before;
                self.missing.insert(position + 1, behind);
            }
        }
        Arrival::Reordered
    }

    /// How many of the messages up to `end` have not arrived.
    #[must_use]
    pub fn lost(&self, end: u64) -> u64 {
        let skipped: u64 = self.missing.iter().map(|range| range.end - range.start).sum();
        skipped + end.saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_comes_in_order_is_neither_lost_nor_repeated() {
        let mut ledger = Ledger::default();
        ledger.begin(10);
        assert_eq!([10, 11, 12].map(|sequence| ledger.enter(sequence)), [Arrival::InOrder; 3]);
        assert_eq!(ledger.lost(13), 0);
        assert_eq!(ledger.lost(15), 2);
    }

    #[test]
    fn a_gap_is_lost_until_it_is_filled() {
        let mut ledger = Ledger::default();
        ledger.begin(0);
        assert_eq!(ledger.enter(3), Arrival::InOrder);
        assert_eq!(ledger.lost(4), 3);
        assert_eq!(ledger.enter(1), Arrival::Reordered);
        assert_eq!(ledger.enter(1), Arrival::Repeated);
        assert_eq!(ledger.enter(3), Arrival::Repeated);
        assert_eq!(ledger.lost(4), 2);
        assert_eq!([0, 2].map(|sequence| ledger.enter(sequence)), [Arrival::Reordered; 2]);
        assert_eq!(ledger.lost(4), 0);
    }

    proptest! {
        /// Against the simplest books that there are: the set of what has arrived.
        #[test]
        fn the_books_agree_with_a_set(arrivals in prop::collection::vec(0u64..40, 0..120)) {
            let mut ledger = Ledger::default();
            ledger.begin(0);
            let mut set = BTreeSet::new();
            for sequence in arrivals {
                let is_late = set.last().is_some_and(|&highest| highest > sequence);
                let expected = match (set.insert(sequence), is_late) {
                    (false, _) => Arrival::Repeated,
                    (true, true) => Arrival::Reordered,
                    (true, false) => Arrival::InOrder,
                };
                prop_assert_eq!(ledger.enter(sequence), expected);
            }
            prop_assert_eq!(ledger.lost(40), 40 - set.len() as u64);
        }
    }
}
