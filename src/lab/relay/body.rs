//! Bodies: how the end of one is known (RFC 9112 §6), and taking chunks apart and together again.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// How much of a chunk's size, or of the fields behind the last chunk, is waited for.
const MAX_CHUNK_LINE: usize = 4096;

/// What is left of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunks, up to the last one.
    Chunks(Chunk),
    /// Everything until the connection ends. After an upgrade it is like this both ways.
    Endless,
}

/// Where in a chunk the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// At the line with its size.
    Size,
    /// In its data, of which so much is to come.
    Data(u64),
    /// Behind its data, before the end of the line.
    End,
    /// In the fields behind the last chunk. They are dropped, as most proxies do.
    Trailer,
}

/// What a body is taken apart into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Data(Bytes),
    /// It is complete.
    End,
}

/// Chunks that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the chunks of the body cannot be told apart")]
pub struct BadChunk;

impl Body {
    /// A body of chunks, from its beginning.
    pub const CHUNKED: Self = Self::Chunks(Chunk::Size);

    /// Whether the body is framed in chunks.
    #[must_use]
    pub const fn is_chunked(self) -> bool {
        matches!(self, Self::Chunks(_))
    }

    /// How many bytes are left, if that is known.
    #[must_use]
    pub const fn length(self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunks(_) | Self::Endless => None,
        }
    }

    /// Takes the next piece off the input, at most so many bytes of data; `None` if more has to come first.
    ///
    /// # Errors
    /// Returns a fault if the chunks are none.
    pub fn next(&mut self, input: &mut BytesMut, most: usize) -> Result<Option<Piece>, BadChunk> {
        match self {
            Self::Empty | Self::Length(0) => Ok(Some(Piece::End)),
            Self::Length(left) => {
                let data = take(input, *left, most);
                *left -= data.as_ref().map_or(0, |data| data.len() as u64);
                Ok(data.map(Piece::Data))
            }
            Self::Chunks(chunk) => chunk.next(input, most),
            Self::Endless => Ok(take(input, u64::MAX, most).map(Piece::Data)),
        }
    }
}

impl Chunk {
    fn next(&mut self, input: &mut BytesMut, most: usize) -> Result<Option<Piece>, BadChunk> {
        loop {
            match self {
                // The parser would take a line without any digit for zero.
                Self::Size if input.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) => return Err(BadChunk),
                Self::Size => match httparse::parse_chunk_size(input) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        let _ = input.split_to(line);
                        *self = if size == 0 { Self::Trailer } else { Self::Data(size) };
                    }
                    Ok(httparse::Status::Partial) if input.len() < MAX_CHUNK_LINE => return Ok(None),
                    Ok(httparse::Status::Partial) | Err(_) => return Err(BadChunk),
                },
                Self::Data(0) => *self = Self::End,
                Self::Data(left) => {
                    let data = take(input, *left, most);
                    *left -= data.as_ref().map_or(0, |data| data.len() as u64);
                    return Ok(data.map(Piece::Data));
                }
                Self::End => match input.as_ref() {
                    [b'\r', b'\n', ..] => {
                        let _ = input.split_to(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(BadChunk),
                },
                Self::Trailer => {
                    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
                        return if input.len() < MAX_CHUNK_LINE { Ok(None) } else { Err(BadChunk) };
                    };
                    let line = input.split_to(end + 1);
                    if line.trim_ascii().is_empty() {
                        return Ok(Some(Piece::End));
                    }
                }
            }
        }
    }
}

/// Takes bytes off the input without copying them; `None` if there are none to take.
fn take(input: &mut BytesMut, left: u64, most: usize) -> Option<Bytes> {
    let size = usize::try_from(left).unwrap_or(usize::MAX).min(most).min(input.len());
    (size > 0).then(|| input.split_to(size).freeze())
}

/// Puts bytes into a chunk. They are copied, for one write is worth more than one copy.
#[must_use]
pub fn chunk(data: &[u8]) -> Bytes {
    let mut chunk = BytesMut::with_capacity(data.len() + 20);
    chunk.put_slice(format!("{:x}\r\n", data.len()).as_bytes());
    chunk.put_slice(data);
    chunk.put_slice(b"\r\n");
    chunk.freeze()
}

/// The chunk behind all others.
pub const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds the wire in steps and returns the data, what was left over, and whether the body came to its end.
    fn taken(mut body: Body, wire: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, bool), BadChunk> {
        let (mut input, mut data) = (BytesMut::new(), Vec::new());
        let mut wire = wire.chunks(step);
        loop {
            match body.next(&mut input, usize::MAX)? {
                Some(Piece::Data(bytes)) => data.extend_from_slice(&bytes),
                Some(Piece::End) => {
                    input.extend(wire.flatten());
                    return Ok((data, input.to_vec(), true));
                }
                None => match wire.next() {
                    Some(more) => input.extend_from_slice(more),
                    None => return Ok((data, input.to_vec(), false)),
                },
            }
        }
    }

    #[track_caller]
    fn check(body: Body, wire: &str, data: &str, left_over: &str, ends: bool) {
        for step in [1, 2, 3, wire.len().max(1)] {
            let expected = Ok((data.into(), left_over.into(), ends));
            assert_eq!(taken(body, wire.as_bytes(), step), expected, "{wire:?} in steps of {step}");
        }
    }

    #[test]
    fn every_kind_of_body_ends_where_it_should() {
        check(Body::Empty, "next", "", "next", true);
        check(Body::Length(0), "next", "", "next", true);
        check(Body::Length(3), "abcnext", "abc", "next", true);
        check(Body::Length(9), "abc", "abc", "", false);
        check(Body::Endless, "abc", "abc", "", false);
        check(Body::CHUNKED, "3\r\nabc\r\n0\r\n\r\nnext", "abc", "next", true);
        check(Body::CHUNKED, "3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", "", true);
        check(Body::CHUNKED, "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\nnext", "a", "next", true);
        check(Body::CHUNKED, "3\r\nab", "ab", "", false);
    }

    #[test]
    fn chunks_that_are_none_are_refused() {
        for wire in [
            "x\r\n",
            "3\r\nabcd\r\n",
            "\r\n\r\n",
            "fffffffffffffffff\r\n",
            &"0".repeat(5000),
            &format!("0\r\n{}", "x".repeat(5000)),
        ] {
            assert_eq!(taken(Body::CHUNKED, wire.as_bytes(), 100), Err(BadChunk), "{wire:?}");
        }
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for() {
        let mut input = BytesMut::from("abcdef");
        assert_eq!(Body::Length(6).next(&mut input, 4), Ok(Some(Piece::Data("abcd".into()))));
        assert_eq!(input, "ef");
        assert_eq!(Body::Endless.next(&mut input, 0), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_put_into_chunks_comes_out_again(
            pieces in proptest::collection::vec(proptest::collection::vec(0..=255_u8, 1..300), 0..10),
            step in 1..100_usize,
        ) {
            let mut wire: Vec<u8> = pieces.iter().flat_map(|piece| chunk(piece)).collect();
            wire.extend_from_slice(&LAST_CHUNK);
            wire.extend_from_slice(b"next");
            let expected = (pieces.concat(), b"next".to_vec(), true);
            prop_assert_eq!(taken(Body::CHUNKED, &wire, step), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(wire: Vec<u8>, step in 1..20_usize) {
            let _ = taken(Body::CHUNKED, &wire, step);
        }
    }
}
