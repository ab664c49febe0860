//! Idempotency: within a window the same key gives the first result, and nothing is appended twice.
//!
//! The window is bounded in time and in number. A full window refuses new keys rather than forget old ones early,
//! because a forgotten key is a message that may appear twice.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::message::{IdempotencyKey, Publication};

/// How many keys are remembered, and for how long.
#[derive(Debug)]
pub struct KeyLimits {
    /// How long a key is remembered.
    pub window: Duration,
    /// How many keys one channel remembers at most.
    pub per_channel: usize,
    /// How many keys all channels together remember at most.
    pub in_all: usize,
}

/// The number of keys of all channels together.
pub type KeyCount = Arc<AtomicUsize>;

/// What a key already stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// The same publication, appended before with this offset.
    Same(u64),
    /// Another publication.
    Other,
}

/// The keys of one channel within the window.
#[derive(Debug)]
pub struct Keys {
    results: HashMap<IdempotencyKey, (u64, u64)>,
    by_age: VecDeque<(Instant, IdempotencyKey)>,
    in_all: KeyCount,
}

impl Keys {
    /// Returns an empty window that is counted in `in_all`.
    #[must_use]
    pub fn new(in_all: KeyCount) -> Self {
        Self { results: HashMap::new(), by_age: VecDeque::new(), in_all }
    }

    /// Looks a key up.
    #[must_use]
    pub fn find(&self, key: &IdempotencyKey, digest: u64) -> Option<Known> {
        let &(known_digest, offset) = self.results.get(key)?;
        Some(if known_digest == digest { Known::Same(offset) } else { Known::Other })
    }

    /// Whether the window has room for one more key.
    #[must_use]
    pub fn has_room(&self, limits: &KeyLimits) -> bool {
        self.results.len() < limits.per_channel && self.in_all.load(Ordering::Relaxed) < limits.in_all
    }

    /// Remembers the result of a publication.
    pub fn remember(&mut self, key: IdempotencyKey, digest: u64, offset: u64, now: Instant) {
        self.by_age.push_back((now, key.clone()));
        self.results.insert(key, (digest, offset));
        self.in_all.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets the keys that are older than the window.
    pub fn expire(&mut self, window: Duration, now: Instant) {
        while self.by_age.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > window) {
            if let Some((_, key)) = self.by_age.pop_front() {
                self.results.remove(&key);
                self.in_all.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.in_all.fetch_sub(self.results.len(), Ordering::Relaxed);
    }
}

/// What makes two publications the same: data, media type and label.
#[must_use]
pub fn digest(publication: &Publication, hasher: &impl BuildHasher) -> u64 {
    let label = publication.label.as_ref().map(super::message::Label::as_str);
    hasher.hash_one((publication.data.bytes(), publication.content_type.as_str(), label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_within_its_window_and_counted_in_all() {
        let limits = KeyLimits { window: Duration::from_secs(10), per_channel: 2, in_all: 10 };
        let in_all = KeyCount::default();
        let (mut keys, start) = (Keys::new(Arc::clone(&in_all)), Instant::now());
        let key = |text: &str| text.parse::<IdempotencyKey>().expect("a good key");
        keys.remember(key("a"), 7, 1, start);
        assert_eq!(keys.find(&key("a"), 7), Some(Known::Same(1)));
        assert_eq!(keys.find(&key("a"), 8), Some(Known::Other));
        assert_eq!(keys.find(&key("b"), 7), None);
        assert!(keys.has_room(&limits));
        keys.remember(key("b"), 7, 2, start);
        assert!(!keys.has_room(&limits));
        keys.expire(limits.window, start + Duration::from_secs(11));
        assert_eq!((keys.find(&key("a"), 7), in_all.load(Ordering::Relaxed)), (None, 0));
        keys.remember(key("c"), 7, 3, start);
        drop(keys);
        assert_eq!(in_all.load(Ordering::Relaxed), 0);
    }
}
