//! What a message carries: JSON, text or bytes, checked once when it is published.
//!
//! Checked JSON has no white space outside its strings, hence no line break, so every framing can embed it as it is.
//! How data looks on a wire is the business of `wire`.

use std::{collections::HashSet, fmt};

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

/// How deep arrays and objects may be nested. Deeper documents overflow the stack of some JSON parsers.
pub const MAX_JSON_DEPTH: usize = 64;

/// The payload of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// I-JSON (RFC 7493) without white space outside strings.
    Json(ByteString),
    /// Text, exact to the byte.
    Text(ByteString),
    /// Anything else.
    Binary(Bytes),
}

impl Data {
    /// Checks `bytes` as I-JSON (RFC 7493) and keeps them byte for byte, except white space outside strings.
    ///
    /// # Errors
    /// Tells where and why the bytes are not I-JSON of at most [`MAX_JSON_DEPTH`] levels.
    pub fn json(bytes: &Bytes) -> Result<Self, BadData> {
        std::str::from_utf8(bytes).map_err(|error| BadData::NotUtf8 { at: error.valid_up_to() })?;
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        IJson { depth: 0 }
            .deserialize(&mut parser)
            .and_then(|()| parser.end())
            .map_err(|error| BadData::NotJson(error.to_string()))?;
        let compact = without_white_space(bytes);
        ByteString::try_from(compact).map(Self::Json).map_err(|error| BadData::NotUtf8 { at: error.valid_up_to() })
    }

    /// Checks that `bytes` are UTF-8 and keeps them as they are.
    ///
    /// # Errors
    /// Tells where the bytes stop being UTF-8.
    pub fn text(bytes: Bytes) -> Result<Self, BadData> {
        ByteString::try_from(bytes).map(Self::Text).map_err(|error| BadData::NotUtf8 { at: error.valid_up_to() })
    }

    /// The payload's size in bytes, before any escape or base64.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) | Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// Why a body is not what its content type says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadData {
    /// The bytes are not UTF-8 from the given position on.
    #[error("the data is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The number of good bytes before the fault.
        at: usize,
    },
    /// The text is not I-JSON.
    #[error("the data is not I-JSON (RFC 7493): {0}")]
    NotJson(String),
}

/// Removes white space outside strings from JSON that has been checked.
fn without_white_space(json: &Bytes) -> Bytes {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !json.iter().any(|&byte| is_space(byte)) {
        return json.clone();
    }
    let mut compact = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json {
        if in_string || !is_space(byte) {
            compact.push(byte);
        }
        match byte {
            b'"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && byte == b'\\' && !escaped;
    }
    compact.into()
}

/// Walks over a JSON value and refuses what I-JSON refuses: duplicate names (RFC 7493 §2.3) and noncharacters (§2.1).
///
/// Lone surrogates and numbers beyond double precision are refused by the parser itself.
#[derive(Clone, Copy)]
struct IJson {
    depth: usize,
}

impl IJson {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(E::custom(format_args!("it is nested deeper than {MAX_JSON_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for IJson {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IJson {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match text.chars().find(|&character| is_noncharacter(character)) {
            Some(found) => Err(E::custom(format_args!("U+{:04X} is a noncharacter", u32::from(found)))),
            None => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while array.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            inner.visit_str(&name)?;
            if names.contains(&name) {
                return Err(de::Error::custom(format_args!("the name {name:?} appears twice in one object")));
            }
            names.insert(name);
            object.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The last two code points of every plane, and U+FDD0 to U+FDEF.
fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn accepts(json: &str, kept: &str) {
        let data = Data::json(&Bytes::copy_from_slice(json.as_bytes()));
        assert_eq!(data, Ok(Data::Json(kept.into())), "{json}");
    }

    #[track_caller]
    fn refuses(json: impl AsRef<[u8]>, reason: &str) {
        let error = Data::json(&Bytes::copy_from_slice(json.as_ref())).expect_err("must be refused");
        assert!(error.to_string().contains(reason), "{error}");
    }

    #[test]
    fn white_space_outside_strings_goes_and_everything_else_stays() {
        accepts(" {\n \"a b\" : [ 1.0 , \"\\\" \\\\ \" ]\t}\r\n", "{\"a b\":[1.0,\"\\\" \\\\ \"]}");
        accepts("1.50e+3", "1.50e+3");
        accepts("\" \"", "\" \"");
        accepts("null", "null");
        accepts("\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"");
    }

    #[test]
    fn what_i_json_forbids_is_refused() {
        refuses("{\"a\":1,\"\\u0061\":2}", "twice");
        refuses("\"\\ud800\"", "hex escape");
        refuses("\"\u{FFFE}\"", "noncharacter");
        refuses("1e400", "out of range");
        refuses("{} {}", "trailing");
        refuses("", "EOF");
        refuses("{\"a\":01}", "");
        refuses(b"\"\xff\"", "not UTF-8 from byte 1");
        refuses("[".repeat(100_000), "nested deeper");
        let nest = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        refuses(nest(65), "nested deeper");
        accepts(&nest(64), &nest(64));
    }

    proptest! {
        #[test]
        fn compacting_changes_no_value(words in prop::collection::vec("[ a-z\"\\\\\n]{0,6}", 0..6)) {
            let value = serde_json::json!({ "words": words });
            let pretty = serde_json::to_vec_pretty(&value).expect("a value prints");
            let compact = without_white_space(&pretty.into());
            prop_assert_eq!(&compact[..], serde_json::to_vec(&value).expect("a value prints"));
        }

        #[test]
        fn no_bytes_make_the_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Data::json(&bytes.into());
        }
    }
}
