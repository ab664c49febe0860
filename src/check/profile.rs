//! What a server has, and where: a TOML file. What it leaves out is not checked.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::Deserialize;
use thiserror::Error;

use super::{
    json,
    template::{self, Template},
    transport::Transport,
};

/// The profiles that are built in, by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("fallcast", include_str!("profiles/fallcast.toml")),
    ("nchan", include_str!("profiles/nchan.toml")),
    ("mercure", include_str!("profiles/mercure.toml")),
    ("websocket", include_str!("profiles/websocket.toml")),
    ("sse", include_str!("profiles/sse.toml")),
    ("long-poll", include_str!("profiles/long-poll.toml")),
];

/// The names of the profiles that are built in.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The text of a profile that is built in, to be copied and changed.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(built_in, _)| *built_in == name).map(|(_, text)| *text)
}

/// Why there is no such profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Nobody knows it.
    #[error(
        "{0:?} is no profile; there are {names}, or give a file whose name ends in .toml",
        names = names().collect::<Vec<_>>().join(", ")
    )]
    Unknown(String),
    /// Its file cannot be read.
    #[error("cannot read the profile {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be parsed.
    #[error("the profile {name}: {source}")]
    Toml {
        /// The file or profile.
        name: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// An override is not written as one.
    #[error("{0:?} sets nothing; write PATH=VALUE, for example sse.path=/events or publish.max-bytes=65536")]
    Override(String),
    /// A value makes no sense.
    #[error("the profile {name}: {reason}")]
    Value {
        /// The file or profile.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a server has.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name, or its file.
    #[serde(skip)]
    pub name: String,
    /// Whether a cursor that came over one transport is good on every other.
    #[serde(default)]
    pub one_cursor: bool,
    /// Whether a message that is replayed has the very bytes that it had live.
    #[serde(default)]
    pub same_bytes: bool,
    /// A channel keeps so many messages.
    pub retention_messages: Option<u64>,
    /// A channel keeps so many bytes of messages.
    pub retention_bytes: Option<u64>,
    /// What cursors look like: `{epoch}.{offset}`, or `{offset}`.
    pub cursor_form: Option<String>,
    /// A text that is no cursor.
    pub malformed_cursor: Option<String>,
    /// Publishing by a request.
    pub publish: Option<Post>,
    /// Publishing over a WebSocket.
    pub publish_websocket: Option<Say>,
    /// Subscribing over a WebSocket.
    pub websocket: Option<Subscribe>,
    /// Subscribing to server-sent events.
    pub sse: Option<Subscribe>,
    /// Subscribing by long-polling.
    pub long_poll: Option<Subscribe>,
    /// Subscribing to a stream of lines.
    pub stream: Option<Subscribe>,
}

/// Publishing by a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Post {
    /// The path and query.
    pub path: Template,
    /// The method.
    #[serde(default = "post")]
    pub method: String,
    /// The type of the body.
    #[serde(default = "plain_text")]
    pub content_type: String,
    /// Further fields, as lines.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The body.
    #[serde(default)]
    pub body: Template,
    /// Where the answer tells the message's cursor.
    pub id: Option<Place>,
    /// The field that carries a key: the same key again does not publish again.
    pub key_header: Option<String>,
    /// The status for another message under a key that is in use.
    pub key_conflict: Option<u16>,
    /// The largest message.
    pub max_bytes: Option<usize>,
    /// The status for a larger one.
    pub too_large: Option<u16>,
    /// The status for a request by a page of another origin.
    pub foreign_origin: Option<u16>,
    /// The status for JSON that is none.
    pub bad_json: Option<u16>,
    /// Whether a message may be empty.
    #[serde(default = "yes")]
    pub empty: bool,
}

/// Publishing over a WebSocket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Say {
    /// The path and query.
    pub path: Template,
    /// Further fields of the handshake, as lines.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The text that publishes.
    #[serde(default)]
    pub message: Template,
}

