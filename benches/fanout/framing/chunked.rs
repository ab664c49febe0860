//! Chunked transfer coding (RFC 9112 §7.1), of an answer that never ends.

use crate::fanout::Result;

const LINE_END: &[u8] = b"\r\n";

/// Takes whole chunks off the front of `bytes` and hands on their data.
pub fn parse(bytes: &[u8], mut data: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
    let mut used = 0;
    while let Some((start, length)) = chunk_at(&bytes[used..])? {
        let end = used + start + length;
        if bytes.len() < end + LINE_END.len() {
            break;
        }
        if length == 0 {
            return Err("the server ended the stream".into());
        }
        data(&bytes[used + start..end])?;
        used = end + LINE_END.len();
    }
    Ok(used)
}

/// Start and length of the data of the chunk at the front of `bytes`, whether the data is there or not; `None` if not
/// even the size line is complete.
fn chunk_at(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(line_length) = bytes.windows(LINE_END.len()).position(|window| window == LINE_END) else {
        return Ok(None);
    };
    let size = std::str::from_utf8(&bytes[..line_length])?;
    let length = usize::from_str_radix(size, 16).map_err(|_| format!("this is no chunk size: {size:?}"))?;
    Ok(Some((line_length + LINE_END.len(), length)))
}
