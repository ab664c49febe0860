//! Addresses and bodies with places: `/channels/{channel}/sse?after={after}`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// The place of a channel's name.
pub const CHANNEL: &str = "{channel}";

/// The place of a cursor.
pub const AFTER: &str = "{after}";

/// The place of a message.
pub const DATA: &str = "{data}";

/// What need not be escaped in a query (RFC 3986 §2.3, and what cursors are often made of).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Default for Template {
    /// The message alone.
    fn default() -> Self {
        Self(DATA.to_owned())
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Template {
    /// Whether it has this place.
    #[must_use]
    pub fn has(&self, place: &str) -> bool {
        self.0.contains(place)
    }

    /// A path and query, with this channel, cursor and message. Where there is no cursor, a parameter that is `{after}`
    /// alone is left out.
    #[must_use]
    pub fn target(&self, channel: &str, after: Option<&str>, data: &[u8]) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let data = percent_encoding::percent_encode(data, ESCAPED).to_string();
        let filled = self.0.replace(CHANNEL, &escaped(channel)).replace(DATA, &data);
        match (after, filled.split_once('?')) {
            (Some(after), _) => filled.replace(AFTER, &escaped(after)),
            (None, None) => filled.replace(AFTER, ""),
            (None, Some((path, query))) => {
                let kept: Vec<&str> = query.split('&').filter(|parameter| !parameter.contains(AFTER)).collect();
                let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
                format!("{}{query}", path.replace(AFTER, ""))
            }
        }
    }

    /// A body of this type. If it is more than the message alone, the message is written as the type demands: escaped
    /// for a JSON string between quotation marks, or form-encoded.
    #[must_use]
    pub fn body(&self, content_type: &str, channel: &str, data: &[u8]) -> Vec<u8> {
        if self.0 == DATA {
            return data.to_vec();
        }
        let text = String::from_utf8_lossy(data);
        let data = match content_type {
            "application/x-www-form-urlencoded" => form_urlencoded::byte_serialize(data).collect(),
            json if json.ends_with("json") => inside_json_string(&text),
            _ => text.into_owned(),
        };
        self.0.replace(CHANNEL, channel).replace(DATA, &data).into_bytes()
    }

    /// A text to send over a WebSocket. If it looks like JSON, the message is escaped for a string in it.
    #[must_use]
    pub fn text(&self, channel: &str, data: &[u8]) -> Vec<u8> {
        let is_json = self.0.trim_start().starts_with(['{', '[']) && self.0 != DATA;
        self.body(if is_json { "application/json" } else { "text/plain" }, channel, data)
    }
}

/// Fields with this channel and cursor. Where there is no cursor, a field with its place is left out. A field that is
/// the place alone stands for fields that the server's validators make.
pub fn fields(templates: &[String], channel: &str, after: Option<&str>) -> Vec<String> {
    let filled = templates.iter().filter_map(|field| match (field.contains(AFTER), after) {
        (false, _) => Some(field.clone()),
        (true, None) => None,
        (true, Some(after)) => Some(field.replace(AFTER, after)),
    });
    filled.map(|field| field.replace(CHANNEL, channel)).collect()
}

/// The text as it stands between the quotation marks of JSON.
fn inside_json_string(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_places_filled_and_escaped() {
        let template = Template::from("/c/{channel}/sse?after={after}&x=1");
        assert_eq!(template.target("a", Some("k3.7"), b""), "/c/a/sse?after=k3.7&x=1");
        assert_eq!(template.target("a", Some("1 2&3"), b""), "/c/a/sse?after=1%202%263&x=1");
        assert_eq!(Template::from("/say?text={data}").target("a", None, b"a b\n"), "/say?text=a%20b%0A");
    }

    #[test]
    fn without_a_cursor_its_parameter_is_left_out() {
        assert_eq!(Template::from("/c?after={after}&x=1").target("a", None, b""), "/c?x=1");
        assert_eq!(Template::from("/c?after={after}").target("a", None, b""), "/c");
        assert_eq!(Template::from("/c/{after}").target("a", None, b""), "/c/");
        let templates = ["A: 1".to_owned(), "Last-Event-ID: {after}".to_owned()];
        assert_eq!(fields(&templates, "c", None), ["A: 1"]);
        assert_eq!(fields(&templates, "c", Some("7")), ["A: 1", "Last-Event-ID: 7"]);
    }

    #[test]
    fn a_body_holds_the_message_as_its_type_demands() {
        assert_eq!(Template::default().body("application/json", "c", b"\"raw\""), b"\"raw\"");
        let json = Template::from(r#"{"to":"{channel}","data":"{data}"}"#);
        assert_eq!(json.body("application/json", "c", b"a\"\n"), br#"{"to":"c","data":"a\"\n"}"#);
        let form = Template::from("topic={channel}&data={data}");
        assert_eq!(form.body("application/x-www-form-urlencoded", "c", b"a b&\n"), b"topic=c&data=a+b%26%0A");
        assert_eq!(json.text("c", b"\\"), br#"{"to":"c","data":"\\"}"#);
        assert_eq!(Template::default().text("c", b"{"), b"{");
    }
}
