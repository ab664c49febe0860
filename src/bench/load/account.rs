//! What a subscriber's messages are booked in: its own account, and the books of the phase.

use super::{
    flights::Flights,
    ledger::{Arrival, Ledger},
    payload::{Found, Payload, Stamp},
    tally::Tally,
};

/// What a phase counts, at the time of one read.
pub struct Books<'a> {
    /// Finds messages in text.
    pub payload: &'a Payload,
    /// Everything counted.
    pub tally: &'a mut Tally,
    /// Who has which message.
    pub flights: &'a mut Flights,
    /// The number of the first message of the phase. Earlier ones are not counted any more.
    pub first: u64,
    /// The number of the next message to be published. Nobody can have that one.
    pub next: u64,
    /// When the phase began.
    pub start_ns: u64,
    /// When the read returned.
    pub now_ns: u64,
}

/// What one subscriber has received.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Which messages of the phase.
    ledger: Ledger,
    /// When the first message of all came.
    pub first_message_ns: Option<u64>,
    /// When the subscriber was cut off, until something new has come.
    cut_at_ns: Option<u64>,
    was_cut: bool,
    repeated: u64,
}

impl Account {
    /// Opens the account for a phase.
    pub fn begin(&mut self, first: u64) {
        self.ledger.begin(first);
        *self = Self {
            ledger: std::mem::take(&mut self.ledger),
            first_message_ns: self.first_message_ns,
            ..Self::default()
        };
    }

    /// The subscriber was cut off.
    pub fn cut(&mut self, now_ns: u64) {
        self.cut_at_ns = Some(now_ns);
        self.was_cut = true;
    }

    /// Books every message in `text`.
    pub fn book_all(&mut self, text: &[u8], books: &mut Books<'_>) {
        let payload = books.payload;
        payload.find(text, |found| match found {
            Found::Whole(stamp) if stamp.sequence >= books.next => books.tally.damaged += 1,
            Found::Whole(stamp) => self.book(stamp, books),
            Found::Damaged => books.tally.damaged += 1,
        });
    }

    fn book(&mut self, stamp: Stamp, books: &mut Books<'_>) {
        self.first_message_ns.get_or_insert(books.now_ns);
        if stamp.sequence < books.first {
            return;
        }
        match self.ledger.enter(stamp.sequence) {
            Arrival::InOrder => {}
            Arrival::Reordered => {
                let later = self.ledger.highest().unwrap_or(stamp.sequence);
                books.tally.reordered += u64::from(books.flights.has_order(stamp.sequence, later));
            }
            Arrival::Repeated => {
                books.tally.repeated += 1;
                self.repeated += 1;
                return;
            }
        }
        let latency_ns = books.now_ns.saturating_sub(stamp.due_ns);
        let Books { tally, flights, .. } = books;
        tally.deliveries += 1;
        tally.latency.saturating_record(latency_ns);
        tally.timeline.record(stamp.due_ns.saturating_sub(books.start_ns), latency_ns);
        flights.arrive(stamp.sequence, books.now_ns, |skew_ns| tally.skew.saturating_record(skew_ns));
        if let Some(cut_at_ns) = self.cut_at_ns.take() {
            tally.recovery.saturating_record(books.now_ns - cut_at_ns);
        }
    }

    /// Closes the account of a phase that ended before the message with the number `next`.
    pub fn close(&self, next: u64, tally: &mut Tally) {
        let lost = self.ledger.lost(next);
        tally.lost += lost;
        if self.was_cut {
            tally.cut.lost += lost;
            tally.cut.repeated += self.repeated;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIZE: usize = 40;

    /// Lets the messages with these numbers, each due at 1,000 ns, arrive at `now_ns`.
    fn receive(account: &mut Account, tally: &mut Tally, flights: &mut Flights, sequences: &[u64], now_ns: u64) {
        let payload = Payload::of_size(SIZE);
        let mut text = Vec::new();
        for &sequence in sequences {
            payload.write(Stamp { sequence, due_ns: 1_000 }, &mut text);
        }
        let mut books = Books { payload: &payload, tally, flights, first: 5, next: 8, start_ns: 1_000, now_ns };
        account.book_all(&text, &mut books);
    }

    fn opened() -> (Account, Tally, Flights) {
        let (mut account, mut flights) = (Account::default(), Flights::default());
        account.begin(5);
        flights.begin(5, 1);
        (0..3).for_each(|_| flights.publish(0, true));
        (account, Tally::new(Duration::from_secs(1)), flights)
    }

    #[test]
    fn a_delivery_is_timed_from_when_its_message_was_due() {
        let (mut account, mut tally, mut flights) = opened();
        receive(&mut account, &mut tally, &mut flights, &[5, 6], 1_500);
        account.close(8, &mut tally);
        assert_eq!((tally.deliveries, tally.lost, tally.latency.min(), tally.latency.len()), (2, 1, 500, 2));
        assert_eq!(tally.timeline.steps()[0].len(), 2);
        assert_eq!(tally.skew.len(), 2);
    }

    #[test]
    fn repetitions_are_counted_and_not_timed() {
        let (mut account, mut tally, mut flights) = opened();
        receive(&mut account, &mut tally, &mut flights, &[6, 6, 5, 5], 2_000);
        assert_eq!((tally.deliveries, tally.repeated, tally.reordered, tally.latency.len()), (2, 2, 1, 2));
    }

    #[test]
    fn what_was_never_published_is_damage_and_what_came_before_is_nothing() {
        let (mut account, mut tally, mut flights) = opened();
        receive(&mut account, &mut tally, &mut flights, &[8, 4], 2_000);
        assert_eq!((tally.deliveries, tally.damaged, tally.repeated), (0, 1, 0));
        assert_eq!(account.first_message_ns, Some(2_000), "but it is the first message");
    }

    #[test]
    fn recovery_lasts_until_something_new_comes() {
        let (mut account, mut tally, mut flights) = opened();
        receive(&mut account, &mut tally, &mut flights, &[5], 2_000);
        account.cut(3_000);
        receive(&mut account, &mut tally, &mut flights, &[5], 4_000);
        assert_eq!(tally.recovery.len(), 0, "that is old");
        receive(&mut account, &mut tally, &mut flights, &[7], 4_500);
        account.close(8, &mut tally);
        assert_eq!((tally.recovery.len(), tally.recovery.max()), (1, 1_500));
        assert_eq!((tally.cut.lost, tally.cut.repeated), (1, 1));
    }
}
