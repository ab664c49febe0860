//! Messages on their way to everybody: when the first and the last subscriber had each.

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
    first_ns: u64,
    last_ns: u64,
    arrived: usize,
}

impl Flights {
    /// Begins a phase whose first message has the number `first`.
    pub fn begin(&mut self, first: u64, subscribers: usize) {
        *self = Self { first, waiting: std::mem::take(&mut self.waiting), subscribers };
        self.waiting.clear();
    }

    /// Another message is published.
    pub fn publish(&mut self) {
        if self.subscribers == 0 {
            self.first += 1;
            return;
        }
        self.waiting.push_back(Flight { first_ns: u64::MAX, last_ns: 0, arrived: 0 });
    }

    /// How many messages not everybody has.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// A subscriber has received a message for the first time. Calls `landed` with the nanoseconds between first and
    /// last subscriber for each message that everybody has now, in the order of publication.
    pub fn arrive(&mut self, sequence: u64, now_ns: u64, mut landed: impl FnMut(u64)) {
        let position = sequence.checked_sub(self.first).and_then(|position| usize::try_from(position).ok());
        let Some(flight) = position.and_then(|position| self.waiting.get_mut(position)) else { return };
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
        flights.publish();
        flights.publish();
        let mut skews = Vec::new();
        for (sequence, now_ns, in_flight) in [(8, 90, 2), (7, 100, 2), (8, 95, 2), (7, 130, 0)] {
            flights.arrive(sequence, now_ns, |skew| skews.push(skew));
            assert_eq!(flights.in_flight(), in_flight);
        }
        assert_eq!(skews, [30, 5]);
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
