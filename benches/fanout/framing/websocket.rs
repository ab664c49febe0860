//! WebSocket frames (RFC 6455 §5.2): those that a server sends, and the two that the publishers need to write.

use crate::fanout::Result;

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// Set in the length byte of a frame whose payload is masked.
const MASKED: u8 = 0x80;

/// In place of a length: it follows in two bytes.
const MEDIUM: u8 = 0x7E;

/// In place of a length: it follows in eight bytes.
const LONG: u8 = 0x7F;

/// The mask of every frame that the publisher sends. A client that talks to strangers draws a new one for each frame
/// (RFC 6455 §5.3); what the server has to do is the same.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Takes whole frames off the front of `bytes`, and hands on the payloads of those that carry data. Pings are not answered: the servers are started with a heartbeat
/// longer than any sample.
pub(super) fn parse(bytes: &[u8], mut data: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
    let mut used = 0;
    while let Some((kind, payload_start, end)) = frame_at(&bytes[used..]) {
        let payload = &bytes[used + payload_start..used + end];
        match kind {
            FINAL_TEXT | FINAL_BINARY => data(payload)?,
            PING | PONG => {}
            CLOSE => return Err(closed(payload).into()),
            _ => return Err(format!("the server sent a fragment or an unknown frame: {kind:#04x}").into()),
        }
        used += end;
    }
    Ok(used)
}

/// First byte, start of the payload and end of the frame at the front of `bytes`; `None` if it isn't complete.
fn frame_at(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (start, length) = match *bytes.get(1)? {
        MEDIUM => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        LONG => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((bytes[0], start, start + length))
}

fn closed(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            format!("the server closed with {code} {:?}", String::from_utf8_lossy(reason))
        }
        None => "the server closed without a code".to_owned(),
    }
}

/// A text frame as a server sends it.
pub fn server_text(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

/// A text frame as a client sends it.
pub fn client_text(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len(), MASKED);
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn header(length: usize, masked: u8) -> Vec<u8> {
    let mut header = vec![FINAL_TEXT];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => header.push(masked | short),
        (_, Ok(medium)) => {
            header.push(masked | MEDIUM);
            header.extend(medium.to_be_bytes());
        }
        _ => {
            header.push(masked | LONG);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_6455_section_5_7() {
        assert_eq!(server_text(b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(client_text(b"Hello"), masked);
    }

    #[test]
    fn frames_of_every_length_encoding_are_read_as_written() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let frame = server_text(&vec![b'x'; length]);
            assert_eq!(frame_at(&frame), Some((FINAL_TEXT, frame.len() - length, frame.len())));
            assert_eq!(frame_at(&frame[..frame.len() - 1]), None);
        }
    }
}
