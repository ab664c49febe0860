//! What a server sends (RFC 6455 §5): every frame of some messages of telling lengths.

use super::{CHAPTER, is, open};
use crate::{
    check::{
        case::Case,
        checks::ask::has,
        publisher::Publisher,
        trace::{LineNumber, escape},
        verdict::{Fault, Proof, Property},
        wire::{
            line::Stop,
            websocket::{Frame, WebSocket},
        },
    },
    wire::websocket::{MAX_CONTROL_PAYLOAD, Opcode},
};

pub static UNMASKED: Property =
    Property { id: "ws.server-unmasked", promise: "A server masks no frame (RFC 6455 §5.1).", chapter: CHAPTER };

pub static RESERVED_BITS: Property = Property {
    id: "ws.server-reserved-bits",
    promise: "Reserved bits are 0 unless an extension was agreed on (RFC 6455 §5.2).",
    chapter: CHAPTER,
};

pub static OPCODES: Property = Property {
    id: "ws.server-opcodes",
    promise: "A server sends frames of known opcodes only, continues only what it has begun, and sends control frames \
              whole, of 125 bytes at most (RFC 6455 §5.2, §5.4, §5.5).",
    chapter: CHAPTER,
};

pub static SHORTEST_LENGTH: Property = Property {
    id: "ws.shortest-length",
    promise: "A length is written in the fewest bytes that hold it (RFC 6455 §5.2).",
    chapter: CHAPTER,
};

pub static TEXT_IS_UTF8: Property = Property {
    id: "ws.text-utf8",
    promise: "The payload of a text message is UTF-8 (RFC 6455 §5.6).",
    chapter: CHAPTER,
};

/// Lengths beside which the form of a length changes.
const LENGTHS: [usize; 5] = [20, 125, 126, 65_535, 65_536];

/// A letter of each size that UTF-8 has, and so a text that is cut wrongly at many places.
const LETTERS: &str = "aé€🦀";

pub async fn run(case: &Case<'_>) {
    let all = [&UNMASKED, &RESERVED_BITS, &OPCODES, &SHORTEST_LENGTH, &TEXT_IS_UTF8];
    case.prove_all(&all, rules(case)).await;
}

async fn rules(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut socket = open(case, &channel).await?;
    let mut publisher = Publisher::open(case, &channel).await?;
    let mut judge = Judge { line: socket.line.number(), text: None };
    let largest = case.subject.profile.publish.as_ref().and_then(|publish| publish.max_bytes).unwrap_or(usize::MAX);
    for length in LENGTHS.into_iter().filter(|length| *length <= largest) {
        let name = channel.message();
        let message = padded(&name, length);
        publisher.publish(&message).await?;
        case.waiting_for(format!("the message {name}, of {length} bytes"));
        hear(case, &mut socket, &mut judge, &name).await?;
    }
    Ok(())
}

/// The name, and letters up to this length or a little less: whole ones.
fn padded(name: &str, length: usize) -> String {
    let mut message = format!("{name} ");
    let end = length - message.len().min(length);
    let letters: String = LETTERS.chars().cycle().take(end).collect();
    message.push_str(&letters[..letters.floor_char_boundary(end)]);
    // Dots make up for a letter that did not fit.
    while message.len() < length {
        message.push('.');
    }
    message
}

/// Judges each frame up to the one in which a message with this name ends.
async fn hear(case: &Case<'_>, socket: &mut WebSocket, judge: &mut Judge, name: &str) -> Proof {
    let until = case.until();
    loop {
        let frame = match socket.next(until).await {
            Ok(frame) => frame,
            // Whether messages arrive is for others to say; here is nothing more to judge.
            Err(Stop::Late) => {
                return Err(Fault::skipped(format!("the message {name} did not come; see the check echo")));
            }
            Err(stop) => {
                let says = format!("{} where the message {name} was expected", stop.says());
                return Err(Fault::violated(says, [judge.line]));
            }
        };
        let message = judge.judge(&frame)?;
        if message.is_some_and(|message| has(&message, name)) {
            return Ok(());
        }
    }
}

/// The rules for what a server sends.
struct Judge {
    line: LineNumber,
    /// The message that is being put together of fragments, and whether it is text.
    text: Option<(bool, Vec<u8>)>,
}

