//! The body of an HTTP/1.1 answer: where it ends, and what of it is data (RFC 9112 §6.3, §7.1).

use super::Fault;

/// How much of a body is still to come.
#[derive(Debug)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, up to one that is empty.
    Chunked(Chunked),
    /// Everything until the connection ends.
    ToEnd,
}

/// What stands at the front of some bytes of a body.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Data.
    Data(&'a [u8]),
    /// A part of the coding around the data.
    Nothing,
    /// The end.
    End,
}

/// Where the reader of a chunked body stands.
#[derive(Debug)]
pub enum Chunked {
    /// In a chunk's size, of which this much is read.
    Size { value: u64, digits: u8 },
    /// Behind the size, in an extension or before the line's end.
    SizeEnd { value: u64 },
    /// In a chunk with so many bytes to go.
    Data(u64),
    /// Before the line end that follows a chunk, of which so many bytes are read.
    DataEnd(u8),
    /// In a line behind the last chunk that has so many bytes yet; an empty one is the end.
    Trailer(u64),
}

const NEW_SIZE: Chunked = Chunked::Size { value: 0, digits: 0 };

/// More hexadecimal digits than these do not fit a length.
const MOST_DIGITS: u8 = 15;

const BAD_CHUNK: Fault = Fault::Broken("a bad chunk");

impl Body {
    pub const fn of_length(length: u64) -> Self {
        Self::Length(length)
    }

    pub const fn chunked() -> Self {
        Self::Chunked(NEW_SIZE)
    }

    pub const fn to_end() -> Self {
        Self::ToEnd
    }

    /// Whether nothing is to come. A chunked body tells its end by [`Piece::End`].
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    pub const fn ends_with_connection(&self) -> bool {
        matches!(self, Self::ToEnd)
    }

    /// Takes one piece off the front of `bytes`, which are not empty, and returns it with what stands behind.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<(Piece<'a>, &'a [u8]), Fault> {
        match self {
            Self::ToEnd => Ok((Piece::Data(bytes), &[])),
            Self::Length(left) => Ok(take_data(left, bytes)),
            Self::Chunked(chunked) => chunked.take(bytes),
        }
    }
}

fn take_data<'a>(left: &mut u64, bytes: &'a [u8]) -> (Piece<'a>, &'a [u8]) {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    let (data, rest) = bytes.split_at(length);
    *left -= length as u64;
    (Piece::Data(data), rest)
}

impl Chunked {
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<(Piece<'a>, &'a [u8]), Fault> {
        if let Self::Data(left) = self {
            let taken = take_data(left, bytes);
            if *left == 0 {
                *self = Self::DataEnd(0);
            }
            return Ok(taken);
        }
        for (position, &byte) in bytes.iter().enumerate() {
            let is_end = self.step(byte)?;
            let rest = &bytes[position + 1..];
            if is_end {
                return Ok((Piece::End, rest));
            }
            if matches!(self, Self::Data(_)) {
                return Ok((Piece::Nothing, rest));
            }
        }
        Ok((Piece::Nothing, &[]))
    }

    /// Takes one byte of the coding, and tells whether it was the last of the body.
    fn step(&mut self, byte: u8) -> Result<bool, Fault> {
        *self = match (&*self, byte) {
            (&Self::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::SizeEnd { value: 0 }, b'\n') => Self::Trailer(0),
            (&Self::SizeEnd { value }, b'\n') => Self::Data(value),
            (&Self::Size { value, digits: 1.. }, b'\r' | b';' | b' ' | b'\t') | (&Self::SizeEnd { value }, _) => {
                Self::SizeEnd { value }
            }
            (Self::DataEnd(0), b'\r') => Self::DataEnd(1),
            (Self::DataEnd(1), b'\n') => NEW_SIZE,
            (&Self::Trailer(length), b'\r') => Self::Trailer(length),
            (Self::Trailer(0), b'\n') => {
                *self = NEW_SIZE;
                return Ok(true);
            }
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), _) => Self::Trailer(length + 1),
            _ => return Err(BAD_CHUNK),
        };
        Ok(false)
    }
}
