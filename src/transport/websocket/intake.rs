//! The intake: from the bytes of a WebSocket as they arrive to whole messages and control frames (RFC 6455 §5).
//!
//! It reads each head as it arrives, refuses what breaks a rule at the first byte that shows it, and puts fragments
//! together. What an announced frame would take is never kept ready for it.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::wire::websocket::{BadHead, CloseCode, FrameHead, Opcode, apply_mask, is_sendable};

/// The close code for what broke a rule, and the rule.
pub type Violation = (CloseCode, &'static str);

/// A whole message, or a control frame.
#[derive(Debug)]
pub struct Arrived {
    /// What it is: `Text` or `Binary` for a message, however many frames it came in.
    pub opcode: Opcode,
    /// The payload, unmasked. That of text is UTF-8.
    pub payload: Bytes,
}

impl Arrived {
    /// Whether nothing counts after it (RFC 6455 §5.5.1).
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.opcode == Opcode::Close
    }
}

/// What a peer sends, up to the end of a frame.
#[derive(Debug)]
pub struct Intake {
    buffer: BytesMut,
    inspector: Inspector,
    /// The fragments of the message that is arriving, unmasked and put together.
    fragments: BytesMut,
}

impl Intake {
    /// Returns an intake for messages of at most `max_message` bytes.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        Self { buffer: BytesMut::new(), inspector: Inspector::new(max_message), fragments: BytesMut::new() }
    }

    /// Takes bytes as they arrive.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message or control frame.
    ///
    /// # Errors
    /// Returns the rule that was broken. Nothing counts after that.
    pub fn pop(&mut self) -> Result<Option<Arrived>, Violation> {
        while let Some(frame) = self.inspector.inspect(&self.buffer)? {
            if let Some(arrived) = self.take(frame) {
                return Ok(Some(arrived));
            }
        }
        Ok(None)
    }

    /// Whether nothing is half here, so that a new intake would do as well.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.buffer.is_empty() && self.inspector.message.is_none()
    }

    /// Forgets what is half here.
    pub fn clear(&mut self) {
        self.buffer = BytesMut::new();
        self.fragments = BytesMut::new();
    }

    /// Takes a complete frame out of the buffer: nothing yet if its message goes on.
    fn take(&mut self, frame: Complete) -> Option<Arrived> {
        let mut payload = self.buffer.split_to(frame.head.size + frame.payload);
        if self.buffer.is_empty() {
            // What a large message needed is not kept for the small ones after it.
            self.buffer = BytesMut::new();
        }
        let head = frame.head;
        payload.advance(head.size);
        apply_mask(head.mask, 0, &mut payload);
        if head.opcode.is_control() || (head.is_final && head.opcode != Opcode::Continuation) {
            return Some(Arrived { opcode: head.opcode, payload: payload.freeze() });
        }
        self.fragments.extend_from_slice(&payload);
        let opcode = if frame.is_text { Opcode::Text } else { Opcode::Binary };
        head.is_final.then(|| Arrived { opcode, payload: std::mem::take(&mut self.fragments).freeze() })
    }
}

/// A complete frame at the beginning of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Complete {
    head: FrameHead,
    payload: usize,
    /// Whether the message is text, which a continuation itself does not tell.
    is_text: bool,
}

/// The rules, without any input or output.
#[derive(Debug)]
struct Inspector {
    max_message: usize,
    /// The head of the frame that is arriving.
    head: Option<FrameHead>,
    /// How many bytes of its payload have been looked at.
    checked: usize,
    /// The fragmented message that is arriving.
    message: Option<Fragments>,
    text: Utf8,
}

#[derive(Clone, Copy, Debug)]
struct Fragments {
    is_text: bool,
    size: u64,
}

impl Inspector {
    fn new(max_message: usize) -> Self {
        Self { max_message, head: None, checked: 0, message: None, text: Utf8::default() }
    }

