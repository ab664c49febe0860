//! The log: a bounded, ordered list of messages, and the only place where a channel's history lives.
//!
//! A subscriber is a position in it. What is older than the bounds is evicted from the front; the newest message always
//! stays. The log knows nothing of who reads it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    cursor::{After, Cursor, Epoch},
    event::{Gap, GapReason},
    message::{Message, Publication},
};

/// What a message costs beside its payload: the entry, the message's fields and the allocator's own.
pub const MESSAGE_OVERHEAD: usize = 192;

/// How much a log retains. Whatever bound is reached first evicts the oldest message.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// At most so many messages.
    pub messages: usize,
    /// At most so many bytes, those of encoded copies included.
    pub bytes: usize,
    /// Nothing older than this; zero keeps messages of any age.
    pub age: Duration,
}

/// The bytes of all logs together, shared by all channels.
#[derive(Debug)]
pub struct Budget {
    messages: AtomicUsize,
    /// Encoded copies, which rings can drop and make again.
    copies: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// Returns an unused budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { messages: AtomicUsize::new(0), copies: AtomicUsize::new(0), limit }
    }

    /// The bytes in use, those of encoded copies included.
    #[must_use]
    pub fn used(&self) -> usize {
        self.messages() + self.copies.load(Ordering::Relaxed)
    }

    /// The bytes of messages alone, which is what cannot be made again.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// How many bytes of messages there are beyond the limit once `more` are added.
    #[must_use]
    pub fn excess(&self, more: usize) -> usize {
        (self.messages() + more).saturating_sub(self.limit)
    }

    /// The most bytes that all logs may hold.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether all logs together are over their bound, so that encoded copies have to give way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.used() > self.limit
    }

    fn give_back(&self, messages: usize, copies: usize) {
        self.messages.fetch_sub(messages, Ordering::Relaxed);
        self.copies.fetch_sub(copies, Ordering::Relaxed);
    }
}

// ANCHOR: log
/// A bounded, ordered list of messages with dense offsets.
#[derive(Debug)]
pub struct Log {
    epoch: Epoch,
    /// The offset of the oldest entry, or of the next message while the log is empty.
    first: u64,
    entries: VecDeque<Entry>,
    /// What all messages weigh.
    messages: usize,
    /// What all encoded copies weigh.
    copies: usize,
    retention: Retention,
    budget: Arc<Budget>,
}

/// A message, what it weighs, and what the encoded copies weigh that readers share.
#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    weight: usize,
    copies: usize,
}
// ANCHOR_END: log

impl Log {
    /// Returns an empty log of a new epoch.
    #[must_use]
    pub fn new(retention: Retention, budget: Arc<Budget>) -> Self {
        Self { epoch: Epoch::random(), first: 1, entries: VecDeque::new(), messages: 0, copies: 0, retention, budget }
    }

