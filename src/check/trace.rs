//! What was sent and received, with times: bounded while it is recorded, and short when it is shown.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    rc::Rc,
    time::{Duration, Instant},
};

/// The number of a connection, from 1.
pub type LineNumber = u32;

/// Of each connection so many entries from its beginning are kept: the request, and what came first.
const FIRST: usize = 3;

/// Of each connection so many of the newest entries are kept.
const LAST: usize = 10;

/// Connections beyond so many push the oldest out.
const LINES: usize = 1024;

/// Of longer bytes, only the beginning and the end are kept: more of what comes first, which has the heads.
const LONGEST: usize = 512;

/// The same for whatever comes after that.
const LONGEST_LATER: usize = 200;

/// Who has sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The check.
    Client,
    /// The server under test.
    Server,
    /// Nobody: a remark of the check.
    Note,
}

impl Who {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Note => "note",
        }
    }
}

/// One thing that was sent, received or remarked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, counted from the first entry that is shown.
    pub at: Duration,
    /// On which connection.
    pub line: LineNumber,
    /// Who sent it.
    pub who: Who,
    /// The bytes, escaped (see [`escape`]); the text of a note.
    pub text: String,
}

/// A record of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Trace(Rc<RefCell<Record>>);

#[derive(Debug)]
struct Record {
    begun: Instant,
    lines_begun: LineNumber,
    lines: BTreeMap<LineNumber, LineRecord>,
}

#[derive(Debug, Default)]
struct LineRecord {
    /// All that was sent and received on it, whatever is kept of it.
    bytes: u64,
    first: Vec<Entry>,
    left_out: usize,
    last: VecDeque<Entry>,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// An empty record that begins now.
    #[must_use]
    pub fn new() -> Self {
        let record = Record { begun: Instant::now(), lines_begun: 0, lines: BTreeMap::new() };
        Self(Rc::new(RefCell::new(record)))
    }

    /// Forgets everything, for a proof on connections of its own.
    pub fn clear(&self) {
        self.0.borrow_mut().lines.clear();
    }

    /// The number of a new connection.
    #[must_use]
    pub fn new_line(&self) -> LineNumber {
        let mut record = self.0.borrow_mut();
        record.lines_begun += 1;
        record.lines_begun
    }

    /// Records bytes that were sent or received.
    pub fn record(&self, line: LineNumber, who: Who, bytes: &[u8]) {
        let is_first = self.0.borrow().lines.get(&line).is_none_or(|record| record.first.len() < FIRST);
        self.enter(line, who, escape_up_to(if is_first { LONGEST } else { LONGEST_LATER }, bytes));
        if let Some(record) = self.0.borrow_mut().lines.get_mut(&line) {
            record.bytes += bytes.len() as u64;
        }
    }

    /// How many bytes were sent and received on these connections, both directions together.
    #[must_use]
    pub fn volume(&self, is_meant: impl Fn(LineNumber) -> bool) -> u64 {
        let record = self.0.borrow();
        record.lines.iter().filter(|(line, _)| is_meant(**line)).map(|(_, record)| record.bytes).sum()
    }

    /// Records a remark, for example what a masked frame says.
    pub fn note(&self, line: LineNumber, text: impl Into<String>) {
        self.enter(line, Who::Note, text.into());
    }

    fn enter(&self, line: LineNumber, who: Who, text: String) {
        let mut record = self.0.borrow_mut();
        let at = record.begun.elapsed();
        record.lines.entry(line).or_default().push(Entry { at, line, who, text });
        if record.lines.len() > LINES {
            record.lines.pop_first();
        }
    }

    /// The connections on which something happened last, at most three.
    #[must_use]
    pub fn recent_lines(&self) -> Vec<LineNumber> {
        let record = self.0.borrow();
        let newest = |line: &LineRecord| line.last.back().or(line.first.last()).map(|entry| entry.at);
        let mut lines: Vec<_> = record.lines.iter().map(|(line, record)| (newest(record), *line)).collect();
        lines.sort_unstable();
        lines.into_iter().rev().take(3).map(|(_, line)| line).collect()
    }

    /// The requests of these connections and the last that was sent and received on them, in the order of time.
    #[must_use]
    pub fn shortest(&self, lines: &[LineNumber]) -> Vec<Entry> {
        let record = self.0.borrow();
        let chosen = record.lines.iter().filter(|(line, _)| lines.contains(line));
        let mut entries: Vec<Entry> = chosen.flat_map(|(line, record)| record.shown(*line)).collect();
        entries.sort_by_key(|entry| entry.at);
        let begin = entries.first().map_or(Duration::ZERO, |entry| entry.at);
        for entry in &mut entries {
            entry.at -= begin;
        }
        entries
    }
}

