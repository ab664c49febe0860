//! Where this subscriber stands, and what a message means for it: new, seen before, or too far ahead.
//!
//! Pure logic. Cursors are compared only within one epoch; between two epochs there is no order.

use crate::channel::Cursor;

/// The position of one subscriber, which survives its connections.
#[derive(Debug)]
pub struct Position {
    /// What was asked for at first: a cursor, `start` or `end`.
    asked: String,
    cursor: Option<Cursor>,
    /// Whether some messages never come, because this client published them itself.
    has_holes: bool,
}

/// What a message means for the subscriber.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one.
    Next,
    /// It has been here before, and is to be dropped.
    Repeated,
    /// Messages before it are missing and no gap told so, which breaks the protocol: how many, if they can be counted.
    TooFar(Option<u64>),
}

impl Position {
    /// Begins at `asked`. `has_holes` says that not every message is sent to this subscriber.
    #[must_use]
    pub fn new(asked: String, has_holes: bool) -> Self {
        Self { asked, cursor: None, has_holes }
    }

    /// Where to go on: the value for `after`.
    #[must_use]
    pub fn after(&self) -> String {
        self.cursor.as_ref().map_or_else(|| self.asked.clone(), ToString::to_string)
    }

    /// Takes the position at which a subscription begins. Only the first one is news, since the later ones were asked
    /// for.
    pub fn begin(&mut self, cursor: Option<Cursor>) {
        if self.cursor.is_none() {
            self.cursor = cursor;
        }
    }

    /// Steps to a message and judges it.
    pub fn step(&mut self, id: &Cursor) -> Verdict {
        let verdict = self.judge(id);
        if verdict != Verdict::Repeated {
            self.cursor = Some(id.clone());
        }
        verdict
    }

    fn judge(&self, id: &Cursor) -> Verdict {
        match &self.cursor {
            None => Verdict::Next,
            Some(here) if here.epoch != id.epoch => Verdict::TooFar(None),
            Some(here) if id.offset <= here.offset => Verdict::Repeated,
            Some(here) if id.offset == here.offset + 1 || self.has_holes => Verdict::Next,
            Some(here) => Verdict::TooFar(Some(id.offset - here.offset - 1)),
        }
    }

    /// Jumps over a gap. The new position counts even if it is smaller.
    pub fn jump(&mut self, resume: Cursor) {
        self.cursor = Some(resume);
    }

    /// Takes the position that a heartbeat or a poll tells. It is ahead of the last message if some were left out.
    pub fn advance(&mut self, cursor: Cursor) {
        // Without holes every step comes with a message, and one that did not come must not be stepped over.
        if self.has_holes || self.cursor.is_none() {
            self.cursor = Some(cursor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Table {
        comparisons: Vec<Comparison>,
    }

    #[derive(Deserialize)]
    struct Comparison {
        a: String,
        b: String,
        order: Order,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Older,
        Same,
        Newer,
        Unrelated,
    }

    fn cursor(text: &str) -> Cursor {
        text.parse().expect("a cursor")
    }

    fn at(text: &str) -> Position {
        let mut position = Position::new("end".to_owned(), false);
        position.begin(Some(cursor(text)));
        position
    }

    #[test]
    fn a_position_is_what_was_asked_for_until_the_server_resolves_it() {
        let mut position = Position::new("end".to_owned(), false);
        assert_eq!(position.after(), "end");
        position.begin(None);
        assert_eq!(position.after(), "end");
        position.begin(Some(cursor("a.7")));
        assert_eq!(position.after(), "a.7");
    }

    #[test]
    fn messages_in_order_are_next() {
        let mut position = at("a.0");
        assert_eq!(position.step(&cursor("a.1")), Verdict::Next);
        assert_eq!(position.step(&cursor("a.2")), Verdict::Next);
        assert_eq!(position.after(), "a.2");
    }

    #[test]
    fn repeated_messages_do_not_move_the_position() {
        let mut position = at("a.5");
        assert_eq!(position.step(&cursor("a.5")), Verdict::Repeated);
        assert_eq!(position.step(&cursor("a.3")), Verdict::Repeated);
        assert_eq!(position.after(), "a.5");
    }

    #[test]
    fn cursors_are_ordered_as_the_table_says() {
        let table = include_str!("../../../tests/tables/cursors.json");
        let table: Table = serde_json::from_str(table).expect("the table is well-formed");
        assert!(!table.comparisons.is_empty());
        for Comparison { a, b, order } in table.comparisons {
            match at(&b).step(&cursor(&a)) {
                Verdict::Next | Verdict::TooFar(Some(_)) => assert_eq!(order, Order::Newer, "{a} after {b}"),
                Verdict::Repeated => assert!(matches!(order, Order::Older | Order::Same), "{a} after {b}"),
                Verdict::TooFar(None) => assert_eq!(order, Order::Unrelated, "{a} after {b}"),
            }
        }
    }

    #[test]
    fn a_hole_that_no_gap_announced_is_noticed() {
        let mut position = at("a.5");
        assert_eq!(position.step(&cursor("a.9")), Verdict::TooFar(Some(3)));
        assert_eq!(position.step(&cursor("a.10")), Verdict::Next);
        assert_eq!(position.step(&cursor("b.1")), Verdict::TooFar(None));
        assert_eq!(position.after(), "b.1");
    }

    #[test]
    fn own_messages_that_are_left_out_are_no_hole() {
        let mut position = Position::new("a.5".to_owned(), true);
        position.begin(Some(cursor("a.5")));
        assert_eq!(position.step(&cursor("a.9")), Verdict::Next);
        position.advance(cursor("a.12"));
        assert_eq!(position.after(), "a.12");
    }

    #[test]
    fn a_heartbeat_does_not_cover_up_a_lost_message() {
        let mut position = at("a.5");
        position.advance(cursor("a.6"));
        assert_eq!(position.step(&cursor("a.7")), Verdict::TooFar(Some(1)));
    }

    #[test]
    fn a_gap_may_lead_backward_and_into_another_epoch() {
        let mut position = at("a.5");
        position.jump(cursor("a.2"));
        assert_eq!(position.step(&cursor("a.3")), Verdict::Next);
        position.jump(cursor("b.0"));
        assert_eq!(position.step(&cursor("b.1")), Verdict::Next);
    }

    #[test]
    fn a_new_hello_does_not_move_a_known_position() {
        let mut position = at("a.5");
        position.begin(Some(cursor("a.1")));
        assert_eq!(position.after(), "a.5");
    }
}
