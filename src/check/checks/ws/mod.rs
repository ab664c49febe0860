//! `ws`: whether a server speaks WebSocket as RFC 6455 has it: the handshake, what it sends, what it understands, what it
//! refuses, and how it ends.

mod close;
mod control;
mod frames;
mod handshake;
mod messages;
mod refusals;

use std::time::Duration;

use super::{Check, Scope, ask::address};
use crate::{
    check::{
        case::Case,
        reader::After,
        subject::Channel,
        transport::Transport,
        verdict::Fault,
        wire::websocket::{Draft, Frame, WebSocket},
    },
    wire::websocket::Opcode,
};

/// What this check is.
pub static CHECK: Check = Check {
    name: "ws",
    about: "WebSocket to the letter: handshake, frames, pongs, close codes, UTF-8, limits (RFC 6455)",
    scope: Scope::Each(&[Transport::WebSocket]),
    properties: &[
        &handshake::ACCEPT,
        &handshake::TOKENS,
        &handshake::NOT_OFFERED,
        &handshake::KEY,
        &handshake::VERSION,
        &handshake::HTTP_1_0,
        &handshake::ORIGIN,
        &frames::UNMASKED,
        &frames::RESERVED_BITS,
        &frames::OPCODES,
        &frames::SHORTEST_LENGTH,
        &frames::TEXT_IS_UTF8,
        &control::PONG_PAYLOAD,
        &control::PONG_BETWEEN_FRAGMENTS,
        &control::UNASKED_PONG,
        &control::ONE_BYTE_WRITES,
        &messages::FRAGMENTS,
        &refusals::UNMASKED,
        &refusals::RESERVED_BIT,
        &refusals::RESERVED_OPCODE,
        &refusals::LONG_CONTROL,
        &refusals::FRAGMENTED_CONTROL,
        &refusals::STRAY_CONTINUATION,
        &refusals::UTF8,
        &refusals::TOO_BIG,
        &close::ECHO,
        &close::HANGS_UP,
        &close::EMPTY,
        &close::BAD_CODE,
    ],
    run: |case| Box::pin(run(case)),
};

/// Where the book tells of it.
const CHAPTER: &str = "/book/protocol.html#websocket";

async fn run(case: &Case<'_>) {
    handshake::run(case).await;
    frames::run(case).await;
    control::run(case).await;
    messages::run(case).await;
    refusals::run(case).await;
    close::run(case).await;
}

/// How long a server is left alone with a fault before it is asked whether it has noticed. Asking early could make the
/// system throw the close frame away that is on its way: a socket that is closed with unread bytes is reset.
const MOMENT: Duration = Duration::from_secs(1);

/// What the question is.
const STILL_THERE: &[u8] = b"still there?";

/// A WebSocket on a channel, from its end on.
async fn open(case: &Case<'_>, channel: &Channel) -> Result<WebSocket, Fault> {
    let (target, fields) = address(case, Transport::WebSocket, channel, &After::End)?;
    WebSocket::open(case, &target, &fields).await
}

/// A frame of this kind.
fn frame(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Draft {
    Draft::new(opcode as u8, payload)
}

const fn is(frame: &Frame, opcode: Opcode) -> bool {
    frame.opcode == opcode as u8
}
