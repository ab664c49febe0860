//! Answers to long-polls: HTTP responses with a JSON body of known shape.
//!
//! Ten thousand answers a message have to be read without slowing down the server, so the body is searched for the two
//! members that matter instead of being parsed as JSON. That is exact, because no payload contains a quotation mark.

use super::{Received, Sink, head::Head};
use crate::fanout::Result;

/// Takes whole responses off the front of `bytes`, and hands on their heads and bodies.
pub fn responses(bytes: &[u8], mut answer: impl FnMut(&Head<'_>, &str) -> Result<()>) -> Result<usize> {
    let mut used = 0;
    while let Some(head) = Head::parse(&bytes[used..])? {
        head.expect(200)?;
        let start = used + head.length;
        let Some(body) = bytes.get(start..start + head.content_length()?) else { break };
        answer(&head, std::str::from_utf8(body)?)?;
        used = start + body.len();
    }
    Ok(used)
}

/// Reports the messages of a body, and the cursor to ask with next.
pub fn json(body: &str, sink: &mut impl Sink) -> Result<()> {
    let cursor = body.strip_prefix(r#"{"cursor":""#).and_then(|rest| rest.split('"').next());
    let cursor = cursor.ok_or_else(|| format!("an answer to a poll has no cursor: {body}"))?;
    if body.contains(r#"{"gap":"#) {
        return Err(format!("an answer to a poll reports a gap: {body}").into());
    }
    for data in body.split(r#""data":""#).skip(1) {
        sink(Received::Message(data.split('"').next().unwrap_or_default().as_bytes()))?;
    }
    sink(Received::Answered(cursor))
}
