//! What a server must not take (RFC 6455 §7.1.7): each fault ends the connection, with a close code that names it.

use tokio::time::Instant;

use super::{CHAPTER, MOMENT, STILL_THERE, frame, frames::next_control, is, open};
use crate::{
    check::{
        case::Case,
        transport::Transport,
        verdict::{Fault, Proof, Property},
        wire::{
            line::Stop,
            websocket::{Draft, Frame, WebSocket},
        },
    },
    wire::websocket::{MAX_CONTROL_PAYLOAD, Opcode},
};

pub static UNMASKED: Property = Property {
    id: "ws.unmasked",
    promise: "A client's frame without a mask ends the connection, with 1002 (RFC 6455 §5.1).",
    chapter: CHAPTER,
};

pub static RESERVED_BIT: Property = Property {
    id: "ws.reserved-bit",
    promise: "A reserved bit that means nothing ends the connection, with 1002 (RFC 6455 §5.2).",
    chapter: CHAPTER,
};

pub static RESERVED_OPCODE: Property = Property {
    id: "ws.reserved-opcode",
    promise: "An unknown opcode ends the connection, with 1002 (RFC 6455 §5.2).",
    chapter: CHAPTER,
};

pub static LONG_CONTROL: Property = Property {
    id: "ws.long-control",
    promise: "A control frame of more than 125 bytes ends the connection, with 1002 (RFC 6455 §5.5).",
    chapter: CHAPTER,
};

pub static FRAGMENTED_CONTROL: Property = Property {
    id: "ws.fragmented-control",
    promise: "A control frame that is a fragment ends the connection, with 1002 (RFC 6455 §5.5).",
    chapter: CHAPTER,
};

pub static STRAY_CONTINUATION: Property = Property {
    id: "ws.stray-continuation",
    promise: "A continuation of nothing, and a message begun within another, end the connection, with 1002 (RFC 6455 \
              §5.4).",
    chapter: CHAPTER,
};

pub static UTF8: Property = Property {
    id: "ws.utf8",
    promise: "Text that is no UTF-8 ends the connection, with 1007 (RFC 6455 §8.1).",
    chapter: CHAPTER,
};

pub static TOO_BIG: Property = Property {
    id: "ws.too-big",
    promise: "A message beyond the limit ends the connection, with 1009 (RFC 6455 §7.4.1).",
    chapter: CHAPTER,
};

const PROTOCOL: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const BEYOND_LIMIT: u16 = 1009;

/// A message of a server's limit may be written in so many times its bytes, as JSON with every letter escaped.
const ESCAPED: u64 = 6;

/// And so many bytes may be around it.
const AROUND: u64 = 1 << 20;

/// So much of a message that is too big is sent at a time.
const PIECE: usize = 64 << 10;

pub async fn run(case: &Case<'_>) {
    let text = || frame(Opcode::Text, "text");
    case.prove(&UNMASKED, each_closes(case, [vec![text().unmasked()]], PROTOCOL)).await;
    let reserved = [4, 2, 1].map(|rsv| vec![Draft { rsv, ..text() }]);
    case.prove(&RESERVED_BIT, each_closes(case, reserved, PROTOCOL)).await;
    let unknown = [0x3, 0xB].map(|opcode| vec![Draft::new(opcode, "text")]);
    case.prove(&RESERVED_OPCODE, each_closes(case, unknown, PROTOCOL)).await;
    let long = [vec![frame(Opcode::Ping, [0; MAX_CONTROL_PAYLOAD + 1])]];
    case.prove(&LONG_CONTROL, each_closes(case, long, PROTOCOL)).await;
    let fragment = [vec![Draft { fin: false, ..frame(Opcode::Ping, "ping") }]];
    case.prove(&FRAGMENTED_CONTROL, each_closes(case, fragment, PROTOCOL)).await;
    let within = vec![Draft { fin: false, ..text() }, text()];
    let stray = [vec![frame(Opcode::Continuation, "text")], within];
    case.prove(&STRAY_CONTINUATION, each_closes(case, stray, PROTOCOL)).await;
    case.prove(&UTF8, each_closes(case, not_utf8(), NOT_UTF8)).await;
    case.prove(&TOO_BIG, too_big(case)).await;
}

