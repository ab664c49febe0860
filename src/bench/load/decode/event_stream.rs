//! Server-sent events (WHATWG HTML §9.2.6).

use std::time::Duration;

use memchr::memchr2;

use super::{CursorIn, Heard};

/// Takes whole events off the front of `bytes`, and returns how many bytes they had.
///
/// The data of an event is reported from its first `data` line on to the event's end, as it stands there. Messages have
/// no line ends, so each is in one line.
pub fn parse(bytes: &[u8], cursor_in: &CursorIn, sink: &mut impl FnMut(Heard<'_>)) -> usize {
    let (mut used, mut line_start) = (0, 0);
    let (mut id, mut last_id) = (None, None);
    let (mut data_start, mut retry) = (None, None);
    while let Some((line_end, next)) = end_of_line(bytes, line_start) {
        let line = &bytes[line_start..line_end];
        if line.is_empty() {
            if let Some(pause) = retry.take() {
                sink(Heard::Retry(pause));
            }
            if let Some(start) = data_start.take() {
                sink(Heard::Text(&bytes[start..line_start]));
            }
            last_id = id.take().or(last_id);
            used = next;
        } else if let Some(value) = value_of(b"id", line) {
            id = Some(value);
        } else if data_start.is_none()
            && let Some(value) = value_of(b"data", line)
        {
            data_start = Some(line_end - value.len());
        } else if let Some(pause) = value_of(b"retry", line).and_then(milliseconds) {
            retry = Some(pause);
        }
        line_start = next;
    }
    if let Some(id) = last_id.filter(|_| *cursor_in == CursorIn::EventId) {
        sink(Heard::Cursor(id));
    }
    used
}

/// Where the line that begins at `start` ends, and where the next one begins.
fn end_of_line(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let end = start + memchr2(b'\n', b'\r', &bytes[start..])?;
    match (bytes[end], bytes.get(end + 1)) {
        (b'\r', Some(b'\n')) => Some((end, end + 2)),
        // A LF may follow in the next read. It would look like an empty line, which must not end an event; behind an
        // empty line it ends nothing.
        (b'\r', None) if end > start => None,
        _ => Some((end, end + 1)),
    }
}

/// A time to wait consists of ASCII digits alone, or it is ignored.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(Duration::from_millis)
}

fn value_of<'a>(name: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}
