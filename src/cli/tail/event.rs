//! The events of a subscription, as a client reads them: `{"message":{…}}`, `{"gap":{…}}` and so on.
//!
//! What this client doesn't know – events, fields, reasons of later protocol versions – passes through unread.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::channel::{ContentType, Cursor};

/// One event, in the server's own words and as far as this client understands it.
#[derive(Debug)]
pub struct Event {
    /// The event's name, such as `message`.
    pub name: String,
    /// The event's fields, a JSON object.
    pub fields: Box<RawValue>,
    /// What it means to this client.
    pub kind: Kind,
}

/// The events on which a client acts.
#[derive(Debug)]
pub enum Kind {
    /// The subscription exists from here on.
    Hello(Hello),
    /// A publication.
    Message(Message),
    /// Continuity is broken.
    Gap(Gap),
    /// A proof of life.
    Heartbeat(Heartbeat),
    /// The server lets go of this subscription.
    Goodbye(Goodbye),
    /// Anything else.
    Other,
}

/// The fields of `hello` that matter here.
#[derive(Debug, Deserialize)]
pub struct Hello {
    /// The position of the subscription, unless the one asked for could not be read.
    #[serde(deserialize_with = "optional_text")]
    pub cursor: Option<Cursor>,
    /// How long the server is silent at most, in milliseconds.
    pub heartbeat_ms: u64,
}

/// The fields of `message` that matter here.
#[derive(Debug, Deserialize)]
pub struct Message {
    /// The position after this message.
    #[serde(deserialize_with = "text")]
    pub id: Cursor,
    content_type: Option<String>,
    data: Box<RawValue>,
}

impl Message {
    /// The data as people read it: text as it is, JSON as JSON, and bytes in base64.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let is_json = self.content_type.as_deref().is_some_and(|name| ContentType::from(name).is_json());
        match serde_json::from_str(self.data.get()) {
            Ok(text) if !is_json => Cow::Owned(text),
            _ => Cow::Borrowed(self.data.get()),
        }
    }
}

/// The fields of `gap`.
#[derive(Debug, Deserialize)]
pub struct Gap {
    /// The position from now on.
    #[serde(deserialize_with = "text")]
    pub resume: Cursor,
    /// How many messages are lost, if anybody can know.
    pub missed: Option<u64>,
    /// Why.
    pub reason: String,
}

/// As a sentence for people.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost", count(self.missed))?;
        let explanation = match self.reason.as_str() {
            "evicted" => "the server no longer keeps them",
            "epoch" => "the server has begun a new log",
            "slow" => "this client was too slow to take them",
            _ => "the server says no more",
        };
        write!(f, " (reason: {}; {explanation}); going on after {}", self.reason, self.resume)
    }
}

/// Counts lost messages in words, as the beginning of a sentence.
#[must_use]
pub fn count(missed: Option<u64>) -> String {
    match missed {
        Some(1) => "1 message is".to_owned(),
        Some(count) => format!("{count} messages are"),
        None => "nobody knows how many messages are".to_owned(),
    }
}

/// The fields of `heartbeat` that matter here.
#[derive(Debug, Deserialize)]
pub struct Heartbeat {
    /// The position of the subscription.
    #[serde(deserialize_with = "text")]
    pub cursor: Cursor,
}

/// The fields of `goodbye`.
#[derive(Debug, Deserialize)]
pub struct Goodbye {
    /// Why.
    pub reason: String,
    /// When to come back, in milliseconds.
    pub reconnect_ms: Option<u64>,
}

impl Event {
    /// Reads an event object, which has one member: the name with the fields.
    ///
    /// # Errors
    /// It is no such object, or a field that this client needs is missing.
    pub fn parse(json: &[u8]) -> serde_json::Result<Self> {
        let object: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(json)?;
        let mut members = object.into_iter();
        match (members.next(), members.next()) {
            (Some((name, fields)), None) => Self::new(name, fields),
            _ => Err(de::Error::custom("an event has one name")),
        }
    }

    /// Reads the fields of an event whose name is told apart from them, as SSE does.
    ///
    /// # Errors
    /// A field that this client needs is missing.
    pub fn new(name: String, fields: Box<RawValue>) -> serde_json::Result<Self> {
        let json = fields.get();
        let kind = match name.as_str() {
            "hello" => Kind::Hello(serde_json::from_str(json)?),
            "message" => Kind::Message(serde_json::from_str(json)?),
            "gap" => Kind::Gap(serde_json::from_str(json)?),
            "heartbeat" => Kind::Heartbeat(serde_json::from_str(json)?),
            "goodbye" => Kind::Goodbye(serde_json::from_str(json)?),
            _ => Kind::Other,
        };
        Ok(Self { name, fields, kind })
    }
}

/// Reads what is written as a string and parsed from it.
pub fn text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cursor>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Event {
        Event::parse(json.as_bytes()).expect(json)
    }

    #[track_caller]
    fn check_text(message: &str, expected: &str) {
        match parse(&format!(r#"{{"message":{message}}}"#)).kind {
            Kind::Message(message) => assert_eq!(message.text(), expected),
            other => panic!("{other:?} is no message"),
        }
    }

    #[track_caller]
    fn check_gap(fields: &str, expected: &str) {
        match parse(&format!(r#"{{"gap":{fields}}}"#)).kind {
            Kind::Gap(gap) => assert_eq!(gap.to_string(), expected),
            other => panic!("{other:?} is no gap"),
        }
    }

    #[test]
    fn text_is_shown_as_text_and_json_as_json() {
        check_text(r#"{"id":"a.1","at":1,"content_type":"text/plain","data":"a \"b\"\n"}"#, "a \"b\"\n");
        check_text(r#"{"id":"a.1","at":1,"data":"plain"}"#, "plain");
        check_text(r#"{"id":"a.1","content_type":"application/json","data":{"b":[1.50]}}"#, r#"{"b":[1.50]}"#);
        check_text(r#"{"id":"a.1","content_type":"application/json","data":"text"}"#, r#""text""#);
        check_text(r#"{"id":"a.1","content_type":"image/png","encoding":"base64","data":"iVBO"}"#, "iVBO");
    }

    #[test]
    fn a_gap_reads_as_a_sentence() {
        check_gap(
            r#"{"after":"a.1","resume":"a.5","missed":4,"reason":"slow"}"#,
            "4 messages are lost (reason: slow; this client was too slow to take them); going on after a.5",
        );
        check_gap(
            r#"{"after":null,"resume":"b.0","missed":null,"reason":"epoch"}"#,
            "nobody knows how many messages are lost (reason: epoch; the server has begun a new log); going on after b.0",
        );
    }

    #[test]
    fn a_hello_may_have_no_cursor() {
        let hello = parse(r#"{"hello":{"protocol":1,"cursor":null,"heartbeat_ms":20000}}"#);
        assert!(matches!(hello.kind, Kind::Hello(Hello { cursor: None, heartbeat_ms: 20_000 })));
    }

    #[test]
    fn unknown_events_and_fields_pass() {
        let event = parse(r#"{"weather":{"is":"fine"}}"#);
        assert_eq!((event.name.as_str(), event.fields.get()), ("weather", r#"{"is":"fine"}"#));
        assert!(matches!(event.kind, Kind::Other));
        assert!(matches!(parse(r#"{"goodbye":{"reason":"drain","new":1}}"#).kind, Kind::Goodbye(_)));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for json in ["", "[]", "{}", "{\"a\":1,\"b\":2}", "{\"message\":{\"data\":1}}", "{\"gap\":{}}", "{\"hello\":{}"]
        {
            assert!(Event::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
