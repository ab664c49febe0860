//! A subscription: a position in a channel's log, as a stream of what to send next.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio_stream::Stream;

use crate::{
    channel::{Channel, Counted, Event, Gap, Goodbye, GoodbyeReason, Heartbeat, MemberId, Transport},
    wire::{self, Framing},
};

use super::{
    fanout::{Fanout, Feed, Whom},
    segment::{MAX_SLICE, Slice, Taken},
    worker::{Hangup, Worker, millis},
};

/// What a subscription is made of.
#[derive(Debug)]
pub struct Start {
    /// The channel.
    pub channel: Arc<Channel>,
    /// The transport, for the counters.
    pub transport: Transport,
    /// In which form events are delivered.
    pub framing: Framing,
    /// The position to begin behind.
    pub position: u64,
    /// What to send before anything else: the `hello`, and a gap if there is one.
    pub opening: Bytes,
    /// Whose messages are left out.
    pub excluded: Option<MemberId>,
    /// What the subscriber wants to know of who is here.
    pub presence: PresenceFrom,
    /// How to hang up on the peer if it takes nothing.
    pub hangup: Option<Hangup>,
    /// What has to live as long as the subscription.
    pub attached: Option<Arc<dyn std::fmt::Debug>>,
}

/// What a subscriber wants to know of who is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceFrom {
    /// Nothing.
    Never,
    /// Everything, beginning with the full list.
    List,
    /// The changes after this version.
    Version(u64),
}

/// What to send next.
#[derive(Debug)]
pub enum Next {
    /// Bytes, ready to send: whole events, or the next part of one that is large.
    Bytes(Bytes),
    /// Presence events, ready to send, whole or in parts like any other.
    Presence(Bytes),
    /// The subscriber fell off the log; it stands at the gap's `resume` now.
    Gap(Gap),
    /// A proof of life is due.
    Heartbeat(Heartbeat),
    /// The server drains. Nothing follows.
    Goodbye(Goodbye),
}

// ANCHOR: subscription
/// A position in a channel's log, and where it is entered to be woken.
#[derive(Debug)]
pub struct Subscription {
    fanout: Rc<Fanout>,
    feed: Rc<Feed>,
    /// The subscriber's entry in the wake list.
    entry: usize,
    position: u64,
    /// The part of a large slice that has not been handed out yet. It is finished before anything else is said.
    rest: Bytes,
    /// Whether that part is of presence events.
    is_rest_presence: bool,
    excluded: Option<MemberId>,
    presence: PresenceFrom,
    transport: Transport,
    heartbeat_at_ms: u64,
    /// How this subscriber is let go, once the server drains.
    leaving: Option<Box<Leaving>>,
    /// Whether it has caught up once; only from then on do its delays tell something about the server.
    is_live: bool,
    is_over: bool,
    /// Counts the subscriber; between two polls there is none.
    counted: Option<Counted>,
    _attached: Option<Arc<dyn std::fmt::Debug>>,
}
// ANCHOR_END: subscription

/// When a subscriber leaves a draining server.
#[derive(Debug)]
struct Leaving {
    at_ms: u64,
    /// The head when that moment had come: what was published before is delivered before the goodbye.
    last_offset: Option<u64>,
}

impl Subscription {
    /// Starts a subscription on this worker. It exists from here on: nothing published from now on is missed.
    #[must_use]
    pub fn new(worker: &Rc<Worker>, start: Start) -> Self {
        let fanout = worker.fanout(&start.channel);
        fanout.refresh();
        Self {
            feed: fanout.feed(start.framing),
            entry: fanout.enter(start.presence != PresenceFrom::Never, start.hangup),
            position: start.position,
            rest: start.opening,
            is_rest_presence: false,
            excluded: start.excluded,
            presence: start.presence,
            transport: start.transport,
            heartbeat_at_ms: worker.now_ms() + worker.pace().heartbeat_ms(),
            leaving: None,
            is_live: start.position >= fanout.head(),
            is_over: false,
            counted: Some(start.channel.count_in(start.transport)),
            _attached: start.attached,
            fanout,
        }
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &Arc<Channel> {
        self.fanout.channel()
    }

    /// The worker that it belongs to.
    #[must_use]
    pub fn worker(&self) -> &Rc<Worker> {
        self.fanout.worker()
    }

    /// The framing in which events are delivered.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.feed.framing()
    }

    /// The subscriber's position.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether a part of an event is out and the rest is not, so that nothing else may be sent.
    #[must_use]
    pub fn is_within_event(&self) -> bool {
        !self.rest.is_empty()
    }

    // ANCHOR: next
    /// What there is to send now, in the order of its urgency.
    fn next_now(&mut self) -> Option<Next> {
        if !self.rest.is_empty() {
            return Some(self.next_part());
        }
        self.next_goodbye()
            .or_else(|| self.next_presence())
            .or_else(|| self.next_events())
            .or_else(|| self.next_heartbeat())
    }

    fn next_events(&mut self) -> Option<Next> {
        if self.position >= self.fanout.head() {
            self.is_live = true;
            return None;
        }
        match self.feed.take(self.position, self.fanout.head(), self.excluded) {
            Slice::Events(taken) => {
                self.count(&taken);
                self.position = taken.up_to;
                self.rest = taken.bytes;
                self.is_rest_presence = false;
                Some(self.next_part())
            }
            Slice::Nothing(position) => {
                self.position = position;
                None
            }
            Slice::Gap => Some(self.next_gap()),
        }
    }

