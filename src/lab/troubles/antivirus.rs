//! The antivirus: lets an event of an event stream through when the next one begins to arrive.
//!
//! A comment is no event; it waits with the event before. So a heartbeat that is a comment frees nothing, and one that
//! is an event does.

use bytes::{Bytes, BytesMut};

use super::count::{Content, EventScanner, Mark};
use crate::lab::relay::Part;

/// The bytes that are held: one event, what follows it up to the next, and no more than this.
const MAX_EVENT: usize = 1024 * 1024;

/// Holds the newest event of an event stream.
#[derive(Debug, Default)]
pub struct Antivirus {
    is_on: bool,
    /// Follows the stream from its first byte, so that it is in step whenever it is switched on.
    scanner: Option<EventScanner>,
    held: BytesMut,
}

impl Antivirus {
    /// Switches it on or off. When it is off, what it has held passes.
    pub fn switch(&mut self, is_on: bool, pass: &mut impl FnMut(Part)) {
        self.is_on = is_on;
        if !is_on {
            self.release(pass);
        }
    }

    /// Takes a part of an answer and passes what need not be held.
    pub fn take(&mut self, part: Part, pass: &mut impl FnMut(Part)) {
        match part {
            Part::Head(head) => {
                self.scanner = (head.content == Content::Events).then(EventScanner::default);
                pass(Part::Head(head));
            }
            Part::Data(bytes) if self.scanner.is_some() => self.scan(bytes, pass),
            Part::Data(bytes) => pass(Part::Data(bytes)),
            Part::End => {
                self.release(pass);
                pass(Part::End);
            }
        }
    }

    /// Passes what is held.
    pub fn release(&mut self, pass: &mut impl FnMut(Part)) {
        if !self.held.is_empty() {
            pass(Part::Data(self.held.split().freeze()));
        }
    }

    fn scan(&mut self, mut bytes: Bytes, pass: &mut impl FnMut(Part)) {
        let newest_begins = self.newest_event(&bytes);
        if !self.is_on {
            pass(Part::Data(bytes));
            return;
        }
        if let Some(begins) = newest_begins {
            self.held.extend_from_slice(&bytes.split_to(begins));
            self.release(pass);
        }
        self.held.extend_from_slice(&bytes);
        if self.held.len() > MAX_EVENT {
            self.release(pass);
        }
    }

    /// Where the last event begins that begins in these bytes.
    fn newest_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let scanner = self.scanner.as_mut()?;
        let (mut at, mut newest) = (0, None);
        while let Some((taken, mark)) = scanner.next(&bytes[at..]) {
            at += taken;
            if mark == Mark::Begins {
                newest = Some(at);
            }
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::relay::Head;

    struct Stream {
        antivirus: Antivirus,
        passed: Vec<u8>,
    }

    impl Stream {
        fn begin(content: Content) -> Self {
            let mut stream = Self { antivirus: Antivirus::default(), passed: Vec::new() };
            stream.antivirus.take(Part::Head(Head { content, ..Head::default() }), &mut |_| {});
            stream
        }

        fn switch(&mut self, is_on: bool) -> String {
            let passed = &mut self.passed;
            self.antivirus.switch(is_on, &mut |part| keep(part, passed));
            self.passed()
        }

        fn send(&mut self, text: &'static str) -> String {
            let passed = &mut self.passed;
            self.antivirus.take(Part::Data(Bytes::from_static(text.as_bytes())), &mut |part| keep(part, passed));
            self.passed()
        }

        fn passed(&mut self) -> String {
            String::from_utf8(std::mem::take(&mut self.passed)).expect("text")
        }
    }

    fn keep(part: Part, passed: &mut Vec<u8>) {
        if let Part::Data(bytes) = part {
            passed.extend_from_slice(&bytes);
        }
    }

    #[test]
    fn an_event_passes_when_the_next_begins() {
        let mut stream = Stream::begin(Content::Events);
        stream.switch(true);
        assert_eq!(stream.send("data: 1\n\n"), "");
        assert_eq!(stream.send("d"), "data: 1\n\n");
        assert_eq!(stream.send("ata: 2\n"), "");
        assert_eq!(stream.send("\ndata: 3\n\ndata: 4\n"), "data: 2\n\ndata: 3\n\n");
        assert_eq!(stream.send("\n"), "");
    }

    #[test]
    fn comments_wait_with_the_event_before_them() {
        let mut stream = Stream::begin(Content::Events);
        stream.switch(true);
        assert_eq!(stream.send("data: 1\n\n: heartbeat\n\n"), "");
        assert_eq!(stream.send(": heartbeat\n\n"), "");
        assert_eq!(stream.send("data: 2\n\n"), "data: 1\n\n: heartbeat\n\n: heartbeat\n\n");
    }

    #[test]
    fn switched_off_it_lets_go_and_switched_on_again_it_is_in_step() {
        let mut stream = Stream::begin(Content::Events);
        assert_eq!(stream.send("data: 1\n\ndata"), "data: 1\n\ndata");
        assert_eq!(stream.switch(true), "");
        assert_eq!(stream.send(": 2\n\n"), "", "the rest of an event that had begun");
        assert_eq!(stream.send("data: 3\n\n"), ": 2\n\n");
        assert_eq!(stream.switch(false), "data: 3\n\n");
        assert_eq!(stream.send("data: 4\n\n"), "data: 4\n\n");
    }

    #[test]
    fn it_only_looks_into_event_streams() {
        let mut stream = Stream::begin(Content::Lines);
        stream.switch(true);
        assert_eq!(stream.send("data: 1\n\n"), "data: 1\n\n");
    }

    #[test]
    fn the_end_frees_what_is_held() {
        let mut stream = Stream::begin(Content::Events);
        stream.switch(true);
        stream.send("data: 1\n\n");
        let mut parts = Vec::new();
        stream.antivirus.take(Part::End, &mut |part| parts.push(part));
        assert_eq!(parts, [Part::Data(Bytes::from_static(b"data: 1\n\n")), Part::End]);
    }
}
