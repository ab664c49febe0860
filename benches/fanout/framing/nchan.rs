//! Answers to long-polls of Nchan: the body is the message, and the head holds the cursor, in two fields.

use super::{Received, Sink, head::Head};
use crate::fanout::Result;

/// What has to be published before anybody subscribes, because Nchan answers no first poll of an empty channel.
pub const OPENING: &[u8] = b"opening";

/// Reports the message, and the head fields to ask with next, which `cursor` holds.
pub fn answer(head: &Head<'_>, body: &str, cursor: &mut String, sink: &mut impl Sink) -> Result<()> {
    if body.as_bytes() != OPENING {
        sink(Received::Message(body.as_bytes()))?;
    }
    let (modified, tag) = (head.field("Last-Modified")?, head.field("Etag")?);
    cursor.clear();
    cursor.extend(["If-Modified-Since: ", modified, "\r\nIf-None-Match: ", tag, "\r\n"]);
    sink(Received::Answered(cursor))
}
