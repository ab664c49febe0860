//! The payload of a message: its sequence number, filled up to the wanted length.
//!
//! Every subscriber checks every byte of every payload, so that a rate is never bought with a lost, repeated, reordered
//! or damaged message.

use super::Result;

/// Decimal digits of the sequence number at the front of each payload.
const DIGITS: usize = 16;

/// What the rest of the payload consists of: a character that no framing has to escape.
const FILLER: u8 = b'.';

/// Makes and checks payloads of one length.
pub struct Payload {
    filler: Vec<u8>,
}

impl Payload {
    /// Prepares payloads of `length` bytes, at least [`DIGITS`].
    pub fn of_length(length: u32) -> Self {
        Self { filler: vec![FILLER; length as usize - DIGITS] }
    }

    /// The payload of message number `sequence`.
    pub fn make(&self, sequence: usize) -> Vec<u8> {
        let mut payload = format!("{sequence:0DIGITS$}").into_bytes();
        payload.extend_from_slice(&self.filler);
        payload
    }

    /// The sequence number of a received payload.
    ///
    /// # Errors
    /// Fails if the payload isn't one that [`make`](Self::make) could have made.
    pub fn sequence(&self, payload: &[u8]) -> Result<usize> {
        payload
            .split_at_checked(DIGITS)
            .filter(|&(digits, filler)| digits.iter().all(u8::is_ascii_digit) && filler == self.filler)
            .map(|(digits, _)| digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
            .ok_or_else(|| format!("a payload arrived damaged: {}", payload.escape_ascii()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_sequence_number() {
        let payload = Payload::of_length(64);
        for number in [0, 1, 42, 9_999_999_999_999_999] {
            let made = payload.make(number);
            assert_eq!(made.len(), 64);
            assert_eq!(payload.sequence(&made).expect("a whole payload"), number);
        }
    }

    #[test]
    fn a_damaged_payload_is_refused() {
        let payload = Payload::of_length(20);
        let good = payload.make(7);
        assert!(payload.sequence(&good[..19]).is_err(), "cut off");
        assert!(payload.sequence(&good[..3]).is_err(), "cut off within the number");
        assert!(payload.sequence(&[&good[..], b"."].concat()).is_err(), "too long");
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] = b'x';
            assert!(payload.sequence(&bad).is_err(), "byte {position}");
        }
    }
}
