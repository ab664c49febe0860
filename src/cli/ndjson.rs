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

    fn split(chunks: &[&str]) -> Vec<String> {
        let mut splitter = LineSplitter::new(100);
        chunks
            .iter()
            .flat_map(|chunk| splitter.feed(chunk.as_bytes()).expect("all lines are short"))
            .map(|line| String::from_utf8(line).expect("the tests use UTF-8"))
            .collect()
    }

    #[test]
    fn lines_are_found_wherever_the_chunks_are_cut() {
        assert_eq!(split(&["a\nbc\n"]), ["a", "bc"]);
        assert_eq!(split(&["a", "\nb", "c\n"]), ["a", "bc"]);
        assert_eq!(split(&["", "a", "", "\n"]), ["a"]);
    }

    #[test]
    fn an_unfinished_line_is_discarded() {
        assert_eq!(split(&["a\nb"]), ["a"]);
        assert_eq!(split(&["b"]), [""; 0]);
    }

    #[test]
    fn empty_lines_are_no_events() {
        assert_eq!(split(&["\n\na\n\r\n \n"]), ["a"]);
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
            let (first, second) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(split(&[first, second]), split(&[&text]));
        }
    }
}
