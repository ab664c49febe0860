//! Cuts a stream of bytes into lines, wherever the network cut it into chunks.
//!
//! It does not look into the lines. A line that the end of the stream cuts off is discarded: only the line feed proves
//! that it is complete.

use super::error::EventTooLarge;

/// Collects bytes until there is a line.
#[derive(Debug)]
pub struct LineSplitter {
    unfinished: Vec<u8>,
    limit: usize,
}

impl LineSplitter {
    /// Creates a splitter for lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { unfinished: Vec::new(), limit }
    }

    /// Takes the next chunk and returns the lines that it completes, without their line feeds; empty lines are left
    /// out.
    ///
    /// # Errors
    /// A line is longer than the limit.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Vec<u8>>, EventTooLarge> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            let (text, is_complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            self.append(text)?;
            if is_complete {
                lines.push(std::mem::take(&mut self.unfinished));
            }
        }
        lines.retain(|line| !line.trim_ascii().is_empty());
        Ok(lines)
    }

    fn append(&mut self, text: &[u8]) -> Result<(), EventTooLarge> {
        if self.unfinished.len() + text.len() > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        self.unfinished.extend_from_slice(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    const TABLE: &str = include_str!("../../tests/tables/ndjson.json");

    #[derive(Deserialize)]
    struct Table {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        stream: String,
        lines: Vec<String>,
    }

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new(100);
        chunks
            .iter()
            .flat_map(|chunk| splitter.feed(chunk).expect("all lines are short"))
            .map(|line| String::from_utf8(line).expect("the tests use UTF-8"))
            .collect()
    }

    #[test]
    fn lines_are_found_as_the_table_says_wherever_the_stream_is_cut() {
        let table: Table = serde_json::from_str(TABLE).expect("the table is well-formed");
        assert!(!table.cases.is_empty());
        for Case { name, stream, lines } in table.cases {
            let stream = stream.as_bytes();
            assert_eq!(split(&[stream]), lines, "{name}: in one piece");
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(split(&bytes), lines, "{name}: byte by byte");
            for cut in 0..stream.len() {
                let (first, second) = stream.split_at(cut);
                assert_eq!(split(&[first, second]), lines, "{name}: cut at {cut}");
            }
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_before_it_is_complete() {
        let mut splitter = LineSplitter::new(4);
        assert_eq!(splitter.feed(b"1234\n"), Ok(vec![b"1234".to_vec()]));
        assert_eq!(splitter.feed(b"123"), Ok(vec![]));
        assert_eq!(splitter.feed(b"45"), Err(EventTooLarge { limit: 4 }));
    }

    proptest! {
        #[test]
        fn chunking_never_matters(text in "[ab\n]{0,60}", cut in 0_usize..60) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(split(&[first, second]), split(&[bytes]));
        }
    }
}