/// A byte that is never in UTF-8, a letter in more bytes than it needs, half a surrogate pair, half a letter at the end,
/// and a fault that lies across two fragments.
fn not_utf8() -> Vec<Vec<Draft>> {
    let texts: [&[u8]; 4] = [b"caf\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"cut \xe2\x82"];
    let mut all: Vec<_> = texts.iter().map(|text| vec![frame(Opcode::Text, *text)]).collect();
    let begin = Draft { fin: false, ..frame(Opcode::Text, b"\xe2\x82") };
    all.push(vec![begin, frame(Opcode::Continuation, "x")]);
    all
}

/// Each of these, on a connection of its own, ends it with this code.
async fn each_closes(case: &Case<'_>, faults: impl IntoIterator<Item = Vec<Draft>>, code: u16) -> Proof {
    for fault in faults {
        let mut socket = open(case, &case.subject.channel()).await?;
        for draft in fault {
            // A server may hang up before it has taken all.
            if socket.send(draft).await.is_err() {
                break;
            }
        }
        closes(case, &mut socket, code).await?;
    }
    Ok(())
}

/// The connection ends with this code: now, or once the server is asked whether it is still there.
pub async fn closes(case: &Case<'_>, socket: &mut WebSocket, code: u16) -> Proof {
    case.waiting_for(format!("a close frame with {code}"));
    let first = next_control(socket, case.within(MOMENT)).await;
    let answer = match first {
        Err(Stop::Late) => {
            let _ = socket.send(frame(Opcode::Ping, STILL_THERE)).await;
            next_control(socket, case.until()).await
        }
        first => first,
    };
    judge(answer, code).map_err(|says| Fault::violated(says, [socket.line.number()]))?;
    // The other half of the closing handshake, so that the server need not wait for it.
    let _ = socket.send(frame(Opcode::Close, code.to_be_bytes())).await;
    Ok(())
}

fn judge(answer: Result<Frame, Stop>, code: u16) -> Result<(), String> {
    let expected = format!("where a close frame with {code} was expected");
    match answer {
        Ok(frame) if is(&frame, Opcode::Close) => match frame.close() {
            Some((Some(found), _)) if found == code => Ok(()),
            Some((Some(found), _)) => Err(format!("the close frame has {found} {expected}")),
            _ => Err(format!("the close frame has no code {expected}")),
        },
        Ok(_) => Err(format!("the server went on as if nothing had happened, {expected}")),
        Err(stop) => Err(format!("{} {expected}", stop.says())),
    }
}

/// First the head alone, which tells enough; then, for a server that looks only at what it has, the message itself.
async fn too_big(case: &Case<'_>) -> Proof {
    let subscribe = case.subject.profile.subscribe(Transport::WebSocket);
    let post = case.subject.profile.publish.as_ref();
    let limit = subscribe.and_then(|subscribe| subscribe.max_bytes).or(post.and_then(|post| post.max_bytes));
    let limit = limit.ok_or_else(|| Fault::skipped("the profile names no limit (websocket.max-bytes)"))?;
    let size = limit as u64 * ESCAPED + AROUND;
    let mut socket = open(case, &case.subject.channel()).await?;
    let announced = Draft { declared: Some(size), ..frame(Opcode::Binary, "") };
    let _ = socket.send(announced).await;
    case.waiting_for(format!("a close frame with {BEYOND_LIMIT}"));
    let answer = match next_control(&mut socket, case.within(MOMENT)).await {
        Err(Stop::Late) => send_all(&mut socket, size).await,
        answer => answer,
    };
    if matches!(answer, Err(Stop::Late)) {
        return closes(case, &mut socket, BEYOND_LIMIT).await;
    }
    judge(answer, BEYOND_LIMIT).map_err(|says| {
        Fault::violated(format!("{says}: a message of {size} bytes was announced"), [socket.line.number()])
    })
}

/// Sends so many bytes, or as many as the server takes before it says something.
async fn send_all(socket: &mut WebSocket, size: u64) -> Result<Frame, Stop> {
    let piece = vec![b'x'; PIECE];
    let mut left = size;
    while left > 0 {
        let now = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        if socket.line.send(&piece[..now]).await.is_err() {
            break;
        }
        left -= now as u64;
        // Only what is there already.
        match next_control(socket, Instant::now()).await {
            Err(Stop::Late) => {}
            answer => return answer,
        }
    }
    Err(Stop::Late)
}
