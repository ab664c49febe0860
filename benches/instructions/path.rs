//! The paths of a publication, each a little longer than the one before, and how their instructions are counted.

use std::{fmt, fs, path::Path as FilePath, process::Command, sync::Arc};

use clap::ValueEnum;
use fallcast::{
    delivery::{Ring, Rings, Slice},
    wire::Framing,
};
use serde::Serialize;

use super::{
    Result,
    audience::Audience,
    callgrind,
    fixture::{Room, key, publication},
    post,
};

/// What is done for each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// Append in process
    Append,
    /// Append in process, with an idempotency key
    AppendKeyed,
    /// Append, and take it from the ring as a raw WebSocket frame
    WebsocketRaw,
    /// Append, and take it as a JSON object in a WebSocket frame
    WebsocketJson,
    /// Append, and take it as a raw event of SSE
    SseRaw,
    /// Append, and take it as a JSON object in an event of SSE
    SseJson,
    /// Append, and take it as a line of JSON
    JsonLines,
    /// Append, and let one subscription have it as a raw WebSocket frame
    #[value(name = "fan-out-1")]
    #[serde(rename = "fan-out-1")]
    FanOut1,
    /// Append, and let a hundred subscriptions have it
    #[value(name = "fan-out-100")]
    #[serde(rename = "fan-out-100")]
    FanOut100,
    /// POST it to the server, which answers
    Post,
}

/// Messages published before those that are counted: everything has reached its size, and the log is full.
const WARM_UP: usize = 2000;

/// How many messages the log retains.
const RETAINED: usize = 1000;

/// How often each path is counted. What differs between the runs are hash seeds, times and the server's own timers.
const RUNS: usize = 3;

impl Path {
    /// All of them, in the order of the table.
    pub const ALL: &[Self] = &[
        Self::Append,
        Self::AppendKeyed,
        Self::WebsocketRaw,
        Self::WebsocketJson,
        Self::SseRaw,
        Self::SseJson,
        Self::JsonLines,
        Self::FanOut1,
        Self::FanOut100,
        Self::Post,
    ];

    /// The name on the command line and in files.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What is done for each message, as the table says it.
    pub fn title(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// The payloads in bytes. From the encoding on they are shared, so their size counts no more.
    pub const fn sizes(self) -> &'static [usize] {
        match self {
            Self::FanOut1 | Self::FanOut100 => &[64],
            _ => &[64, 1024],
        }
    }

    const fn messages(self) -> usize {
        match self {
            Self::FanOut100 | Self::Post => 2000,
            _ => 10_000,
        }
    }

    /// Publishes the warm-up and so many messages more. This is what runs under Valgrind.
    pub fn drive(self, size: usize, messages: usize) -> Result<()> {
        let room = Room::retaining(RETAINED);
        let numbers = 0..WARM_UP + messages;
        match self {
            Self::Append => numbers.for_each(|_| append(&room, size, None)),
            Self::AppendKeyed => numbers.for_each(|number| append(&room, size, Some(number))),
            Self::WebsocketRaw => read(&room, Framing::WebSocketRaw, size, WARM_UP + messages),
            Self::WebsocketJson => read(&room, Framing::WebSocketJson, size, WARM_UP + messages),
            Self::SseRaw => read(&room, Framing::SseRaw, size, WARM_UP + messages),
            Self::SseJson => read(&room, Framing::SseJson, size, WARM_UP + messages),
            Self::JsonLines => read(&room, Framing::JsonLines, size, WARM_UP + messages),
            Self::FanOut1 => fan_out(&room, 1, size, WARM_UP + messages),
            Self::FanOut100 => fan_out(&room, 100, size, WARM_UP + messages),
            Self::Post => return Err("this path is driven from outside of the server".into()),
        }
        Ok(())
    }

