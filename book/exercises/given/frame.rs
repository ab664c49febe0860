//! WebSocket frames (RFC 6455 §5): what comes from a client, put together to messages, and what goes to it.
//!
//! Nothing here knows of sockets. What to do about a message or a fault is an exercise.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::publish::LARGEST_MESSAGE;

/// What a client has sent: a message, put together if it came in fragments, or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
    /// A ping, with its payload.
    Ping(Bytes),
    /// A pong, with its payload.
    Pong(Bytes),
    /// The client closes, with or without a code.
    Close(Option<u16>),
}

/// What is wrong with what a client has sent. What comes after it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It breaks a rule of the protocol.
    Protocol,
    /// A text, or the reason of a close, is not UTF-8.
    NotUtf8,
    /// A message is larger than the server allows.
    TooLarge,
}

/// What the server does about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing. After a fault, that leaves only hanging up.
    Nothing,
    /// Publishes a text.
    Publish(String),
    /// Sends a pong with this payload.
    Pong(Bytes),
    /// Sends a close, with or without a code, and hangs up.
    Close(Option<u16>),
}

/// Opcodes (RFC 6455 §5.2).
mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// The bit for the last frame of a message.
const FIN: u8 = 0x80;
/// The bits that extensions use, of which there are none.
const RESERVED: u8 = 0x70;
/// The bit for a mask, which a client's frame must have.
const MASKED: u8 = 0x80;
/// The largest payload of a control frame (§5.5), and of a frame whose head is the shortest.
const SHORT: usize = 125;
/// Says that the length follows in two bytes.
const IN_TWO_BYTES: u8 = 126;
/// Says that the length follows in eight bytes.
const IN_EIGHT_BYTES: u8 = 127;

/// Bytes as they arrive, read as messages.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    /// The message whose fragments are arriving, with its opcode.
    begun: Option<(u8, BytesMut)>,
}

/// The head of a frame.
struct Head {
    is_last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins, and where it ends.
    payload: (usize, usize),
}

