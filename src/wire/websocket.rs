//! WebSocket frames (RFC 6455 §5), as a server sends them: never masked, never fragmented.
//!
//! ```text
//! 81 05 48 65 6c 6c 6f     a text frame with "Hello" (RFC 6455 §5.7)
//! ^^ ^^ ^^^^^^^^^^^^^^
//! |  |  payload
//! |  payload length: 0–125 here; 126 and 127 announce two and eight more bytes
//! FIN and opcode 1
//! ```

use crate::channel::{Data, Message};

/// The opcodes of RFC 6455 §5.2 that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further part of a fragmented message.
    Continuation = 0x0,
    /// UTF-8.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The end of the conversation.
    Close = 0x8,
    /// "Are you there?"
    Ping = 0x9,
    /// "I am."
    Pong = 0xA,
}

impl Opcode {
    /// The opcode with this number, unless it is reserved.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether frames of this kind may come between the fragments of a message (RFC 6455 §5.4).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

const FIN: u8 = 0x80;

/// The bit beside the length that says that a mask follows.
const MASKED: u8 = 0x80;

/// The largest payload of a control frame (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// Appends a message in `raw` format: the payload alone.
pub fn raw_message(message: &Message, out: &mut Vec<u8>) {
    match &message.data {
        Data::Json(text) | Data::Text(text) => frame(Opcode::Text, text.as_bytes(), out),
        Data::Binary(bytes) => frame(Opcode::Binary, bytes, out),
    }
}

/// Appends a complete frame.
pub fn frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    head(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a text frame around what `payload` appends, so that the payload is not copied from elsewhere.
pub fn text_frame(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    // The length, and with it the head, is known only afterwards. There is room for the usual head; any other moves the
    // payload once.
    let start = out.len();
    out.extend_from_slice(&[0; USUAL_HEAD]);
    payload(out);
    let end = out.len();
    head(Opcode::Text, end - start - USUAL_HEAD, out);
    if out.len() - end == USUAL_HEAD {
        out.copy_within(end.., start);
        out.truncate(end);
    } else {
        let head = out.split_off(end);
        out.splice(start..start + USUAL_HEAD, head);
    }
}

/// The size of a head for 126 to 65,535 bytes, as most events have.
const USUAL_HEAD: usize = 4;

/// Appends a complete frame as a client sends it, masked (RFC 6455 §5.3).
pub fn masked_frame(opcode: Opcode, mask: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    head(opcode, payload.len(), out);
    out[start + 1] |= MASKED;
    out.extend_from_slice(&mask);
    let first = out.len();
    out.extend_from_slice(payload);
    apply_mask(mask, 0, &mut out[first..]);
}

// ANCHOR: frame_head
/// Appends the head of a complete frame: two, four or ten bytes, the shortest that holds the length (RFC 6455 §5.2).
fn head(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    out.push(FIN | opcode as u8);
    match length {
        0..=125 => out.push(length.to_le_bytes()[0]),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes()[size_of::<usize>() - 2..]);
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}
// ANCHOR_END: frame_head

/// Appends a close frame with a code and a reason of at most 123 bytes (RFC 6455 §5.5.1); a longer one is cut.
pub fn close_frame(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_PAYLOAD - 2)];
    head(Opcode::Close, 2 + reason.len(), out);
    out.extend_from_slice(&code.number().to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends the answer to a peer's close frame: its own code, or none where it gave none (RFC 6455 §5.5.1).
pub fn close_echo(code: Option<u16>, out: &mut Vec<u8>) {
    let code = code.map(u16::to_be_bytes);
    frame(Opcode::Close, code.as_ref().map_or(&[], |code| code), out);
}

/// The close codes that the server sends, and what a client does on seeing each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// 1000: the conversation is over. Done.
    Normal,
    /// 1002: the peer broke the protocol. Mend the client.
    Protocol,
    /// 1003: this kind of data is not accepted here. Mend the client.
    Unsupported,
    /// 1007: text that is not UTF-8, or JSON that is none. Mend the client.
    InvalidData,
    /// 1008: the peer broke a rule that has no code of its own. Stop.
    Policy,
    /// 1009: a message beyond the limit. Send smaller ones.
    TooBig,
    /// 1011: a fault of the server. Back off and come back.
    ServerError,
    /// 1012: the server drains. Come back after a moment, to any node.
    Restart,
    /// 1013: the server has no room now. Back off and come back.
    TryAgainLater,
    /// 4000: the request was wrong. Stop.
    BadRequest,
    /// 4001: not allowed. Stop.
    NotAllowed,
    /// 4101: a gap; the reason names the cursor to go on from. Come back with it.
    Gap,
    /// 4129: too many connections or requests. Back off and come back.
    TooMany,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::InvalidData => 1007,
            Self::Policy => 1008,
            Self::TooBig => 1009,
            Self::ServerError => 1011,
            Self::Restart => 1012,
            Self::TryAgainLater => 1013,
            Self::BadRequest => 4000,
            Self::NotAllowed => 4001,
            Self::Gap => 4101,
            Self::TooMany => 4129,
        }
    }
}