/// Subscribing, by whatever transport.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subscribe {
    /// The path and query. Where there is no cursor, a parameter that is `{after}` alone is left out.
    pub path: Template,
    /// Further fields, as lines. Where there is no cursor, a field with `{after}` is left out.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What asks for the oldest message that there is, in the place of a cursor.
    pub start: Option<String>,
    /// What asks for new messages alone; without it, the cursor is left out.
    pub end: Option<String>,
    /// Where a message is; without it, it is all that there is.
    pub data: Option<Place>,
    /// Where a message's cursor is.
    pub id: Option<Place>,
    /// Where the position is told to go on from, if it is told apart from messages.
    pub cursor: Option<Place>,
    /// How a gap is told.
    pub gap: Option<Place>,
    /// Where a gap tells the position to go on from.
    pub resume: Option<Place>,
    /// How a heartbeat is told. Pings, comments and empty answers are always signs of life.
    pub heartbeat: Option<Place>,
    /// The longest silence, in milliseconds.
    pub heartbeat_ms: Option<u64>,
    /// The status for a cursor that is none.
    pub bad_cursor: Option<u16>,
    /// The status for a page of another origin.
    pub foreign_origin: Option<u16>,
    /// WebSocket: texts to send first.
    #[serde(default)]
    pub greetings: Vec<String>,
    /// WebSocket: texts that want an answer, and the answers.
    #[serde(default)]
    pub replies: BTreeMap<String, String>,
    /// WebSocket: the largest message that is taken.
    pub max_bytes: Option<usize>,
    /// WebSocket: whether a message that a client sends to this address is published.
    #[serde(default)]
    pub publishes: bool,
    /// SSE: the type (`event:`) of the events that are messages; without it, those that have none.
    pub event: Option<String>,
    /// SSE: how the first block is told, which comes at once.
    pub hello: Option<Place>,
    /// Fields that every answer has, as lines: `Cache-Control: no-store`.
    #[serde(default)]
    pub answer_headers: Vec<String>,
    /// Long-polling: whether a poll without a cursor is answered at once.
    #[serde(default)]
    pub first_poll_at_once: bool,
    /// Long-polling: how long a poll is held, in milliseconds.
    pub hold_ms: Option<u64>,
    /// Long-polling: the parameter that asks for a wait of one second at most: `wait=1`.
    pub one_second_wait: Option<String>,
    /// Long-polling: whether `Link` with `rel="next"` names the next poll.
    #[serde(default)]
    pub link_next: bool,
    /// The most bytes that a small message (100 bytes) may cost on the wire, both directions together.
    pub budget_bytes: Option<u64>,
}

/// Where something is in what a server sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// `event-id`: the `id` of a server-sent event.
    EventId,
    /// `event:NAME`: a server-sent event of this type.
    Event(String),
    /// `header:NAME`: a field of the answer.
    Header(String),
    /// `validators`: `Last-Modified` and `ETag`, sent back as `If-Modified-Since` and `If-None-Match`.
    Validators,
    /// `close:CODE`: a WebSocket's close code.
    Close(u16),
    /// `body`: the whole body.
    Body,
    /// A path into JSON: `events[].message.data`.
    Json(json::Path),
}

/// A place is written in another way.
#[derive(Debug, Error)]
#[error(
    "{0:?} is no place; there are event-id, event:NAME, header:NAME, validators, close:CODE, body, and paths into JSON such as events[].message.data"
)]
pub struct BadPlace(String);

impl TryFrom<String> for Place {
    type Error = BadPlace;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bad = || BadPlace(text.clone());
        Ok(match (text.as_str(), text.split_once(':')) {
            ("event-id", _) => Self::EventId,
            ("validators", _) => Self::Validators,
            ("body", _) => Self::Body,
            (_, Some(("event", name))) if !name.is_empty() => Self::Event(name.to_owned()),
            (_, Some(("header", name))) if !name.is_empty() => Self::Header(name.to_owned()),
            (_, Some(("close", code))) => Self::Close(code.parse().map_err(|_| bad())?),
            (_, Some(_)) => return Err(bad()),
            (path, None) => Self::Json(path.parse().map_err(|_| bad())?),
        })
    }
}

