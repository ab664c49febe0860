//! Messages on their way to everybody: when the first and the last subscriber had each, and which of them had an order.
//!
//! Two publications that are under way at once, on two connections, have no order that a server could keep. So a message
//! has one only before those that were published when the server had said that it has this one.

use std::collections::VecDeque;

/// All messages of a phase that not everybody has yet.
#[derive(Debug, Default)]
pub struct Flights {
    /// The number of the message at the front.
    first: u64,
    waiting: VecDeque<Flight>,
    subscribers: usize,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    /// When it was published.
    sent_ns: u64,
    /// When the server was known to have it; the end of time, as long as it is not.
    accepted_ns: u64,
    /// When the first subscriber had it.
    first_ns: u64,
    /// When the last one so far had it.
    last_ns: u64,
    arrived: usize,
}

const NOT_YET: u64 = u64::MAX;

impl Flights {
    /// Begins a phase whose first message has the number `first`.
    pub fn begin(&mut self, first: u64, subscribers: usize) {
        *self = Self { first, waiting: std::mem::take(&mut self.waiting), subscribers };
        self.waiting.clear();
    }

    /// Another message is published. `has_order` says that it arrives at the server before all that follow, whether that
    /// is answered or not.
    pub fn publish(&mut self, now_ns: u64, has_order: bool) {
        if self.subscribers == 0 {
            self.first += 1;
            return;
        }
        let accepted_ns = if has_order { now_ns } else { NOT_YET };
        self.waiting.push_back(Flight { sent_ns: now_ns, accepted_ns, first_ns: u64::MAX, last_ns: 0, arrived: 0 });
    }

    /// The server says that it has a message.
    pub fn accept(&mut self, sequence: u64, now_ns: u64) {
        if let Some(flight) = self.flight(sequence) {
            flight.accepted_ns = now_ns;
        }
    }

    /// Whether a message that comes behind `later` should have come before it.
    pub fn has_order(&mut self, sequence: u64, later: u64) -> bool {
        let sent_ns = self.flight(later).map(|flight| flight.sent_ns);
        let accepted_ns = self.flight(sequence).map(|flight| flight.accepted_ns);
        accepted_ns.zip(sent_ns).is_some_and(|(accepted_ns, sent_ns)| accepted_ns <= sent_ns)
    }

    fn flight(&mut self, sequence: u64) -> Option<&mut Flight> {
        let position = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(position)
    }

    /// How many messages not everybody has.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// A subscriber has received a message for the first time. Calls `landed` with the nanoseconds between first and
    /// last subscriber for each message that everybody has now, in the order of publication.
    pub fn arrive(&mut self, sequence: u64, now_ns: u64, mut landed: impl FnMut(u64)) {
        let Some(flight) = self.flight(sequence) else { return };
        flight.first_ns = flight.first_ns.min(now_ns);
        flight.last_ns = flight.last_ns.max(now_ns);
        flight.arrived += 1;
        while let Some(flight) = self.waiting.front().filter(|flight| flight.arrived >= self.subscribers) {
            landed(flight.last_ns - flight.first_ns);
            self.waiting.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_flight_until_the_last_subscriber_has_it() {
        let mut flights = Flights::default();
        flights.begin(7, 2);
        flights.publish(0, true);
        flights.publish(0, true);
        let mut skews = Vec::new();
        for (sequence, now_ns, in_flight) in [(8, 90, 2), (7, 100, 2), (8, 95, 2), (7, 130, 0)] {
            flights.arrive(sequence, now_ns, |skew| skews.push(skew));
            assert_eq!(flights.in_flight(), in_flight);
        }
        assert_eq!(skews, [30, 5]);
    }

    #[test]
    fn only_what_the_server_had_before_has_an_order() {
        let mut flights = Flights::default();
        flights.begin(0, 1);
        flights.publish(100, false);
        flights.publish(110, false);
        flights.accept(0, 120);
        flights.publish(130, false);
        assert!(!flights.has_order(0, 1), "both were under way");
        assert!(flights.has_order(0, 2), "0 was there when 2 was published");
        assert!(!flights.has_order(1, 2), "1 is still under way");
        flights.publish(140, true);
        flights.publish(140, true);
        assert!(flights.has_order(3, 4), "over one connection");
    }

    #[test]
    fn what_was_never_published_is_no_flight() {
        let mut flights = Flights::default();
        flights.begin(7, 1);
        flights.arrive(6, 1, |_| panic!("before the phase"));
        flights.arrive(7, 1, |_| panic!("not published"));
        assert_eq!(flights.in_flight(), 0);
    }
}