/// Whether a peer may send this code in a close frame (RFC 6455 §7.4): not the ones that only an API reports
/// (1005, 1006, 1015), nor those that nobody has defined.
#[must_use]
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The head of a frame that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether the message ends with this frame.
    pub is_final: bool,
    /// What kind of frame it is.
    pub opcode: Opcode,
    /// The size of the payload in bytes.
    pub payload: u64,
    /// The key that the payload is masked with.
    pub mask: [u8; 4],
    /// The size of this head in bytes: 6, 8 or 14.
    pub size: usize,
}

/// Why a head cannot be that of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// RSV1, RSV2 or RSV3 is set, but no extension was negotiated (RFC 6455 §5.2).
    #[error("a reserved bit is set, but no extension was negotiated")]
    ReservedBit,
    /// Opcodes 3–7 and 11–15 are reserved (RFC 6455 §5.2).
    #[error("the opcode is reserved")]
    ReservedOpcode,
    /// A client masks every frame (RFC 6455 §5.1).
    #[error("a client's frame must be masked")]
    Unmasked,
    /// Control frames are not fragmented (RFC 6455 §5.5).
    #[error("a control frame must not be fragmented")]
    FragmentedControl,
    /// Control frames have at most 125 bytes (RFC 6455 §5.5).
    #[error("a control frame has at most 125 bytes of payload")]
    LongControl,
    /// The length is not written in the shortest way, or its highest bit is set (RFC 6455 §5.2).
    #[error("the payload length must be written in the shortest way")]
    BadLength,
}

impl FrameHead {
    /// Reads a head from the first bytes of a frame.
    ///
    /// Returns `None` while there are too few bytes, and faults as soon as the bytes show them.
    ///
    /// # Errors
    /// Returns the rule of RFC 6455 that the head breaks.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, BadHead> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(BadHead::ReservedBit);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(BadHead::ReservedOpcode)?;
        let is_final = first & FIN != 0;
        let short = second & 0x7F;
        if second & MASKED == 0 {
            return Err(BadHead::Unmasked);
        }
        if opcode.is_control() && !is_final {
            return Err(BadHead::FragmentedControl);
        }
        if opcode.is_control() && usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(BadHead::LongControl);
        }
        let Some((payload, extended)) = read_length(short, rest)? else { return Ok(None) };
        let Some(&mask) = rest[extended..].first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Self { is_final, opcode, payload, mask, size: 2 + extended + 4 }))
    }
}

