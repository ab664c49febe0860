//! A proxy that retries: it sends a request twice, one after the other, and throws the first answer away.
//!
//! It has to keep the request for that, so it does so only with requests that it can keep.

use bytes::{Bytes, BytesMut};

use crate::lab::relay::Part;

/// The longest request that can be sent again.
pub const MAX_KEPT: u64 = 2 * 1024 * 1024;

/// A request that is being sent for the first of two times.
#[derive(Debug, Default)]
pub struct Retry {
    sent: BytesMut,
    is_answered: bool,
    needs_connection: bool,
}

impl Retry {
    /// Whether a request can be sent twice: never a handshake, and nothing whose length is unknown or beyond the bound.
    #[must_use]
    pub const fn can_keep(length: Option<u64>, is_handshake: bool) -> bool {
        matches!(length, Some(0..=MAX_KEPT)) && !is_handshake
    }

    /// Notes what has gone to the server.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
    }

    /// Takes a part of the first answer, and returns it if it is not for the bin: an interim answer, for which the client
    /// may be waiting before it sends the rest.
    pub fn take(&mut self, part: Part) -> Option<Part> {
        match part {
            Part::Head(head) if head.is_interim() => return Some(Part::Head(head)),
            // An answer without an end is thrown away with its connection.
            Part::Head(head) => {
                self.needs_connection = !head.is_persistent || head.content.is_endless();
                self.is_answered = head.content.is_endless();
            }
            Part::Data(_) => {}
            Part::End => self.is_answered = true,
        }
        None
    }

    /// Notes that the server has hung up.
    pub const fn hung_up(&mut self) {
        self.is_answered = true;
        self.needs_connection = true;
    }

    /// Whether the first answer has been thrown away.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Whether the second try needs another connection to the server.
    #[must_use]
    pub const fn needs_connection(&self) -> bool {
        self.needs_connection
    }

    /// The request, to be sent again.
    #[must_use]
    pub fn again(self) -> Bytes {
        self.sent.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{relay::Head, troubles::count::Content};

    fn head(status: u16, content: Content, is_persistent: bool) -> Part {
        Part::Head(Head { status, content, is_persistent, ..Head::default() })
    }

    #[test]
    fn the_first_answer_is_thrown_away_and_the_request_comes_again() {
        let mut retry = Retry::default();
        retry.keep(b"POST / HTTP/1.1\r\n\r\n");
        retry.keep(b"body");
        assert_eq!(retry.take(head(201, Content::Opaque, true)), None);
        assert_eq!(retry.take(Part::Data(Bytes::from_static(b"{}"))), None);
        assert!(!retry.is_answered());
        assert_eq!(retry.take(Part::End), None);
        assert!(retry.is_answered() && !retry.needs_connection());
        assert_eq!(retry.again(), "POST / HTTP/1.1\r\n\r\nbody");
    }

    #[test]
    fn an_interim_answer_is_passed_on() {
        let mut retry = Retry::default();
        assert!(retry.take(head(100, Content::Opaque, true)).is_some());
        assert!(!retry.is_answered());
    }

    #[test]
    fn an_answer_without_an_end_is_not_waited_for() {
        let mut retry = Retry::default();
        retry.take(head(200, Content::Events, true));
        assert!(retry.is_answered() && retry.needs_connection());
    }

    #[test]
    fn a_connection_that_ends_with_its_answer_is_replaced() {
        let mut retry = Retry::default();
        retry.take(head(200, Content::Opaque, false));
        assert!(!retry.is_answered());
        retry.hung_up();
        assert!(retry.is_answered() && retry.needs_connection());
    }

    #[test]
    fn only_what_can_be_kept_is_sent_twice() {
        assert!(Retry::can_keep(Some(0), false));
        assert!(!Retry::can_keep(Some(0), true));
        assert!(!Retry::can_keep(Some(MAX_KEPT + 1), false));
        assert!(!Retry::can_keep(None, false));
    }
}
