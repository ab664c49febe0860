//! What belongs to one worker thread: its fan-outs, its clock, and the tick that heartbeats and draining stand on.
//!
//! One timer for a worker instead of one for each subscriber: at ten thousand idle subscribers the tick looks at ten
//! thousand numbers a second, and nobody pays for ten thousand timers.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    channel::Channel,
    metrics::{Metrics, Tally},
};

use super::{
    clock::Clock,
    direct::{Seat, Stage},
    fanout::Fanout,
    ring::Rings,
};

/// The times by which deliveries go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a subscriber hears nothing at most.
    pub heartbeat: Duration,
    /// How long a peer with bytes waiting may take none of them.
    pub stall: Duration,
    /// For how long a draining server only tells load balancers that it is not ready any more.
    pub drain_lead: Duration,
    /// Over how long after that the goodbyes are spread.
    pub drain_spread: Duration,
}

impl Pace {
    /// A twentieth of the heartbeat, so that no heartbeat is late, but between 5 ms and 1 s.
    #[must_use]
    pub fn tick(&self) -> Duration {
        (self.heartbeat / 20).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// After how long without a heartbeat the next is due. It is sent up to two ticks later, and still in time.
    pub(super) fn heartbeat_ms(&self) -> u64 {
        millis(self.heartbeat.saturating_sub(self.tick() * 2))
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What belongs to one worker thread.
pub struct Worker {
    /// By the channel's address; a fan-out keeps its channel alive, so an address is not used twice.
    fanouts: RefCell<HashMap<usize, Weak<Fanout>>>,
    rings: Arc<Rings>,
    metrics: Arc<Metrics>,
    tally: Arc<Tally>,
    clock: Rc<Clock>,
    pace: Pace,
    started: Instant,
    now_ms: Cell<u64>,
    /// When the server began to drain, in this worker's milliseconds.
    draining_since_ms: Cell<Option<u64>>,
    stage: OnceCell<Option<Rc<Stage>>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("fanouts", &self.fanouts.borrow().len()).finish_non_exhaustive()
    }
}

thread_local! {
    /// One for a thread: actix calls the app factory once for each worker and listener.
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

impl Worker {
    /// Returns this thread's worker, which is created on the first call.
    #[must_use]
    pub fn of_this_thread(
        rings: &Arc<Rings>,
        metrics: &Arc<Metrics>,
        pace: Pace,
        draining: &watch::Receiver<bool>,
    ) -> Rc<Self> {
        WORKER.with(|worker| {
            Rc::clone(worker.get_or_init(|| {
                let worker = Rc::new(Self {
                    fanouts: RefCell::default(),
                    rings: Arc::clone(rings),
                    metrics: Arc::clone(metrics),
                    tally: metrics.tally(),
                    clock: Rc::default(),
                    pace,
                    started: Instant::now(),
                    now_ms: Cell::new(0),
                    draining_since_ms: Cell::new(None),
                    stage: OnceCell::new(),
                });
                actix_rt::spawn(run(Rc::downgrade(&worker), pace.tick(), draining.clone()));
                worker
            }))
        })
    }

    /// The fan-out of a channel on this worker.
    #[must_use]
    pub fn fanout(self: &Rc<Self>, channel: &Arc<Channel>) -> Rc<Fanout> {
        let key = Arc::as_ptr(channel).addr();
        let existing = self.fanouts.borrow().get(&key).and_then(Weak::upgrade);
        existing.unwrap_or_else(|| {
            let fanout = Fanout::start(Arc::clone(channel), Rc::clone(self));
            self.fanouts.borrow_mut().insert(key, Rc::downgrade(&fanout));
            fanout
        })
    }

    pub(super) fn forget(&self, channel: &Arc<Channel>) {
        self.fanouts.borrow_mut().remove(&Arc::as_ptr(channel).addr());
    }

    /// This worker's stage, which is built when the first socket comes; none where the system refuses what it needs.
    #[must_use]
    pub fn stage(&self) -> Option<&Rc<Stage>> {
        let built = self.stage.get_or_init(|| {
            Stage::build(&self.metrics, &self.clock)
                .inspect_err(|error| tracing::warn!(%error, "no direct delivery"))
                .ok()
        });
        built.as_ref()
    }

    /// Calls up a seat of the stage: there is news for it.
    pub fn call_up(&self, seat: Seat) {
        if let Some(Some(stage)) = self.stage.get() {
            stage.call_up(seat);
        }
    }

    pub(super) const fn rings(&self) -> &Arc<Rings> {
        &self.rings
    }

    /// The server's metrics.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What this worker counts.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The time of day, which stands still for some deliveries in a row.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The times by which deliveries go.
    #[must_use]
    pub const fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Milliseconds since this worker started, as of the last tick: cheap to read, and exact to a tick.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// When the server began to drain, in this worker's milliseconds.
    #[must_use]
    pub const fn draining_since_ms(&self) -> Option<u64> {
        self.draining_since_ms.get()
    }

    fn tick(&self) {
        let now = millis(self.started.elapsed());
        self.now_ms.set(now);
        for fanout in self.all_fanouts() {
            fanout.tick(now, millis(self.pace.stall));
        }
    }

    fn begin_draining(&self) {
        self.tick();
        self.draining_since_ms.set(Some(self.now_ms()));
        for fanout in self.all_fanouts() {
            fanout.wake_all();
        }
    }

    /// A copy of the list, since a fan-out that ends changes the map.
    fn all_fanouts(&self) -> Vec<Rc<Fanout>> {
        self.fanouts.borrow().values().filter_map(Weak::upgrade).collect()
    }
}

/// While the server drains, goodbyes are spread more finely than heartbeats need.
const DRAINING_TICK: Duration = Duration::from_millis(20);

/// Ticks until the worker's thread ends.
async fn run(worker: Weak<Worker>, tick: Duration, mut draining: watch::Receiver<bool>) {
    let mut interval = actix_rt::time::interval(tick);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut begun = false;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            result = draining.wait_for(|&draining| draining), if !begun => {
                if result.is_err() {
                    return;
                }
                drop(result);
                begun = true;
                interval = actix_rt::time::interval(DRAINING_TICK.min(tick));
                match worker.upgrade() {
                    Some(worker) => worker.begin_draining(),
                    None => return,
                }
            }
        }
        match worker.upgrade() {
            Some(worker) => worker.tick(),
            None => return,
        }
    }
}

/// A way to end a connection whose peer takes nothing, from outside of the task that is stuck in writing to it.
///
/// Linux does this by itself for plain TCP (`TCP_USER_TIMEOUT`, set when the connection is accepted). Elsewhere, and for
/// the streams of HTTP/2, it is done from here, and takes all streams of the connection with it.
#[derive(Debug)]
pub struct Hangup(pub(crate) Arc<socket2::Socket>);

impl Hangup {
    pub(super) fn now(self) {
        // A socket that is already closed needs no shutdown.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
