//! One experiment at a time, in a thread of its own, and what is known of the newest one.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    bench::load::nanoseconds,
    channel::{CROWD_CHANNEL, ChannelName, ChannelsFull, Hub},
    config::Config,
    guard::Connections,
    transport::State,
};

use super::{
    arena::{Arena, Broken},
    freeze,
    leash::Leash,
    listening,
    news::News,
    order::Order,
    storm,
};

/// Descriptors that an experiment needs beside its subscribers' sockets: pipes, polls, the publisher.
const SPARE: usize = 1300;

/// The bounds of every experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The most subscribers.
    pub subscribers: usize,
    /// The most messages a second.
    pub rate: u32,
    /// The longest time.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// Why no experiment was started.
#[derive(Debug, Error)]
pub enum NotStarted {
    /// Another one runs.
    #[error("experiment {0} runs, and one runs at a time; wait for its end, or DELETE /crowd to stop it")]
    Busy(u64),
    /// Too many descriptors are in use.
    #[error("as many connections are open as there may be, so there is no room for a crowd; try fewer subscribers")]
    NoRoom,
    /// Its channel cannot be made.
    #[error(transparent)]
    Channel(#[from] ChannelsFull),
    /// The system has no thread for it.
    #[error("the system has no thread for it: {0}")]
    Thread(#[from] io::Error),
}

/// The newest experiment, for whoever asks.
#[derive(Clone, Debug, Serialize)]
pub struct Newest {
    /// How many there have been, this one included.
    pub number: u64,
    /// Whether it goes on.
    pub is_running: bool,
    /// The cursor from which everything is told about it.
    pub after: String,
    /// What was asked for.
    pub order: Order,
}

/// The experiments of a server.
#[derive(Debug)]
pub struct Experiments {
    hub: Arc<Hub>,
    connections: Arc<Connections>,
    draining: watch::Receiver<bool>,
    limits: Limits,
    state: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    newest: Option<Newest>,
    /// Stops the newest.
    stop: Arc<AtomicBool>,
}

/// With this an experiment begins.
#[derive(Serialize)]
struct Began<'a> {
    order: &'a Order,
    cores: usize,
    system: &'static str,
}

/// With this it ends.
#[derive(Serialize)]
struct Ended {
    is_complete: bool,
    words: String,
}

impl Experiments {
    /// Returns none so far.
    #[must_use]
    pub fn new(config: &Config, state: &State) -> Self {
        let limits =
            Limits { subscribers: config.crowd_subscribers, rate: config.crowd_rate, time: config.crowd_time.0 };
        Self {
            hub: Arc::clone(&state.hub),
            connections: Arc::clone(state.guard.connections()),
            draining: state.draining.clone(),
            limits,
            state: Arc::default(),
        }
    }

    /// The bounds as they are now: connections that are open leave less room.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let is_running = self.newest().is_some_and(|newest| newest.is_running);
        // While one runs, what it has borrowed will be there for the next.
        let room = if is_running { usize::MAX } else { self.connections.free().saturating_sub(SPARE) };
        Limits { subscribers: self.limits.subscribers.min(room), ..self.limits }
    }

    /// The newest experiment.
    #[must_use]
    pub fn newest(&self) -> Option<Newest> {
        self.lock().newest.clone()
    }

    /// Stops the experiment that runs. Returns whether one did.
    #[must_use]
    pub fn stop(&self) -> bool {
        let known = self.lock();
        known.stop.store(true, Ordering::Relaxed);
        known.newest.as_ref().is_some_and(|newest| newest.is_running)
    }

    /// Starts an experiment.
    ///
    /// # Errors
    /// Tells why it was not started.
    ///
    /// # Panics
    /// Never: the channel's name is a good one.
    pub fn start(&self, order: Order) -> Result<Newest, NotStarted> {
        let mut known = self.lock();
        if let Some(newest) = known.newest.as_ref().filter(|newest| newest.is_running) {
            return Err(NotStarted::Busy(newest.number));
        }
        let name: ChannelName = CROWD_CHANNEL.parse().expect("a good name");
        // Whoever has ordered it has so long to come and watch as a channel counts as read that was just used.
        let channel = self.hub.channel(&name)?;
        let loan = self.connections.lend(order.connections() + SPARE).ok_or(NotStarted::NoRoom)?;
        let number = known.newest.as_ref().map_or(0, |newest| newest.number) + 1;
        let after = channel.cursor(channel.head()).to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let leash = Leash {
            stop: Arc::clone(&stop),
            draining: self.draining.clone(),
            hub: Arc::clone(&self.hub),
            channel: name.clone(),
            deadline: Instant::now() + self.limits.time,
        };
        let news = News { hub: Arc::clone(&self.hub), channel: name, experiment: number };
        let end = End { state: Arc::clone(&self.state), news: news.clone() };
        let newest = Newest { number, is_running: true, after, order };
        thread::Builder::new().name("crowd".to_owned()).spawn(move || {
            end.after(run(&order, &leash, &news));
            drop(loan);
        })?;
        *known = Known { newest: Some(newest.clone()), stop };
        Ok(newest)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(order: &Order, leash: &Leash, news: &News) -> Result<(), Broken> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    news.tell("began", Began { order, cores, system: std::env::consts::OS });
    let mut arena = Arena::open()?;
    let began = Instant::now();
    let outcome = match order {
        Order::Crowd(listening) => listening::run(listening, &arena, leash, news),
        Order::Storm(storm) => storm::run(storm, &mut arena, leash, news),
        Order::Freeze(freeze) => freeze::run(freeze, &arena, leash, news),
    };
    tracing::debug!(experiment = news.experiment, took_ms = nanoseconds(began.elapsed()) / 1_000_000, "crowd");
    outcome
}

/// Says that an experiment has ended, also if its thread breaks off.
struct End {
    state: Arc<Mutex<Known>>,
    news: News,
}

impl End {
    fn after(self, outcome: Result<(), Broken>) {
        let ended = match outcome {
            Ok(()) => Ended { is_complete: true, words: "it is complete".to_owned() },
            Err(broken) => Ended { is_complete: false, words: broken.to_string() },
        };
        self.mark();
        self.news.tell("ended", ended);
    }

    fn mark(&self) {
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = known.newest.as_mut().filter(|newest| newest.number == self.news.experiment) {
            newest.is_running = false;
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.mark();
        if thread::panicking() {
            self.news.tell("ended", Ended { is_complete: false, words: Broken::Thread.to_string() });
        }
    }
}
