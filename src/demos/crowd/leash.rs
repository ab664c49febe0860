//! How long an experiment goes on: until somebody stops it, nobody watches, the server drains, or its time is up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::channel::{ChannelName, Hub};

/// How often somebody who waits looks at the leash.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why an experiment has ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// An operator has stopped it.
    Stopped,
    /// Nobody watches.
    Unwatched,
    /// The server drains.
    Draining,
    /// It has taken as long as it may.
    TimeIsUp,
}

impl Pull {
    /// What is said about it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Stopped => "it was stopped",
            Self::Unwatched => "nobody watched any more",
            Self::Draining => "the server shuts down",
            Self::TimeIsUp => "its time was up (--crowd-time)",
        }
    }
}

/// Holds an experiment, from whatever thread looks at it.
#[derive(Clone, Debug)]
pub struct Leash {
    /// Set by whoever stops the experiment.
    pub stop: Arc<AtomicBool>,
    /// Whether the server drains.
    pub draining: watch::Receiver<bool>,
    /// Where somebody may watch.
    pub hub: Arc<Hub>,
    /// On which channel.
    pub channel: ChannelName,
    /// When its time is up.
    pub deadline: Instant,
}

impl Leash {
    /// Why the experiment is to end now, if it is.
    #[must_use]
    pub fn pulled(&self) -> Option<Pull> {
        if self.stop.load(Ordering::Relaxed) {
            Some(Pull::Stopped)
        } else if *self.draining.borrow() {
            Some(Pull::Draining)
        } else if Instant::now() >= self.deadline {
            Some(Pull::TimeIsUp)
        } else if !self.hub.is_read(&self.channel) {
            Some(Pull::Unwatched)
        } else {
            None
        }
    }

    /// Goes on, unless the leash is pulled.
    ///
    /// # Errors
    /// It is.
    pub fn check(&self) -> Result<(), Pull> {
        self.pulled().map_or(Ok(()), Err)
    }

    /// Waits for so long.
    ///
    /// # Errors
    /// The leash is pulled before.
    pub fn wait(&self, length: Duration) -> Result<(), Pull> {
        let until = Instant::now() + length;
        loop {
            self.check()?;
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(LOOK_EVERY));
        }
    }
}
