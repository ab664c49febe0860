//! A link as the tap knows it: its counters, what is kept of it, and the channel on which it is told.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use super::traffic::Counters;
use crate::{
    channel::{ChannelName, TAP_PREFIX},
    lab::links::LinkName,
};

/// What is recorded of one link. It lives as long as the link does, or anything that is kept of it.
#[derive(Debug)]
pub struct TappedLink {
    /// Where whoever listens is told.
    pub channel: ChannelName,
    /// How much has passed.
    pub counters: Counters,
    /// How many bytes the store holds of it.
    pub(super) kept: AtomicUsize,
    /// How many of its pieces are not kept, or not any more.
    pub(super) forgotten: AtomicU64,
    tapes: Mutex<BTreeSet<u64>>,
}

impl TappedLink {
    /// A link of which nothing is recorded yet. `None` if its channel could have no name, which no link's name allows.
    pub(super) fn of(name: &LinkName) -> Option<Self> {
        let channel = format!("{TAP_PREFIX}{}", name.as_str()).parse().ok()?;
        Some(Self {
            channel,
            counters: Counters::default(),
            kept: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
            tapes: Mutex::default(),
        })
    }

    /// The numbers of the connections that have carried it and are in the store.
    pub(super) fn tapes(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.tapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_has_a_channel() {
        for name in ["a".to_owned(), "x".repeat(LinkName::MAX)] {
            let link = TappedLink::of(&name.parse().expect("a good name")).expect("a link");
            assert_eq!(link.channel.as_str(), format!("tap.{name}"));
        }
    }
}
