//! Faults: what goes wrong on a link, as it is written in JSON.
//!
//! This is the vocabulary and no more: parsing, checking, printing. What a fault does is in `troubles`, one file each.
//! A new fault begins here: a field of [`Faults`], a line in `Faults::set`, and its rules in `Faults::check`.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use thiserror::Error;

use super::presets::Preset;

/// The longest time of any fault. What is meant to last longer is meant to last for ever.
const MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// The most bytes that a buffering proxy holds back of one answer. A real one would write them to its disk, or fail.
pub const MAX_HELD: usize = 1024 * 1024;

// ANCHOR: faults
/// Everything that can be wrong with a link. What is `None` is not wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Faults {
    /// The preset that these faults started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// What the link's dice are seeded with. The registry chooses one if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The kinds of exchange that suffer; all, unless it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<ExchangeKind>>,
    /// How long every piece of bytes is under way, in one direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Both<u64>>,
    /// How much longer than that it may take: a piece draws between nothing and so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<Both<u64>>,
    /// How many bytes a second get through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Both<u64>>,
    /// What a middlebox makes of a WebSocket's handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// How a proxy holds answers back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer: Option<Buffer>,
    /// Whether each event of an event stream is held back until the next one begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_events: Option<bool>,
    /// When a silent exchange is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// When any exchange is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// For how long after these faults were set new exchanges are reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse_ms: Option<u64>,
    /// For how long after these faults were set new exchanges get a 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable_ms: Option<u64>,
    /// How many bytes a second are taken from the server and from the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_reader: Option<Taken>,
    /// How probably a request is sent to the server twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Probability>,
    /// How probably a poll's answer loses the second half of its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<Probability>,
    /// How probably the answer to a request is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_answer: Option<Probability>,
}
// ANCHOR_END: faults

/// The fields, as they are written.
const FIELDS: [&str; 17] = [
    "preset",
    "seed",
    "only",
    "latency_ms",
    "jitter_ms",
    "bandwidth",
    "upgrade",
    "buffer",
    "hold_events",
    "idle",
    "cut",
    "refuse_ms",
    "unavailable_ms",
    "slow_reader",
    "duplicate",
    "truncate",
    "drop_answer",
];

/// A kind of exchange, by what its request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeKind {
    /// A handshake, and all that follows it.
    WebSocket,
    /// Server-sent events.
    Sse,
    /// Lines of JSON.
    Stream,
    /// A long-poll.
    Poll,
    /// A POST to a channel.
    Publish,
    /// Pages, lists, and all the rest.
    Other,
}

impl ExchangeKind {
    /// Every kind, in the order in which they are declared.
    pub const ALL: [Self; 6] = [Self::WebSocket, Self::Sse, Self::Stream, Self::Poll, Self::Publish, Self::Other];
}

/// One value for each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both<T> {
    /// From the client to the server.
    pub up: Option<T>,
    /// From the server to the client.
    pub down: Option<T>,
}

/// Bytes a second that are taken from each side; one number alone is about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// From the client.
    pub up: Option<u64>,
    /// From the server.
    pub down: Option<u64>,
}

/// What a middlebox makes of a WebSocket's handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Upgrade {
    /// `Upgrade` and `Connection` are taken off, as a proxy does that does not know what they ask for.
    #[serde(rename = "strip")]
    Strip,
    /// The proxy answers 400 itself.
    #[serde(rename = "400")]
    BadRequest,
    /// The proxy answers 403 itself.
    #[serde(rename = "403")]
    Forbidden,
    /// The proxy accepts with 101, and no byte ever gets through.
    #[serde(rename = "mute")]
    Mute,
}

/// How a proxy holds answers back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// How many bytes of the body fill the buffer, which is then passed on. Without it, the whole answer is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_bytes: Option<usize>,
    /// Whether an answer with `X-Accel-Buffering: no` passes at once.
    #[serde(default)]
    pub honor_accel: bool,
}

