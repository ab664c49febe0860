//! What a client says on a WebSocket in `json` format, and what it is answered.
//!
//! ```text
//! {"publish":{"data":{"hello":1},"key":"k1"},"ref":7}
//! {"published":{"id":"k3f9z1.42"},"ref":7}
//! {"error":{"type":"urn:fallcast:problem:key-reused","title":…,"status":422,"detail":…},"ref":7}
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    channel::{ClientName, ContentType, Cursor, Data, Publication},
    transport::{
        problem::Problem,
        publish::{data_of, parse_content_type},
    },
};

/// The longest `ref` in bytes. It is only echoed, so a number or a short string is enough.
const MAX_REFERENCE: usize = 128;

/// A client's message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command<'a> {
    /// The publication that it asks for.
    #[serde(borrow)]
    publish: Publish<'a>,
    /// What the client knows the answer by.
    #[serde(borrow, rename = "ref")]
    reference: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(rename = "type")]
    label: Option<String>,
    content_type: Option<String>,
    key: Option<String>,
    encoding: Option<String>,
}

impl<'a> Command<'a> {
    /// Reads a client's message.
    ///
    /// # Errors
    /// Tells why it is no command.
    pub fn read(text: &'a str) -> Result<Self, Problem> {
        let command: Self = serde_json::from_str(text).map_err(|fault| {
            let detail =
                format_args!("a message in `format=json` is {{\"publish\":{{\"data\":…}},\"ref\":…}}: {fault}");
            Problem::bad_request("bad-command", detail)
        })?;
        if command.reference.is_some_and(|reference| reference.get().len() > MAX_REFERENCE) {
            return Err(Problem::bad_request("bad-command", format_args!("`ref` has at most {MAX_REFERENCE} bytes")));
        }
        Ok(command)
    }

    /// What the client knows the answer by.
    #[must_use]
    pub const fn reference(&self) -> Option<&'a RawValue> {
        self.reference
    }

    /// The publication, checked as a POST's would be.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    pub fn publication(&self, client: ClientName) -> Result<Publication, Problem> {
        let publish = &self.publish;
        let content_type = publish.content_type.as_deref().map(parse_content_type).transpose()?;
        let (content_type, data) = match publish.encoding.as_deref() {
            None => plain(publish.data, content_type)?,
            Some("base64") => encoded(publish.data, content_type)?,
            Some(_) => return Err(Problem::bad_request("bad-command", "`encoding` is base64, or left out")),
        };
        Ok(Publication {
            label: publish.label.as_deref().map(str::parse).transpose()?,
            content_type,
            data,
            client: Some(client),
            key: publish.key.as_deref().map(str::parse).transpose()?,
        })
    }
}

/// A string is text and any other value is JSON, unless the content type says otherwise.
fn plain(value: &RawValue, content_type: Option<ContentType>) -> Result<(ContentType, Data), Problem> {
    let is_string = value.get().starts_with('"');
    let content_type = content_type.unwrap_or(if is_string { ContentType::Text } else { ContentType::Json });
    let bytes = if content_type.is_json() || !is_string {
        Bytes::copy_from_slice(value.get().as_bytes())
    } else {
        string(value)?.into()
    };
    if !content_type.is_json() && !is_string {
        let detail = format_args!("data of type {} is a JSON string", content_type.as_str());
        return Err(Problem::bad_request("bad-command", detail));
    }
    let data = data_of(bytes, &content_type)?;
    Ok((content_type, data))
}

fn encoded(value: &RawValue, content_type: Option<ContentType>) -> Result<(ContentType, Data), Problem> {
    let content_type = content_type.unwrap_or(ContentType::Bytes);
    let bytes = STANDARD
        .decode(string(value)?)
        .map_err(|fault| Problem::bad_request("bad-command", format_args!("`data` is not base64: {fault}")))?;
    let data = data_of(bytes.into(), &content_type)?;
    Ok((content_type, data))
}

fn string(value: &RawValue) -> Result<String, Problem> {
    serde_json::from_str(value.get())
        .map_err(|fault| Problem::bad_request("bad-command", format_args!("`data` is not a string: {fault}")))
}

/// The server's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Published { id: Cursor },
    Error(serde_json::Value),
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a RawValue>,
}

/// The text of an answer.
#[must_use]
pub fn answer(result: Result<Cursor, Problem>, reference: Option<&RawValue>) -> String {
    let outcome = match result {
        Ok(id) => Outcome::Published { id },
        Err(problem) => Outcome::Error(problem.document()),
    };
    // Our own types are JSON; were they not, the tests below would fail.
    serde_json::to_string(&Answer { outcome, reference }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: &str, expected: Result<(&str, Data), u16>) {
        let publication = Command::read(command).and_then(|command| command.publication(ClientName::random()));
        let actual = publication
            .map(|publication| (publication.content_type.as_str().to_owned(), publication.data))
            .map_err(|problem| problem.status().as_u16());
        assert_eq!(actual, expected.map(|(of, data)| (of.to_owned(), data)), "{command}");
    }

    #[test]
    fn a_string_is_text_and_any_other_value_is_json() {
        check(r#"{"publish":{"data":"a\"b"}}"#, Ok(("text/plain", Data::Text("a\"b".into()))));
        check(r#"{"publish":{"data":{"a": 1.0}}}"#, Ok(("application/json", Data::Json("{\"a\":1.0}".into()))));
        check(r#"{"publish":{"data":null}}"#, Ok(("application/json", Data::Json("null".into()))));
        let as_json = r#"{"publish":{"data":"x","content_type":"application/json"}}"#;
        check(as_json, Ok(("application/json", Data::Json("\"x\"".into()))));
        let bytes = r#"{"publish":{"data":"AP8=","encoding":"base64"},"ref":1}"#;
        check(bytes, Ok(("application/octet-stream", Data::Binary(vec![0, 255].into()))));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"publish":{}}"#,
            r#"{"publish":{"data":1},"extra":1}"#,
            r#"{"publish":{"data":1,"encoding":"base64"}}"#,
            r#"{"publish":{"data":"%","encoding":"base64"}}"#,
            r#"{"publish":{"data":1,"content_type":"text/plain"}}"#,
            r#"{"publish":{"data":{"a":1,"a":2}}}"#,
            r#"{"publish":{"data":1,"key":"not a key"}}"#,
            r#"{"publish":{"data":1,"type":"gap"}}"#,
        ] {
            check(bad, Err(400));
        }
    }

    #[test]
    fn answers_carry_the_reference() {
        let id: Cursor = "k3f9z1.42".parse().expect("a good cursor");
        let command = Command::read(r#"{"publish":{"data":1},"ref":"a7"}"#).expect("a good command");
        assert_eq!(answer(Ok(id), command.reference()), r#"{"published":{"id":"k3f9z1.42"},"ref":"a7"}"#);
        let error = answer(Err(Problem::draining()), None);
        assert!(error.starts_with(r#"{"error":{"#) && error.contains("urn:fallcast:problem:draining"), "{error}");
    }
}
