//! The loop in which everything happens.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use super::{
    alarm::{Alarm, unless_interrupted},
    audience::Audience,
    clock::nanoseconds,
    comeback::Comeback,
    cpu,
    decode::CursorIn,
    error::LoadError,
    payload::{Payload, Stamp},
    phase::{Glance, Phase},
    publisher::Publisher,
    request::{Publishing, Subscription},
    schedule::Schedule,
    shared::Shared,
    tally::Tally,
};

/// Handshakes that are under way at a time: fewer than a listener's backlog holds, so that none is ever tried again.
const HANDSHAKES_AT_ONCE: usize = 64;

/// How many sockets may become ready at a time.
const EVENTS: usize = 1024;

/// The publisher's tokens begin here; below are the subscribers'.
const PUBLISHERS: usize = 1 << 30;

const ALARM: Token = Token(usize::MAX - 1);

/// How often somebody may look at a phase on its way.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long to wait for a server that does nothing at all, while connecting or publishing.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// How long to listen on when everything has arrived, for what must not come.
const LINGER: Duration = Duration::from_millis(5);

/// How long a message without an answer may take to be in the channel.
const SETTLING: Duration = Duration::from_millis(50);

/// Descriptors that a process needs beside its subscribers' sockets.
const SPARE_DESCRIPTORS: u64 = 1200;

/// A crowd of subscribers, and their publisher. All of it happens in the thread that calls.
#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    alarm: Alarm,
    events: Events,
    shared: Shared,
    audience: Audience,
    publisher: Publisher,
}

/// What is done at a look at a phase on its way.
pub type Look<'a> = dyn FnMut(&Glance<'_>) -> ControlFlow<()> + 'a;

