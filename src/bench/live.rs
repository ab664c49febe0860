//! What can be seen of a run while it goes on: a bar in a terminal, and otherwise a line for each measurement.

use std::{
    io::{IsTerminal as _, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    load::Glance,
    metric::exact,
    plan::{CellPlan, Via},
    report::Round,
    run::{Audience, Measurement},
    words::{self, BYTES, TIME},
};

/// How often figures change. Whoever draws takes time from the generator, and nobody reads faster.
const EVERY: Duration = Duration::from_millis(250);

/// From how many values on the slowest hundredth of them is told.
const ENOUGH_FOR_P99: u64 = 1_000;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Quiet,
    /// A bar if standard error is a terminal, otherwise lines.
    Live,
}

/// The view of a run on standard error.
#[derive(Debug)]
pub struct LiveView {
    detail: Detail,
    /// There is one in a terminal.
    bar: Option<ProgressBar>,
    title: String,
    /// The part of the time that was planned before this measurement.
    before: Duration,
    began: Instant,
    drawn: Instant,
    lost: u64,
    invalid: u32,
}

impl LiveView {
    /// A view of a run that has not begun.
    #[must_use]
    pub fn new(detail: Detail) -> Self {
        let now = Instant::now();
        Self {
            detail,
            bar: None,
            title: String::new(),
            before: Duration::ZERO,
            began: now,
            drawn: now,
            lost: 0,
            invalid: 0,
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None if self.detail == Detail::Live => eprintln!("{line}"),
            None => {}
        }
    }

    fn figures(&self, phase: &str, glance: &Glance<'_>) -> String {
        let latency = &glance.tally.latency;
        let p50 = (!latency.is_empty()).then(|| format!("p50 {}", time(latency.value_at_quantile(0.5))));
        let is_enough = latency.len() >= ENOUGH_FOR_P99;
        let p99 = is_enough.then(|| format!("p99 {}", time(latency.value_at_quantile(0.99))));
        let counts = format!("N {}, lost so far {}", words::count(latency.len()), words::count(self.lost));
        let parts: Vec<String> = p50.into_iter().chain(p99).chain([counts]).collect();
        format!("{}: {phase}, {}", self.title, parts.join(", "))
    }
}

impl Audience for LiveView {
    fn begins(&mut self, planned: Duration) {
        if self.detail == Detail::Quiet {
            return;
        }
        let words = humantime::format_duration(Duration::from_secs(planned.as_secs().max(1)));
        self.say(&format!("this takes about {words}"));
        if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(millis(planned)), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %, {eta} left\n{wide_msg}");
            self.bar = Some(style.map_or(bar.clone(), |style| bar.with_style(style)));
        }
    }

    fn measures(&mut self, what: &Measurement<'_>, after: Duration) {
        self.title = title(what);
        (self.before, self.began) = (after, Instant::now());
        if let Some(bar) = &self.bar {
            bar.set_position(millis(after));
            bar.set_message(format!("{}: connecting", self.title));
        }
    }

    fn glances(&mut self, phase: &'static str, glance: &Glance<'_>) {
        if let Some(bar) = self.bar.as_ref().filter(|_| self.drawn.elapsed() >= EVERY) {
            bar.set_position(millis(self.before + self.began.elapsed()));
            bar.set_message(self.figures(phase, glance));
            self.drawn = Instant::now();
        }
    }

    fn has_measured(&mut self, what: &Measurement<'_>, round: &Round) {
        self.lost += round.lost;
        self.invalid += u32::from(!round.validity.valid);
        let figures = &round.latency.figures;
        let percentiles = [("p50", figures.p50_ns), ("p99", figures.p99_ns)];
        let percentiles: String =
            percentiles.iter().filter_map(|(name, value)| Some(format!("{name} {}, ", time((*value)?)))).collect();
        let counts = format!("N {}, lost {}", words::count(round.n), words::count(round.lost));
        let reasons = round.validity.reasons.join(" ");
        let verdict = if round.validity.valid { String::new() } else { format!("; does not count: {reasons}") };
        self.say(&format!("{}: {percentiles}{counts}{verdict}", title(what)));
    }

    fn has_searched(&mut self, what: &Measurement<'_>, found: &str) {
        self.say(&format!("{}: {found}", load(what)));
    }

    fn ends(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.invalid > 0 {
            let rounds = words::counted(self.invalid.into(), "round");
            self.say(&format!("{rounds} cannot be counted; the report says why"));
        }
    }
}

fn title(what: &Measurement<'_>) -> String {
    let (round, rounds) = what.round;
    format!("round {round} of {rounds}, {}, {}/s", load(what), what.cell.rate)
}

/// Everything of a load but its rate, for a search changes that.
fn load(what: &Measurement<'_>) -> String {
    let CellPlan { transport, subscribers, size, via, .. } = what.cell;
    let target = what.target.map(|name| format!("{name} ")).unwrap_or_default();
    let transport = words::transport(&transport.to_string());
    let via = if *via == Via::Direct { String::new() } else { format!(" via {via}") };
    let subscribers = words::counted((*subscribers).into(), "subscriber");
    format!("{target}{transport}{via}, {subscribers}, {}", words::figure(f64::from(*size), BYTES))
}

fn time(nanoseconds: u64) -> String {
    words::figure(exact(nanoseconds), TIME)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
