//! WebSocket frames as a server sends them (RFC 6455 §5).

use super::{CursorIn, Fault, Heard, LARGEST_UNIT};
use crate::wire::websocket::Opcode;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// Stands for a close frame without a code (RFC 6455 §7.1.5).
const NO_CODE: u16 = 1005;

/// Takes whole frames off the front of `bytes`, and returns how many bytes they had.
pub fn parse(
    bytes: &[u8],
    fragments: &mut Vec<u8>,
    cursor_in: &CursorIn,
    sink: &mut impl FnMut(Heard<'_>),
) -> Result<usize, Fault> {
    let mut used = 0;
    let mut cursor = None;
    while let Some(frame) = Frame::at_front(&bytes[used..])? {
        let payload = &bytes[used + frame.start..used + frame.end];
        match (frame.opcode, frame.is_final) {
            (Opcode::Text | Opcode::Binary, true) => {
                cursor = cursor_in.member_of(payload).or(cursor);
                sink(Heard::Text(payload));
            }
            (Opcode::Text | Opcode::Binary, false) => begin(payload, fragments),
            (Opcode::Continuation, is_final) => {
                add(payload, fragments)?;
                if is_final {
                    sink(Heard::Text(without_mark(fragments)));
                    fragments.clear();
                }
            }
            (Opcode::Ping, _) => sink(Heard::Ping(payload)),
            (Opcode::Pong, _) => {}
            (Opcode::Close, _) => return Err(closed(payload)),
        }
        used += frame.end;
    }
    if let Some(cursor) = cursor {
        sink(Heard::Cursor(cursor));
    }
    Ok(used)
}

/// A complete frame.
struct Frame {
    opcode: Opcode,
    is_final: bool,
    /// Where its payload begins.
    start: usize,
    /// Where the frame ends.
    end: usize,
}

impl Frame {
    /// The frame at the front of `bytes`; `None` if it is not complete.
    fn at_front(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Fault::Broken("a frame with a reserved bit, though no extension was asked for"));
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Fault::Broken("a frame with a reserved opcode"))?;
        if second & MASKED != 0 {
            return Err(Fault::Broken("a masked frame (RFC 6455 §5.1)"));
        }
        let (start, length) = match second {
            126 => match bytes[2..].first_chunk() {
                Some(&two) => (4, u64::from(u16::from_be_bytes(two))),
                None => return Ok(None),
            },
            127 => match bytes[2..].first_chunk() {
                Some(&eight) => (10, u64::from_be_bytes(eight)),
                None => return Ok(None),
            },
            short => (2, u64::from(short)),
        };
        let length = usize::try_from(length).ok().filter(|&length| length <= LARGEST_UNIT);
        let end = start + length.ok_or(Fault::Broken("more than 64 MiB in one piece"))?;
        Ok((bytes.len() >= end).then_some(Self { opcode, is_final: first & FIN != 0, start, end }))
    }
}

/// Stands in front of fragments, so that a message whose first fragment is empty has begun all the same.
const BEGUN: u8 = 0;

fn begin(payload: &[u8], fragments: &mut Vec<u8>) {
    fragments.clear();
    fragments.push(BEGUN);
    fragments.extend_from_slice(payload);
}

fn add(payload: &[u8], fragments: &mut Vec<u8>) -> Result<(), Fault> {
    if fragments.is_empty() {
        return Err(Fault::Broken("a continuation of nothing"));
    }
    if fragments.len() + payload.len() > LARGEST_UNIT {
        return Err(Fault::Broken("more than 64 MiB in one piece"));
    }
    fragments.extend_from_slice(payload);
    Ok(())
}

fn without_mark(fragments: &[u8]) -> &[u8] {
    fragments.split_first().map_or(&[], |(_, rest)| rest)
}

fn closed(payload: &[u8]) -> Fault {
    let (code, reason) =
        payload.split_first_chunk().map_or((NO_CODE, &[][..]), |(code, reason)| (u16::from_be_bytes(*code), reason));
    Fault::Closed { code, reason: String::from_utf8_lossy(reason).into_owned() }
}