impl Crowd {
    /// A crowd whose messages have `size` bytes, that can publish already. `seed` decides when short-polls ask.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn new(subscription: Subscription, publishing: Publishing, size: usize, seed: u64) -> Result<Self, LoadError> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(&poll, ALARM)?;
        let shared = Shared::new(&poll, Payload::of_size(size))?;
        let mut crowd = Self {
            poll,
            alarm,
            events: Events::with_capacity(EVENTS),
            shared,
            audience: Audience::new(subscription, seed),
            publisher: Publisher::new(publishing, PUBLISHERS),
        };
        crowd.open_publisher()?;
        Ok(crowd)
    }

    /// Says how those come back whose connection breaks: soon, unless told otherwise.
    pub fn come_back(&mut self, comeback: Comeback) {
        self.audience.comeback = comeback;
    }

    fn open_publisher(&mut self) -> Result<(), LoadError> {
        let opened = self.publisher.open(&self.shared.registry, &mut self.shared.tally.publishers);
        opened.map_err(|source| self.publisher.fault(source))?;
        self.until(|crowd| crowd.publisher.is_settled(), |_| "no connection for publishing is open".to_owned())
    }

    /// Lets so many subscribers connect, and returns when all of them are in. If they can begin with what a channel
    /// holds, a message is published before, so that each has a first message to wait for.
    ///
    /// # Errors
    /// Somebody is not let in, or the system has not enough descriptors.
    pub fn connect(&mut self, count: usize) -> Result<(), LoadError> {
        raise_descriptor_limit(count)?;
        if self.audience.subscription.from_start.is_some() {
            self.publish_one()?;
        }
        let all = self.audience.len() + count;
        while self.audience.len() < all {
            let number = self.audience.len();
            self.until(
                |crowd| number - crowd.audience.subscribed() < HANDSHAKES_AT_ONCE,
                |crowd| crowd.who_is_in(all),
            )?;
            self.audience.add(&mut self.shared)?;
        }
        self.until(|crowd| crowd.audience.subscribed() == all, |crowd| crowd.who_is_in(all))
    }

    fn who_is_in(&self, all: usize) -> String {
        let first = if self.audience.subscription.from_start.is_some() {
            ", which means that they got the message that was in the channel before them"
        } else {
            ""
        };
        format!("{} of {all} subscribers are in{first}", self.audience.subscribed())
    }

    /// Publishes a message that no phase counts, and returns when the server has it.
    ///
    /// # Errors
    /// The server does not take it.
    pub fn publish_one(&mut self) -> Result<(), LoadError> {
        let stamp = Stamp { sequence: self.shared.next, due_ns: self.shared.look_at_clock() };
        let Shared { payload, registry, tally, .. } = &mut self.shared;
        self.publisher.publish(stamp, payload, registry, tally)?;
        self.publisher.flush(registry, tally)?;
        self.shared.next += 1;
        self.until(|crowd| crowd.publisher.is_settled(), |_| "a publication is not answered".to_owned())?;
        let tally = &self.shared.tally;
        if tally.refused > 0 {
            return Err(LoadError::Refused { words: tally.faults.join("; ") });
        }
        let settled_ns = self.shared.now_ns + if self.publisher.is_answered() { 0 } else { nanoseconds(SETTLING) };
        while self.shared.look_at_clock() < settled_ns {
            self.turn(settled_ns, None)?;
        }
        Ok(())
    }

    /// Times from the beginning of connecting to the first message, of everybody who has got one.
    #[must_use]
    pub fn first_messages(&self) -> Histogram<u64> {
        self.audience.first_messages()
    }

    /// Whether who was cut off can go on where it was.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        self.audience.subscription.cursor_in != CursorIn::Nothing
    }

    /// The local ports of the subscribers' connections, for whoever wants to ask the kernel about them.
    #[must_use]
    pub fn local_ports(&self) -> HashSet<u16> {
        self.audience.local_ports()
    }

    /// Publishes as the phase says, and returns when everything has arrived or nothing more is to be expected. `look` is
    /// called about ten times a second and may end it.
    ///
    /// # Errors
    /// The server cannot be published to any more.
    pub fn run(&mut self, phase: &Phase, look: &mut Look<'_>) -> Result<Tally, LoadError> {
        let start = self.begin(phase);
        let cpu_before = cpu::of_this_thread();
        let mut schedule = Schedule::new(*phase, self.shared.start_ns);
        let mut watch = Watch::new(self.shared.start_ns, look);

        while !watch.is_ended && !schedule.is_over(self.shared.now_ns) {
            self.turn(watch.next_ns, Some(&mut schedule))?;
            self.cut_if_due(&mut schedule)?;
            watch.look(&self.shared);
            watch.give_up_if(schedule.is_blocked(), &self.shared)?;
        }
        self.shared.tally.published_for = start.elapsed();
        while !watch.is_ended && !self.is_quiet() && !watch.is_hopeless(&self.shared, self.patience(phase)) {
            self.turn(watch.next_ns, None)?;
            self.cut_if_due(&mut schedule)?;
            watch.look(&self.shared);
        }
        let until_ns = self.shared.look_at_clock() + nanoseconds(LINGER);
        let took = start.elapsed();
        while self.shared.look_at_clock() < until_ns {
            self.turn(until_ns, None)?;
        }
        let is_ended = watch.is_ended;
        Ok(self.finish(took, cpu_before, is_ended))
    }

    fn begin(&mut self, phase: &Phase) -> Instant {
        self.shared.tally = Tally::new(phase.duration);
        self.shared.first = self.shared.next;
        self.shared.flights.begin(self.shared.next, self.audience.len());
        self.audience.begin(self.shared.next);
        self.shared.start_ns = self.shared.look_at_clock();
        Instant::now()
    }

    fn finish(&mut self, took: Duration, cpu_before: Option<Duration>, is_interrupted: bool) -> Tally {
        self.audience.close_accounts(&mut self.shared);
        let mut tally = std::mem::replace(&mut self.shared.tally, Tally::new(Duration::ZERO));
        tally.took = took;
        tally.cpu = cpu::of_this_thread().zip(cpu_before).map(|(now, before)| now.saturating_sub(before));
        tally.expected = tally.messages * self.audience.len() as u64;
        tally.interrupted = is_interrupted;
        tally
    }

    fn cut_if_due(&mut self, schedule: &mut Schedule) -> Result<(), LoadError> {
        schedule.takes_cut(&self.shared).map_or(Ok(()), |one_in| self.audience.cut(one_in, &mut self.shared))
    }

    /// What the server has not taken yet cannot have been lost on the way to subscribers.
    fn patience(&self, phase: &Phase) -> Duration {
        if self.publisher.is_settled() { phase.patience } else { phase.patience.max(LONGEST_SILENCE) }
    }

    /// Whether everybody has everything, and every publication is answered.
    fn is_quiet(&self) -> bool {
        self.shared.flights.in_flight() == 0 && self.publisher.is_settled()
    }

    /// Takes turns until a condition holds.
    fn until(&mut self, done: impl Fn(&Self) -> bool, state: impl Fn(&Self) -> String) -> Result<(), LoadError> {
        let longest_ns = nanoseconds(LONGEST_SILENCE);
        let (mut last_ns, mut last_bytes) = (self.shared.look_at_clock(), 0);
        while !done(self) {
            let look_ns = self.shared.now_ns + nanoseconds(LOOK_EVERY);
            self.turn(look_ns, None)?;
            let tally = &self.shared.tally;
            let bytes = tally.subscribers.down_bytes + tally.publishers.down_bytes;
            if bytes != last_bytes {
                (last_ns, last_bytes) = (self.shared.now_ns, bytes);
            } else if self.shared.now_ns - last_ns > longest_ns {
                return Err(LoadError::Silence { waited: LONGEST_SILENCE, state: state(self) });
            }
        }
        Ok(())
    }

    /// Waits until something is ready or due, and does it.
    fn turn(&mut self, until_ns: u64, mut schedule: Option<&mut Schedule>) -> Result<(), LoadError> {
        let now_ns = self.shared.look_at_clock();
        let due_ns = schedule.as_ref().and_then(|schedule| schedule.next_ns(&self.shared));
        let next_ns = due_ns.into_iter().chain(self.audience.next_alarm_ns()).fold(until_ns, u64::min);
        let wait = if self.audience.has_unfinished() { 0 } else { next_ns.saturating_sub(now_ns) };
        unless_interrupted(self.alarm.wait(&mut self.poll, &mut self.events, Duration::from_nanos(wait)))?;

        let woken_ns = self.shared.look_at_clock();
        publish_due(&mut schedule, due_ns, &mut self.publisher, &mut self.shared)?;
        let mut has_read = false;
        for event in &self.events {
            let token = event.token();
            if token == ALARM {
                continue;
            }
            has_read = true;
            match self.publisher.number_of(token) {
                Some(number) => {
                    let outcome = self.publisher.ready(number, event, &mut self.shared);
                    outcome.map_err(|source| self.publisher.fault(source))?;
                }
                None => self.audience.ready(token.0, event, &mut self.shared)?,
            }
            // A sweep over thousands of sockets must not hold the schedule up.
            let due_ns = schedule.as_ref().and_then(|schedule| schedule.next_ns(&self.shared));
            publish_due(&mut schedule, due_ns, &mut self.publisher, &mut self.shared)?;
        }
        self.audience.read_unfinished(&mut self.shared)?;
        self.audience.on_time(&mut self.shared)?;
        if has_read {
            self.shared.tally.sweep.saturating_record(self.shared.now_ns - woken_ns);
        }
        Ok(())
    }
}