/// When a silent exchange is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// How long no byte has gone either way.
    pub after_ms: u64,
    /// How it ends.
    #[serde(default)]
    pub how: How,
}

/// When any exchange is cut. Exactly one of the three `after` is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// After so many bytes towards the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<Range>,
    /// After so many messages towards the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_messages: Option<Range>,
    /// After so much time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<Range>,
    /// How it ends.
    #[serde(default)]
    pub how: How,
    /// In which direction there is silence, if that is how it ends.
    #[serde(default, skip_serializing_if = "Direction::is_both")]
    pub direction: Direction,
    /// Whether only those exchanges are cut that are open when the faults are set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_only: bool,
}

/// How an exchange ends that is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// In order, as far as TCP can tell.
    #[default]
    Fin,
    /// By a reset.
    Rst,
    /// By nothing at all: the connections stay open, and bytes are lost from then on.
    Silence,
}

/// A direction, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both ways.
    #[default]
    Both,
}

impl Direction {
    /// Whether bytes from the client are meant.
    #[must_use]
    pub const fn has_up(self) -> bool {
        matches!(self, Self::Up | Self::Both)
    }

    /// Whether bytes from the server are meant.
    #[must_use]
    pub const fn has_down(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    const fn is_both(&self) -> bool {
        matches!(self, Self::Both)
    }
}

/// A number, or a range out of which each exchange draws one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "NumberOrRange", into = "NumberOrRange")]
pub struct Range {
    /// The smallest number.
    pub min: u64,
    /// The largest, which is drawn as well.
    pub max: u64,
}

/// A number from 0, never, to 1, always.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Probability(pub f64);

/// Why something is no set of faults: the field, what is wrong with it, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub struct BadFaults {
    /// The field, such as `cut`.
    pub field: String,
    /// What is wrong, and the remedy.
    pub reason: String,
}

impl BadFaults {
    fn new(field: &str, reason: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), reason: reason.to_string() }
    }
}

impl Faults {
    /// Reads faults from JSON. Fields beside a `preset` win over it, and `null` takes away what the preset has.
    ///
    /// # Errors
    /// Names the first field that is unknown, or whose value makes no sense.
    pub fn parse(json: &[u8]) -> Result<Self, BadFaults> {
        let fields: Map<String, Value> = serde_json::from_slice(json).map_err(|fault| {
            BadFaults::new("body", format_args!("{fault}; send a JSON object such as {{\"latency_ms\": 100}}"))
        })?;
        let mut faults = match fields.get("preset") {
            Some(name) if !name.is_null() => read::<Preset>("preset", name.clone())?.faults(),
            _ => Self::default(),
        };
        for (field, value) in fields {
            faults.set(&field, value)?;
        }
        faults.check()?;
        Ok(faults)
    }

