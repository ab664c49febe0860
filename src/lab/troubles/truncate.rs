//! Truncation: an answer loses the second half of its body, and the connection is closed where the rest should be.

use bytes::{Bytes, BytesMut};

use crate::lab::{faults::MAX_HELD, relay::Part};

/// What is left of a body.
#[derive(Debug, Default)]
pub enum Truncate {
    /// All of it.
    #[default]
    Nothing,
    /// So many bytes more.
    After(u64),
    /// Half, and nobody knows how much that is before the end.
    Half(BytesMut),
}

/// What to do with a part of the answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// Pass it on.
    Part(Part),
    /// Wait for more.
    Nothing,
    /// Pass this on, and close the connection.
    Last(Bytes),
}

impl Truncate {
    /// Truncates a body, whose length may be known.
    #[must_use]
    pub fn half_of(length: Option<u64>) -> Self {
        length.map_or_else(|| Self::Half(BytesMut::new()), |length| Self::After(length / 2))
    }

    /// Takes a part of the answer.
    pub fn take(&mut self, part: Part) -> Left {
        match (self, part) {
            (Self::After(left), Part::Data(bytes)) if bytes.len() as u64 >= *left => {
                // No more than there are bytes, so it fits.
                Left::Last(bytes.slice(..usize::try_from(*left).unwrap_or(usize::MAX)))
            }
            (Self::After(left), Part::Data(bytes)) => {
                *left -= bytes.len() as u64;
                Left::Part(Part::Data(bytes))
            }
            (Self::Half(kept), Part::Data(bytes)) if kept.len() + bytes.len() <= MAX_HELD => {
                kept.extend_from_slice(&bytes);
                Left::Nothing
            }
            (Self::Half(kept), Part::Data(_) | Part::End) => {
                let half = kept.len() / 2;
                Left::Last(kept.split_to(half).freeze())
            }
            (_, part) => Left::Part(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::relay::Head;

    fn data(text: &'static str) -> Part {
        Part::Data(Bytes::from_static(text.as_bytes()))
    }

    #[track_caller]
    fn check(mut truncate: Truncate, parts: Vec<Part>, expected: Vec<Left>) {
        let left: Vec<_> = parts.into_iter().map(|part| truncate.take(part)).take(expected.len()).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_body_of_known_length_is_passed_on_up_to_its_middle() {
        let parts = vec![Part::Head(Head::default()), data("abcd"), data("efgh"), Part::End];
        let half = vec![Left::Part(Part::Head(Head::default())), Left::Part(data("abcd")), Left::Last("ef".into())];
        check(Truncate::half_of(Some(12)), parts, half);
    }

    #[test]
    fn a_body_of_unknown_length_is_kept_until_its_end() {
        let parts = vec![data("abcd"), data("efgh"), Part::End];
        check(Truncate::half_of(None), parts, vec![Left::Nothing, Left::Nothing, Left::Last("abcd".into())]);
    }

    #[test]
    fn without_bad_luck_everything_passes() {
        check(Truncate::Nothing, vec![data("ab"), Part::End], vec![Left::Part(data("ab")), Left::Part(Part::End)]);
    }
}
