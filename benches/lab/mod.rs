//! A hundred subscribers, directly and through the lab: the CPU time of the server's process, lab included.
//!
//! Suggested reading order: [`sample`] (what happens to one server), [`audience`] (who listens).

mod audience;
#[path = "../fanout/process.rs"]
#[allow(dead_code, unused_imports, reason = "memory is measured, and the parts are tested, by `fanout` alone")]
mod process;
mod sample;
mod server;

use std::{fmt, process::ExitCode};

use self::{
    audience::Transport,
    sample::{Figures, take},
    server::Route,
};

/// The benchmark only reports its errors, so one opaque type is enough.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Samples of each kind. Direct ones and such through the lab take turns, so that whatever else the machine does meanwhile
/// hits both of a pair.
const PAIRS: usize = 5;

/// Measures, and prints a table as Markdown.
pub fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("| transport | figure | direct | through the lab | ratio |\n| --- | --- | ---: | ---: | ---: |");
    for transport in [Transport::WebSocket, Transport::Sse] {
        let mut pairs = Vec::new();
        for pair in 1..=PAIRS {
            let direct = runtime.block_on(take(transport, Route::Direct))?;
            let through_lab = runtime.block_on(take(transport, Route::ThroughLab))?;
            eprintln!("{transport}, pair {pair}: direct {direct:?}, through the lab {through_lab:?}");
            pairs.push((direct, through_lab));
        }
        for figure in FIGURES {
            println!("{}", figure.row(transport, &pairs));
        }
    }
    Ok(())
}

/// A figure of the table.
struct Figure {
    name: &'static str,
    of: fn(&Figures) -> f64,
}

const FIGURES: [Figure; 3] = [
    Figure { name: "share of a core at rest, in %", of: |figures| figures.at_rest * 100.0 },
    Figure { name: "CPU per delivery, in µs", of: |figures| figures.per_delivery * 1e6 },
    Figure { name: "from the publication to the last subscriber, in ms", of: |figures| figures.round * 1e3 },
];

impl Figure {
    fn row(&self, transport: Transport, pairs: &[(Figures, Figures)]) -> String {
        let direct = Spread::of(pairs.iter().map(|(direct, _)| (self.of)(direct)));
        let through_lab = Spread::of(pairs.iter().map(|(_, through_lab)| (self.of)(through_lab)));
        let ratio = Spread::of(pairs.iter().map(|(direct, through_lab)| (self.of)(through_lab) / (self.of)(direct)));
        format!("| {transport} | {} | {direct} | {through_lab} | {ratio} |", self.name)
    }
}

/// A median, with the smallest and the largest.
struct Spread {
    values: Vec<f64>,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self { values }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, median, max] = [0, self.values.len() / 2, self.values.len() - 1].map(|at| self.values[at]);
        write!(f, "**{median:.2}** ({min:.2}–{max:.2})")
    }
}
