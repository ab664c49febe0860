//! An outlet: from a subscription to a socket, for every transport whose answer has no end.

use std::rc::Rc;

use super::{
    Fault, Server,
    channel::Channel,
    event::{Event, Transport},
    http::Writer,
    subscription::Subscription,
};

/// A faulty server holds events back until there are so many bytes of them.
const HELD_BACK: usize = 4096;

/// One subscriber's way out.
pub struct Outlet<'a> {
    pub subscription: Subscription,
    server: Rc<Server>,
    channel: Rc<Channel>,
    writer: &'a mut Writer,
    held: Vec<u8>,
}

// Every method but `new` returns false when the connection has to end.
impl<'a> Outlet<'a> {
    pub fn new(server: &Rc<Server>, channel: &Rc<Channel>, subscription: Subscription, writer: &'a mut Writer) -> Self {
        let (server, channel) = (Rc::clone(server), Rc::clone(channel));
        Self { subscription, server, channel, writer, held: Vec::new() }
    }

    /// Sends `hello`, the gap before the first message if there is one, and what there is.
    pub async fn open(&mut self) -> bool {
        let hello = Event::Hello(self.subscription.asked());
        let opening: Vec<Event> = std::iter::once(hello).chain(self.subscription.gap.take().map(Event::Gap)).collect();
        if !self.send(&opening).await || !self.deliver().await {
            return false;
        }
        self.subscription.hand_over().await;
        true
    }

    /// Sends what there is now.
    pub async fn deliver(&mut self) -> bool {
        loop {
            let events = self.subscription.take();
            if events.is_empty() {
                return true;
            }
            self.subscription.before_delivery(&events).await;
            if !self.send(&events).await {
                return false;
            }
        }
    }

    /// Says that all is well.
    pub async fn heartbeat(&mut self) -> bool {
        if self.server.has(Fault::HeartbeatMissing) {
            return true;
        }
        let heartbeat = Event::Heartbeat(self.subscription.position());
        self.send(&[heartbeat]).await
    }

    async fn send(&mut self, events: &[Event]) -> bool {
        let bytes: Vec<u8> = events.iter().flat_map(|event| self.subscription.encoder.encode(event)).collect();
        self.write(&bytes).await && !events.iter().any(|event| self.subscription.encoder.ends_with(event))
    }

    /// Sends any bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        let is_events = self.subscription.encoder.transport == Transport::Sse;
        if is_events && self.server.has(Fault::EventsBuffered) {
            self.held.extend_from_slice(bytes);
            if self.held.len() < HELD_BACK {
                return true;
            }
            return self.writer.write(&std::mem::take(&mut self.held)).await;
        }
        if self.server.has(Fault::SlowReaderBlocks) {
            let _turn = self.channel.turn.lock().await;
            return self.writer.write(bytes).await;
        }
        self.writer.write(bytes).await
    }
}
