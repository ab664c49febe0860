//! Server-sent events (WHATWG HTML §9.2), as far as the server's dialect goes: lines end with LF, and a message of the
//! benchmark is one `data` line.

use memchr::memchr;

use super::{Received, Sink};
use crate::fanout::Result;

/// Takes whole blocks off the front of `bytes`, in one pass over their lines.
pub fn parse(bytes: &[u8], sink: &mut impl Sink) -> Result<usize> {
    let mut block = Block::default();
    let (mut used, mut line_start) = (0, 0);
    while let Some(line_length) = memchr(b'\n', &bytes[line_start..]) {
        let line = &bytes[line_start..line_start + line_length];
        line_start += line_length + 1;
        if line.is_empty() {
            block.dispatch(sink)?;
            block = Block::default();
            used = line_start;
        } else {
            block.add(line);
        }
    }
    Ok(used)
}

/// The fields of a block that matter here.
#[derive(Default)]
struct Block<'a> {
    event: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
}

impl<'a> Block<'a> {
    fn add(&mut self, line: &'a [u8]) {
        if let Some(data) = line.strip_prefix(b"data: ") {
            self.data = Some(data);
        } else if let Some(event) = line.strip_prefix(b"event: ") {
            self.event = Some(event);
        }
    }

    /// Reports a message. Other events are skipped, but for those after which there is nothing left to measure.
    fn dispatch(self, sink: &mut impl Sink) -> Result<()> {
        match (self.event, self.data) {
            (None, Some(payload)) => sink(Received::Message(payload)),
            (Some(event @ (b"gap" | b"goodbye")), data) => {
                let (event, data) = (event.escape_ascii(), data.unwrap_or_default().escape_ascii());
                Err(format!("the server sent the event {event}: {data}").into())
            }
            _ => Ok(()),
        }
    }
}
