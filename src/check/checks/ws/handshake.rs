//! The handshake (RFC 6455 §4.2): which requests are answered with 101, and how.

use super::CHAPTER;
use crate::check::{
    case::Case,
    checks::ask::address,
    reader::After,
    transport::Transport,
    verdict::{Fault, Proof, Property},
    wire::{
        http::{Head, Request, read_head},
        line::Line,
        websocket::accept_of,
    },
};

pub static ACCEPT: Property = Property {
    id: "ws.accept",
    promise: "A handshake is answered with 101 and the hash of its key in Sec-WebSocket-Accept (RFC 6455 §4.2.2).",
    chapter: CHAPTER,
};

pub static TOKENS: Property = Property {
    id: "ws.tokens",
    promise: "The tokens of Upgrade and Connection mean the same in capitals, and Connection may list others (RFC 6455 \
              §4.2.1).",
    chapter: CHAPTER,
};

pub static NOT_OFFERED: Property = Property {
    id: "ws.not-offered",
    promise: "A server names no extension and no subprotocol that the client has not offered (RFC 6455 §4.1).",
    chapter: CHAPTER,
};

pub static KEY: Property = Property {
    id: "ws.key",
    promise: "A handshake without Sec-WebSocket-Key is refused with an error status such as 400 (RFC 6455 §4.2.2).",
    chapter: CHAPTER,
};

pub static VERSION: Property = Property {
    id: "ws.version",
    promise: "A version that is not spoken is refused with a status such as 426, and Sec-WebSocket-Version tells which \
              one is (RFC 6455 §4.4).",
    chapter: CHAPTER,
};

pub static HTTP_1_0: Property = Property {
    id: "ws.http-1.0",
    promise: "A handshake over HTTP/1.0 is refused, as it is none (RFC 6455 §4.2.1).",
    chapter: CHAPTER,
};

pub static ORIGIN: Property = Property {
    id: "ws.origin",
    promise: "A handshake by a page of a foreign origin is refused by status (RFC 6455 §10.2).",
    chapter: CHAPTER,
};

/// The key of the example in RFC 6455 §1.3. Any would do; this one is known to whoever reads the trace.
const KEY_OF_THE_RFC: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The fields of a faultless handshake. A test takes one away or puts another in its place.
const FIELDS: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY_OF_THE_RFC),
];

/// A page that no server of this machine has made. The name is kept free for examples (RFC 2606 §2).
const FOREIGN_ORIGIN: &str = "http://foreign.example";

/// A version that nobody speaks; some servers speak 8, an early draft, as well.
const UNSPOKEN: &str = "42";

pub async fn run(case: &Case<'_>) {
    case.prove(&ACCEPT, accept(case)).await;
    case.prove(&TOKENS, tokens(case)).await;
    case.prove(&NOT_OFFERED, not_offered(case)).await;
    case.prove(&KEY, key(case)).await;
    case.prove(&VERSION, version(case)).await;
    case.prove(&HTTP_1_0, http_1_0(case)).await;
    case.prove(&ORIGIN, origin(case)).await;
}

/// A handshake in which the fields of these names have other values, or are missing.
fn handshake(case: &Case<'_>, changes: &[(&str, Option<&str>)]) -> Result<Request, Fault> {
    let (target, further) = address(case, Transport::WebSocket, &case.subject.channel(), &After::End)?;
    let mut request = Request::get(&target).fields(further);
    for (name, value) in FIELDS {
        let other = changes.iter().find(|(other, _)| *other == name);
        if let Some(value) = other.map_or(Some(value), |(_, value)| *value) {
            request = request.field(format!("{name}: {value}"));
        }
    }
    Ok(request)
}

/// The head of the answer, and the connection on which more may follow.
async fn ask(case: &Case<'_>, request: &Request) -> Result<(Head, Line), Fault> {
    case.waiting_for("the answer to a handshake");
    let mut line = Line::open(case.subject, &case.trace).await?;
    let number = line.number();
    let sent = line.send(&request.bytes(case.subject)).await;
    // What the server said before it hung up may be there, even if not all could be sent.
    let head = read_head(&mut line, case.until()).await;
    match (sent, head) {
        (_, Ok(head)) => Ok((head, line)),
        (_, Err(unread)) => Err(Fault::violated(format!("the handshake got no answer: {}", unread.says()), [number])),
    }
}

