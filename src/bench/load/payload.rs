//! The text of a message: its number, when it was due, and padding up to the wanted size.
//!
//! ```text
//! ~FC1.0000000042.0000001500000000.xxxxxxxx~
//!      sequence   due, ns           padding
//! ```
//!
//! It is the same on every transport, and made of characters that neither JSON nor an event stream has to escape. So it
//! is found by its first bytes in whatever a server wraps around it, and every byte of it is checked: a rate is never
//! bought with a damaged message.

use memchr::memmem;

/// With these bytes a message begins.
const MARK: &[u8] = b"~FC1.";

/// Decimal digits of the sequence number.
const SEQUENCE_DIGITS: usize = 10;

/// Decimal digits of the time at which a message is due: a hundred days in nanoseconds.
const DUE_DIGITS: usize = 16;

const DUE_START: usize = MARK.len() + SEQUENCE_DIGITS + 1;

/// The mark, the two numbers, and the dots behind them.
const HEAD: usize = DUE_START + DUE_DIGITS + 1;

const FILLER: u8 = b'x';
const END: u8 = b'~';

/// What a message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its number in its run, from 0.
    pub sequence: u64,
    /// When it was due, in nanoseconds of the generator's [`Clock`](super::Clock).
    pub due_ns: u64,
}

/// Where a message was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole message.
    Whole(Stamp),
    /// Bytes that begin like a message and go on as none.
    Damaged,
}

/// Writes and finds messages of one size.
#[derive(Clone, Debug)]
pub struct Payload {
    /// What follows the head.
    tail: Box<[u8]>,
}

impl Payload {
    /// The smallest message, in bytes.
    pub const SMALLEST: usize = HEAD + 1;

    /// Messages of `size` bytes; one that is too small for the numbers is made as large as they need.
    #[must_use]
    pub fn of_size(size: usize) -> Self {
        let mut tail = vec![FILLER; size.max(Self::SMALLEST) - HEAD];
        if let Some(last) = tail.last_mut() {
            *last = END;
        }
        Self { tail: tail.into() }
    }

    /// The size of each message in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        HEAD + self.tail.len()
    }

    /// Appends a message.
    pub fn write(&self, stamp: Stamp, out: &mut Vec<u8>) {
        out.extend_from_slice(MARK);
        push_digits(stamp.sequence, SEQUENCE_DIGITS, out);
        out.push(b'.');
        push_digits(stamp.due_ns, DUE_DIGITS, out);
        out.push(b'.');
        out.extend_from_slice(&self.tail);
    }

    /// Calls `found` for each message in `text`, whatever stands around it.
    pub fn find(&self, mut text: &[u8], mut found: impl FnMut(Found)) {
        while let Some(start) = start_of_next(text) {
            text = &text[start..];
            let (what, length) =
                self.read(text).map_or((Found::Damaged, MARK.len()), |stamp| (Found::Whole(stamp), self.size()));
            found(what);
            text = &text[length..];
        }
    }

    /// The message at the very front of `text`.
    fn read(&self, text: &[u8]) -> Option<Stamp> {
        let (head, rest) = text.split_at_checked(HEAD)?;
        let is_whole = rest.starts_with(&self.tail) && head[DUE_START - 1] == b'.' && head[HEAD - 1] == b'.';
        is_whole.then_some(())?;
        let sequence = digits(&head[MARK.len()..DUE_START - 1])?;
        let due_ns = digits(&head[DUE_START..HEAD - 1])?;
        Some(Stamp { sequence, due_ns })
    }
}

/// Where the next message begins. Most often that is at once, which spares a search.
fn start_of_next(text: &[u8]) -> Option<usize> {
    if text.starts_with(MARK) { Some(0) } else { memmem::find(text, MARK) }
}

fn push_digits(number: u64, count: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + count, b'0');
    let mut rest = number;
    for digit in out[start..].iter_mut().rev() {
        // A digit always fits.
        *digit = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number: u64, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(size: usize, stamp: Stamp) -> Vec<u8> {
        let mut out = Vec::new();
        Payload::of_size(size).write(stamp, &mut out);
        out
    }

    fn found(size: usize, text: &[u8]) -> Vec<Found> {
        let mut all = Vec::new();
        Payload::of_size(size).find(text, |found| all.push(found));
        all
    }

    const STAMP: Stamp = Stamp { sequence: 42, due_ns: 1_500_000_000 };

    #[test]
    fn a_message_is_exactly_these_bytes() {
        let text = written(44, STAMP);
        assert_eq!(text, b"~FC1.0000000042.0000001500000000.xxxxxxxxxx~");
        assert_eq!(found(44, &text), [Found::Whole(STAMP)]);
    }

    #[test]
    fn a_message_has_the_size_that_was_asked_for_or_the_smallest() {
        for (asked, size) in [(64, 64), (1024, 1024), (Payload::SMALLEST, 34), (1, 34), (0, 34)] {
            assert_eq!(written(asked, STAMP).len(), size, "{asked}");
            assert_eq!(Payload::of_size(asked).size(), size, "{asked}");
            assert_eq!(found(asked, &written(asked, STAMP)), [Found::Whole(STAMP)], "{asked}");
        }
    }

    #[test]
    fn the_largest_numbers_fit() {
        let stamp = Stamp { sequence: 9_999_999_999, due_ns: 9_999_999_999_999_999 };
        assert_eq!(found(64, &written(64, stamp)), [Found::Whole(stamp)]);
    }

    #[test]
    fn messages_are_found_in_whatever_a_server_wraps_around_them() {
        let text = String::from_utf8(written(40, STAMP)).expect("ASCII");
        let next = Stamp { sequence: 43, ..STAMP };
        let after = String::from_utf8(written(40, next)).expect("ASCII");
        let json = format!(r#"42["message",{{"a":"~","data":"{text}"}},{{"data":"{after}"}}]"#);
        assert_eq!(found(40, json.as_bytes()), [Found::Whole(STAMP), Found::Whole(next)]);
        assert_eq!(found(40, br#"{"hello":"~FC2.0"}"#), []);
        assert_eq!(serde_json::to_string(&text).expect("a string"), format!("\"{text}\""), "nothing is escaped");
    }

    #[test]
    fn a_message_with_a_wrong_byte_is_damaged_or_none() {
        let good = written(40, STAMP);
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] = b'#';
            let expected: &[Found] = if position < MARK.len() { &[] } else { &[Found::Damaged] };
            assert_eq!(found(40, &bad), expected, "byte {position}");
        }
        assert_eq!(found(40, &good[..39]), [Found::Damaged], "cut off");
        assert_eq!(found(40, &written(41, STAMP)), [Found::Damaged], "too long");
    }
}
