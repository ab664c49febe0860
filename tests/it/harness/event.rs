//! The events of a subscription, parsed from any framing.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a subscription yields.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    Hello(Hello),
    Message(Message),
    Gap(Gap),
    Presence(Presence),
    Heartbeat(Heartbeat),
    Goodbye(Goodbye),
}

impl Event {
    /// Parses one event object, such as a line of the stream.
    #[track_caller]
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// The position of a subscriber that has handled this event, if the event moves it.
    pub fn cursor(&self) -> Option<&str> {
        match self {
            Self::Hello(hello) => hello.cursor.as_deref(),
            Self::Message(message) => Some(&message.id),
            Self::Gap(gap) => Some(&gap.resume),
            Self::Heartbeat(heartbeat) => Some(&heartbeat.cursor),
            Self::Presence(_) | Self::Goodbye(_) => None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// Null if the position asked for could not be read.
    pub cursor: Option<String>,
    pub client: String,
    pub member: String,
    pub transport: String,
    pub heartbeat_ms: u64,
    pub key_window_ms: u64,
}

/// A publication. The payload is what was published, whatever carried it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "JsonMessage")]
pub struct Message {
    /// The cursor, empty where the framing has none.
    pub id: String,
    /// The publisher's label.
    pub label: Option<String>,
    /// Empty where the framing does not tell.
    pub content_type: String,
    pub payload: Vec<u8>,
}

impl Message {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("the payload is text")
    }

    pub fn offset(&self) -> u64 {
        offset_of(&self.id)
    }
}

#[derive(Deserialize)]
struct JsonMessage {
    id: String,
    #[serde(rename = "type")]
    label: Option<String>,
    content_type: String,
    data: Box<RawValue>,
    encoding: Option<String>,
}

impl From<JsonMessage> for Message {
    fn from(message: JsonMessage) -> Self {
        let JsonMessage { id, label, content_type, data, encoding } = message;
        let string = || serde_json::from_str::<String>(data.get()).expect("text and bytes come as a string");
        let payload = match encoding.as_deref() {
            Some("base64") => STANDARD.decode(string()).expect("bytes come as base64"),
            Some(other) => panic!("unknown encoding {other}"),
            None if content_type.ends_with("json") => data.get().as_bytes().to_vec(),
            None => string().into_bytes(),
        };
        Self { id, label, content_type, payload }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Gap {
    pub after: Option<String>,
    pub resume: String,
    pub missed: Option<u64>,
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Presence {
    pub action: String,
    pub members: Option<Vec<Member>>,
    pub member: Option<String>,
    #[serde(rename = "as")]
    pub name: Option<String>,
    pub transport: Option<String>,
    pub count: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    pub member: String,
    #[serde(rename = "as")]
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Heartbeat {
    pub cursor: String,
    pub head: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Goodbye {
    pub reason: String,
    pub reconnect_ms: u64,
}

/// The offset of a cursor. Clients treat cursors as opaque; tests count.
#[track_caller]
pub fn offset_of(cursor: &str) -> u64 {
    let offset = cursor.rsplit_once('.').and_then(|(_, offset)| offset.parse().ok());
    offset.unwrap_or_else(|| panic!("{cursor:?} is no cursor"))
}

/// The cursor `distance` positions further in the same epoch.
#[track_caller]
pub fn moved(cursor: &str, distance: i64) -> String {
    let (epoch, _) = cursor.rsplit_once('.').expect("a cursor has a dot");
    format!("{epoch}.{}", offset_of(cursor).strict_add_signed(distance))
}
