//! Server-sent events (WHATWG HTML §9.2), as far as the server's dialect goes: lines end with LF, and a message of the
//! benchmark is one `data` line.

use super::{Received, Sink};
use crate::fanout::Result;

const BLOCK_END: &[u8] = b"\n\n";

/// Takes whole blocks off the front of `bytes`.
pub fn parse(bytes: &[u8], sink: &mut impl Sink) -> Result<usize> {
    let mut used = 0;
    while let Some(end) = block_end(&bytes[used..]) {
        block(&bytes[used..used + end], sink)?;
        used += end + BLOCK_END.len();
    }
    Ok(used)
}

/// Where the empty line of the first block begins.
fn block_end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    loop {
        let line_end = line_start + bytes[line_start..].iter().position(|&byte| byte == b'\n')?;
        if bytes.get(line_end + 1)? == &b'\n' {
            return Some(line_end);
        }
        line_start = line_end + 1;
    }
}

/// Reports the message of a block, if it is one. Other events are skipped, but for those that end a benchmark.
fn block(block: &[u8], sink: &mut impl Sink) -> Result<()> {
    let mut message = None;
    for line in block.split(|&byte| byte == b'\n') {
        if let Some(event) = line.strip_prefix(b"event: ") {
            return match event {
                b"gap" | b"goodbye" => Err(String::from_utf8_lossy(block).into()),
                _ => Ok(()),
            };
        }
        message = line.strip_prefix(b"data: ").or(message);
    }
    message.map_or(Ok(()), |payload| sink(Received::Message(payload)))
}
