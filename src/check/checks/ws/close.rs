//! The closing handshake (RFC 6455 §5.5.1, §7): who says what, and who hangs up.

use super::{CHAPTER, frame, frames::next_control, is, open, refusals::closes};
use crate::{
    check::{
        case::Case,
        verdict::{Fault, Proof, Property},
        wire::{
            line::Stop,
            websocket::{Frame, WebSocket},
        },
    },
    wire::websocket::Opcode,
};

pub static ECHO: Property = Property {
    id: "ws.close-echo",
    promise: "A close frame is answered with a close frame of the same code (RFC 6455 §5.5.1).",
    chapter: CHAPTER,
};

pub static HANGS_UP: Property = Property {
    id: "ws.hangs-up",
    promise: "After the closing handshake the server ends the TCP connection, and says nothing more (RFC 6455 §5.5.1, \
              §7.1.1).",
    chapter: CHAPTER,
};

pub static EMPTY: Property = Property {
    id: "ws.empty-close",
    promise: "A close frame without a code is answered; 1005, which stands for none, is never sent (RFC 6455 §7.4.1).",
    chapter: CHAPTER,
};

pub static BAD_CODE: Property = Property {
    id: "ws.bad-close-code",
    promise: "A close code that must not be sent, and half a code, are answered with 1002 (RFC 6455 §7.4).",
    chapter: CHAPTER,
};

/// A code of the standard, one that libraries register, one of applications' own.
const CODES: [u16; 3] = [1000, 3000, 4999];

/// What only an API reports, and numbers outside of every range.
const BAD_CODES: [u16; 4] = [1005, 1006, 999, 5000];

const PROTOCOL: u16 = 1002;

pub async fn run(case: &Case<'_>) {
    case.prove_all(&[&ECHO, &HANGS_UP], echo(case)).await;
    case.prove(&EMPTY, empty(case)).await;
    case.prove(&BAD_CODE, bad_codes(case)).await;
}

async fn echo(case: &Case<'_>) -> Proof {
    for code in CODES {
        let mut socket = open(case, &case.subject.channel()).await?;
        let payload = [&code.to_be_bytes()[..], b"bye"].concat();
        let answer = close(case, &mut socket, &payload).await?;
        let line = socket.line.number();
        match answer.close() {
            Some((Some(found), _)) if found == code => {}
            Some((Some(found), _)) => {
                return Err(Fault::violated(format!("the code {code} was answered with {found}"), [line]));
            }
            _ => return Err(Fault::violated(format!("the code {code} was answered without a code"), [line])),
        }
        hangs_up(case, &mut socket).await.map_err(|fault| fault.of(&HANGS_UP))?;
    }
    Ok(())
}

/// Sends a close frame, and returns the one that answers it.
async fn close(case: &Case<'_>, socket: &mut WebSocket, payload: &[u8]) -> Proof<Frame> {
    let line = socket.line.number();
    let fault = |stop: Stop| Fault::violated(format!("{} where a close frame was expected", stop.says()), [line]);
    socket.send(frame(Opcode::Close, payload)).await.map_err(fault)?;
    case.waiting_for("the answer to a close frame");
    let answer = next_control(socket, case.until()).await.map_err(fault)?;
    if is(&answer, Opcode::Close) {
        return Ok(answer);
    }
    Err(Fault::violated("a pong came where a close frame was expected", [line]))
}

async fn hangs_up(case: &Case<'_>, socket: &mut WebSocket) -> Proof {
    case.waiting_for("the end of the connection");
    let says = match socket.next(case.until()).await {
        Err(Stop::End | Stop::Reset) => return Ok(()),
        Err(Stop::Late) => "the server left the connection open after the closing handshake".to_owned(),
        Ok(frame) => format!("a frame with the opcode {:#x} came after the server's close frame", frame.opcode),
    };
    Err(Fault::violated(says, [socket.line.number()]))
}

async fn empty(case: &Case<'_>) -> Proof {
    let mut socket = open(case, &case.subject.channel()).await?;
    let answer = close(case, &mut socket, b"").await?;
    match answer.close() {
        Some((None | Some(1000), _)) => Ok(()),
        Some((Some(code), _)) => {
            let says = format!("a close frame without a code was answered with {code}");
            Err(Fault::violated(says, [socket.line.number()]))
        }
        None => Err(Fault::violated("the answering close frame has half a code", [socket.line.number()])),
    }
}

async fn bad_codes(case: &Case<'_>) -> Proof {
    let whole = BAD_CODES.iter().map(|code| code.to_be_bytes().to_vec());
    for payload in whole.chain([vec![3]]) {
        let mut socket = open(case, &case.subject.channel()).await?;
        let _ = socket.send(frame(Opcode::Close, payload)).await;
        closes(case, &mut socket, PROTOCOL).await?;
    }
    Ok(())
}