    // ANCHOR: inspect
    /// Looks at what has arrived. Returns the frame at the beginning once it is complete.
    fn inspect(&mut self, buffer: &[u8]) -> Result<Option<Complete>, Violation> {
        let head = match self.head {
            Some(head) => head,
            None => match FrameHead::read(buffer).map_err(|fault| (CloseCode::Protocol, explain(fault)))? {
                Some(head) => self.begin(head)?,
                None => return Ok(None),
            },
        };
        let payload = &buffer[head.size..];
        let size = usize::try_from(head.payload).map_err(|_| TOO_BIG)?;
        let arrived = payload.len().min(size);
        self.check_text(head, &payload[self.checked..arrived])?;
        self.checked = arrived;
        if arrived < size {
            return Ok(None);
        }
        let is_text = self.is_text(head);
        self.end(head, &payload[..size])?;
        Ok(Some(Complete { head, payload: size, is_text }))
    }
    // ANCHOR_END: inspect

    /// A frame begins: may it come now, and is there room for it?
    fn begin(&mut self, head: FrameHead) -> Result<FrameHead, Violation> {
        match (head.opcode, self.message) {
            (Opcode::Continuation, None) => return Err((CloseCode::Protocol, "a continuation of nothing")),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err((CloseCode::Protocol, "a new message before the fragmented one has ended"));
            }
            _ => {}
        }
        let before = self.message.map_or(0, |message| message.size);
        let limit = self.max_message as u64;
        if !head.opcode.is_control() && before.saturating_add(head.payload) > limit {
            return Err(TOO_BIG);
        }
        if matches!(head.opcode, Opcode::Text | Opcode::Binary) {
            self.text = Utf8::default();
        }
        self.checked = 0;
        self.head = Some(head);
        Ok(head)
    }

    /// Text is checked as it arrives, over the borders of frames and reads (RFC 6455 §8.1).
    fn check_text(&mut self, head: FrameHead, arrived: &[u8]) -> Result<(), Violation> {
        if !self.is_text(head) {
            return Ok(());
        }
        let mut text = arrived.to_vec();
        apply_mask(head.mask, self.checked, &mut text);
        if self.text.accepts(&text) { Ok(()) } else { Err(NOT_UTF8) }
    }

    fn is_text(&self, head: FrameHead) -> bool {
        match head.opcode {
            Opcode::Text => true,
            Opcode::Continuation => self.message.is_some_and(|message| message.is_text),
            _ => false,
        }
    }

    /// A frame has ended: what does it leave behind?
    fn end(&mut self, head: FrameHead, payload: &[u8]) -> Result<(), Violation> {
        self.head = None;
        if head.opcode == Opcode::Close {
            return check_close(head, payload);
        }
        if head.opcode.is_control() {
            return Ok(());
        }
        let so_far = self.message.unwrap_or(Fragments { is_text: head.opcode == Opcode::Text, size: 0 });
        if !head.is_final {
            self.message = Some(Fragments { size: so_far.size + head.payload, ..so_far });
            return Ok(());
        }
        self.message = None;
        if so_far.is_text && !self.text.is_complete() { Err(NOT_UTF8) } else { Ok(()) }
    }
}

const TOO_BIG: Violation = (CloseCode::TooBig, "the message is larger than this server takes (--max-message-size)");
const NOT_UTF8: Violation = (CloseCode::InvalidData, "text must be UTF-8");

/// A close frame is empty, or holds a code that may be sent and a reason in UTF-8 (RFC 6455 §5.5.1, §7.4).
fn check_close(head: FrameHead, payload: &[u8]) -> Result<(), Violation> {
    let mut payload = payload.to_vec();
    apply_mask(head.mask, 0, &mut payload);
    match payload.split_first_chunk() {
        None if payload.is_empty() => Ok(()),
        None => Err((CloseCode::Protocol, "half a close code")),
        Some((&code, _)) if !is_sendable(u16::from_be_bytes(code)) => {
            Err((CloseCode::Protocol, "a close code that may not be sent"))
        }
        Some((_, reason)) if std::str::from_utf8(reason).is_err() => Err(NOT_UTF8),
        Some(_) => Ok(()),
    }
}

const fn explain(fault: BadHead) -> &'static str {
    match fault {
        BadHead::ReservedBit => "a reserved bit is set",
        BadHead::ReservedOpcode => "a reserved opcode",
        BadHead::Unmasked => "a client must mask its frames",
        BadHead::FragmentedControl => "a control frame must not be fragmented",
        BadHead::LongControl => "a control frame has at most 125 bytes",
        BadHead::BadLength => "the payload length must be written in the shortest way",
    }
}