    /// The log's epoch.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The offset of the newest message, or 0 before the first.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.first + self.entries.len() as u64 - 1
    }

    /// The position before the oldest message retained.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.first - 1
    }

    /// The bytes of the log's messages alone.
    #[must_use]
    pub const fn message_bytes(&self) -> usize {
        self.messages
    }

    /// The bytes that the log holds, those of encoded copies included.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.messages + self.copies
    }

    /// The time of the oldest message that could be evicted, if there is one beside the newest.
    #[must_use]
    pub fn oldest_evictable(&self) -> Option<u64> {
        (self.entries.len() > 1).then(|| self.entries[0].message.at_us)
    }

    // ANCHOR: append
    /// Appends a publication, numbers it, and evicts what exceeds the bounds.
    pub fn append(&mut self, publication: Publication, at_us: u64, publisher: Option<super::MemberId>) -> u64 {
        let offset = self.head() + 1;
        let weight = publication.data.len() + MESSAGE_OVERHEAD;
        let message = Message {
            offset,
            at_us,
            label: publication.label,
            content_type: publication.content_type,
            data: publication.data,
            publisher,
        };
        self.entries.push_back(Entry { message: Arc::new(message), weight, copies: 0 });
        self.messages += weight;
        self.budget.messages.fetch_add(weight, Ordering::Relaxed);
        self.evict(at_us);
        offset
    }
    // ANCHOR_END: append

    // ANCHOR: evict
    /// Evicts from the front until every bound holds or only the newest message is left.
    pub fn evict(&mut self, now_us: u64) {
        while self.entries.len() > 1 && self.exceeds(now_us) {
            self.evict_oldest();
        }
    }
    // ANCHOR_END: evict

    fn exceeds(&self, now_us: u64) -> bool {
        let max_age = u64::try_from(self.retention.age.as_micros()).unwrap_or(u64::MAX);
        let age = now_us.saturating_sub(self.entries[0].message.at_us);
        self.entries.len() > self.retention.messages
            || self.bytes() > self.retention.bytes
            || self.budget.messages() > self.budget.limit()
            || (max_age > 0 && age > max_age)
    }

    /// Evicts the oldest message unless it is the newest too. Returns the bytes that became free.
    pub fn evict_oldest(&mut self) -> usize {
        if self.entries.len() <= 1 {
            return 0;
        }
        let Some(entry) = self.entries.pop_front() else { return 0 };
        self.first += 1;
        self.messages -= entry.weight;
        self.copies -= entry.copies;
        self.budget.give_back(entry.weight, entry.copies);
        entry.weight + entry.copies
    }

    /// Adds the bytes of an encoded copy to a message's weight. Nothing happens if it has been evicted meanwhile.
    pub fn charge(&mut self, offset: u64, bytes: usize) {
        if let Some(entry) = self.entry_mut(offset) {
            entry.copies += bytes;
            self.copies += bytes;
            self.budget.copies.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes the bytes of an encoded copy off a message's weight again.
    pub fn discharge(&mut self, offset: u64, bytes: usize) {
        if let Some(entry) = self.entry_mut(offset) {
            entry.copies -= bytes;
            self.copies -= bytes;
            self.budget.give_back(0, bytes);
        }
    }

    fn entry_mut(&mut self, offset: u64) -> Option<&mut Entry> {
        let index = usize::try_from(offset.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// The messages after `position`, oldest first. What has been evicted is left out.
    pub fn after(&self, position: u64) -> impl Iterator<Item = &Arc<Message>> {
        let skip = (position + 1).saturating_sub(self.first);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.entries.len());
        self.entries.range(skip..).map(|entry| &entry.message)
    }

    /// The cursor of a position in this log.
    #[must_use]
    pub fn cursor(&self, offset: u64) -> Cursor {
        Cursor { epoch: self.epoch.clone(), offset }
    }

    // ANCHOR: locate
    /// Finds the position that a subscription asks for, or the gap that stands between.
    ///
    /// # Errors
    /// Returns the gap when continuity from there cannot be proven.
    pub fn locate(&self, after: &After) -> Result<u64, Gap> {
        match after {
            After::Start => Ok(self.start()),
            After::End => Ok(self.head()),
            After::Unreadable => Err(self.gap(None, self.start(), GapReason::Epoch)),
            After::Cursor(cursor) if cursor.epoch != self.epoch => {
                Err(self.gap(Some(cursor.clone()), self.start(), GapReason::Epoch))
            }
            // The client claims to have seen more than there is. It has seen what is here, so it is not repeated.
            After::Cursor(cursor) if cursor.offset > self.head() => {
                Err(self.gap(Some(cursor.clone()), self.head(), GapReason::Epoch))
            }
            After::Cursor(cursor) if cursor.offset < self.start() => {
                Err(self.gap(Some(cursor.clone()), self.start(), GapReason::Evicted))
            }
            After::Cursor(cursor) => Ok(cursor.offset),
        }
    }
    // ANCHOR_END: locate

    fn gap(&self, after: Option<Cursor>, resume: u64, reason: GapReason) -> Gap {
        let missed = match (&after, reason) {
            (Some(cursor), GapReason::Evicted | GapReason::Slow) => Some(resume - cursor.offset),
            _ => None,
        };
        Gap { after, resume: self.cursor(resume), missed, reason }
    }

    /// The gap of a subscriber that stood at `position` and fell off the log.
    #[must_use]
    pub fn slow_gap(&self, position: u64) -> Gap {
        self.gap(Some(self.cursor(position)), self.start().max(position), GapReason::Slow)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.budget.give_back(self.messages, self.copies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{ContentType, Data};
    use proptest::prelude::*;

    const UNBOUNDED: Retention = Retention { messages: usize::MAX, bytes: usize::MAX, age: Duration::ZERO };

    fn text(size: usize) -> Publication {
        let data = Data::Text("x".repeat(size).into());
        Publication { label: None, content_type: ContentType::Text, data, client: None, key: None }
    }

    fn log_of(retention: Retention, sizes: &[usize]) -> Log {
        let mut log = Log::new(retention, Arc::new(Budget::new(usize::MAX)));
        for (second, &size) in sizes.iter().enumerate() {
            log.append(text(size), second as u64 * 1_000_000, None);
        }
        log
    }

    fn at(log: &Log, offset: u64) -> After {
        After::Cursor(log.cursor(offset))
    }

    #[test]
    fn offsets_are_dense_and_begin_with_one() {
        let log = log_of(UNBOUNDED, &[1, 1, 1]);
        assert_eq!(log.after(0).map(|message| message.offset).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((log.start(), log.head()), (0, 3));
    }

    #[test]
    fn each_bound_evicts_and_the_newest_always_stays() {
        let three = Retention { messages: 3, ..UNBOUNDED };
        assert_eq!(log_of(three, &[1; 10]).start(), 7);
        let kilobyte = Retention { bytes: 1000, ..UNBOUNDED };
        assert_eq!(log_of(kilobyte, &[300; 4]).start(), 2);
        assert_eq!(log_of(kilobyte, &[1, 5000]).start(), 1);
        let two_seconds = Retention { age: Duration::from_secs(2), ..UNBOUNDED };
        assert_eq!(log_of(two_seconds, &[1; 10]).start(), 7);
        let mut old = log_of(two_seconds, &[1]);
        old.evict(u64::MAX);
        assert_eq!((old.start(), old.head()), (0, 1));
    }

    #[test]
    fn encoded_copies_count_towards_the_bound_until_they_are_gone() {
        let mut log = log_of(Retention { bytes: 1000, ..UNBOUNDED }, &[100; 3]);
        let before = log.bytes();
        log.charge(2, 500);
        assert_eq!((log.bytes(), log.budget.used()), (before + 500, before + 500));
        log.evict(0);
        assert_eq!(log.start(), 2, "1 and 2 had to go");
        log.discharge(2, 500);
        assert_eq!(log.bytes(), 100 + MESSAGE_OVERHEAD);
        let budget = Arc::clone(&log.budget);
        drop(log);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_position_that_cannot_be_continued_is_a_gap() {
        let log = log_of(Retention { messages: 2, ..UNBOUNDED }, &[1; 5]);
        assert_eq!(log.locate(&After::Start), Ok(3));
        assert_eq!(log.locate(&After::End), Ok(5));
        assert_eq!(log.locate(&at(&log, 4)), Ok(4));

        let evicted = log.locate(&at(&log, 1)).expect_err("2 and 3 are gone");
        assert_eq!((evicted.resume.offset, evicted.missed, evicted.reason), (3, Some(2), GapReason::Evicted));

        let ahead = log.locate(&at(&log, 6)).expect_err("6 is ahead");
        assert_eq!((ahead.resume.offset, ahead.missed, ahead.reason), (5, None, GapReason::Epoch));

        let foreign = After::Cursor(Cursor { epoch: Epoch::random(), offset: 4 });
        let foreign = log.locate(&foreign).expect_err("another log");
        assert_eq!((foreign.resume.offset, foreign.missed, foreign.reason), (3, None, GapReason::Epoch));

        let unreadable = log.locate(&After::Unreadable).expect_err("nobody can read it");
        assert_eq!((unreadable.after, unreadable.resume.offset), (None, 3));
    }

    proptest! {
        /// The log against the simplest model of it: a list of all offsets and a number of those that are gone.
        #[test]
        fn every_position_is_continued_exactly_or_answered_with_an_exact_gap(
            sizes in prop::collection::vec(0_usize..500, 0..60),
            messages in 1_usize..20,
            bytes in 200_usize..5_000,
            ask in 0_u64..70,
        ) {
            let log = log_of(Retention { messages, bytes, age: Duration::ZERO }, &sizes);
            prop_assert_eq!(log.head(), sizes.len() as u64);
            let kept = log.head() - log.start();
            prop_assert!(kept <= messages as u64 && (log.bytes() <= bytes || kept == 1));
            match log.locate(&at(&log, ask)) {
                Ok(position) => {
                    prop_assert_eq!(position, ask);
                    let next: Vec<u64> = log.after(position).map(|message| message.offset).collect();
                    prop_assert_eq!(next, (ask + 1..=log.head()).collect::<Vec<_>>());
                }
                Err(gap) if gap.reason == GapReason::Evicted => {
                    prop_assert_eq!(ask + gap.missed.unwrap_or(0), log.start());
                    prop_assert_eq!(gap.resume.offset, log.start());
                }
                Err(gap) => prop_assert!(gap.reason == GapReason::Epoch && ask > log.head()),
            }
        }
    }
}
