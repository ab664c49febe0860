//! The hub: one log of messages, in which every subscriber is a position.

use std::{collections::VecDeque, sync::Arc};

#[cfg(test)]
#[path = "check.rs"]
mod check;

/// A message with its number: 1, 2, 3 … in the order in which they were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the log.
    pub number: u64,
    /// What was published, shared by all who read it.
    pub text: Arc<str>,
}

/// The newest messages of a channel, at most `capacity` of them.
#[derive(Debug)]
pub struct Log {
    messages: VecDeque<Message>,
    /// The number of the oldest message in `messages`, or of the next one while there is none.
    first: u64,
    capacity: usize,
}

impl Log {
    /// An empty log that keeps `capacity` messages.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { messages: VecDeque::new(), first: 1, capacity }
    }

    /// The position before the oldest message that is still here.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.first - 1
    }

    /// The number of the newest message, or 0 before the first.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.start() + self.messages.len() as u64
    }

    // ANCHOR: hole
    /// Appends a message and returns its number. A log that is full forgets its oldest message.
    pub fn publish(&mut self, text: &str) -> u64 {
        let number = self.messages.len() as u64 + 1;
        self.messages.push_back(Message { number, text: text.into() });
        if self.messages.len() > self.capacity {
            self.messages.pop_front();
        }
        number
    }

    /// The messages after `position`, oldest first.
    ///
    /// `None` if nobody can go on from there: what came next has been forgotten, or has never been.
    #[must_use]
    pub fn read_after(&self, position: u64) -> Option<Vec<Message>> {
        let newer = self.messages.iter().filter(|message| message.number >= position);
        Some(newer.cloned().collect())
    }
    // ANCHOR_END: hole
}
