//! How far a run of checks has come, for a person who watches a terminal.

use std::{cell::Cell, io::IsTerminal as _, io::stderr, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::check::{checks::Check, run::Observer, transport::Transport, verdict::Outcome};

/// How often the spinner moves.
const EVERY: Duration = Duration::from_millis(120);

/// One line on standard error that says what is being checked, and what was found broken so far.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    judged: Cell<u32>,
    broken: Cell<u32>,
}

impl Progress {
    /// Progress on a terminal; elsewhere there is nobody to see it.
    pub fn new(is_wanted: bool) -> Self {
        let bar = (is_wanted && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.enable_steady_tick(EVERY);
            let style = ProgressStyle::with_template("{spinner} {elapsed} {prefix} {wide_msg}");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { bar, judged: Cell::new(0), broken: Cell::new(0) }
    }

    /// Takes the line away, for the report.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn begun(&self, check: &'static Check, transport: Option<Transport>) {
        if let Some(bar) = &self.bar {
            let on = transport.map(|transport| format!(" on {transport}")).unwrap_or_default();
            bar.set_prefix(format!("{}{on}", check.name));
        }
    }

    fn judged(&self, outcome: &Outcome) {
        self.judged.set(self.judged.get() + 1);
        self.broken.set(self.broken.get() + u32::from(outcome.verdict.is_failed()));
        let Some(bar) = &self.bar else { return };
        let (judged, broken) = (self.judged.get(), self.broken.get());
        bar.set_message(format!("{judged} properties, {broken} broken; last {}", outcome.property.id));
    }
}