fn publish_due(
    schedule: &mut Option<&mut Schedule>,
    due_ns: Option<u64>,
    publisher: &mut Publisher,
    shared: &mut Shared,
) -> Result<(), LoadError> {
    let Some(schedule) = schedule else { return Ok(()) };
    schedule.unblock(publisher);
    if due_ns.is_some_and(|due_ns| due_ns <= shared.now_ns) { schedule.publish(publisher, shared) } else { Ok(()) }
}

/// Looks at a phase now and then, for whoever wants to know, and for whether it still goes on.
struct Watch<'a, 'b> {
    look: &'a mut Look<'b>,
    next_ns: u64,
    is_ended: bool,
    /// When something last happened, and how much had happened by then.
    progress: (u64, u64),
}

impl<'a, 'b> Watch<'a, 'b> {
    fn new(start_ns: u64, look: &'a mut Look<'b>) -> Self {
        Self { look, next_ns: start_ns, is_ended: false, progress: (start_ns, 0) }
    }

    fn look(&mut self, shared: &Shared) {
        let tally = &shared.tally;
        let happened = tally.messages + tally.deliveries + tally.repeated + tally.publishers.reads;
        if happened != self.progress.1 {
            self.progress = (shared.now_ns, happened);
        }
        if shared.now_ns < self.next_ns {
            return;
        }
        self.next_ns = shared.now_ns + nanoseconds(LOOK_EVERY);
        let elapsed = Duration::from_nanos(shared.now_ns - shared.start_ns);
        let glance = Glance { elapsed, tally, in_flight: shared.flights.in_flight() };
        self.is_ended |= (self.look)(&glance).is_break();
    }

    /// A server that takes no publications any more cannot be measured.
    fn give_up_if(&self, is_blocked: bool, shared: &Shared) -> Result<(), LoadError> {
        if is_blocked && self.silence_ns(shared) > nanoseconds(LONGEST_SILENCE) {
            let state = format!("the server answers no publications; it has {} messages", shared.tally.messages);
            return Err(LoadError::Silence { waited: LONGEST_SILENCE, state });
        }
        Ok(())
    }

    fn silence_ns(&self, shared: &Shared) -> u64 {
        shared.now_ns - self.progress.0
    }

    /// Whether what has not come is not to be expected any more.
    fn is_hopeless(&self, shared: &Shared, patience: Duration) -> bool {
        self.silence_ns(shared) > nanoseconds(patience)
    }
}

/// Raises this process's descriptor limit so that all subscribers fit.
fn raise_descriptor_limit(subscribers: usize) -> Result<(), LoadError> {
    let needed = subscribers as u64 + SPARE_DESCRIPTORS;
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    if limit < needed { Err(LoadError::Descriptors { subscribers, needed, limit }) } else { Ok(()) }
}
