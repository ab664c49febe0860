//! A subscription: a position in the log, as what to send next.

use std::{rc::Rc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    Fault, Server,
    channel::{Channel, Message, PrivateQueue},
    encoder::Encoder,
    event::{Event, Gap, Transport},
    wish::{Wish, locate},
};

/// So many bytes are taken at a time.
const BATCH: usize = 64 * 1024;

/// A subscriber's position, and what it needs to move on.
pub struct Subscription {
    pub encoder: Encoder,
    /// What follows `hello` at once.
    pub gap: Option<Gap>,
    server: Rc<Server>,
    channel: Rc<Channel>,
    head: watch::Receiver<u64>,
    /// Everything up to here has been taken.
    position: u64,
    /// Where the subscription began.
    begin: u64,
    /// What was there when it began.
    replay_end: u64,
    /// Whose publications are left out.
    silent_for: Option<String>,
    /// How many subscribers the channel had with this one.
    number: usize,
    private: Option<PrivateQueue>,
}

impl Subscription {
    /// Subscribes. From here on, nothing that is published is missed.
    pub fn new(server: &Rc<Server>, channel: &Rc<Channel>, wish: &Wish) -> Self {
        let head = channel.watch();
        let is_poll = wish.transport == Transport::LongPoll;
        let (mut position, gap) = locate(server, channel, &wish.after);
        if wish.returns && gap.is_none() && !is_poll && server.has(Fault::ResumeRepeats) {
            position = position.saturating_sub(1).max(channel.log.borrow().start());
        }
        Self {
            encoder: Encoder::new(server, channel, wish),
            gap,
            server: Rc::clone(server),
            channel: Rc::clone(channel),
            head,
            position,
            begin: position,
            replay_end: channel.log.borrow().head(),
            silent_for: wish.client.clone().filter(|_| !wish.echo),
            number: channel.subscribers(),
            private: server.has(Fault::QueueGrows).then(|| channel.private_queue(position)),
        }
    }

    /// The position that was asked for, if it could be read.
    pub fn asked(&self) -> Option<String> {
        match &self.gap {
            Some(gap) => gap.after.clone(),
            None => Some(self.encoder.cursor(self.position)),
        }
    }

    /// The position behind everything that was taken.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether there is something behind the position.
    pub fn has_more(&self) -> bool {
        self.position < self.channel.log.borrow().head()
    }

    /// What there is now, up to a bound. A gap comes alone.
    pub fn take(&mut self) -> Vec<Event> {
        if let Some(gap) = self.fallen_behind() {
            return vec![Event::Gap(gap)];
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH
            && let Some(message) = self.next_message()
        {
            bytes += message.publication.data.len() + 64;
            events.push(Event::Message(message, self.position <= self.replay_end));
        }
        events.chunks_exact_mut(2).filter(|pair| self.swaps(pair)).for_each(|pair| pair.swap(0, 1));
        events
    }

    /// The gap before a subscriber who was so slow that its position is no longer in the log.
    fn fallen_behind(&mut self) -> Option<Gap> {
        let start = self.channel.log.borrow().start();
        if self.position >= start || self.private.is_some() {
            return None;
        }
        let (after, missed) = (Some(self.encoder.cursor(self.position)), Some(start - self.position));
        self.position = start;
        let gap = Gap { after, resume: start, missed, reason: "slow" };
        Some(gap).filter(|_| !self.server.has(Fault::GapUntold))
    }

    fn next_message(&mut self) -> Option<Rc<Message>> {
        loop {
            let message = match &self.private {
                Some(queue) => queue.borrow_mut().pop_front(),
                None => self.channel.log.borrow().after(self.position),
            }?;
            self.position += 1;
            if !self.leaves_out(&message) {
                return Some(message);
            }
        }
    }

    /// Whether a faulty server lets two messages change places.
    fn swaps(&self, pair: &[Event]) -> bool {
        let [Event::Message(first, _), Event::Message(second, replayed)] = pair else { return false };
        let have_two_publishers = first.publication.connection != second.publication.connection;
        let differs = self.number.is_multiple_of(2) && have_two_publishers && self.server.has(Fault::OrdersDiffer);
        let is_poll = self.encoder.transport == Transport::LongPoll;
        differs || (*replayed && !is_poll && self.server.has(Fault::PairsSwapped))
    }

    fn leaves_out(&self, message: &Message) -> bool {
        let is_own = self.silent_for.is_some() && self.silent_for == message.publication.client;
        let is_unlucky = self.number == 17 && self.position % 5 == 3;
        is_own || is_unlucky && self.server.has(Fault::OneSubscriberMisses)
    }

    /// Waits until something is published.
    pub async fn changed(&mut self) {
        // It fails when the channel has gone, which it does with the server.
        let _ = self.head.changed().await;
        if self.server.has(Fault::OrdersDiffer) {
            // More than one message is there then.
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// What a faulty server does between the replay and live delivery.
    pub async fn hand_over(&mut self) {
        if self.replay_end > self.begin && self.server.has(Fault::HandOverLoses) {
            sleep(Duration::from_millis(20)).await;
            self.skip_to_head();
        }
    }

    /// Forgets what there is.
    fn skip_to_head(&mut self) {
        self.position = self.channel.log.borrow().head();
    }

    /// What a faulty server does when a client comes back with its cursor: it has kept the newest message alone.
    pub fn forget_all_but_one(&mut self) {
        let head = self.channel.log.borrow().head();
        self.position = self.position.max(head.saturating_sub(1));
    }

    /// What a faulty server does before it delivers something.
    pub async fn before_delivery(&self, events: &[Event]) {
        if self.server.has(Fault::DeliveryWaits) {
            sleep(Duration::from_millis(25) * u32::try_from(events.len()).unwrap_or(u32::MAX)).await;
        }
    }
}
