//! The fan-out of one channel on one worker: a pump that hears of publications, and the list of those who wait.
//!
//! However many messages are published and however many subscribers a worker has, each publication signals each worker
//! at most once, and a worker that is busy finds one signal for all that came meanwhile.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
    task::Waker,
};

use actix_rt::task::JoinHandle;
use slab::Slab;
use tokio_stream::{StreamExt as _, wrappers::WatchStream};

use crate::{
    channel::{Channel, Event, MemberId},
    wire::{self, Framing},
};
use bytes::Bytes;

use super::{
    direct::Seat,
    ring::Ring,
    segment::Slice,
    worker::{Hangup, Worker},
};

// ANCHOR: fanout
/// One channel's subscribers on one worker.
#[derive(Debug)]
pub struct Fanout {
    channel: Arc<Channel>,
    worker: Rc<Worker>,
    /// The newest offset that this worker has heard of.
    head: Cell<u64>,
    /// The newest presence change that this worker has heard of.
    presence_version: Cell<u64>,
    waiting: RefCell<Slab<Waiter>>,
    feeds: RefCell<Vec<Weak<Feed>>>,
    pump: RefCell<Option<JoinHandle<()>>>,
}

/// A subscriber's entry in the wake list.
#[derive(Debug)]
struct Waiter {
    /// Whom to wake; kept from one wait to the next, for it is the same each time.
    whom: Option<Known>,
    /// Whether it waits now. One that was woken and has not come yet is not woken again.
    is_waiting: bool,
    wants_presence: bool,
    /// When it wants to be woken in any case, in the worker's milliseconds.
    wake_at_ms: u64,
    /// Since when it has not come although it was woken, in the worker's milliseconds.
    woken_at_ms: u64,
    /// How to hang up on a peer that takes nothing.
    hangup: Option<Hangup>,
}
// ANCHOR_END: fanout

/// Who is to be told when there is news for a subscriber.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    /// A task of the framework, which polls a response body.
    Task(&'a Waker),
    /// A seat on this worker's stage.
    Seat(Seat),
}

/// The same, as the wake list keeps it.
#[derive(Debug)]
enum Known {
    Task(Waker),
    Seat(Seat),
}

impl Known {
    fn is(&self, whom: Whom<'_>) -> bool {
        match (self, whom) {
            (Self::Task(known), Whom::Task(waker)) => known.will_wake(waker),
            (Self::Seat(known), Whom::Seat(seat)) => *known == seat,
            _ => false,
        }
    }
}

impl From<Whom<'_>> for Known {
    fn from(whom: Whom<'_>) -> Self {
        match whom {
            Whom::Task(waker) => Self::Task(waker.clone()),
            Whom::Seat(seat) => Self::Seat(seat),
        }
    }
}

/// What the pump hears of.
enum News {
    Head(u64),
    Presence(u64),
}

impl Fanout {
    /// Starts the fan-out of a channel on this worker.
    #[must_use]
    pub(super) fn start(channel: Arc<Channel>, worker: Rc<Worker>) -> Rc<Self> {
        let fanout = Rc::new(Self {
            head: Cell::new(channel.head()),
            presence_version: Cell::new(*channel.watch_presence().borrow()),
            channel,
            worker,
            waiting: RefCell::default(),
            feeds: RefCell::default(),
            pump: RefCell::default(),
        });
        let task = actix_rt::spawn(pump(Rc::downgrade(&fanout), Arc::clone(&fanout.channel)));
        fanout.pump.replace(Some(task));
        fanout
    }

    /// The channel.
    #[must_use]
    pub const fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The worker.
    #[must_use]
    pub const fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The newest offset that this worker has heard of.
    #[must_use]
    pub const fn head(&self) -> u64 {
        self.head.get()
    }

    /// The newest presence change that this worker has heard of.
    #[must_use]
    pub const fn presence_version(&self) -> u64 {
        self.presence_version.get()
    }

    /// Looks at the channel itself, for a subscriber that comes between a publication and its signal.
    pub fn refresh(&self) {
        self.head.set(self.channel.head().max(self.head.get()));
        self.presence_version.set(*self.channel.watch_presence().borrow());
    }

    /// This worker's feed of the channel in a framing.
    #[must_use]
    pub fn feed(&self, framing: Framing) -> Rc<Feed> {
        let mut feeds = self.feeds.borrow_mut();
        feeds.retain(|feed| feed.strong_count() > 0);
        let existing = feeds.iter().filter_map(Weak::upgrade).find(|feed| feed.ring.framing() == framing);
        existing.unwrap_or_else(|| {
            let ring = self.worker.rings().of(&self.channel, framing);
            let feed = Rc::new(Feed { ring, latest: RefCell::new(None), presence: RefCell::new(None) });
            feeds.push(Rc::downgrade(&feed));
            feed
        })
    }

    /// Enters a subscriber into the wake list.
    pub(super) fn enter(&self, wants_presence: bool, hangup: Option<Hangup>) -> usize {
        let waiter = Waiter {
            whom: None,
            is_waiting: false,
            wants_presence,
            wake_at_ms: u64::MAX,
            woken_at_ms: self.worker.now_ms(),
            hangup,
        };
        self.waiting.borrow_mut().insert(waiter)
    }

    /// Removes a subscriber from the wake list.
    pub(super) fn exit(&self, entry: usize) {
        self.waiting.borrow_mut().try_remove(entry);
    }