/// UTF-8 that arrives in pieces: remembers the beginning of a character that the next piece may complete.
#[derive(Debug, Default)]
struct Utf8 {
    open: Vec<u8>,
}

impl Utf8 {
    fn accepts(&mut self, piece: &[u8]) -> bool {
        let mut text = std::mem::take(&mut self.open);
        text.extend_from_slice(piece);
        match std::str::from_utf8(&text) {
            Ok(_) => true,
            // No length: the input ends within a character that is good so far.
            Err(error) if error.error_len().is_none() => {
                self.open = text.split_off(error.valid_up_to());
                true
            }
            Err(_) => false,
        }
    }

    const fn is_complete(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::websocket;
    use proptest::prelude::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        websocket::masked_frame(Opcode::Binary, [1, 2, 3, 4], payload, &mut bytes);
        bytes[0] = first;
        bytes
    }

    /// Feeds bytes in pieces of `step`, and returns the opcodes let through and the code of the violation.
    fn feed(bytes: &[u8], step: usize) -> (Vec<Opcode>, Option<u16>) {
        let (mut inspector, mut buffer, mut seen) = (Inspector::new(1000), Vec::new(), Vec::new());
        for piece in bytes.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                match inspector.inspect(&buffer) {
                    Ok(Some(frame)) => {
                        seen.push(frame.head.opcode);
                        buffer.drain(..frame.head.size + frame.payload);
                    }
                    Ok(None) => break,
                    Err((code, _)) => return (seen, Some(code.number())),
                }
            }
        }
        (seen, None)
    }

    #[track_caller]
    fn check(frames: &[(u8, &[u8])], seen: &[Opcode], code: Option<u16>) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        for step in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(feed(&bytes, step), (seen.to_vec(), code), "in pieces of {step}");
        }
    }

    #[test]
    fn good_frames_pass_in_pieces_of_any_size() {
        use Opcode::{Binary, Close, Continuation, Ping, Text};
        check(&[(0x81, "é€🦀".as_bytes()), (0x82, &[0xFF; 300])], &[Text, Binary], None);
        let (crab, rest) = "🦀".as_bytes().split_at(2);
        check(&[(0x01, crab), (0x89, b"ping"), (0x80, rest)], &[Text, Ping, Continuation], None);
        check(&[(0x88, b"\x03\xe8bye")], &[Close], None);
        check(&[(0x88, b"")], &[Close], None);
    }

    #[test]
    fn a_broken_rule_has_its_close_code_and_the_good_frames_before_it_pass() {
        use Opcode::{Binary, Text};
        check(&[(0x81, b"ok"), (0x81, b"\xff")], &[Text], Some(1007));
        check(&[(0x01, b"\xe2\x82"), (0x80, b"x")], &[Text], Some(1007));
        check(&[(0x81, b"\xe2\x82")], &[], Some(1007));
        check(&[(0x80, b"x")], &[], Some(1002));
        check(&[(0x01, b"x"), (0x82, b"y")], &[Text], Some(1002));
        check(&[(0x88, b"\x03")], &[], Some(1002));
        check(&[(0x88, b"\x03\xed")], &[], Some(1002));
        check(&[(0x88, b"\x03\xe8\xff")], &[], Some(1007));
        check(&[(0x82, &[0; 1001])], &[], Some(1009));
        check(&[(0x02, &[0; 600]), (0x80, &[0; 401])], &[Binary], Some(1009));
    }

    #[test]
    fn an_announced_tebibyte_is_refused_at_the_head() {
        let head = [0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(feed(&head, 1), (vec![], Some(1009)));
    }

    proptest! {
        #[test]
        fn text_in_pieces_is_utf8_exactly_if_the_whole_is(bytes in prop::collection::vec(any::<u8>(), 0..40), step in 1_usize..5) {
            let mut utf8 = Utf8::default();
            let accepted = bytes.chunks(step).all(|piece| utf8.accepts(piece)) && utf8.is_complete();
            prop_assert_eq!(accepted, std::str::from_utf8(&bytes).is_ok());
        }

        #[test]
        fn no_bytes_make_the_gate_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..50) {
            let _ = feed(&bytes, step);
        }
    }
}
