//! The command line.

use std::{fmt, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::workload::Workload;

/// More connections than this to one port don't fit into the 28,000 local ports that one loopback address has by
/// default.
const MOST_SUBSCRIBERS: u64 = 25_000;

/// A phase with one message in flight has at least as many messages.
const FEWEST_MESSAGES: u32 = 10;

/// The smallest payload that has room for a sequence number.
const SMALLEST_PAYLOAD: u64 = 16;

const EXAMPLES: &str = "\
Examples:
  cargo bench --bench fanout                                     the whole table, in less than eight minutes
  cargo bench --bench fanout -- --subscribers 1000 --pairs 3     a quick look
  cargo bench --bench fanout -- --transports sse --payload 1024  larger messages

The table goes to standard output, progress to standard error, every sample to the file of --results.";

/// Measures server CPU per delivery, deliveries per second and memory per connection, as ratios to a bare sender.
#[derive(Parser)]
#[command(name = "fanout", bin_name = "cargo bench --bench fanout --", after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub role: Option<Role>,
    #[command(flatten)]
    pub plan: Plan,
    /// Cargo passes this to every benchmark.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

/// The servers that fallcast is compared with. The measurement starts them by itself.
#[derive(Subcommand)]
pub enum Role {
    /// Run the limit of fan-out: one `send` of a ready frame per subscriber and message
    BareSender,
    /// Run the limit of publishing: an actix-web handler that takes a POST and answers
    BarePost,
}

/// What is measured, and for how long.
#[derive(clap::Args, Clone, Serialize)]
pub struct Plan {
    /// Sizes of the audience
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "100,1000,10000",
          value_parser = clap::value_parser!(u32).range(1..=MOST_SUBSCRIBERS as i64))]
    pub subscribers: Vec<u32>,
    /// Interleaved repetitions of everything; the table shows the median of the paired ratios
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    pub pairs: u16,
    /// Transports to measure
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "websocket,sse,long-poll")]
    pub transports: Vec<Transport>,
    /// Bytes of payload per message
    #[arg(long, value_name = "BYTES", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(SMALLEST_PAYLOAD as i64..))]
    pub payload: u32,
    /// Length of each phase of a sample
    #[arg(long, value_name = "DURATION", default_value = "400ms", value_parser = humantime::parse_duration)]
    #[serde(serialize_with = "seconds")]
    pub phase: Duration,
    /// Messages that the publisher may be ahead of fallcast's slowest subscriber in the saturated phase; with thousands
    /// of subscribers fewer
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub window: u32,
    /// Never let the load generator sleep, so that no delivery pays for waking it up
    #[arg(long)]
    pub busy_poll: bool,
    /// Don't measure publishing with no subscriber
    #[arg(long)]
    pub skip_posts: bool,
    /// The server to measure, instead of the one that cargo has built for this benchmark
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub server: Option<PathBuf>,
    /// Where the samples go
    #[arg(long, value_name = "FILE", default_value = "measurements/fanout.json")]
    #[serde(skip)]
    pub results: PathBuf,
}

impl Plan {
    /// The number of connections that one process must be able to hold.
    pub fn largest_audience(&self) -> u32 {
        self.subscribers.iter().copied().max().unwrap_or(0)
    }

    /// What is done to a server with an audience of this size.
    pub fn workload(&self, subscribers: u32) -> Workload {
        let &Self { payload, phase, window, busy_poll, .. } = self;
        let fewest_messages = FEWEST_MESSAGES;
        Workload { subscribers, payload, phase, fewest_messages, window, busy_poll, low_rate: None }
    }
}

/// A way from the server to its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    Sse,
    LongPoll,
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::WebSocket => "WebSocket",
            Self::Sse => "SSE",
            Self::LongPoll => "long-poll",
        })
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
