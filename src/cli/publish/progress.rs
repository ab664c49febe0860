//! How far a long publication has come, for a person who watches.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// A terminal that is written to more often than this costs more time than the publishing.
const INTERVAL: Duration = Duration::from_millis(100);

/// A counter in one line of the terminal.
pub struct Progress {
    is_wanted: bool,
    shown_at: Option<Instant>,
    count: u64,
}

impl Progress {
    /// Prepares the counter. It appears only on a terminal that does not show the cursors themselves.
    pub fn new(is_wanted: bool) -> Self {
        let is_seen = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self { is_wanted: is_wanted && is_seen, shown_at: None, count: 0 }
    }

    /// Shows the count, unless the last one was shown a moment ago.
    pub fn show(&mut self, count: u64) {
        self.count = count;
        if self.is_wanted && self.shown_at.is_none_or(|shown_at| shown_at.elapsed() >= INTERVAL) {
            self.shown_at = Some(Instant::now());
            self.print("");
        }
    }

    fn print(&self, end: &str) {
        // A lost progress line is no reason to stop publishing.
        let _ = write!(io::stderr(), "\r{} published{end}", self.count);
    }
}

/// Leaves the final count behind, on success and on failure.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown_at.is_some() {
            self.print("\n");
        }
    }
}