    /// Whether exchanges of this kind suffer from the faults.
    #[must_use]
    pub fn are_for(&self, kind: ExchangeKind) -> bool {
        self.only.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    fn set(&mut self, field: &str, value: Value) -> Result<(), BadFaults> {
        match field {
            "preset" => self.preset = read(field, value)?,
            "seed" => self.seed = read(field, value)?,
            "only" => self.only = read(field, value)?,
            "latency_ms" => self.latency_ms = read(field, value)?,
            "jitter_ms" => self.jitter_ms = read(field, value)?,
            "bandwidth" => self.bandwidth = read(field, value)?,
            "upgrade" => self.upgrade = read(field, value)?,
            "buffer" => self.buffer = read(field, value)?,
            "hold_events" => self.hold_events = read(field, value)?,
            "idle" => self.idle = read(field, value)?,
            "cut" => self.cut = read(field, value)?,
            "refuse_ms" => self.refuse_ms = read(field, value)?,
            "unavailable_ms" => self.unavailable_ms = read(field, value)?,
            "slow_reader" => self.slow_reader = read(field, value)?,
            "duplicate" => self.duplicate = read(field, value)?,
            "truncate" => self.truncate = read(field, value)?,
            "drop_answer" => self.drop_answer = read(field, value)?,
            unknown => {
                let reason = format_args!("there is no such field; the fields are {}", FIELDS.join(", "));
                return Err(BadFaults::new(unknown, reason));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), BadFaults> {
        check_times(self)?;
        check_rates(self)?;
        let probabilities =
            [("duplicate", self.duplicate), ("truncate", self.truncate), ("drop_answer", self.drop_answer)];
        for (field, probability) in probabilities {
            if probability.is_some_and(|Probability(number)| !(0.0..=1.0).contains(&number)) {
                return Err(BadFaults::new(field, "this is a probability; write a number from 0 to 1"));
            }
        }
        if self.only.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadFaults::new("only", "no kind of exchange is left; name one, or leave the field out"));
        }
        if self.buffer.and_then(|buffer| buffer.until_bytes).is_some_and(|bytes| !(1..=MAX_HELD).contains(&bytes)) {
            let reason = format_args!("`until_bytes` is 1 to {MAX_HELD}; leave it out to hold the whole answer");
            return Err(BadFaults::new("buffer", reason));
        }
        self.cut.as_ref().map_or(Ok(()), check_cut)
    }
}

fn check_times(faults: &Faults) -> Result<(), BadFaults> {
    let in_one_direction = |both: Option<Both<u64>>| both.map(|both| both.up.max(both.down).unwrap_or(0));
    let times = [
        ("latency_ms", in_one_direction(faults.latency_ms)),
        ("jitter_ms", in_one_direction(faults.jitter_ms)),
        ("idle", faults.idle.map(|idle| idle.after_ms)),
        ("cut", faults.cut.and_then(|cut| cut.after_ms).map(|range| range.max)),
        ("refuse_ms", faults.refuse_ms),
        ("unavailable_ms", faults.unavailable_ms),
    ];
    match times.into_iter().find(|(_, time)| time.is_some_and(|time| time > MAX_MS)) {
        Some((field, _)) => Err(BadFaults::new(field, format_args!("a time is at most {MAX_MS} ms, which is a day"))),
        None => Ok(()),
    }
}

fn check_rates(faults: &Faults) -> Result<(), BadFaults> {
    if faults.bandwidth.is_some_and(|both| both.up == Some(0) || both.down == Some(0)) {
        let reason = "no byte would ever arrive; for that, write `\"cut\": {\"after_ms\": 0, \"how\": \"silence\"}`";
        return Err(BadFaults::new("bandwidth", reason));
    }
    if faults.idle.is_some_and(|idle| idle.after_ms == 0) {
        return Err(BadFaults::new("idle", "`after_ms` is at least 1; to cut at once, use `cut`"));
    }
    Ok(())
}

fn check_cut(cut: &Cut) -> Result<(), BadFaults> {
    let triggers = [cut.after_bytes, cut.after_messages, cut.after_ms];
    if triggers.iter().flatten().count() != 1 {
        return Err(BadFaults::new("cut", "give one of `after_bytes`, `after_messages` and `after_ms`"));
    }
    if triggers.iter().flatten().any(|range| range.min > range.max) {
        return Err(BadFaults::new("cut", "a range is written [MIN, MAX], the smaller number first"));
    }
    if cut.direction != Direction::Both && cut.how != How::Silence {
        let reason = "`fin` and `rst` end both directions; leave `direction` out, or let it end by `silence`";
        return Err(BadFaults::new("cut", reason));
    }
    Ok(())
}

/// Reads one field's value, so that the field can be named if it is none.
fn read<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, BadFaults> {
    serde_json::from_value(value).map_err(|fault| BadFaults::new(field, fault))
}

/// How a value for each direction is written.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "write a whole number, or {\"up\": N, \"down\": N}")]
enum OneOrTwo<T> {
    One(T),
    Two(UpAndDown<T>),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct UpAndDown<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<T>,
}

impl<'de, T: Copy + Deserialize<'de>> Deserialize<'de> for Both<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match OneOrTwo::deserialize(deserializer)? {
            OneOrTwo::One(value) => Self { up: Some(value), down: Some(value) },
            OneOrTwo::Two(UpAndDown { up, down }) => Self { up, down },
        })
    }
}

