//! Messages: one published value with its number, its time and its labels. They know no protocol.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::data::Data;

/// One message of a channel's log.
#[derive(Debug)]
pub struct Message {
    /// Its number in the log's epoch: 1, 2, 3 … without holes.
    pub offset: u64,
    /// When it was appended, in microseconds since 1970 by the server's clock. Offsets order messages, times do not.
    pub at_us: u64,
    /// The publisher's label, if there is one.
    pub label: Option<Label>,
    /// The media type without parameters, such as `application/json`.
    pub content_type: ContentType,
    /// The payload.
    pub data: Data,
    /// Who published it, if the publication told.
    pub publisher: Option<MemberId>,
}

/// What a publisher hands in: a message that has no number yet.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The publisher's label, if there is one.
    pub label: Option<Label>,
    /// The media type without parameters.
    pub content_type: ContentType,
    /// The payload, already checked.
    pub data: Data,
    /// The publisher's secret name, which ties the publication to its own subscriptions.
    pub client: Option<ClientName>,
    /// The name under which a repetition of this publication is recognized.
    pub key: Option<IdempotencyKey>,
}

/// A media type without parameters, in lowercase.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `text/plain`
    Text,
    /// `application/octet-stream`
    Bytes,
    /// Any other.
    Other(Box<str>),
}

impl ContentType {
    /// The media type as it is written in a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Bytes => "application/octet-stream",
            Self::Other(essence) => essence,
        }
    }

    /// Whether the type's data is JSON: `application/json` and everything that ends in `+json` (RFC 6839 §3.1).
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json) || self.as_str().ends_with("+json")
    }

    /// Whether the type's data is text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.as_str().starts_with("text/")
    }
}

impl From<&str> for ContentType {
    fn from(essence: &str) -> Self {
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "text/plain" => Self::Text,
            "application/octet-stream" => Self::Bytes,
            other => Self::Other(other.into()),
        }
    }
}

/// Why a text is no name of the kind asked for: the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadName(pub(super) &'static str);

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn words(text: &str, lengths: std::ops::RangeInclusive<usize>, also: &[u8]) -> Option<Box<str>> {
    let allowed = |byte| is_word(byte) || also.contains(&byte);
    (lengths.contains(&text.len()) && text.bytes().all(allowed)).then(|| text.into())
}

/// A subscriber's secret name of itself, the same over reconnects, transports and publications.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientName(Box<str>);

impl ClientName {
    /// Returns a new name that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        // 128 bits from the system, in hexadecimal. A system without randomness gets the second best rather than no server.
        let secret = getrandom::u64().ok().zip(getrandom::u64().ok());
        let (high, low) = secret.unwrap_or_else(|| (fastrand::u64(..), fastrand::u64(..)));
        Self(format!("{high:016x}{low:016x}").into())
    }

    /// The secret itself: for the client's own `hello` and nobody else.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const RULE: &str = "a client name is 16 to 64 letters, digits, hyphens and underscores";
        words(text, 16..=64, b"").map(Self).ok_or(BadName(RULE))
    }
}

/// Keeps the secret out of logs.
impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientName(…)")
    }
}

/// The public name of a client: a keyed hash of its secret name, the same on every transport and channel of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub(super) u64);

/// Thirteen characters, always: 32^13 is the first power of 32 that holds 64 bits.
impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..13).rev().try_for_each(|place| {
            let digit = (self.0 >> (5 * place)) & 31;
            write!(f, "{}", char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::try_from(digit).unwrap_or(0)]))
        })
    }
}

impl serde::Serialize for MemberId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The name under which a repeated publication is recognized.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl FromStr for IdempotencyKey {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const RULE: &str = "a key is 1 to 64 letters, digits, hyphens and underscores";
        words(text, 1..=64, b"").map(Self).ok_or(BadName(RULE))
    }
}

/// A publisher's label of a message. SSE in `raw` sends it as the event type, so it can never be an event's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(Box<str>);

/// Names that receivers take for something else: our events, what `EventSource` itself fires, and our own `binary`.
const RESERVED_LABELS: [&str; 9] =
    ["hello", "message", "gap", "presence", "heartbeat", "goodbye", "open", "error", "binary"];

impl Label {
    /// The label as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const RULE: &str = "a type is 1 to 64 letters, digits, dots, hyphens and underscores";
        const RESERVED: &str =
            "a type is none of hello, message, gap, presence, heartbeat, goodbye, open, error and binary";
        if RESERVED_LABELS.contains(&text) {
            return Err(BadName(RESERVED));
        }
        words(text, 1..=64, b".").map(Self).ok_or(BadName(RULE))
    }
}

/// The name of a channel: 1 to 64 characters that need no escape in a URL (RFC 3986 §2.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Box<str>);

/// What the names of the channels begin with on which the lab tells what passes over a link.
pub const TAP_PREFIX: &str = "tap.";

/// The channel on which the server tells how a demo's crowd fares.
pub const CROWD_CHANNEL: &str = "crowd.live";

impl ChannelName {
    /// The name as it stands in the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only the server itself publishes there.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(TAP_PREFIX) || &*self.0 == CROWD_CHANNEL
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChannelName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const RULE: &str =
            "a channel name is 1 to 64 letters, digits, dots, hyphens, underscores and tildes, but not `.` or `..`";
        words(text, 1..=64, b".~").filter(|name| !matches!(&**name, "." | "..")).map(Self).ok_or(BadName(RULE))
    }
}

/// What a member is called by the others: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DisplayName(Box<str>);

impl FromStr for DisplayName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const RULE: &str = "a display name (`as`) is 1 to 64 characters without control characters";
        let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(BadName(RULE)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_rules() {
        assert!("a-b_c.d~E9".parse::<ChannelName>().is_ok());
        for bad in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<ChannelName>().is_err(), "{bad}");
        }
        assert!("0123456789abcde_".parse::<ClientName>().is_ok());
        assert!("too-short".parse::<ClientName>().is_err());
        assert!("price.update".parse::<Label>().is_ok());
        for bad in ["", "gap", "open", "binary", "a\nb", "a:b"] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
        assert!("Zoë 🦀".parse::<DisplayName>().is_ok());
        assert!("a\u{0}b".parse::<DisplayName>().is_err());
    }

    #[test]
    fn a_secret_is_not_printed() {
        let client = ClientName::random();
        assert!(!format!("{client:?}").contains(client.as_str()));
    }

    #[test]
    fn public_names_have_one_length() {
        for id in [0, 1, u64::MAX] {
            assert_eq!(MemberId(id).to_string().len(), 13);
        }
    }
}