/// The head of an answer that must be 101.
async fn upgraded(case: &Case<'_>, request: &Request) -> Result<(Head, Line), Fault> {
    let (head, line) = ask(case, request).await?;
    if head.status == 101 {
        return Ok((head, line));
    }
    let says = format!("the handshake was answered with {} where 101 was expected", head.says());
    Err(Fault::violated(says, [line.number()]))
}

async fn accept(case: &Case<'_>) -> Proof {
    let (head, line) = upgraded(case, &handshake(case, &[])?).await?;
    let fault = |says: String| Err(Fault::violated(says, [line.number()]));
    let expected = accept_of(KEY_OF_THE_RFC);
    match head.field("Sec-WebSocket-Accept") {
        None => return fault(format!("Sec-WebSocket-Accept is missing; expected {expected}")),
        Some(value) if value != expected => {
            return fault(format!("Sec-WebSocket-Accept is {value} where {expected} was expected"));
        }
        Some(_) => {}
    }
    if !head.has_token("Upgrade", "websocket") {
        return fault("the 101 lacks `Upgrade: websocket`".to_owned());
    }
    if !head.has_token("Connection", "Upgrade") {
        return fault("the 101 lacks `Connection: Upgrade`".to_owned());
    }
    Ok(())
}

/// As browsers and proxies write them: Firefox sends `Connection: keep-alive, Upgrade`.
async fn tokens(case: &Case<'_>) -> Proof {
    let changes = [("Upgrade", Some("WebSocket")), ("Connection", Some("keep-alive, UPGRADE"))];
    upgraded(case, &handshake(case, &changes)?).await.map(drop)
}

async fn not_offered(case: &Case<'_>) -> Proof {
    let (head, line) = upgraded(case, &handshake(case, &[])?).await?;
    for name in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
        if let Some(value) = head.field(name) {
            return Err(Fault::violated(
                format!("the answer has `{name}: {value}`, which nobody offered"),
                [line.number()],
            ));
        }
    }
    Ok(())
}

/// An answer that must refuse.
async fn refused(case: &Case<'_>, request: &Request, what: &str) -> Result<(Head, Line), Fault> {
    let (head, line) = ask(case, request).await?;
    if (400..500).contains(&head.status) {
        return Ok((head, line));
    }
    let says = format!("{what} was answered with {} where an error such as 400 was expected", head.says());
    Err(Fault::violated(says, [line.number()]))
}

async fn key(case: &Case<'_>) -> Proof {
    let request = handshake(case, &[("Sec-WebSocket-Key", None)])?;
    refused(case, &request, "a handshake without a key").await.map(drop)
}

async fn version(case: &Case<'_>) -> Proof {
    let request = handshake(case, &[("Sec-WebSocket-Version", None)])?;
    refused(case, &request, "a handshake without a version").await?;
    let request = handshake(case, &[("Sec-WebSocket-Version", Some(UNSPOKEN))])?;
    let (head, line) = refused(case, &request, "a handshake of version 42").await?;
    if head.all("Sec-WebSocket-Version").flat_map(|value| value.split(',')).any(|version| version.trim() == "13") {
        return Ok(());
    }
    let says = format!("version 42 was refused with {}, but `Sec-WebSocket-Version: 13` is missing", head.says());
    Err(Fault::violated(says, [line.number()]))
}

async fn http_1_0(case: &Case<'_>) -> Proof {
    let request = handshake(case, &[])?.version("HTTP/1.0");
    let mut line = Line::open(case.subject, &case.trace).await?;
    // An end without an answer is a refusal as well.
    let _ = line.send(&request.bytes(case.subject)).await;
    case.waiting_for("the answer to a handshake over HTTP/1.0");
    match read_head(&mut line, case.until()).await {
        Ok(head) if head.status == 101 => {
            Err(Fault::violated("the handshake over HTTP/1.0 was answered with 101", [line.number()]))
        }
        _ => Ok(()),
    }
}

async fn origin(case: &Case<'_>) -> Proof {
    let subscribe = case.subject.profile.subscribe(Transport::WebSocket);
    let status = subscribe.and_then(|subscribe| subscribe.foreign_origin);
    let status =
        status.ok_or_else(|| Fault::skipped("the profile promises nothing of it (websocket.foreign-origin)"))?;
    let request = handshake(case, &[])?.field(format!("Origin: {FOREIGN_ORIGIN}"));
    let (head, line) = ask(case, &request).await?;
    if head.status == status {
        return Ok(());
    }
    let says = format!("a page of {FOREIGN_ORIGIN} was answered with {} where {status} was expected", head.says());
    Err(Fault::violated(says, [line.number()]))
}
