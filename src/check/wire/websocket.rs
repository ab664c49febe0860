//! WebSocket frames (RFC 6455 §5) as they come, and as they should not be sent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    http::{Request, read_head},
    line::{Line, Stop},
};
use crate::{
    check::{case::Case, trace::escape, verdict::Fault},
    wire::websocket::{Opcode, apply_mask},
};

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// In the place of a length: two more bytes have it (RFC 6455 §5.2).
const LENGTH_16: u8 = 0x7E;

/// In the place of a length: eight more bytes have it.
const LENGTH_64: u8 = 0x7F;

/// A frame, right or wrong, that is to be sent.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Whether the message ends with it.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1.
    pub rsv: u8,
    /// Its opcode, 0–15.
    pub opcode: u8,
    /// Its mask.
    pub mask: Mask,
    /// Its payload, unmasked.
    pub payload: Vec<u8>,
    /// The length to declare, if it is not the payload's.
    pub declared: Option<u64>,
}

/// Whether a frame that is to be sent is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// With a key by the dice, as a client must (RFC 6455 §5.3).
    ByDice,
    /// Not at all, as a client must not.
    Without,
}

impl Draft {
    /// A whole frame, masked as it must be.
    #[must_use]
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, rsv: 0, opcode, mask: Mask::ByDice, payload: payload.into(), declared: None }
    }

    /// A whole text message.
    #[must_use]
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Opcode::Text as u8, payload)
    }

    /// The same without a mask.
    #[must_use]
    pub fn unmasked(mut self) -> Self {
        self.mask = Mask::Without;
        self
    }

    /// Its bytes; `dice` is the key if dice decide it.
    #[must_use]
    pub fn bytes(&self, dice: [u8; 4]) -> Vec<u8> {
        let key = match self.mask {
            Mask::ByDice => Some(dice),
            Mask::Without => None,
        };
        let mask_bit = if key.is_some() { MASKED } else { 0 };
        let fin = if self.fin { FIN } else { 0 };
        let mut out = vec![fin | (self.rsv & 7) << 4 | self.opcode & 0x0F];
        match self.declared.unwrap_or(self.payload.len() as u64).to_be_bytes() {
            [0, 0, 0, 0, 0, 0, 0, low @ 0..=125] => out.push(mask_bit | low),
            [0, 0, 0, 0, 0, 0, high, low] => out.extend_from_slice(&[mask_bit | LENGTH_16, high, low]),
            eight => {
                out.push(mask_bit | LENGTH_64);
                out.extend_from_slice(&eight);
            }
        }
        out.extend_from_slice(key.as_ref().map_or(&[], |key| key));
        let first = out.len();
        out.extend_from_slice(&self.payload);
        apply_mask(key.unwrap_or_default(), 0, &mut out[first..]);
        out
    }

    /// What it is, in words; a masked payload cannot be read in the trace.
    fn says(&self) -> String {
        let mut says = format!("the client's frame: {}", name_of(self.opcode));
        let remarks = [
            (!self.fin, ", not final"),
            (self.rsv != 0, ", with a reserved bit"),
            (self.mask == Mask::Without, ", not masked"),
        ];
        remarks.into_iter().filter(|(applies, _)| *applies).for_each(|(_, remark)| says.push_str(remark));
        says + &format!(", {} bytes: {}", self.payload.len(), escape(&self.payload))
    }
}

/// The name of an opcode.
#[must_use]
pub fn name_of(opcode: u8) -> &'static str {
    match Opcode::from_bits(opcode) {
        Some(Opcode::Continuation) => "continuation",
        Some(Opcode::Text) => "text",
        Some(Opcode::Binary) => "binary",
        Some(Opcode::Close) => "close",
        Some(Opcode::Ping) => "ping",
        Some(Opcode::Pong) => "pong",
        None => "a reserved opcode",
    }
}

