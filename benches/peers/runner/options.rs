//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

use super::cell::{Cell, Pattern};
use crate::fanout::workload::{LowRate, Workload};

/// Messages that a publisher may be ahead of the slowest subscriber in the saturated phase.
pub const WINDOW: u32 = 256;

/// A payload for which latency is measured, too, in bytes.
const LATENCY_PAYLOAD: u32 = 64;

const EXAMPLES: &str = "\
Examples:
  benches/peers/run                                       everything, to measurements/peers.json
  benches/peers/run --resume                              goes on with a run that was ended
  benches/peers/run --quick                               three minutes, to target/peers-quick.json
  benches/peers/run --only limit,fallcast-direct,nchan --cells websocket/1000 --results target/some.json
  benches/peers/table                                     shows measurements/peers.json as Markdown
  benches/peers/table --write                             puts it into measurements/peers.md and README.md";

/// Compares fallcast with other servers, interleaved, one core for the server and one for the load generator.
#[derive(Parser)]
#[command(name = "peers", bin_name = "benches/peers/run", after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub role: Option<Role>,
    #[command(flatten)]
    pub plan: Plan,
    /// Cargo passes this to every benchmark.
    #[arg(long = "bench", hide = true, global = true)]
    _bench: bool,
}

/// What else this program does.
#[derive(Subcommand)]
pub enum Role {
    /// Run the limit of fan-out, which the measurement does by itself
    #[command(hide = true)]
    BareSender,
    /// Show results as Markdown
    Table {
        /// The results of a run
        #[arg(long, value_name = "FILE", default_value = "measurements/peers.json")]
        results: PathBuf,
        /// Write the tables beside the results, and the short one into README.md
        #[arg(long)]
        write: bool,
    },
}

/// What is measured, and how often.
#[derive(clap::Args, Clone)]
pub struct Plan {
    /// A subset that takes three minutes: 1,000 subscribers, 64 bytes, two short pairs
    #[arg(long)]
    quick: bool,
    /// Contenders: limit, fallcast-direct, fallcast-streaming, or a folder below benches/peers
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Cells, as TRANSPORT/SUBSCRIBERS/BYTES; * is any, and the end may be left out
    #[arg(long, value_name = "CELL,…", value_delimiter = ',')]
    cells: Vec<Pattern>,
    /// Interleaved repetitions of the cells with 1,000 subscribers and 64 bytes [default: 9]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pairs: Option<u16>,
    /// Repetitions of the other cells [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    other_pairs: Option<u16>,
    /// Length of each phase of a sample [default: 400ms]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    phase: Option<Duration>,
    /// Go on with a run that was ended, with the same options, commit and machine
    #[arg(long)]
    pub resume: bool,
    /// The fallcast to measure, instead of the one that cargo has built for this benchmark
    #[arg(long, value_name = "FILE")]
    pub server: Option<PathBuf>,
    /// Where everything goes [default: measurements/peers.json]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

impl Plan {
    pub fn cells(&self) -> Vec<Cell> {
        let quick = |cell: &Cell| !self.quick || cell.is_main();
        let asked = |cell: &Cell| self.cells.is_empty() || self.cells.iter().any(|pattern| pattern.matches(*cell));
        Cell::all().filter(quick).filter(asked).collect()
    }

    /// How often a cell is measured.
    pub fn pairs_of(&self, cell: Cell) -> u16 {
        let (pairs, default) = if cell.is_main() { (self.pairs, 9) } else { (self.other_pairs, 3) };
        pairs.unwrap_or(if self.quick { 2 } else { default })
    }

    pub fn most_pairs(&self) -> u16 {
        self.cells().into_iter().map(|cell| self.pairs_of(cell)).max().unwrap_or(0)
    }

    /// Length of each phase.
    pub fn phase(&self) -> Duration {
        self.phase.unwrap_or(Duration::from_millis(if self.quick { 200 } else { 400 }))
    }

    /// What a sample of a cell consists of. Audiences differ in how many messages fit into a second.
    pub fn workload(&self, cell: Cell) -> Workload {
        let Cell { subscribers, payload, .. } = cell;
        let (fewest_messages, messages, milliseconds) = match subscribers {
            ..1_000 => (10, 50, 20),
            1_000..10_000 => (10, 20, 50),
            10_000.. => (5, 8, 250),
        };
        let low_rate = LowRate { messages, interval: Duration::from_millis(milliseconds) };
        Workload {
            subscribers,
            payload,
            phase: self.phase(),
            fewest_messages,
            window: WINDOW,
            busy_poll: false,
            low_rate: (payload == LATENCY_PAYLOAD).then_some(low_rate),
        }
    }

    /// Where the results go. What was measured in a hurry doesn't replace what was measured with care.
    pub fn results(&self) -> PathBuf {
        let default = if self.quick { "target/peers-quick.json" } else { "measurements/peers.json" };
        self.results.clone().unwrap_or_else(|| default.into())
    }

    /// Where results are kept until they are complete.
    pub fn part(&self) -> PathBuf {
        self.results().with_extension("json.part")
    }
}
