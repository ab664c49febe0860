//! Pings and pongs (RFC 6455 §5.5.2, §5.5.3), and frames that arrive in pieces.

use super::{CHAPTER, frame, frames::next_control, is, open};
use crate::{
    check::{
        case::Case,
        trace::escape,
        verdict::{Fault, Proof, Property},
        wire::{
            line::Stop,
            websocket::{Draft, WebSocket},
        },
    },
    wire::websocket::{MAX_CONTROL_PAYLOAD, Opcode, masked_frame},
};

pub static PONG_PAYLOAD: Property = Property {
    id: "ws.pong-payload",
    promise: "A ping is answered with a pong of the same payload (RFC 6455 §5.5.3).",
    chapter: CHAPTER,
};

pub static PONG_BETWEEN_FRAGMENTS: Property = Property {
    id: "ws.pong-between-fragments",
    promise: "A ping may come between the fragments of a message, and is answered (RFC 6455 §5.4, §5.5.2).",
    chapter: CHAPTER,
};

pub static UNASKED_PONG: Property = Property {
    id: "ws.unasked-pong",
    promise: "A pong that nobody asked for does no harm (RFC 6455 §5.5.3).",
    chapter: CHAPTER,
};

pub static ONE_BYTE_WRITES: Property = Property {
    id: "ws.one-byte-writes",
    promise: "A frame is understood in whatever pieces it arrives: TCP knows no frames (RFC 6455 §5.2).",
    chapter: CHAPTER,
};

pub async fn run(case: &Case<'_>) {
    case.prove(&PONG_PAYLOAD, payloads(case)).await;
    case.prove(&PONG_BETWEEN_FRAGMENTS, between_fragments(case)).await;
    case.prove(&UNASKED_PONG, unasked(case)).await;
    case.prove(&ONE_BYTE_WRITES, one_byte_writes(case)).await;
}

async fn payloads(case: &Case<'_>) -> Proof {
    let mut socket = open(case, &case.subject.channel()).await?;
    for payload in [b"ping-1".as_slice(), b"", &[0xFF; MAX_CONTROL_PAYLOAD]] {
        send(&mut socket, Opcode::Ping, payload).await?;
        pong(case, &mut socket, payload).await?;
    }
    Ok(())
}

async fn between_fragments(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let mut socket = open(case, &channel).await?;
    let begin = Draft { fin: false, ..frame(Opcode::Text, "fragments ") };
    socket.send(begin).await.map_err(|stop| gone(&socket, stop))?;
    send(&mut socket, Opcode::Ping, b"between").await?;
    pong(case, &mut socket, b"between").await?;
    send(&mut socket, Opcode::Continuation, b"that end").await?;
    // The message has ended, and with it the only reason to refuse another one.
    send(&mut socket, Opcode::Ping, b"behind").await?;
    pong(case, &mut socket, b"behind").await
}

async fn unasked(case: &Case<'_>) -> Proof {
    let mut socket = open(case, &case.subject.channel()).await?;
    send(&mut socket, Opcode::Pong, b"nobody asked").await?;
    send(&mut socket, Opcode::Ping, b"ping-1").await?;
    pong(case, &mut socket, b"ping-1").await
}

async fn one_byte_writes(case: &Case<'_>) -> Proof {
    let mut socket = open(case, &case.subject.channel()).await?;
    let mut bytes = Vec::new();
    masked_frame(Opcode::Ping, [0x37, 0xfa, 0x21, 0x3d], b"bytes", &mut bytes);
    for byte in bytes {
        socket.line.send(&[byte]).await.map_err(|stop| gone(&socket, stop))?;
        // Lets the system send it before the next one is written.
        tokio::task::yield_now().await;
    }
    pong(case, &mut socket, b"bytes").await
}

async fn send(socket: &mut WebSocket, opcode: Opcode, payload: &[u8]) -> Proof {
    socket.send(frame(opcode, payload)).await.map_err(|stop| gone(socket, stop))
}

/// The next pong must be this one.
async fn pong(case: &Case<'_>, socket: &mut WebSocket, payload: &[u8]) -> Proof {
    let expected = format!("a pong with \"{}\"", escape(payload));
    case.waiting_for(&*expected);
    let answer = next_control(socket, case.until()).await.map_err(|stop| {
        Fault::violated(format!("{} where {expected} was expected", stop.says()), [socket.line.number()])
    })?;
    let fault = |says: String| Err(Fault::violated(says, [socket.line.number()]));
    if !is(&answer, Opcode::Pong) {
        return fault(format!("a close frame came where {expected} was expected"));
    }
    if answer.payload != payload {
        return fault(format!("the pong has \"{}\" where {expected} was expected", escape(&answer.payload)));
    }
    Ok(())
}

fn gone(socket: &WebSocket, stop: Stop) -> Fault {
    Fault::violated(format!("{} while frames were sent that break no rule", stop.says()), [socket.line.number()])
}