/// A frame as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Whether the message ends with it.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1.
    pub rsv: u8,
    /// Its opcode, 0–15.
    pub opcode: u8,
    /// Its mask, which a server's frame must not have.
    pub mask: Option<[u8; 4]>,
    /// Its payload, unmasked.
    pub payload: Bytes,
    /// Whether the length was written in the shortest way.
    pub is_shortest: bool,
    /// Its bytes.
    pub raw: Bytes,
}

/// Where the parts of a frame are.
struct Layout {
    mask: Option<[u8; 4]>,
    is_shortest: bool,
    head: usize,
    whole: usize,
}

impl Layout {
    /// The layout of the frame at the front of `bytes`; `None` if its head is not complete.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&[_, second], rest) = bytes.split_first_chunk()?;
        let (length, extended, is_shortest) = match second & !MASKED {
            LENGTH_16 => {
                let length = u64::from(u16::from_be_bytes(*rest.first_chunk()?));
                (length, 2, length > 125)
            }
            LENGTH_64 => {
                let length = u64::from_be_bytes(*rest.first_chunk()?);
                (length, 8, length > 0xFFFF)
            }
            short => (u64::from(short), 0, true),
        };
        let is_masked = second & MASKED != 0;
        let mask = if is_masked { Some(*rest[extended..].first_chunk()?) } else { None };
        let head = 2 + extended + mask.map_or(0, |mask| mask.len());
        let whole = usize::try_from(length).ok().and_then(|length| head.checked_add(length)).unwrap_or(usize::MAX);
        Some(Self { mask, is_shortest, head, whole })
    }
}

impl Frame {
    /// Takes the frame at the front off, if it is complete.
    fn take(line: &mut Line) -> Option<Self> {
        let layout = Layout::of(line.peek()).filter(|layout| layout.whole <= line.peek().len())?;
        let raw = line.take(layout.whole);
        let mut payload = raw.slice(layout.head..);
        if let Some(mask) = layout.mask {
            let mut unmasked = payload.to_vec();
            apply_mask(mask, 0, &mut unmasked);
            payload = unmasked.into();
        }
        let first = raw[0];
        let Layout { mask, is_shortest, .. } = layout;
        Some(Self { fin: first & FIN != 0, rsv: first >> 4 & 7, opcode: first & 0x0F, mask, payload, is_shortest, raw })
    }

    /// The code of a close frame, if it has one, and its reason; `None` for any other frame.
    #[must_use]
    pub fn close(&self) -> Option<(Option<u16>, String)> {
        if self.opcode != Opcode::Close as u8 {
            return None;
        }
        let code = self.payload.first_chunk().map(|two| u16::from_be_bytes(*two));
        let reason = self.payload.get(2..).unwrap_or_default();
        Some((code, String::from_utf8_lossy(reason).into_owned()))
    }

    /// What it is, in words: `a text frame of 5 bytes`, `close 1002 "bad frame"`.
    #[must_use]
    pub fn says(&self) -> String {
        match self.close() {
            Some((Some(code), reason)) if reason.is_empty() => format!("close {code}"),
            Some((Some(code), reason)) => format!("close {code} {reason:?}"),
            Some((None, _)) => "close without a code".to_owned(),
            None => format!("a {} frame of {} bytes", name_of(self.opcode), self.payload.len()),
        }
    }
}

/// A WebSocket, seen from the client.
#[derive(Debug)]
pub struct WebSocket {
    /// Its connection.
    pub line: Line,
    dice: fastrand::Rng,
}

impl WebSocket {
    /// Opens the WebSocket at this path and query, with further fields as lines. Only the status 101 is looked at.
    ///
    /// # Errors
    /// The answer is another, or there is none.
    pub async fn open(case: &Case<'_>, target: &str, fields: &[String]) -> Result<Self, Fault> {
        let line = Line::open(case.subject, &case.trace).await?;
        Self::over(line, case, target, fields).await
    }

