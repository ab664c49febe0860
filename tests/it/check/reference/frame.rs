//! WebSocket frames (RFC 6455 §5): those of the server out, those of a client in.

use super::{Fault, Server};

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// A whole frame from the server: final, and not masked.
pub fn encode(server: &Server, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![FIN | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) if !server.has(Fault::LengthTooLong) => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if server.has(Fault::FramesMasked) {
        frame[1] |= MASKED;
        // A mask of zeros changes nothing of the payload.
        frame.extend([0; 4]);
    }
    frame.extend_from_slice(payload);
    frame
}

/// A close frame with a code and a reason.
pub fn encode_close(server: &Server, code: u16, reason: &str) -> Vec<u8> {
    encode(server, CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// What a client has said: a message, put together, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrived {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// A rule that the client has broken, and the close code for it (RFC 6455 §7.4.1).
#[derive(Debug, PartialEq, Eq)]
pub struct Violation(pub u16, pub &'static str);

const PROTOCOL: u16 = 1002;
const NOT_UTF8: Violation = Violation(1007, "text must be UTF-8");
const TOO_BIG: Violation = Violation(1009, "the message is too large");

/// The head of a client's frame.
struct Head {
    first: u8,
    masked: bool,
    length: u64,
    /// Where the payload begins.
    size: usize,
    mask: [u8; 4],
}

impl Head {
    /// Reads a head, unless it is incomplete.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (length, mask_at) = match second & !MASKED {
            126 => (u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let masked = second & MASKED != 0;
        let mask = if masked { *bytes.get(mask_at..)?.first_chunk()? } else { [0; 4] };
        Some(Self { first, masked, length, size: mask_at + if masked { 4 } else { 0 }, mask })
    }

    const fn opcode(&self) -> u8 {
        self.first & 0x0F
    }

    const fn is_final(&self) -> bool {
        self.first & FIN != 0
    }

    const fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }
}

/// From bytes to messages.
pub struct Intake {
    /// The largest message, in bytes.
    limit: u64,
    /// What there is of the message that is arriving.
    fragments: Option<Arrived>,
}

impl Intake {
    pub const fn new(limit: u64) -> Self {
        Self { limit, fragments: None }
    }

    /// Takes the next message or control frame from the front of `unread`; nothing while it is incomplete.
    ///
    /// # Errors
    /// Returns the rule that was broken.
    pub fn take(&mut self, server: &Server, unread: &mut Vec<u8>) -> Result<Option<Arrived>, Violation> {
        while let Some(head) = Head::read(unread) {
            self.check(server, &head)?;
            let Ok(length) = usize::try_from(head.length) else { return Err(TOO_BIG) };
            if unread.len() < head.size.saturating_add(length) {
                break;
            }
            let mut payload: Vec<u8> = unread.drain(..head.size + length).skip(head.size).collect();
            payload.iter_mut().zip(head.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if let Some(arrived) = self.join(server, &head, payload) {
                return check_payload(server, arrived).map(Some);
            }
        }
        Ok(None)
    }

    /// May this frame come now?
    fn check(&self, server: &Server, head: &Head) -> Result<(), Violation> {
        let broken = |rule| Err(Violation(PROTOCOL, rule));
        let before = self.fragments.as_ref().map_or(0, |arrived| arrived.payload.len() as u64);
        match head.opcode() {
            _ if head.first & RESERVED != 0 && !server.has(Fault::ReservedBitsIgnored) => {
                broken("a reserved bit is set")
            }
            _ if !head.masked && !server.has(Fault::UnmaskedAccepted) => broken("a client masks its frames"),
            CLOSE | PING | PONG if !head.is_final() => broken("a control frame is not fragmented"),
            CLOSE | PING | PONG if head.length > 125 => broken("a control frame has at most 125 bytes"),
            CONTINUATION if self.fragments.is_none() => broken("a continuation of nothing"),
            TEXT | BINARY if self.fragments.is_some() => broken("a new message within another"),
            CONTINUATION | TEXT | BINARY if before.saturating_add(head.length) > self.limit => Err(TOO_BIG),
            CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG => Ok(()),
            _ => broken("the opcode is reserved"),
        }
    }

    /// Puts the frames of a message together.
    fn join(&mut self, server: &Server, head: &Head, payload: Vec<u8>) -> Option<Arrived> {
        if head.is_control() {
            return Some(Arrived { opcode: head.opcode(), payload });
        }
        let mut message = self.fragments.take().unwrap_or(Arrived { opcode: head.opcode(), payload: Vec::new() });
        if server.has(Fault::FragmentsApart) {
            // What goes on is still of the same kind.
            self.fragments = (!head.is_final()).then_some(Arrived { opcode: message.opcode, payload: Vec::new() });
            return Some(Arrived { opcode: message.opcode, payload });
        }
        message.payload.extend(payload);
        if head.is_final() {
            return Some(message);
        }
        self.fragments = Some(message);
        None
    }
}

/// Text is UTF-8, and a close frame is empty or holds a code that may be sent (RFC 6455 §5.5.1, §7.4, §8.1).
fn check_payload(server: &Server, arrived: Arrived) -> Result<Arrived, Violation> {
    let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok() || server.has(Fault::BrokenTextAccepted);
    let may_be_sent = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) || server.has(Fault::AnyCloseCode);
    match (arrived.opcode, arrived.payload.as_slice()) {
        (TEXT, text) if !is_text(text) => Err(NOT_UTF8),
        (CLOSE, [_]) => Err(Violation(PROTOCOL, "half a close code")),
        (CLOSE, [high, low, ..]) if !may_be_sent(u16::from_be_bytes([*high, *low])) => {
            Err(Violation(PROTOCOL, "this close code is not sent"))
        }
        (CLOSE, [_, _, reason @ ..]) if !is_text(reason) => Err(NOT_UTF8),
        _ => Ok(arrived),
    }
}
