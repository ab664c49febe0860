//! Where a report comes from: by whom, on what, and with which settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// When and by what a report was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// When the run began, in UTC: `2026-11-21T17:30:00Z`.
    pub at: String,
    /// How long the whole run took.
    pub took_s: f64,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// The version of fallcast that generated the load.
    pub fallcast: String,
    /// The commit from which it was built, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The compiler that built it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
    /// Whether it was built with debug assertions, and so says little about speed.
    pub debug: bool,
    /// Whether the run was ended before all of it was measured.
    pub interrupted: bool,
}

/// The machine on which the load was generated, and the own server ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// The cores that the process may use.
    pub cores: usize,
    /// The memory that the machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The operating system: `linux`, `macos`, `windows`.
    pub os: String,
    /// The kernel's release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The clock by which all times were taken.
    pub clock: Clock,
}

/// A clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// What it is: `CLOCK_MONOTONIC (tsc)`.
    pub source: String,
    /// The smallest step between two readings that was seen.
    pub resolution_ns: u64,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// What chance began with.
    pub seed: u64,
    /// How many rounds each cell was to have.
    pub rounds: u32,
    /// How long each round ran before anything counted.
    pub warm_up_s: f64,
    /// How long what counts was published, in each round.
    pub duration_s: f64,
    /// Whether the schedule waits for the server.
    #[serde(rename = "loop")]
    pub loop_: Loop,
    /// How messages were published.
    pub publish: Publish,
    /// Whether server and generator had a processor core each.
    pub pinned: bool,
    /// Whether the generator's sockets send at once (`TCP_NODELAY`).
    pub tcp_nodelay: bool,
    /// Whether connections for publishing and polling were kept for the next request.
    pub keep_alive: bool,
    /// Whether connections were encrypted.
    pub tls: bool,
    /// For how long the server was stopped in the middle of each round, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_s: Option<f64>,
    /// For each round the ids of its cells, in the order in which they were measured.
    pub order: Vec<Vec<String>>,
}

/// Whether the schedule waits for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loop {
    /// Each message is due at a planned time, and its latency counts from then.
    Open,
    /// The next message is published when the last one has arrived, and its latency counts from when it was sent. It hides
    /// what it is there to show: that is called coordinated omission.
    Closed,
}

/// How messages were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// By POST, over connections that are kept, one request in flight on each.
    Post,
    /// Over one WebSocket.
    Websocket,
}

/// A server that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in this report.
    pub name: String,
    /// What it says it is: its `Server` header, or the own server's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Whether the benchmark started it, in a process of its own.
    pub own: bool,
    /// The options that were passed on to the own server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_args: Vec<String>,
    /// For `publish` and for each transport, the address with its placeholders.
    pub templates: BTreeMap<String, String>,
}