    /// Lets a subscriber wait for news, and for `wake_at_ms` in any case.
    pub(super) fn wait(&self, entry: usize, whom: Whom<'_>, wake_at_ms: u64) {
        if let Some(waiter) = self.waiting.borrow_mut().get_mut(entry) {
            waiter.is_waiting = true;
            waiter.wake_at_ms = wake_at_ms;
            match &mut waiter.whom {
                Some(known) if known.is(whom) => {}
                known => *known = Some(whom.into()),
            }
        }
    }

    // ANCHOR: wake
    fn tell(&self, news: &News) {
        match *news {
            News::Head(head) => {
                self.head.set(head.max(self.head.get()));
                self.wake(|_| true);
            }
            News::Presence(version) => {
                self.presence_version.set(version);
                self.wake(|waiter| waiter.wants_presence);
            }
        }
    }

    /// Wakes those who wait and whom the news concerns. Waking only marks a task or a seat as ready on this thread.
    fn wake(&self, concerns: impl Fn(&Waiter) -> bool) {
        let now = self.worker.now_ms();
        for (_, waiter) in self.waiting.borrow_mut().iter_mut() {
            if waiter.is_waiting && concerns(waiter) {
                waiter.is_waiting = false;
                waiter.woken_at_ms = now;
                match &waiter.whom {
                    Some(Known::Task(waker)) => waker.wake_by_ref(),
                    Some(Known::Seat(seat)) => self.worker.call_up(*seat),
                    None => {}
                }
            }
        }
    }
    // ANCHOR_END: wake

    /// Wakes those whose time has come, and hangs up on those who were woken long ago and take nothing.
    pub(super) fn tick(&self, now_ms: u64, stall_ms: u64) {
        self.wake(|waiter| waiter.wake_at_ms <= now_ms);
        for (_, waiter) in self.waiting.borrow_mut().iter_mut() {
            if !waiter.is_waiting
                && now_ms.saturating_sub(waiter.woken_at_ms) > stall_ms
                && let Some(hangup) = waiter.hangup.take()
            {
                hangup.now();
            }
        }
    }

    /// Wakes everybody, for something that concerns all.
    pub(super) fn wake_all(&self) {
        self.wake(|_| true);
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        if let Some(pump) = self.pump.take() {
            pump.abort();
        }
        self.worker.forget(&self.channel);
    }
}

// ANCHOR: pump
/// Carries the channel's signals to this worker's waiters until the fan-out is dropped.
async fn pump(fanout: Weak<Fanout>, channel: Arc<Channel>) {
    let heads = WatchStream::new(channel.watch_head()).map(News::Head);
    let presence = WatchStream::new(channel.watch_presence()).map(News::Presence);
    drop(channel);
    let mut news = std::pin::pin!(heads.merge(presence));
    while let Some(news) = news.next().await {
        match fanout.upgrade() {
            Some(fanout) => fanout.tell(&news),
            None => return,
        }
    }
}
// ANCHOR_END: pump

// ANCHOR: feed
/// One framing of a channel on one worker: the ring, and the slice that was taken last.
///
/// Most subscribers stand at the same position, so most of them share the slice that the first of them took.
#[derive(Debug)]
pub struct Feed {
    ring: Arc<Ring>,
    latest: RefCell<Option<Latest>>,
    presence: RefCell<Option<PresenceSlice>>,
}

#[derive(Debug)]
struct Latest {
    position: u64,
    head: u64,
    slice: Slice,
    publishers: Vec<MemberId>,
}
// ANCHOR_END: feed

#[derive(Debug)]
struct PresenceSlice {
    from: Option<u64>,
    to: u64,
    bytes: Bytes,
}

impl Feed {
    /// The framing.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.ring.framing()
    }

    /// Takes what lies after `position`, as of `head`, without what `excluded` published.
    #[must_use]
    pub fn take(&self, position: u64, head: u64, excluded: Option<MemberId>) -> Slice {
        let mut latest = self.latest.borrow_mut();
        let fits = |latest: &Latest| latest.position == position && latest.head == head;
        if !latest.as_ref().is_some_and(fits) {
            let (slice, publishers) = self.ring.take(position, None);
            *latest = Some(Latest { position, head, slice, publishers });
        }
        match &*latest {
            Some(latest) if excluded.is_none_or(|excluded| !latest.publishers.contains(&excluded)) => {
                latest.slice.clone()
            }
            _ => self.ring.take(position, excluded).0,
        }
    }

    /// The presence events that a subscriber at version `from` has to be told, encoded, and the version it then knows.
    #[must_use]
    pub fn presence(&self, channel: &Channel, from: Option<u64>) -> (Bytes, u64) {
        let version = channel.read_presence(crate::channel::Presence::version);
        let mut latest = self.presence.borrow_mut();
        if let Some(slice) = latest.as_ref().filter(|slice| slice.from == from && slice.to == version) {
            return (slice.bytes.clone(), slice.to);
        }
        let (events, to) = channel.read_presence(|presence| (presence.since(from), presence.version()));
        let mut bytes = Vec::new();
        for event in events {
            wire::encode_event(self.framing(), &Event::Presence(event), &mut bytes);
        }
        let bytes = Bytes::from(bytes);
        *latest = Some(PresenceSlice { from, to, bytes: bytes.clone() });
        (bytes, to)
    }
}
