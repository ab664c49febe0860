//! One JSON text a line (NDJSON). Empty lines mean nothing.

use memchr::memchr;

use super::{CursorIn, Heard};

/// Takes whole lines off the front of `bytes`, and returns how many bytes they had.
pub fn parse(bytes: &[u8], cursor_in: &CursorIn, sink: &mut impl FnMut(Heard<'_>)) -> usize {
    let mut used = 0;
    while let Some(length) = memchr(b'\n', &bytes[used..]) {
        let line = &bytes[used..used + length];
        if !line.trim_ascii().is_empty() {
            sink(Heard::Text(line));
        }
        used += length + 1;
    }
    if let Some(cursor) = last_cursor(&bytes[..used], cursor_in) {
        sink(Heard::Cursor(cursor));
    }
    used
}

/// The cursor of the last line that has one. Most often that is the last line.
fn last_cursor<'a>(lines: &'a [u8], cursor_in: &CursorIn) -> Option<&'a [u8]> {
    lines.rsplit(|&byte| byte == b'\n').find_map(|line| cursor_in.member_of(line))
}