fn post() -> String {
    "POST".to_owned()
}

fn plain_text() -> String {
    "text/plain".to_owned()
}

const fn yes() -> bool {
    true
}

impl Profile {
    /// A profile that is built in, or a file, with overrides such as `sse.path=/events`.
    ///
    /// # Errors
    /// There is none of this name, or it is not what a profile looks like.
    pub fn load(name: &str, overrides: &[String]) -> Result<Self, ProfileError> {
        if let Some(text) = text(name) {
            return Self::parse(name, text, overrides);
        }
        if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
            return Err(ProfileError::Unknown(name.to_owned()));
        }
        let text = fs::read_to_string(name).map_err(|source| ProfileError::File { path: name.to_owned(), source })?;
        Self::parse(name, &text, overrides)
    }

    /// A profile in TOML; `name` is for reports.
    ///
    /// # Errors
    /// It is not what a profile looks like.
    pub fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self, ProfileError> {
        let bad = |source| ProfileError::Toml { name: name.to_owned(), source: Box::new(source) };
        let profile = if overrides.is_empty() {
            // From the text itself, so that an error shows its line.
            toml::from_str(text).map_err(bad)
        } else {
            let mut table: toml::Table = toml::from_str(text).map_err(bad)?;
            overrides.iter().try_for_each(|text| set(&mut table, text))?;
            table.try_into().map_err(bad)
        };
        let profile = Self { name: name.to_owned(), ..profile? };
        profile.examine().map_err(|reason| ProfileError::Value { name: name.to_owned(), reason })?;
        Ok(profile)
    }

    /// Finds what can be parsed and makes no sense.
    fn examine(&self) -> Result<(), String> {
        if self.transports().is_empty() {
            let tables = Transport::ALL.map(|transport| format!("[{transport}]")).join(", ");
            return Err(format!("it describes no way to subscribe; write one of {tables}"));
        }
        if self.publish.is_none() && self.publish_websocket.is_none() {
            return Err("it describes no way to publish; write [publish] or [publish-websocket]".to_owned());
        }
        if self
            .publish
            .as_ref()
            .is_some_and(|publish| !publish.path.has(template::DATA) && !publish.body.has(template::DATA))
        {
            return Err("[publish] has no place for {data}, neither in path nor in body".to_owned());
        }
        Ok(())
    }

    /// How to subscribe over this transport, if it is described.
    #[must_use]
    pub fn subscribe(&self, transport: Transport) -> Option<&Subscribe> {
        match transport {
            Transport::WebSocket => self.websocket.as_ref(),
            Transport::Sse => self.sse.as_ref(),
            Transport::LongPoll => self.long_poll.as_ref(),
            Transport::Stream => self.stream.as_ref(),
        }
    }

    /// The transports that it describes.
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        Transport::ALL.into_iter().filter(|transport| self.subscribe(*transport).is_some()).collect()
    }

    /// Whether every address has a place for the channel's name, so that channels do not hear each other.
    #[must_use]
    pub fn has_channels(&self) -> bool {
        let post = self.publish.iter().all(|post| post.path.has(template::CHANNEL) || post.body.has(template::CHANNEL));
        let say = self
            .publish_websocket
            .iter()
            .all(|say| say.path.has(template::CHANNEL) || say.message.has(template::CHANNEL));
        let subscribes = |subscribe: &Subscribe| {
            subscribe.path.has(template::CHANNEL)
                || subscribe.greetings.iter().any(|greeting| greeting.contains(template::CHANNEL))
        };
        post && say && Transport::ALL.iter().filter_map(|transport| self.subscribe(*transport)).all(subscribes)
    }
}