    fn next_gap(&mut self) -> Next {
        let gap = self.channel().slow_gap(self.position);
        self.position = gap.resume.offset;
        self.is_live = false;
        self.fanout.worker().metrics().gap(self.transport, gap.reason);
        Next::Gap(gap)
    }
    // ANCHOR_END: next

    /// Hands out at most as much as fits into one write; a large event would otherwise be copied whole into the buffers
    /// of everybody who is slow.
    fn next_part(&mut self) -> Next {
        let part =
            if self.rest.len() <= MAX_SLICE { std::mem::take(&mut self.rest) } else { self.rest.split_to(MAX_SLICE) };
        self.fanout.worker().tally().bytes(self.transport, part.len());
        if self.is_rest_presence { Next::Presence(part) } else { Next::Bytes(part) }
    }

    fn count(&self, taken: &Taken) {
        let worker = self.fanout.worker();
        worker.tally().events(self.transport, taken.events);
        if self.is_live {
            let waited_us = worker.clock().now_us().saturating_sub(taken.oldest_at_us);
            worker.tally().publish_to_write(self.transport, waited_us);
        }
    }

    fn next_presence(&mut self) -> Option<Next> {
        let known = match self.presence {
            PresenceFrom::Never => return None,
            PresenceFrom::List => None,
            PresenceFrom::Version(known) if known == self.fanout.presence_version() => return None,
            PresenceFrom::Version(known) => Some(known),
        };
        let (bytes, version) = self.feed.presence(self.fanout.channel(), known);
        self.presence = PresenceFrom::Version(version);
        self.rest = bytes;
        self.is_rest_presence = true;
        (!self.rest.is_empty()).then(|| self.next_part())
    }

    fn next_heartbeat(&mut self) -> Option<Next> {
        let worker = self.fanout.worker();
        if worker.now_ms() < self.heartbeat_at_ms {
            return None;
        }
        self.heartbeat_at_ms = worker.now_ms() + worker.pace().heartbeat_ms();
        let (cursor, head) =
            (self.channel().cursor(self.position), self.channel().cursor(self.position.max(self.fanout.head())));
        Some(Next::Heartbeat(Heartbeat { cursor, head }))
    }

    /// Each subscriber leaves a draining server at a moment of its own, so that they don't all come back at once.
    fn next_goodbye(&mut self) -> Option<Next> {
        let worker = self.fanout.worker();
        let since = worker.draining_since_ms()?;
        let (lead, spread) = (worker.pace().drain_lead, worker.pace().drain_spread);
        let moment = || since + millis(lead) + fastrand::u64(0..=millis(spread));
        let leaving = self.leaving.get_or_insert_with(|| Box::new(Leaving { at_ms: moment(), last_offset: None }));
        if worker.now_ms() < leaving.at_ms
            || self.position < *leaving.last_offset.get_or_insert_with(|| self.fanout.head())
        {
            return None;
        }
        self.is_over = true;
        Some(Next::Goodbye(goodbye(GoodbyeReason::Draining)))
    }

    /// When the subscription has something to say in any case, in the worker's milliseconds.
    #[must_use]
    pub fn wake_at_ms(&self) -> u64 {
        self.leaving.as_ref().map_or(self.heartbeat_at_ms, |leaving| leaving.at_ms.min(self.heartbeat_at_ms))
    }

    /// Encodes an event that is not shared with anybody, in this subscription's framing.
    #[must_use]
    pub fn encode(&self, event: &Event) -> Bytes {
        let mut out = Vec::new();
        wire::encode_event(self.framing(), event, &mut out);
        out.into()
    }
}

/// A goodbye with a jittered time to come back at.
#[must_use]
pub fn goodbye(reason: GoodbyeReason) -> Goodbye {
    Goodbye { reason, reconnect_ms: fastrand::u64(500..=3000) }
}

/// What a poller on a stage needs: a subscription that sleeps between two polls.
impl Subscription {
    /// Lets the subscriber not count as one until it comes back.
    pub fn pause(&mut self) {
        self.counted = None;
    }

    /// Lets the subscriber count again, and go on behind `position`.
    pub fn resume(&mut self, position: u64) {
        self.fanout.refresh();
        self.position = position;
        self.is_live = position >= self.fanout.head();
        self.counted = Some(self.channel().count_in(self.transport));
    }

    /// Has `whom` told when there is news, and at that time in any case, in the worker's milliseconds.
    pub fn wait(&self, whom: Whom<'_>, wake_at_ms: u64) {
        self.fanout.wait(self.entry, whom, wake_at_ms);
    }
}

// ANCHOR: poll_next
impl Subscription {
    /// What to send next: `Ready(None)` after the goodbye, and if there is nothing now, `whom` is told when there is.
    pub fn next_for(&mut self, whom: Whom<'_>) -> Poll<Option<Next>> {
        if self.is_over && self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(next) = self.next_now() {
            return Poll::Ready(Some(next));
        }
        self.fanout.wait(self.entry, whom, self.wake_at_ms());
        Poll::Pending
    }
}

impl Stream for Subscription {
    type Item = Next;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Next>> {
        self.next_for(Whom::Task(context.waker()))
    }
}
// ANCHOR_END: poll_next

impl Drop for Subscription {
    fn drop(&mut self) {
        self.fanout.exit(self.entry);
    }
}
