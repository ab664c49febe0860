//! The payload of a message: its sequence number, filled up to the wanted length.
//!
//! Every subscriber checks every byte of every payload, so that a rate is never bought with a lost, repeated, reordered
//! or damaged message.

use super::Result;

/// Decimal digits of the sequence number at the front of each payload.
const DIGITS: usize = 16;

/// What the rest of the payload consists of: a character that no framing has to escape.
const FILLER: u8 = b'.';

/// The payload of message number `sequence`, `length` bytes long.
pub fn make(sequence: usize, length: usize) -> Vec<u8> {
    let mut payload = format!("{sequence:0DIGITS$}").into_bytes();
    payload.resize(length, FILLER);
    payload
}

/// The sequence number of a received payload.
///
/// # Errors
/// Fails if the payload isn't one that [`make`] could have made, or isn't `length` bytes long.
pub fn sequence(payload: &[u8], length: usize) -> Result<usize> {
    if payload.len() != length {
        return Err(format!("a payload of {} bytes arrived as {}", length, payload.len()).into());
    }
    let (digits, filler) = payload.split_at(DIGITS);
    if !digits.iter().all(u8::is_ascii_digit) || filler.iter().any(|&byte| byte != FILLER) {
        return Err(format!("a payload arrived damaged: {:?}", String::from_utf8_lossy(payload)).into());
    }
    Ok(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_sequence_number() {
        for number in [0, 1, 42, 9_999_999_999_999_999] {
            assert_eq!(sequence(&make(number, 64), 64).unwrap(), number);
        }
    }

    #[test]
    fn a_damaged_payload_is_refused() {
        let good = make(7, 20);
        assert!(sequence(&good[..19], 20).is_err(), "cut off");
        assert!(sequence(&good, 21).is_err(), "too short");
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] = b'x';
            assert!(sequence(&bad, 20).is_err(), "byte {position}");
        }
    }
}