impl Subscribe {
    /// Whether a subscriber can go on from a cursor.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        self.cursor.is_some() || self.id.is_some()
    }
}

/// Applies an override: `sse.path=/events`.
fn set(table: &mut toml::Table, text: &str) -> Result<(), ProfileError> {
    let bad = || ProfileError::Override(text.to_owned());
    let (path, value) = text.split_once('=').ok_or_else(bad)?;
    let mut names: Vec<&str> = path.trim().split('.').collect();
    let last = names.pop().filter(|last| !last.is_empty()).ok_or_else(bad)?;
    let mut inner = table;
    for name in names {
        let entry = inner.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        inner = entry.as_table_mut().ok_or_else(bad)?;
    }
    inner.insert(last.to_owned(), value_of(value.trim()));
    Ok(())
}

/// A number, a truth value, a list or a quoted text as TOML has them; whatever is none of these is a text as it is.
fn value_of(text: &str) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    let value = parsed.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, overrides: &[&str]) -> String {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        Profile::parse("mine.toml", text, &overrides).map(drop).expect_err("a fault").to_string()
    }

    #[test]
    fn the_built_in_profiles_are_good() {
        for name in names() {
            let profile = Profile::load(name, &[]).expect(name);
            assert_eq!(profile.name, name);
            assert!(!profile.transports().is_empty(), "{name}");
        }
        assert!(Profile::load("fallcast", &[]).expect("a profile").has_channels());
        assert!(!Profile::load("websocket", &[]).expect("a profile").has_channels());
        assert_eq!(Profile::load("fallcast", &[]).expect("a profile").transports(), Transport::ALL);
    }

    #[test]
    fn an_override_sets_any_value() {
        let overrides = ["sse.path=/live", "publish.max-bytes=7", "sse.headers=[\"A: b\"]", "same-bytes=true"];
        let profile = Profile::load("sse", &overrides.map(str::to_owned)).expect("a profile");
        let sse = profile.sse.expect("a transport");
        assert_eq!(sse.path, Template::from("/live"));
        assert_eq!(sse.headers, ["A: b"]);
        assert_eq!(profile.publish.expect("publishing").max_bytes, Some(7));
        assert!(profile.same_bytes);
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_said() {
        assert!(Profile::load("socket", &[]).expect_err("none").to_string().contains("mercure"));
        assert!(Profile::load("none.toml", &[]).expect_err("none").to_string().contains("cannot read"));
        assert!(fault("", &[]).contains("no way to subscribe"));
        assert!(fault("[sse]\npath = '/s'", &[]).contains("no way to publish"));
        assert!(fault("[sse]\npath = '/s'\n[publish]\npath = '/p'\nbody = 'x'", &[]).contains("{data}"));
        assert!(fault("[sse]\npath = '/s'\nport = 1", &[]).contains("port"));
        assert!(fault("[sse]\npath = '/s'\ncursor = 'at:home'", &[]).contains("is no place"));
        assert!(fault("[sse]\npath = '/s'", &["sse"]).contains("PATH=VALUE"));
        assert!(fault("[sse]\npath = '/s'", &["sse.path.to=1"]).contains("PATH=VALUE"));
    }

    #[test]
    fn places_are_read() {
        let place = |text: &str| Place::try_from(text.to_owned()).expect("a place");
        assert_eq!(place("event-id"), Place::EventId);
        assert_eq!(place("event:gap"), Place::Event("gap".to_owned()));
        assert_eq!(place("header:X-Id"), Place::Header("X-Id".to_owned()));
        assert_eq!(place("close:4101"), Place::Close(4101));
        assert!(matches!(place("events[].message.data"), Place::Json(_)));
        assert!(Place::try_from("close:x".to_owned()).is_err());
        assert!(Place::try_from("a..b".to_owned()).is_err());
    }
}
