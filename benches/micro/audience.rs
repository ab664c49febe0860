//! Subscribers without sockets: positions on one worker that are asked for what comes next.

use std::{
    pin::Pin,
    rc::Rc,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use fallcast::{
    channel::Transport,
    delivery::{Next, Pace, PresenceFrom, Rings, Start, Subscription, Worker},
    metrics::Metrics,
    wire::Framing,
};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio_stream::Stream as _;

use super::fixture::Room;

/// The bytes of all rings, and the counters: one of each for a process, as in a server.
static RINGS: LazyLock<Arc<Rings>> = LazyLock::new(Arc::default);
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(Arc::default);

/// The subscribers of one channel on this thread's worker, in one framing, all at the head.
pub struct Audience {
    first: Subscription,
    others: Vec<Subscription>,
}

impl Audience {
    /// Subscribes `count` times, at least once. Must be called within an actix system, as the worker lives in one.
    pub fn of(room: &Room, framing: Framing, count: usize) -> Self {
        let worker = worker();
        let subscribe = || Subscription::new(&worker, start(room, framing));
        Self { first: subscribe(), others: (1..count).map(|_| subscribe()).collect() }
    }

    /// Lets everybody have what is new, and returns how many parts of it there were.
    ///
    /// The first subscriber waits for the worker's pump to hear of it. The others are asked at once; waking their tasks
    /// is the framework's business.
    pub async fn hear(&mut self) -> usize {
        expect_bytes(self.first.next().await);
        let mut heard = 1 + take_what_is_there(&mut self.first);
        for subscription in &mut self.others {
            heard += take_what_is_there(subscription);
        }
        heard
    }
}

/// Asks until there is nothing more, so that the subscriber waits for the next publication.
fn take_what_is_there(subscription: &mut Subscription) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut heard = 0;
    while let Poll::Ready(next) = Pin::new(&mut *subscription).poll_next(&mut context) {
        expect_bytes(next);
        heard += 1;
    }
    heard
}

fn expect_bytes(next: Option<Next>) {
    assert!(matches!(next, Some(Next::Bytes(_))), "nothing but messages was published, but there is {next:?}");
}

/// This thread's worker. Nothing falls due on it while it is measured.
fn worker() -> Rc<Worker> {
    let hour = Duration::from_hours(1);
    let pace = Pace { heartbeat: hour, stall: hour, drain_lead: hour, drain_spread: hour };
    // A server that cannot begin to drain any more is one that does not drain.
    let (_, draining) = watch::channel(false);
    Worker::of_this_thread(&RINGS, &METRICS, pace, &draining)
}

fn start(room: &Room, framing: Framing) -> Start {
    Start {
        channel: Arc::clone(&room.channel),
        transport: Transport::Websocket,
        framing,
        position: room.channel.head(),
        opening: Bytes::new(),
        excluded: None,
        presence: PresenceFrom::Never,
        hangup: None,
        attached: None,
    }
}
