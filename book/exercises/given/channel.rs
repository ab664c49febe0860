//! Channels by name, and one channel: a log, and a signal that it has grown.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

pub use crate::solutions::hub::{Log, Message};

/// Messages that a channel keeps.
const CAPACITY: usize = 1000;

/// Channels that there can be. Each of them can hold as much memory as all its messages need.
const MOST_CHANNELS: usize = 1000;

/// A channel: who publishes appends to the log, and who subscribes reads it from a position on.
#[derive(Debug)]
pub struct Channel {
    /// A name for this log, different in every run: a position means nothing in another log.
    epoch: String,
    log: Mutex<Log>,
    /// The number of the newest message, for those who wait for the next one.
    head: watch::Sender<u64>,
}

impl Default for Channel {
    fn default() -> Self {
        let epoch = format!("{:08x}", fastrand::u32(..));
        Self { epoch, log: Mutex::new(Log::new(CAPACITY)), head: watch::Sender::new(0) }
    }
}

impl Channel {
    /// Appends a message, wakes whoever waits for it, and returns its number.
    pub fn publish(&self, text: &str) -> u64 {
        let mut log = self.log();
        let number = log.publish(text);
        // Under the lock, so that the head never goes back.
        self.head.send_replace(number);
        number
    }

    /// The messages after `position`, oldest first; `None` if nobody can go on from there.
    #[must_use]
    pub fn read_after(&self, position: u64) -> Option<Vec<Message>> {
        self.log().read_after(position)
    }

    /// The position before the oldest message that is still here.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.log().start()
    }

    /// The number of the newest message, or 0 before the first.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.log().head()
    }

    /// The name of this log.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The cursor of a position: what a client sends to go on from there, such as `5f0c1a7e.42`.
    #[must_use]
    pub fn cursor(&self, position: u64) -> String {
        format!("{}.{position}", self.epoch)
    }

    /// A signal for publications after this call: its `changed()` returns once there is one that it has not told of.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All channels by name, of one of the two kinds: [`Channel`] or [`queues::Channel`](crate::queues::Channel).
#[derive(Debug)]
pub struct Channels<C>(Mutex<HashMap<String, Arc<C>>>);

impl<C> Default for Channels<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Default> Channels<C> {
    /// The channel of this name, which comes to be when it is first asked for; `None` if there are too many.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<C>> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(name) {
            return Some(Arc::clone(channel));
        }
        if channels.len() == MOST_CHANNELS {
            return None;
        }
        Some(Arc::clone(channels.entry(name.to_owned()).or_default()))
    }
}