impl Reader {
    /// Takes bytes from the connection.
    pub fn take(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message or control frame, once it is complete. After a fault there is no next one.
    ///
    /// # Errors
    /// What is wrong with it, as soon as that can be seen.
    pub fn read(&mut self) -> Result<Option<Incoming>, Fault> {
        while let Some((head, payload)) = self.frame()? {
            let incoming = match head.opcode {
                opcode::CLOSE => Some(close(&payload)?),
                opcode::PING => Some(Incoming::Ping(payload.freeze())),
                opcode::PONG => Some(Incoming::Pong(payload.freeze())),
                _ => self.fragment(&head, payload)?,
            };
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// The next frame, without its mask, once it is complete.
    fn frame(&mut self) -> Result<Option<(Head, BytesMut)>, Fault> {
        let Some(head) = self.head()? else { return Ok(None) };
        let (begin, end) = head.payload;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let mut payload = self.buffer.split_to(end);
        payload.advance(begin);
        // §5.3: each byte is masked with the byte of the key at its place, modulo four.
        for (byte, mask) in payload.iter_mut().zip(head.mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok(Some((head, payload)))
    }

    /// The head of the next frame, with everything that can be wrong with it before the payload is there.
    fn head(&self) -> Result<Option<Head>, Fault> {
        let [first, second, rest @ ..] = &self.buffer[..] else { return Ok(None) };
        let (is_last, opcode) = (first & FIN != 0, first & !FIN & !RESERVED);
        if first & RESERVED != 0 || second & MASKED == 0 {
            return Err(Fault::Protocol);
        }
        let bytes_of_length = match second & !MASKED {
            IN_TWO_BYTES => 2,
            IN_EIGHT_BYTES => 8,
            _ => 0,
        };
        let Some((length, rest)) = rest.split_at_checked(bytes_of_length) else { return Ok(None) };
        let length = if length.is_empty() { u64::from(second & !MASKED) } else { big_endian(length) };
        let length = usize::try_from(length).map_err(|_| Fault::TooLarge)?;
        let before = match (&self.begun, opcode) {
            (None, opcode::TEXT | opcode::BINARY) => 0,
            (Some((_, before)), opcode::CONTINUATION) => before.len(),
            (_, opcode::CLOSE | opcode::PING | opcode::PONG) if is_last && length <= SHORT => 0,
            _ => return Err(Fault::Protocol),
        };
        if length.saturating_add(before) > LARGEST_MESSAGE {
            return Err(Fault::TooLarge);
        }
        let Some(&mask) = rest.first_chunk::<4>() else { return Ok(None) };
        let begin = 2 + bytes_of_length + mask.len();
        Ok(Some(Head { is_last, opcode, mask, payload: (begin, begin + length) }))
    }

    /// Adds a frame to the message that it belongs to. Returns the message if that was its last.
    fn fragment(&mut self, head: &Head, payload: BytesMut) -> Result<Option<Incoming>, Fault> {
        let (opcode, message) = match self.begun.take() {
            None => (head.opcode, payload),
            Some((opcode, mut message)) => {
                message.extend_from_slice(&payload);
                (opcode, message)
            }
        };
        if !head.is_last {
            self.begun = Some((opcode, message));
            return Ok(None);
        }
        if opcode == opcode::BINARY {
            return Ok(Some(Incoming::Binary(message.freeze())));
        }
        let text = String::from_utf8(message.into()).map_err(|_| Fault::NotUtf8)?;
        Ok(Some(Incoming::Text(text)))
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads a close: nothing, or a code with a reason behind it (§5.5.1).
fn close(payload: &[u8]) -> Result<Incoming, Fault> {
    match payload {
        [] => Ok(Incoming::Close(None)),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            // §7.4: codes that mean something in a frame; 1005, 1006 and 1015 are never sent.
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Fault::Protocol);
            }
            str::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
            Ok(Incoming::Close(Some(code)))
        }
        [_] => Err(Fault::Protocol),
    }
}

/// A text as one frame.
#[must_use]
pub fn text(text: &str) -> Bytes {
    frame(opcode::TEXT, text.as_bytes())
}

/// A pong.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(opcode::PONG, payload)
}

/// A close, with or without a code.
#[must_use]
pub fn closing(code: Option<u16>) -> Bytes {
    let code = code.map(u16::to_be_bytes);
    frame(opcode::CLOSE, code.as_ref().map_or(&[], <[u8; 2]>::as_slice))
}

/// A frame that is complete, and without a mask, as a server sends it.
fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = vec![FIN | opcode];
    match u16::try_from(payload.len()) {
        // At most 125, so nothing is cut off.
        Ok(length) if payload.len() <= SHORT => frame.push(length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(IN_TWO_BYTES);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(IN_EIGHT_BYTES);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a client sends it, with a mask that changes something.
    fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let server = frame(first & !FIN, payload);
        let mut client = server[..server.len() - payload.len()].to_vec();
        client[0] = first;
        client[1] |= MASKED;
        client.extend(mask);
        client.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        client
    }

    /// What a reader makes of these bytes, which arrive one by one.
    fn read(bytes: &[u8]) -> Result<Vec<Incoming>, Fault> {
        let mut reader = Reader::default();
        let mut read = Vec::new();
        for byte in bytes {
            reader.take(&[*byte]);
            read.extend(reader.read()?);
        }
        Ok(read)
    }

    fn text_of(text: &str) -> Incoming {
        Incoming::Text(text.to_owned())
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        // RFC 6455 §5.7
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(read(&hello), Ok(vec![text_of("Hello")]));
        assert_eq!(text("Hello")[..], [0x81, 0x05, b'H', b'e', b'l', b'l', b'o']);
    }

    #[test]
    fn every_form_of_a_length_is_read_as_it_is_written() {
        for size in [0, 125, 126, 65_535, LARGEST_MESSAGE] {
            let long = "x".repeat(size);
            assert_eq!(read(&from_client(0x81, long.as_bytes())), Ok(vec![text_of(&long)]), "{size}");
        }
    }

    #[test]
    fn fragments_become_one_message_also_around_a_ping() {
        let bytes = [from_client(0x01, b"Tea "), from_client(0x89, b"?"), from_client(0x80, b"is ready")].concat();
        assert_eq!(read(&bytes), Ok(vec![Incoming::Ping(Bytes::from_static(b"?")), text_of("Tea is ready")]));
    }

    #[test]
    fn a_close_is_read_with_its_code() {
        assert_eq!(read(&from_client(0x88, b"")), Ok(vec![Incoming::Close(None)]));
        assert_eq!(read(&from_client(0x88, b"\x03\xe8bye")), Ok(vec![Incoming::Close(Some(1000))]));
    }

    #[test]
    fn faults_are_told_apart() {
        let large = "x".repeat(LARGEST_MESSAGE).into_bytes();
        let too_large = from_client(0x81, &[&large[..], b"x"].concat());
        let in_fragments = [from_client(0x01, &large), from_client(0x80, b"x")].concat();
        let table: [(&str, &[u8], Fault); 13] = [
            ("no mask", &text("Hello"), Fault::Protocol),
            ("a reserved bit", &from_client(0xc1, b"x"), Fault::Protocol),
            ("no such opcode", &from_client(0x83, b"x"), Fault::Protocol),
            ("a continuation of nothing", &from_client(0x80, b"x"), Fault::Protocol),
            ("a message in another", &[from_client(0x01, b"x"), from_client(0x81, b"x")].concat(), Fault::Protocol),
            ("a ping in fragments", &from_client(0x09, b"x"), Fault::Protocol),
            ("a ping that is too long", &from_client(0x89, &[0; 126]), Fault::Protocol),
            ("half a close code", &from_client(0x88, b"\x03"), Fault::Protocol),
            ("a code that is never sent", &from_client(0x88, b"\x03\xed"), Fault::Protocol),
            ("a text that is none", &from_client(0x81, b"\xff"), Fault::NotUtf8),
            ("a reason that is none", &from_client(0x88, b"\x03\xe8\xff"), Fault::NotUtf8),
            ("too large", &too_large, Fault::TooLarge),
            ("too large in fragments", &in_fragments, Fault::TooLarge),
        ];
        for (what, bytes, fault) in table {
            assert_eq!(read(bytes), Err(fault), "{what}");
        }
    }
}
