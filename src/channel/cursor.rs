//! Cursors: where a subscriber stands.
//!
//! A cursor names a position in one log, "everything after it", and is the same text on every transport:
//!
//! ```text
//! k3f9z1c8.42
//! ^^^^^^^^ ^^
//! epoch    offset
//! ```
//!
//! This module parses and prints cursors. It does not know which of them a log can continue from; that is `Log::locate`.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// The largest offset: 2^53 − 1, the last integer that every JSON parser reads exactly (RFC 7493 §2.2).
pub const MAX_OFFSET: u64 = (1 << 53) - 1;

/// The longest cursor in bytes. Fetch lets a cross-origin `Last-Event-ID` pass without a preflight up to 128.
pub const MAX_CURSOR_BYTES: usize = 100;

/// How many random characters a new epoch has: 36^10 of them, so that two logs of one name never meet by chance.
const EPOCH_CHARACTERS: usize = 10;

/// The random name of one log's lifetime.
///
/// It changes whenever a log is created anew, so that an offset of the old log is never mistaken for one of the new.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Returns a new random epoch of lowercase letters and digits.
    #[must_use]
    pub fn random() -> Self {
        let text: String = (0..EPOCH_CHARACTERS).map(|_| random_base36()).collect();
        Self(text.into())
    }

    /// The epoch as it is printed in front of the offset.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn random_base36() -> char {
    // `to_ascii_lowercase` of `alphanumeric` would make letters twice as likely as digits.
    char::from_digit(fastrand::u32(0..36), 36).unwrap_or('0')
}

/// A position in one log: everything after `offset`.
///
/// ```
/// use fallcast::channel::Cursor;
///
/// let cursor: Cursor = "k3f9z1c8.42".parse()?;
/// assert_eq!(cursor.offset, 42);
/// assert_eq!(cursor.to_string(), "k3f9z1c8.42");
/// # Ok::<(), fallcast::channel::MalformedCursor>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The log that the offset belongs to.
    pub epoch: Epoch,
    /// The number of the last message before the position; 0 is the position before the first.
    pub offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.offset)
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedCursor {
    /// The text is longer than [`MAX_CURSOR_BYTES`].
    #[error("a cursor has at most {MAX_CURSOR_BYTES} bytes")]
    TooLong,
    /// There is no dot between epoch and offset.
    #[error("a cursor is EPOCH.OFFSET, for example k3f9z1c8.42; there is no dot in this one")]
    NoDot,
    /// The epoch is empty or has other characters than letters, digits and hyphens.
    #[error("the epoch, the part before the last dot, consists of letters, digits and hyphens")]
    BadEpoch,
    /// The offset is not a plain decimal number.
    #[error("the offset, the part after the last dot, is a decimal number without sign or leading zeros")]
    BadOffset,
    /// The offset is larger than [`MAX_OFFSET`].
    #[error("the offset is at most {MAX_OFFSET}")]
    OffsetTooLarge,
}

impl FromStr for Cursor {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_CURSOR_BYTES {
            return Err(MalformedCursor::TooLong);
        }
        let (epoch, offset) = text.rsplit_once('.').ok_or(MalformedCursor::NoDot)?;
        Ok(Self { epoch: parse_epoch(epoch)?, offset: parse_offset(offset)? })
    }
}

fn parse_epoch(text: &str) -> Result<Epoch, MalformedCursor> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err(MalformedCursor::BadEpoch);
    }
    Ok(Epoch(text.into()))
}

fn parse_offset(text: &str) -> Result<u64, MalformedCursor> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // One position must have one name: `007` and `7` would be two.
    if !plain || (text.len() > 1 && text.starts_with('0')) {
        return Err(MalformedCursor::BadOffset);
    }
    match text.parse() {
        Ok(offset) if offset <= MAX_OFFSET => Ok(offset),
        _ => Err(MalformedCursor::OffsetTooLarge),
    }
}

/// Where a subscription asks to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// Before the oldest message retained.
    Start,
    /// The head: only what comes from now on.
    #[default]
    End,
    /// After this position.
    Cursor(Cursor),
    /// After a position whose name nobody can read any more, as a proxy or a polyfill may mangle a `Last-Event-ID`.
    Unreadable,
}

impl FromStr for After {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "start" => Ok(Self::Start),
            "end" => Ok(Self::End),
            cursor => cursor.parse().map(Self::Cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u64), MalformedCursor>) {
        let parsed = text.parse::<Cursor>();
        let parsed = parsed.as_ref().map(|cursor| (cursor.epoch.as_str(), cursor.offset));
        assert_eq!(parsed, expected.as_ref().map(|pair| *pair), "{text}");
    }

    #[test]
    fn a_cursor_is_an_epoch_a_dot_and_a_plain_offset() {
        check("k3f9z1.42", Ok(("k3f9z1", 42)));
        check("a.0", Ok(("a", 0)));
        check("A-9.9007199254740991", Ok(("A-9", MAX_OFFSET)));
        check("", Err(MalformedCursor::NoDot));
        check("42", Err(MalformedCursor::NoDot));
        check(".42", Err(MalformedCursor::BadEpoch));
        check("a:b.42", Err(MalformedCursor::BadEpoch));
        check("a.b.42", Err(MalformedCursor::BadEpoch));
        check("a.", Err(MalformedCursor::BadOffset));
        check("a.01", Err(MalformedCursor::BadOffset));
        check("a.+1", Err(MalformedCursor::BadOffset));
        check("a.-1", Err(MalformedCursor::BadOffset));
        check("a.1 ", Err(MalformedCursor::BadOffset));
        check("a.9007199254740992", Err(MalformedCursor::OffsetTooLarge));
        check("a.99999999999999999999999", Err(MalformedCursor::OffsetTooLarge));
        check(&format!("{}.1", "a".repeat(99)), Err(MalformedCursor::TooLong));
    }

    #[derive(serde::Deserialize)]
    struct Table {
        malformed: Vec<Malformed>,
    }

    #[derive(serde::Deserialize)]
    struct Malformed {
        text: String,
        why: String,
    }

    #[test]
    fn what_is_malformed_in_the_table_is_refused() {
        let table = include_str!("../../tests/tables/cursors.json");
        let table: Table = serde_json::from_str(table).expect("the table is well-formed");
        assert!(!table.malformed.is_empty());
        for Malformed { text, why } in table.malformed {
            assert!(text.parse::<Cursor>().is_err(), "{text:?} is a cursor, although {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_can_be_parsed(epoch in "[A-Za-z0-9-]{1,80}", offset in 0..=MAX_OFFSET) {
            let cursor = Cursor { epoch: Epoch(epoch.into()), offset };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_accepts_prints_as_it_came(text in ".{0,120}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }

        #[test]
        fn new_epochs_are_readable_in_a_cursor(offset in 0..=MAX_OFFSET) {
            let cursor = Cursor { epoch: Epoch::random(), offset };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }
    }
}
