//! What a client says (RFC 6455 §5.4): a message is one, however many frames it comes in.

use super::{CHAPTER, frame};
use crate::{
    check::{
        case::Case,
        checks::ask::voice,
        reader::{After, Reader},
        trace::escape,
        transport::Transport,
        verdict::{Fault, Proof, Property},
        wire::websocket::Draft,
    },
    wire::websocket::Opcode,
};

pub static FRAGMENTS: Property = Property {
    id: "ws.fragments",
    promise: "The fragments of a message are one message, and a ping between them is none of it (RFC 6455 §5.4).",
    chapter: CHAPTER,
};

/// It is cut in two, so that whoever reads fragments as texts of their own fails.
const EURO: &str = "€";

pub async fn run(case: &Case<'_>) {
    case.prove(&FRAGMENTS, fragments(case)).await;
}

async fn fragments(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let message = format!("{} costs 5 {EURO}", channel.message());
    let mut reader = Reader::open(case, Transport::WebSocket, &channel, &After::End).await?;
    let (mut socket, said) = voice(case, &channel, &message).await?;
    let line = socket.line.number();
    let said = said.as_bytes();
    let cut = memchr::memmem::find(said, EURO.as_bytes()).map_or(said.len() / 2, |euro| euro + 1);
    let frames = [
        Draft { fin: false, ..frame(Opcode::Text, &said[..cut]) },
        frame(Opcode::Ping, "between"),
        Draft { fin: false, ..frame(Opcode::Continuation, &said[cut..]) },
        frame(Opcode::Continuation, ""),
    ];
    for draft in frames {
        let sent = socket.send(draft).await;
        sent.map_err(|stop| Fault::violated(format!("{} while a message was sent", stop.says()), [line]))?;
    }
    let heard = reader.message(case, &channel, &message).await.map_err(|fault| fault.shown_on([line]))?;
    if heard.data == message.as_bytes() {
        return Ok(());
    }
    let says = format!("\"{}\" was heard where \"{message}\" was expected", escape(&heard.data));
    let lines: Vec<_> = reader.lines().into_iter().chain([line]).collect();
    Err(Fault::violated(says, lines))
}
