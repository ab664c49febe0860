//! Who has received what: proves that every subscriber got every message once and in order, and tells how far the
//! slowest one is.

use std::collections::VecDeque;

use super::Result;

/// The books of one audience. Messages are numbered from 1, without holes.
pub struct Tally {
    /// The last message of each subscriber.
    last: Vec<usize>,
    /// The newest message that was published.
    published: usize,
    /// How many subscribers have each of the messages that not all have yet, oldest first.
    waiting: VecDeque<usize>,
}

impl Tally {
    pub fn new(subscribers: usize) -> Self {
        Self { last: vec![0; subscribers], published: 0, waiting: VecDeque::new() }
    }

    /// How many there are who receive.
    pub fn subscribers(&self) -> usize {
        self.last.len()
    }

    /// The number of the newest message.
    pub fn published(&self) -> usize {
        self.published
    }

    /// Numbers the next message to publish.
    pub fn publish(&mut self) -> usize {
        self.published += 1;
        self.waiting.push_back(0);
        self.published
    }

    /// Books the arrival of message `sequence` at a subscriber.
    ///
    /// # Errors
    /// Fails unless it is the one after the subscriber's last, and was published at all.
    pub fn receive(&mut self, subscriber: usize, sequence: usize) -> Result<()> {
        let expected = self.last[subscriber] + 1;
        if sequence != expected || sequence > self.published {
            let published = self.published;
            return Err(format!(
                "subscriber {subscriber} expected message {expected} of {published}, but received {sequence}"
            )
            .into());
        }
        self.last[subscriber] = sequence;
        let seen_by_all = self.published - self.waiting.len();
        self.waiting[sequence - seen_by_all - 1] += 1;
        while self.waiting.front() == Some(&self.last.len()) {
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// How many messages the slowest subscriber has yet to receive.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Names a subscriber that still waits, for the error that ends a wait in vain.
    pub fn straggler(&self) -> Option<String> {
        let (subscriber, last) = self.last.iter().enumerate().min_by_key(|&(_, last)| last)?;
        let published = self.published;
        (*last < published).then(|| format!("subscriber {subscriber} has received {last} of {published} messages"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_flight_until_the_last_subscriber_has_it() {
        let mut tally = Tally::new(2);
        assert_eq!([tally.publish(), tally.publish()], [1, 2]);
        tally.receive(0, 1).expect("the next message");
        tally.receive(0, 2).expect("the next message");
        assert_eq!(tally.in_flight(), 2);
        assert_eq!(tally.straggler().expect("somebody who waits"), "subscriber 1 has received 0 of 2 messages");
        tally.receive(1, 1).expect("the next message");
        assert_eq!(tally.in_flight(), 1);
        tally.receive(1, 2).expect("the next message");
        assert_eq!(tally.in_flight(), 0);
        assert_eq!(tally.straggler(), None);
    }

    #[test]
    fn loss_repetition_and_invention_are_errors() {
        let mut tally = Tally::new(1);
        tally.publish();
        tally.publish();
        tally.receive(0, 2).expect_err("message 1 is lost");
        tally.receive(0, 1).expect("the next message");
        tally.receive(0, 1).expect_err("message 1 is repeated");
        tally.receive(0, 2).expect("the next message");
        tally.receive(0, 3).expect_err("message 3 was never published");
    }
}