impl<T: Copy + PartialEq + Serialize> Serialize for Both<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match *self {
            Self { up: Some(up), down: Some(down) } if up == down => OneOrTwo::One(up),
            Self { up, down } => OneOrTwo::Two(UpAndDown { up, down }),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Taken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match OneOrTwo::deserialize(deserializer)? {
            OneOrTwo::One(down) => Self { up: None, down: Some(down) },
            OneOrTwo::Two(UpAndDown { up, down }) => Self { up, down },
        })
    }
}

impl Serialize for Taken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match *self {
            Self { up: None, down: Some(down) } => OneOrTwo::One(down),
            Self { up, down } => OneOrTwo::Two(UpAndDown { up, down }),
        };
        written.serialize(serializer)
    }
}

/// How a range is written.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "write a whole number, or [MIN, MAX]")]
enum NumberOrRange {
    Number(u64),
    Range(u64, u64),
}

impl From<NumberOrRange> for Range {
    fn from(written: NumberOrRange) -> Self {
        match written {
            NumberOrRange::Number(number) => Self { min: number, max: number },
            NumberOrRange::Range(min, max) => Self { min, max },
        }
    }
}

impl From<Range> for NumberOrRange {
    fn from(Range { min, max }: Range) -> Self {
        if min == max { Self::Number(min) } else { Self::Range(min, max) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn parsed(json: Value) -> Faults {
        Faults::parse(json.to_string().as_bytes()).unwrap_or_else(|fault| panic!("{json}: {fault}"))
    }

    #[track_caller]
    fn refused(json: Value) -> BadFaults {
        Faults::parse(json.to_string().as_bytes()).expect_err(&json.to_string())
    }

    #[test]
    fn everything_that_can_be_written_comes_back_the_same() {
        for faults in [
            json!({}),
            json!({"preset": "mobile-3g", "latency_ms": 10, "bandwidth": 1}),
            json!({"seed": 7, "only": ["websocket", "sse", "stream", "poll", "publish", "other"]}),
            json!({"latency_ms": 100, "jitter_ms": {"up": 1, "down": 20}, "bandwidth": {"down": 20000}}),
            json!({"buffer": {"until_bytes": 8192, "honor_accel": true}, "hold_events": true}),
            json!({"upgrade": "strip"}),
            json!({"upgrade": "400"}),
            json!({"upgrade": "403"}),
            json!({"upgrade": "mute"}),
            json!({"idle": {"after_ms": 60000, "how": "silence"}}),
            json!({"cut": {"after_bytes": 3000, "how": "rst"}}),
            json!({"cut": {"after_messages": [1, 5], "how": "silence", "direction": "up"}}),
            json!({"cut": {"after_ms": 0, "how": "silence", "open_only": true}, "refuse_ms": 5000}),
            json!({"unavailable_ms": 5000, "slow_reader": 0}),
            json!({"slow_reader": {"up": 10, "down": 0}}),
            json!({"duplicate": 0.5, "truncate": 1.0, "drop_answer": 0.0}),
        ] {
            let read = parsed(faults.clone());
            assert_eq!(serde_json::to_value(&read).ok(), Some(faults));
        }
    }

    #[test]
    fn defaults_are_filled_in() {
        assert_eq!(parsed(json!({"idle": {"after_ms": 1}})).idle, Some(Idle { after_ms: 1, how: How::Fin }));
        assert_eq!(parsed(json!({"buffer": {}})).buffer, Some(Buffer { until_bytes: None, honor_accel: false }));
        assert_eq!(parsed(json!({"slow_reader": 5})).slow_reader, Some(Taken { up: None, down: Some(5) }));
        assert_eq!(parsed(json!({"latency_ms": 5})).latency_ms, Some(Both { up: Some(5), down: Some(5) }));
    }

    #[test]
    fn fields_win_over_the_preset_and_null_takes_away() {
        let preset = parsed(json!({"preset": "mobile-3g"}));
        assert_eq!(preset, Preset::Mobile3g.faults());

        let faults = parsed(json!({"latency_ms": 7, "preset": "mobile-3g", "bandwidth": null}));
        assert_eq!(faults.latency_ms, Some(Both { up: Some(7), down: Some(7) }));
        assert_eq!(faults.bandwidth, None);
        assert_eq!(faults.preset, Some(Preset::Mobile3g));
    }

    #[test]
    fn a_refusal_names_the_field_and_the_remedy() {
        for (json, field, remedy) in [
            (json!({"latncy_ms": 5}), "latncy_ms", "the fields are preset, seed, only, latency_ms, "),
            (json!({"latency_ms": "5"}), "latency_ms", "write a whole number, or {\"up\": N, \"down\": N}"),
            (json!({"latency_ms": {"upward": 5}}), "latency_ms", "write a whole number"),
            (json!({"latency_ms": 90_000_000}), "latency_ms", "at most 86400000 ms"),
            (json!({"bandwidth": 0}), "bandwidth", "silence"),
            (json!({"preset": "moon"}), "preset", "unknown variant `moon`, expected one of `nginx-default`"),
            (json!({"seed": -1}), "seed", "expected u32"),
            (json!({"only": []}), "only", "leave the field out"),
            (json!({"only": ["http"]}), "only", "expected one of `websocket`"),
            (json!({"upgrade": "no"}), "upgrade", "expected one of `strip`"),
            (json!({"buffer": {"until_bytes": 0}}), "buffer", "1 to"),
            (json!({"buffer": {"bytes": 1}}), "buffer", "expected `until_bytes` or `honor_accel`"),
            (json!({"idle": {"after_ms": 0}}), "idle", "use `cut`"),
            (json!({"cut": {"how": "rst"}}), "cut", "give one of"),
            (json!({"cut": {"after_ms": 1, "after_bytes": 1}}), "cut", "give one of"),
            (json!({"cut": {"after_ms": [2, 1]}}), "cut", "smaller number first"),
            (json!({"cut": {"after_ms": [1, 2, 3]}}), "cut", "or [MIN, MAX]"),
            (json!({"cut": {"after_ms": 1, "direction": "up"}}), "cut", "silence"),
            (json!({"duplicate": 1.5}), "duplicate", "0 to 1"),
            (json!({"truncate": -0.1}), "truncate", "0 to 1"),
            (json!([]), "body", "JSON object"),
        ] {
            let fault = refused(json.clone());
            assert_eq!(fault.field, field, "{json}: {fault}");
            assert!(fault.reason.contains(remedy), "{json}: {fault}");
        }
    }

    #[test]
    fn the_fields_that_are_named_are_those_that_there_are() {
        for field in FIELDS {
            assert_eq!(Faults::default().set(field, Value::Null), Ok(()), "{field}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert_eq!(Faults::parse(b"latency_ms=5").map_err(|fault| fault.field), Err("body".to_owned()));
    }

    #[test]
    fn faults_are_for_all_kinds_unless_some_are_named() {
        assert!(Faults::default().are_for(ExchangeKind::Other));
        let faults = parsed(json!({"only": ["sse"]}));
        assert!(faults.are_for(ExchangeKind::Sse));
        assert!(!faults.are_for(ExchangeKind::Poll));
    }

    proptest! {
        #[test]
        fn any_range_in_order_is_read_as_it_is_written(min in 0..1000_u64, more in 0..1000_u64) {
            let written = json!({"cut": {"after_bytes": [min, min + more]}});
            prop_assert_eq!(parsed(written).cut.and_then(|cut| cut.after_bytes), Some(Range { min, max: min + more }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Faults::parse(&bytes);
        }
    }
}