    /// The same over a connection that is there already.
    ///
    /// # Errors
    /// The answer is another, or there is none.
    pub async fn over(mut line: Line, case: &Case<'_>, target: &str, fields: &[String]) -> Result<Self, Fault> {
        let request = handshake(case, target, fields);
        // What the server says before it closes is read below.
        let _ = line.send(&request.bytes(case.subject)).await;
        let head = read_head(&mut line, case.until()).await;
        let head = head.map_err(|unread| request.unanswered(&unread, line.number()))?;
        if head.status != 101 {
            let says =
                format!("{} is answered with {} instead of 101 Switching Protocols", request.says(), head.says());
            return Err(Fault::violated(says, [line.number()]));
        }
        let dice = case.roll(fastrand::Rng::fork);
        Ok(Self { line, dice })
    }

    /// Sends a frame, with a mask by the dice unless the draft has another.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn send(&mut self, draft: Draft) -> Result<(), Stop> {
        self.line.trace().note(self.line.number(), draft.says());
        let dice = self.dice.u32(..).to_ne_bytes();
        self.line.send(&draft.bytes(dice)).await
    }

    /// The next frame, of whatever kind; nothing is answered.
    ///
    /// # Errors
    /// None comes.
    pub async fn next(&mut self, until: Instant) -> Result<Frame, Stop> {
        loop {
            if let Some(frame) = Frame::take(&mut self.line) {
                return Ok(frame);
            }
            self.line.fill(until).await?;
        }
    }
}

/// The request of a handshake with a new key.
fn handshake(case: &Case<'_>, target: &str, fields: &[String]) -> Request {
    Request::get(target).fields(upgrade_fields(&new_key(case))).fields(fields.to_vec())
}

/// A key for a handshake: sixteen bytes by the dice, in base64 (RFC 6455 §4.1).
#[must_use]
pub fn new_key(case: &Case<'_>) -> String {
    BASE64_STANDARD.encode(case.roll(|dice| dice.u128(..)).to_ne_bytes())
}

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2).
#[must_use]
pub fn accept_of(key: &str) -> String {
    String::from_utf8_lossy(&actix_http::ws::hash_key(key.as_bytes())).into_owned()
}

/// The fields of a handshake, as lines, with this key.
#[must_use]
pub fn upgrade_fields(key: &str) -> Vec<String> {
    let key = format!("Sec-WebSocket-Key: {key}");
    ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", &key].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's example of RFC 6455 §5.7.
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn a_frame_is_the_bytes_of_the_rfc() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(Draft::text("Hello").bytes(KEY), hello);
        assert_eq!(Draft::text("Hello").unmasked().bytes(KEY), *b"\x81\x05Hello");
    }

    #[test]
    fn lengths_are_written_in_the_shortest_way() {
        let head = |length: usize| Draft::new(2, vec![0; length]).unmasked().bytes(KEY).len() - length;
        assert_eq!([0, 125, 126, 0xFFFF, 0x1_0000].map(head), [2, 2, 4, 4, 10]);
    }

    #[test]
    fn wrong_frames_can_be_written() {
        let mut draft = Draft::new(0x0B, "x").unmasked();
        (draft.fin, draft.rsv, draft.declared) = (false, 4, Some(200));
        assert_eq!(draft.bytes(KEY), [0x4B, 126, 0, 200, b'x']);
    }

    #[test]
    fn the_layout_of_any_frame_is_found() {
        for bytes in [&[][..], &[0x81], &[0x81, 126, 1], &[0x81, 0x85, 1, 2, 3]] {
            assert!(Layout::of(bytes).is_none(), "{bytes:?}");
        }
        let layout = |bytes: &[u8]| Layout::of(bytes).map(|layout| (layout.head, layout.whole, layout.is_shortest));
        assert_eq!(layout(&[0x81, 5]), Some((2, 7, true)));
        assert_eq!(layout(&[0x81, 126, 0, 125]), Some((4, 129, false)));
        assert_eq!(layout(&[0x81, 0x80, 1, 2, 3, 4]), Some((6, 6, true)));
        assert_eq!(layout(&[0x81, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0]).map(|layout| layout.0), Some(10));
    }

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_accept_value_is_the_one_of_the_rfc() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