impl Judge {
    /// The message that ends with this frame, if one does.
    fn judge(&mut self, frame: &Frame) -> Proof<Option<Vec<u8>>> {
        let fault = |property, says: String| Err(Fault::violated(says, [self.line]).of(property));
        if let Some(mask) = frame.mask {
            return fault(&UNMASKED, format!("a frame is masked, with {}", escape(&mask)));
        }
        if frame.rsv != 0 {
            return fault(&RESERVED_BITS, format!("a frame begins with {}: a reserved bit is set", start(frame)));
        }
        if !frame.is_shortest {
            let says = format!("a payload of {} bytes is announced as {}", frame.payload.len(), start(frame));
            return fault(&SHORTEST_LENGTH, says);
        }
        let Some(opcode) = Opcode::from_bits(frame.opcode) else {
            return fault(&OPCODES, format!("a frame has the opcode {:#x}, which is reserved", frame.opcode));
        };
        if opcode.is_control() {
            if !frame.fin || frame.payload.len() > MAX_CONTROL_PAYLOAD {
                let says = format!("a control frame begins with {}: it is a fragment, or too long", start(frame));
                return fault(&OPCODES, says);
            }
            return Ok(None);
        }
        if (opcode == Opcode::Continuation) != self.text.is_some() {
            return fault(&OPCODES, "a message is continued that was not begun, or begun within another".to_owned());
        }
        let line = self.line;
        let (is_text, message) = self.text.get_or_insert_with(|| (opcode == Opcode::Text, Vec::new()));
        message.extend_from_slice(&frame.payload);
        if !frame.fin {
            return Ok(None);
        }
        if *is_text && let Err(error) = str::from_utf8(message) {
            let says = format!("the text is no UTF-8 from byte {} on", error.valid_up_to());
            return Err(Fault::violated(says, [line]).of(&TEXT_IS_UTF8));
        }
        Ok(self.text.take().map(|(_, message)| message))
    }
}

/// The first bytes of a frame.
fn start(frame: &Frame) -> String {
    escape(&frame.raw[..frame.raw.len().min(10)])
}

/// The next frame that is no ping of the server's own and no message.
pub async fn next_control(socket: &mut WebSocket, until: tokio::time::Instant) -> Result<Frame, Stop> {
    loop {
        let frame = socket.next(until).await?;
        if is(&frame, Opcode::Pong) || is(&frame, Opcode::Close) {
            return Ok(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Frame {
        Frame {
            fin,
            rsv: 0,
            opcode: opcode as u8,
            mask: None,
            payload: Bytes::copy_from_slice(payload),
            is_shortest: true,
            raw: Bytes::copy_from_slice(payload),
        }
    }

    fn broken(frames: &[Frame]) -> Option<&'static str> {
        let mut judge = Judge { line: 1, text: None };
        frames.iter().find_map(|frame| match judge.judge(frame) {
            Err(Fault::Violated(violation)) => violation.property.map(|property| property.id),
            _ => None,
        })
    }

    #[test]
    fn each_broken_rule_is_found_and_fragments_with_a_ping_between_are_none() {
        let (crab, rest) = "🦀".as_bytes().split_at(2);
        let (begin, end) = (frame(false, Opcode::Text, crab), frame(true, Opcode::Continuation, rest));
        assert_eq!(broken(&[begin.clone(), frame(true, Opcode::Ping, b""), end.clone()]), None);
        assert_eq!(broken(std::slice::from_ref(&end)), Some("ws.server-opcodes"));
        assert_eq!(broken(&[begin.clone(), begin]), Some("ws.server-opcodes"));
        assert_eq!(broken(&[frame(true, Opcode::Text, b"\xff")]), Some("ws.text-utf8"));
        assert_eq!(broken(&[frame(true, Opcode::Binary, b"\xff")]), None);
        assert_eq!(broken(&[frame(false, Opcode::Ping, b"")]), Some("ws.server-opcodes"));
        assert_eq!(broken(&[Frame { mask: Some([1; 4]), ..end.clone() }]), Some("ws.server-unmasked"));
        assert_eq!(broken(&[Frame { rsv: 4, ..end.clone() }]), Some("ws.server-reserved-bits"));
        assert_eq!(broken(&[Frame { is_shortest: false, ..end.clone() }]), Some("ws.shortest-length"));
        assert_eq!(broken(&[Frame { opcode: 3, ..end }]), Some("ws.server-opcodes"));
    }

    #[test]
    fn a_padded_message_has_exactly_its_length() {
        for length in LENGTHS {
            assert_eq!(padded("check-1", length).len(), length);
        }
    }
}
