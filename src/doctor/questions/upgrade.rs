//! Is the upgrade to WebSocket let through? A handshake that succeeds proves little: a message has to come, and one that is
//! sent has to come back.

use std::time::Instant;

use super::{Pulse, millis_since, nonce};
use crate::doctor::{
    client::{Answer, Client, Fault},
    handshake::{Shaken, hear, shake, text_frame},
    observations::{Handshake, Upgrade},
};

/// Looks at a handshake and what follows it.
///
/// # Errors
/// Nobody accepts a connection.
pub async fn look(client: &Client, pulse: Pulse) -> Result<Upgrade, Fault> {
    let began = Instant::now();
    let seen =
        |outcome| Upgrade { outcome, status: None, server: None, body: String::new(), took_ms: millis_since(began) };
    let mut connection = match shake(client, "/examination/ws?for=20000").await {
        Ok(Shaken::Open(connection)) => connection,
        Ok(Shaken::Answered(answer)) => return Ok(refused(&answer, seen(outcome(&answer)))),
        Err(Fault::Silence(_)) => return Ok(seen(Handshake::Unanswered)),
        Err(Fault::Fin | Fault::Reset) => return Ok(seen(Handshake::Dropped)),
        Err(Fault::NotHttp(fault)) => return Ok(Upgrade { body: fault, ..seen(Handshake::Refused) }),
        Err(fault) => return Err(fault),
    };
    if hear(&mut connection, "\"piece\":1", pulse.grace()).await.is_err() {
        return Ok(seen(Handshake::Mute));
    }
    let heard = seen(Handshake::Passed);
    let echo = nonce();
    let is_back =
        connection.write(&text_frame(&echo)).await.is_ok() && hear(&mut connection, &echo, pulse.grace()).await.is_ok();
    Ok(if is_back { heard } else { seen(Handshake::OneWay) })
}

fn refused(answer: &Answer, seen: Upgrade) -> Upgrade {
    let server = answer.head.field("Server").map(str::to_owned);
    Upgrade { status: Some(answer.head.status), server, body: answer.excerpt(), ..seen }
}

/// Whose refusal it is. The server's own are problem documents that say so.
fn outcome(answer: &Answer) -> Handshake {
    let kind = answer.json().and_then(|document| document["type"].as_str().map(str::to_owned)).unwrap_or_default();
    match kind.strip_prefix("urn:fallcast:problem:") {
        Some("upgrade-required") => Handshake::Stripped,
        Some(_) => Handshake::RefusedByServer,
        None => Handshake::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::client::Head;

    #[test]
    fn a_refusal_is_the_servers_own_if_it_is_its_problem_document() {
        for (body, expected) in [
            (r#"{"type":"urn:fallcast:problem:upgrade-required"}"#, Handshake::Stripped),
            (r#"{"type":"urn:fallcast:problem:foreign-origin"}"#, Handshake::RefusedByServer),
            ("<html><h1>403 Forbidden</h1></html>", Handshake::Refused),
        ] {
            let answer = Answer { head: Head { status: 403, ..Head::default() }, body: body.into() };
            assert_eq!(outcome(&answer), expected, "{body}");
        }
    }
}