impl LineRecord {
    fn push(&mut self, entry: Entry) {
        if self.first.len() < FIRST {
            self.first.push(entry);
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(entry);
    }

    fn shown(&self, line: LineNumber) -> Vec<Entry> {
        let left_out = self.last.front().filter(|_| self.left_out > 0).map(|next| {
            let text = format!("… {} left out …", self.left_out);
            Entry { at: next.at, line, who: Who::Note, text }
        });
        self.first.iter().cloned().chain(left_out).chain(self.last.iter().cloned()).collect()
    }
}

/// Bytes as text on one line: what is printable UTF-8 as it is, the rest as `\r`, `\n`, `\t`, `\\` or `\xHH`. Long bytes
/// are cut in the middle.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    escape_up_to(LONGEST, bytes)
}

fn escape_up_to(longest: usize, bytes: &[u8]) -> String {
    if bytes.len() <= longest {
        return escape_all(bytes);
    }
    let (head, tail) = (&bytes[..longest * 3 / 4], &bytes[bytes.len() - longest / 4..]);
    format!("{} … {} bytes … {}", escape_all(head), bytes.len() - head.len() - tail.len(), escape_all(tail))
}

fn escape_all(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| escape_letter(letter, &mut out));
        chunk.invalid().iter().for_each(|byte| escape_byte(*byte, &mut out));
    }
    out
}

fn escape_letter(letter: char, out: &mut String) {
    match letter {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        letter if is_invisible(letter) => {
            letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escape_byte(byte, out));
        }
        letter => out.push(letter),
    }
}

/// Letters that cannot be seen, or that turn the direction of the text around them.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn escape_byte(byte: u8, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|entry| format!("{} {} {}", entry.line, entry.who.name(), entry.text)).collect()
    }

    #[test]
    fn bytes_are_escaped_to_one_line_that_loses_nothing() {
        assert_eq!(escape(b"GET / HTTP/1.1\r\n\r\n"), "GET / HTTP/1.1\\r\\n\\r\\n");
        assert_eq!(escape("a\u{e9}\u{1F600} \\ \t".as_bytes()), "a\u{e9}\u{1F600} \\\\ \\t");
        assert_eq!(escape(b"\x81\x05Hello\xff\x00"), "\\x81\\x05Hello\\xff\\x00");
        assert_eq!(escape("\u{FEFF}".as_bytes()), "\\xef\\xbb\\xbf");
    }

    #[test]
    fn long_bytes_are_cut_in_the_middle() {
        let text = escape(&[b"a".repeat(10_000), b"end".to_vec()].concat());
        assert!(text.contains(" … 9491 bytes … "), "{text}");
        assert!(text.ends_with("end") && text.len() < 600);
    }

    #[test]
    fn the_shortest_trace_holds_the_request_and_the_last_of_the_lines_concerned() {
        let trace = Trace::new();
        let (concerned, other) = (trace.new_line(), trace.new_line());
        trace.record(concerned, Who::Client, b"GET /");
        trace.record(other, Who::Client, b"POST /");
        for number in 0..100 {
            trace.record(concerned, Who::Server, number.to_string().as_bytes());
        }
        let shown = texts(&trace.shortest(&[concerned]));
        assert_eq!(shown[..4], ["1 client GET /", "1 server 0", "1 server 1", "1 note … 88 left out …"]);
        assert_eq!(shown[4..].first().map(String::as_str), Some("1 server 90"));
        assert_eq!(shown.last().map(String::as_str), Some("1 server 99"));
        assert_eq!(shown.len(), FIRST + 1 + LAST);
    }

    #[test]
    fn lines_are_shown_together_in_the_order_of_time_which_begins_at_zero() {
        let trace = Trace::new();
        let (one, two) = (trace.new_line(), trace.new_line());
        trace.record(one, Who::Client, b"a");
        trace.record(two, Who::Client, b"b");
        trace.note(one, "c");
        let shown = trace.shortest(&[two, one]);
        assert_eq!(texts(&shown), ["1 client a", "2 client b", "1 note c"]);
        assert_eq!(shown[0].at, Duration::ZERO);
    }

    #[test]
    fn what_is_recorded_is_bounded() {
        let trace = Trace::new();
        for _ in 0..3000 {
            trace.record(trace.new_line(), Who::Client, &[b'x'; 10_000]);
        }
        assert_eq!(trace.0.borrow().lines.len(), LINES);
        assert!(trace.shortest(&[1]).is_empty() && !trace.shortest(&[3000]).is_empty());
    }
}
