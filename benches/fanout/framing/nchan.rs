//! Answers to long-polls of Nchan: the body is the message, and the head holds the cursor, in two fields.
//!
//! With `nchan_longpoll_multipart_response raw`, an answer with several messages has each on a line of its own. No
//! payload of the benchmark holds a line end, so one message is read as such an answer, too.

use super::{Received, Sink, head::Head};
use crate::fanout::Result;

/// What has to be published before anybody subscribes, because Nchan answers no first poll of an empty channel.
pub const OPENING: &[u8] = b"opening";

/// Reports the messages of a body, and the head fields to ask with next, which `cursor` holds.
pub fn answer(head: &Head<'_>, body: &str, cursor: &mut String, sink: &mut impl Sink) -> Result<()> {
    for message in body.split('\n').filter(|message| !message.is_empty() && message.as_bytes() != OPENING) {
        sink(Received::Message(message.as_bytes()))?;
    }
    let (modified, tag) = (head.field("Last-Modified")?, head.field("Etag")?);
    cursor.clear();
    cursor.extend(["If-Modified-Since: ", modified, "\r\nIf-None-Match: ", tag, "\r\n"]);
    sink(Received::Answered(cursor))
}
