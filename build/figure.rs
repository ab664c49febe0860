//! Measured values in the text: read from the file that the measurement wrote, so that the text can't say anything else.

use std::path::Path;

use serde_json::Value;

/// The value at `place` in `text`, in the form that the book shows.
///
/// A place is a JSON pointer (RFC 6901), with one addition: in a list of objects, `name=value` in place of a number
/// chooses the one object with that field, and commas join several such conditions. So the text says which result it
/// quotes, and a new result in the list can't take its place.
///
/// `decimals` rounds a number to so many digits after the point; it is required for a number that isn't whole,
/// since the digits that a float happens to have say nothing about how exact it is.
///
/// A list of texts is shown as lines, for what a program has printed or logged.
pub fn value(path: &Path, place: &str, decimals: Option<&str>, text: &str) -> Result<String, String> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let found = place.split('/').skip(1).try_fold(&document, step);
    match (found, decimals) {
        (Some(Value::String(text)), None) => Ok(text.clone()),
        (Some(Value::Number(number)), Some(decimals)) => round(number.as_f64(), decimals),
        (Some(Value::Number(number)), None) if !number.is_f64() => Ok(group(&number.to_string())),
        (Some(Value::Number(_)), None) => Err(format!("{place} is not whole: say how many decimals to show")),
        (Some(Value::Array(items)), None) => lines(items).ok_or_else(|| unfit(path, place)),
        (Some(_), _) => Err(unfit(path, place)),
        (None, _) => Err(format!("{} has nothing at {place}", path.display())),
    }
}

fn unfit(path: &Path, place: &str) -> String {
    format!("{place} in {} is neither a number nor a text nor a list of texts", path.display())
}

/// The texts of a list, each on a line of its own; `None` if it is empty or holds anything else.
fn lines(items: &[Value]) -> Option<String> {
    let lines: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    lines.filter(|lines| !lines.is_empty()).map(|lines| lines.join("\n"))
}

/// Goes from `value` to the part that one segment of a place names.
fn step<'a>(value: &'a Value, segment: &str) -> Option<&'a Value> {
    match value.as_array() {
        Some(items) if segment.contains('=') => {
            let mut fitting = items.iter().filter(|item| segment.split(',').all(|condition| holds(item, condition)));
            fitting.next().filter(|_| fitting.next().is_none())
        }
        _ => value.pointer(&format!("/{segment}")),
    }
}

/// Whether `item` has the field and the value of a condition `name=value`.
fn holds(item: &Value, condition: &str) -> bool {
    let (name, expected) = condition.split_once('=').unwrap_or((condition, ""));
    let found = item.get(name).map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned));
    found.as_deref() == Some(expected)
}

fn round(number: Option<f64>, decimals: &str) -> Result<String, String> {
    let decimals: usize = decimals.parse().map_err(|_| format!("`{decimals}` is not a number of decimals"))?;
    let number = number.ok_or("the number is too large to round")?;
    Ok(group(&format!("{number:.decimals$}")))
}

/// Sets a comma between each three digits before the point: `5320000` becomes `5,320,000`.
fn group(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.trim_start_matches('-');
    let mut grouped = whole[..whole.len() - digits.len()].to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}