/// Reads the length and how many further bytes it took.
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, BadHead> {
    let (length, size, least) = match short {
        126 => match rest.first_chunk() {
            Some(&two) => (u64::from(u16::from_be_bytes(two)), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(&eight) => (u64::from_be_bytes(eight), 8, 0x1_0000),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(BadHead::BadLength);
    }
    Ok(Some((length, size)))
}

/// Masks or unmasks bytes (RFC 6455 §5.3) whose first has the number `position` in the payload.
pub fn apply_mask(mask: [u8; 4], position: usize, bytes: &mut [u8]) {
    let mut mask = mask;
    mask.rotate_left(position & 3);
    // Whole words, of which the compiler takes several at a time.
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::tests::{epoch, message_of};
    use super::*;
    use crate::wire::{Framing, encode_message};
    use proptest::prelude::*;

    fn framed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame(opcode, payload, &mut out);
        out
    }

    /// The examples of RFC 6455 §5.7 that a server can send.
    #[test]
    fn frames_are_the_bytes_of_the_rfc() {
        assert_eq!(framed(Opcode::Text, b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(framed(Opcode::Ping, b"Hello"), [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let bytes_256 = framed(Opcode::Binary, &[7; 256]);
        assert_eq!((&bytes_256[..4], bytes_256.len()), (&[0x82, 0x7E, 0x01, 0x00][..], 260));
        let bytes_65536 = framed(Opcode::Binary, &vec![7; 65_536]);
        assert_eq!(bytes_65536[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(bytes_65536.len(), 65546);
    }

    #[test]
    fn the_head_is_two_four_or_ten_bytes() {
        for (length, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(framed(Opcode::Text, &vec![b'x'; length]).len() - length, head, "{length}");
        }
    }

    /// The client's examples of RFC 6455 §5.7.
    #[test]
    fn heads_of_the_rfc_are_read() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let head = FrameHead::read(&hello).expect("well-formed").expect("complete");
        assert_eq!((head.opcode, head.is_final, head.payload, head.size), (Opcode::Text, true, 5, 6));
        let mut payload = hello[head.size..].to_vec();
        apply_mask(head.mask, 0, &mut payload);
        assert_eq!(payload, b"Hello");
        let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d];
        assert_eq!(FrameHead::read(&pong).map(|head| head.map(|head| head.opcode)), Ok(Some(Opcode::Pong)));
    }

    #[test]
    fn heads_that_break_a_rule_are_refused_as_early_as_they_show_it() {
        assert_eq!(FrameHead::read(&[0xC1, 0x80]), Err(BadHead::ReservedBit));
        assert_eq!(FrameHead::read(&[0x83, 0x80]), Err(BadHead::ReservedOpcode));
        assert_eq!(FrameHead::read(&[0x81, 0x05]), Err(BadHead::Unmasked));
        assert_eq!(FrameHead::read(&[0x09, 0x80]), Err(BadHead::FragmentedControl));
        assert_eq!(FrameHead::read(&[0x89, 0xFE]), Err(BadHead::LongControl));
        assert_eq!(FrameHead::read(&[0x81, 0xFE, 0, 125]), Err(BadHead::BadLength));
        assert_eq!(FrameHead::read(&[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), Err(BadHead::BadLength));
        assert_eq!(FrameHead::read(&[0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(BadHead::BadLength));
        for incomplete in [&[][..], &[0x81], &[0x81, 0x85, 1, 2, 3], &[0x81, 0xFE, 1], &[0x81, 0xFF, 0, 0, 0, 0, 1]] {
            assert_eq!(FrameHead::read(incomplete), Ok(None));
        }
    }

    #[test]
    fn close_frames_hold_the_code_and_at_most_123_bytes_of_whole_characters() {
        let mut out = Vec::new();
        close_frame(CloseCode::Gap, "gap k3f9z1.42", &mut out);
        assert_eq!(out, b"\x88\x0f\x10\x05gap k3f9z1.42");
        out.clear();
        close_frame(CloseCode::Normal, &"é".repeat(100), &mut out);
        assert_eq!((out[1], out.len()), (124, 126));
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }

    #[test]
    fn a_close_frame_is_answered_with_its_own_code_or_with_none() {
        let mut out = Vec::new();
        close_echo(Some(1001), &mut out);
        close_echo(None, &mut out);
        assert_eq!(out, b"\x88\x02\x03\xe9\x88\x00");
    }

    #[test]
    fn codes_that_only_an_api_reports_may_not_be_sent() {
        for bad in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(!is_sendable(bad), "{bad}");
        }
        for good in [1000, 1003, 1007, 1011, 1014, 3000, 4999] {
            assert!(is_sendable(good), "{good}");
        }
    }

    #[test]
    fn a_text_frame_of_any_length_has_the_head_of_that_length() {
        for length in [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000] {
            let (payload, mut out) = (vec![b'x'; length], b"before".to_vec());
            text_frame(&mut out, |out| out.extend_from_slice(&payload));
            assert_eq!(out, [b"before", &*framed(Opcode::Text, &payload)].concat(), "{length}");
        }
    }

    proptest! {
        /// Encoder and decoder together: a sent frame, masked as a client would, is read back.
        #[test]
        fn frames_come_back(payload in prop::collection::vec(any::<u8>(), 0..70_000), mask: [u8; 4]) {
            let mut bytes = Vec::new();
            masked_frame(Opcode::Binary, mask, &payload, &mut bytes);
            let head = bytes.len() - payload.len() - 4;
            let read = FrameHead::read(&bytes).expect("well-formed").expect("complete");
            prop_assert_eq!((read.payload, read.size, read.mask), (payload.len() as u64, head + 4, mask));
            apply_mask(mask, 0, &mut bytes[head + 4..]);
            prop_assert_eq!(&bytes[head + 4..], &payload[..]);
        }

        /// RFC 6455 §5.3: byte i of the payload is combined with byte i modulo 4 of the mask.
        #[test]
        fn a_mask_goes_on_over_pieces_of_any_size(
            payload in prop::collection::vec(any::<u8>(), 0..100),
            mask: [u8; 4],
            cut in 0_usize..100,
        ) {
            let expected: Vec<u8> = payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            let mut masked = payload;
            let cut = cut.min(masked.len());
            apply_mask(mask, 0, &mut masked[..cut]);
            apply_mask(mask, cut, &mut masked[cut..]);
            prop_assert_eq!(masked, expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = FrameHead::read(&bytes);
        }

        #[test]
        fn a_text_frame_around_json_is_the_frame_of_that_json(text in ".{0,70}", repeat in 1_usize..1200) {
            let message = message_of(Data::Text(text.repeat(repeat).into()), "text/plain", None);
            let (mut json, mut ws) = (Vec::new(), b"before".to_vec());
            super::super::json::message_event(&epoch(), &message, &mut json);
            encode_message(Framing::WebSocketJson, &epoch(), &message, &mut ws);
            prop_assert_eq!(&ws[6..], &framed(Opcode::Text, &json)[..]);
        }
    }
}
