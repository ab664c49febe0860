//! Chunks (RFC 9112 §7.1), as the framework would write them around what an endless body yields.

use std::cell::RefCell;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::delivery::Whom;

use super::{Occupant, Turn};

/// The last chunk.
const LAST: &[u8] = b"0\r\n\r\n";

thread_local! {
    /// The chunk that was made last, and of what. Most subscribers of a channel get the same slice one after the other.
    static LATEST: RefCell<(Bytes, Bytes)> = RefCell::default();
}

/// An occupant whose bytes travel in chunks.
#[derive(Debug)]
pub struct Chunked<O> {
    occupant: O,
    is_over: bool,
}

impl<O: Occupant + 'static> Chunked<O> {
    /// Puts an occupant's bytes into chunks.
    #[must_use]
    pub fn boxed(occupant: O) -> Box<dyn Occupant> {
        Box::new(Self { occupant, is_over: false })
    }
}

impl<O: Occupant> Occupant for Chunked<O> {
    fn next(&mut self, whom: Whom<'_>) -> Turn {
        if self.is_over {
            return Turn::End;
        }
        match self.occupant.next(whom) {
            Turn::Send(bytes) => Turn::Send(shared_chunk(&bytes)),
            Turn::End => {
                self.is_over = true;
                Turn::Send(Bytes::from_static(LAST))
            }
            other => other,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.occupant.hear(bytes);
    }

    fn is_listening(&self) -> bool {
        self.occupant.is_listening()
    }
}

/// A chunk of these very bytes: the same one for everybody who is handed the same slice.
fn shared_chunk(bytes: &Bytes) -> Bytes {
    LATEST.with_borrow_mut(|(source, made)| {
        // The source is kept, so an equal address means equal bytes.
        let is_same = source.as_ptr() == bytes.as_ptr() && source.len() == bytes.len();
        if !is_same || bytes.is_empty() {
            *made = chunk(bytes);
            *source = bytes.clone();
        }
        made.clone()
    })
}

fn chunk(bytes: &[u8]) -> Bytes {
    let size = format!("{:X}\r\n", bytes.len());
    let mut chunk = BytesMut::with_capacity(size.len() + bytes.len() + 2);
    chunk.put_slice(size.as_bytes());
    chunk.put_slice(bytes);
    chunk.put_slice(b"\r\n");
    chunk.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_between_their_length_and_a_line_end_and_are_put_there_once() {
        let slice = Bytes::from(vec![b'x'; 26]);
        let first = shared_chunk(&slice);
        assert_eq!(first, [b"1A\r\n".as_slice(), &slice, b"\r\n"].concat());
        assert_eq!(shared_chunk(&slice.clone()).as_ptr(), first.as_ptr());
        assert_ne!(shared_chunk(&slice.slice(1..)).as_ptr(), first.as_ptr());
        assert_eq!(shared_chunk(&slice.slice(..1)), "1\r\nx\r\n");
    }
}
