//! The checksum of a report: it tells whether anything in it was changed since it was made, be it a digit or a field.
//!
//! It proves nothing against whoever computes it anew. What such a person has changed is found by the other checks, as far
//! as it does not agree with the histograms.

use std::fmt::Write as _;

use ring::digest;
use serde_json::Value;

use super::report::Report;

/// The checksum that belongs into `report`.
#[must_use]
pub fn of(report: &Report) -> String {
    serde_json::to_value(report).map_or_else(|_| String::new(), |report| of_value(&report))
}

/// The checksum that belongs into a report that was read as JSON. Order of keys, spaces, and whether a whole number is
/// written with a decimal point make no difference.
#[must_use]
pub fn of_value(report: &Value) -> String {
    let mut text = String::new();
    match report {
        Value::Object(fields) => object(&mut text, fields.iter().filter(|(name, _)| *name != "checksum")),
        other => write(&mut text, other),
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => object(text, fields.iter()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                let _ = write!(text, "{float:.0}");
            }
            _ => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

fn object<'a>(text: &mut String, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut sorted: Vec<_> = fields.collect();
    sorted.sort_by_key(|(name, _)| *name);
    text.push('{');
    for (name, value) in sorted {
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write(text, value);
        text.push(',');
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_content_counts() {
        let one: Value = serde_json::from_str(r#"{"a": 1.0, "b": [true, null], "checksum": "x"}"#).expect("JSON");
        assert_eq!(of_value(&one), of_value(&json!({"b": [true, null], "a": 1})));
    }

    #[test]
    fn every_change_of_the_content_shows() {
        let report = of_value(&json!({"a": 1, "b": [1, 2], "c": {"d": "x"}}));
        for other in [
            json!({"a": 2, "b": [1, 2], "c": {"d": "x"}}),
            json!({"a": 1.5, "b": [1, 2], "c": {"d": "x"}}),
            json!({"a": "1", "b": [1, 2], "c": {"d": "x"}}),
            json!({"a": 1, "b": [2, 1], "c": {"d": "x"}}),
            json!({"a": 1, "b": [12], "c": {"d": "x"}}),
            json!({"a": 1, "b": [1, 2], "c": {"d": "y"}}),
            json!({"a": 1, "b": [1, 2], "c": {"e": "x"}}),
            json!({"a": 1, "b": [1, 2], "c": {"d": "x"}, "e": 0}),
        ] {
            assert_ne!(of_value(&other), report, "{other}");
        }
    }
}