    /// Runs the path under Callgrind, leaves the profile in `file`, and returns all instructions of the run.
    fn run(self, size: usize, messages: usize, file: &FilePath) -> Result<u64> {
        if self == Self::Post {
            return post::run(size, WARM_UP + messages, file);
        }
        let mut command = callgrind::command(file, &std::env::current_exe()?);
        command.args(["drive", &self.name(), &size.to_string(), &messages.to_string()]);
        finish(&mut command)?;
        callgrind::total(&fs::read_to_string(file)?)
    }
}

fn finish(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

fn append(room: &Room, size: usize, number: Option<usize>) {
    room.publish(publication(size, number.map(key)));
}

/// One reader without a subscription: each message is encoded and taken before the next is published.
fn read(room: &Room, framing: Framing, size: usize, messages: usize) {
    let ring: Arc<Ring> = Rings::default().of(&room.channel, framing);
    for position in 0..messages as u64 {
        // The ring begins with its first reader.
        if position == 0 {
            assert!(matches!(ring.take(position, None).0, Slice::Nothing(0)));
        }
        append(room, size, None);
        let Slice::Events(taken) = ring.take(position, None).0 else { panic!("there is a message") };
        assert_eq!((taken.events, taken.up_to), (1, position + 1));
    }
}

fn fan_out(room: &Room, subscribers: usize, size: usize, messages: usize) {
    actix_rt::System::new().block_on(async {
        let mut audience = Audience::of(room, Framing::WebSocketRaw, subscribers);
        for _ in 0..messages {
            append(room, size, None);
            assert_eq!(audience.hear().await, subscribers, "everybody hears of it once");
        }
    });
}

/// How many instructions one message takes on a path.
#[derive(Debug, PartialEq, Serialize)]
pub struct Count {
    pub path: Path,
    /// The payload in bytes.
    pub size: usize,
    /// Messages in each run.
    pub messages: usize,
    /// Instructions per message of each run, in ascending order.
    pub runs: Vec<f64>,
}

impl Count {
    /// Counts runs with and without the messages; what both have in common, from the start to the warm-up, cancels out.
    pub fn take(path: Path, size: usize, profiles: &FilePath) -> Result<Self> {
        fs::create_dir_all(profiles)?;
        let file = profiles.join(format!("{}-{size}.out", path.name()));
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let without = path.run(size, 0, &file)?;
            let with = path.run(size, path.messages(), &file)?;
            runs.push(per_message(with, without, path.messages())?);
        }
        runs.sort_by(f64::total_cmp);
        Ok(Self { path, size, messages: path.messages(), runs })
    }

    pub fn median(&self) -> f64 {
        self.runs[self.runs.len() / 2]
    }

    /// The smallest and the largest of the runs.
    pub fn range(&self) -> (f64, f64) {
        (self.runs[0], self.runs[self.runs.len() - 1])
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.range();
        let Self { path, size, .. } = self;
        write!(formatter, "{}, {size} B: {:.0} ({low:.0}–{high:.0})", path.name(), self.median())
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 instructions are executed")]
fn per_message(with: u64, without: u64, messages: usize) -> Result<f64> {
    let more = with.checked_sub(without).ok_or("a run with messages took fewer instructions than one without")?;
    Ok(more as f64 / messages as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_runs_have_in_common_cancels_out() {
        let counted = per_message(1_500, 500, 10).expect("more with messages");
        assert!((counted - 100.0).abs() < 1e-9, "{counted}");
        assert!(per_message(500, 1_500, 10).is_err());
    }

    #[test]
    fn every_path_has_a_name_a_title_and_sizes() {
        let mut names: Vec<String> = Path::ALL.iter().map(|path| path.name()).collect();
        names.dedup();
        assert_eq!(names.len(), Path::value_variants().len());
        assert!(Path::ALL.iter().all(|path| !path.title().is_empty() && !path.sizes().is_empty()));
    }

    #[test]
    fn every_path_in_process_can_be_driven() {
        for &path in Path::ALL.iter().filter(|&&path| path != Path::Post) {
            path.drive(64, 10).expect("it has no way to fail");
        }
    }
}
