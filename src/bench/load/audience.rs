//! All subscribers: who connects, who is heard, who asks again, and who comes back.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    io,
    time::Duration,
};

use mio::{Token, event::Event};

use crate::bench::histogram;

use super::{
    clock::nanoseconds,
    comeback::Comeback,
    connection::Read,
    decode::Fault,
    error::LoadError,
    request::Subscription,
    shared::Shared,
    subscriber::{News, Subscriber},
};

/// How often a socket is read before the others have their turn.
const READS_AT_ONCE: usize = 4;

/// All subscribers. The token of each is its number.
#[derive(Debug)]
pub struct Audience {
    pub subscription: Subscription,
    /// How those come back whose connection has broken.
    pub comeback: Comeback,
    members: Vec<Subscriber>,
    subscribed: usize,
    /// Who does something by itself, and when. An entry counts only if the subscriber still says so.
    alarms: BinaryHeap<Reverse<(u64, usize)>>,
    /// Whose sockets hold more than was read so far.
    unfinished: Vec<usize>,
    luck: fastrand::Rng,
}

/// Why a subscriber's connection is over.
#[derive(Debug)]
enum Loss {
    Io(io::Error),
    Fault(Fault),
}

impl Audience {
    pub fn new(subscription: Subscription, seed: u64) -> Self {
        Self {
            subscription,
            comeback: Comeback::Soon,
            members: Vec::new(),
            subscribed: 0,
            alarms: BinaryHeap::new(),
            unfinished: Vec::new(),
            luck: fastrand::Rng::with_seed(seed),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// How many of them have been let in.
    pub fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// When somebody does something by itself.
    pub fn next_alarm_ns(&self) -> Option<u64> {
        self.alarms.peek().map(|Reverse((at_ns, _))| *at_ns)
    }

    /// Whether somebody's socket holds more than was read.
    pub fn has_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Opens everybody's account for a phase.
    pub fn begin(&mut self, first: u64) {
        self.members.iter_mut().for_each(|member| member.account.begin(first));
    }

    /// Closes them.
    pub fn close_accounts(&self, shared: &mut Shared) {
        for member in &self.members {
            member.account.close(shared.next, &mut shared.tally);
        }
    }

    /// From the beginning of connecting to the first message, of everybody who has got one.
    pub fn first_messages(&self) -> hdrhistogram::Histogram<u64> {
        let mut times = histogram::new();
        for member in &self.members {
            if let Some(at_ns) = member.account.first_message_ns {
                times.saturating_record(at_ns - member.since_ns);
            }
        }
        times
    }

    /// The local ports of all open connections.
    pub fn local_ports(&self) -> HashSet<u16> {
        self.members.iter().filter_map(|member| member.connection.as_ref()?.local_port()).collect()
    }

    /// Lets one more subscriber connect.
    pub fn add(&mut self, shared: &mut Shared) -> Result<(), LoadError> {
        let mut member = Subscriber::new(&self.subscription);
        member.since_ns = shared.look_at_clock();
        self.members.push(member);
        let number = self.members.len() - 1;
        self.connect(number, shared).or_else(|error| self.lose(number, Loss::Io(error), shared))
    }

    fn connect(&mut self, number: usize, shared: &mut Shared) -> io::Result<()> {
        let Shared { registry, scratch, tally, now_ns, start_ns, .. } = shared;
        tally.absences.attempt(now_ns.saturating_sub(*start_ns));
        self.members[number].connect(&self.subscription, registry, Token(number), scratch, &mut tally.subscribers)
    }

    /// Does what can be done now that a subscriber's socket is ready.
    pub fn ready(&mut self, number: usize, event: &Event, shared: &mut Shared) -> Result<(), LoadError> {
        let Some(connection) = self.members.get_mut(number).and_then(|member| member.connection.as_mut()) else {
            return Ok(());
        };
        match connection.attend(event, &mut shared.tally.subscribers) {
            Ok(false) => return Ok(()),
            Err(error) => return self.lose(number, Loss::Io(error), shared),
            Ok(true) => {}
        }
        if self.is_in_without_a_word(number) {
            self.let_in(number);
        }
        if event.is_readable() || event.is_read_closed() { self.read(number, shared) } else { Ok(()) }
    }

    /// A poll may be held from its beginning. Who has asked and would not be answered is as far as it can be.
    fn is_in_without_a_word(&self, number: usize) -> bool {
        let is_flushed =
            self.members[number].connection.as_ref().is_some_and(super::connection::Connection::is_flushed);
        is_flushed && self.subscription.from_start.is_none() && !self.subscription.transport.form().is_endless()
    }

    fn let_in(&mut self, number: usize) {
        let member = &mut self.members[number];
        self.subscribed += usize::from(!member.has_subscribed);
        member.has_subscribed = true;
    }

    /// Reads on where there was more than could be read at once.
    pub fn read_unfinished(&mut self, shared: &mut Shared) -> Result<(), LoadError> {
        for number in std::mem::take(&mut self.unfinished) {
            self.read(number, shared)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize, shared: &mut Shared) -> Result<(), LoadError> {
        for _ in 0..READS_AT_ONCE {
            let Some(connection) = &mut self.members[number].connection else { return Ok(()) };
            let outcome = connection.read(&mut shared.buffer, &mut shared.tally.subscribers);
            shared.look_at_clock();
            let (length, is_last) = match outcome {
                Ok(Read::Some(length)) => (length, false),
                Ok(Read::Last(length)) => (length, true),
                Ok(Read::Nothing) => return Ok(()),
                Ok(Read::End) => return self.end(number, shared),
                Err(error) => return self.lose(number, Loss::Io(error), shared),
            };
            if let Err(loss) = self.hear(number, length, shared) {
                return self.lose(number, loss, shared);
            }
            if is_last {
                return Ok(());
            }
        }
        self.unfinished.push(number);
        Ok(())
    }

    /// Books what was read, and does what it asks for.
    fn hear(&mut self, number: usize, length: usize, shared: &mut Shared) -> Result<(), Loss> {
        let member = &mut self.members[number];
        let (mut books, buffer, replies) = shared.books();
        replies.clear();
        let (news, outcome) = member.hear(&buffer[..length], &self.subscription, &mut books, replies);
        let Shared { scratch, tally, .. } = shared;
        member.send(scratch, &mut tally.subscribers).map_err(Loss::Io)?;
        if news.is_accepted {
            member.greet(&self.subscription, &mut shared.scratch, &mut shared.tally.subscribers).map_err(Loss::Io)?;
        }
        self.note(number, news, shared);
        outcome.map_err(Loss::Fault)?;
        if news.is_answered { self.ask_again(number, news.closes, shared).map_err(Loss::Io) } else { Ok(()) }
    }

    /// Who expects a message that is there already is in when it has got it.
    fn note(&mut self, number: usize, news: News, shared: &mut Shared) {
        let is_in = match &self.subscription.from_start {
            Some(_) => self.members[number].account.first_message_ns.is_some(),
            None => news.is_accepted || news.is_answered,
        };
        if is_in {
            self.let_in(number);
        }
        if (news.is_accepted || news.is_answered)
            && let Some(away_since_ns) = self.members[number].come_back()
        {
            let Shared { tally, now_ns, start_ns, .. } = shared;
            let since_start_ns = now_ns.saturating_sub(*start_ns);
            tally.absences.come_back(since_start_ns, now_ns.saturating_sub(away_since_ns));
        }
    }

    /// A poll was answered: the next one goes out at once, or at its time.
    fn ask_again(&mut self, number: usize, closes: bool, shared: &mut Shared) -> io::Result<()> {
        if closes {
            self.members[number].disconnect(&shared.registry);
        }
        match self.subscription.transport.interval() {
            Some(interval) => self.ask_later(number, interval, shared.now_ns),
            None => self.ask_now(number, shared)?,
        }
        Ok(())
    }

    fn ask_now(&mut self, number: usize, shared: &mut Shared) -> io::Result<()> {
        if self.members[number].connection.is_none() {
            return self.connect(number, shared);
        }
        let Shared { scratch, tally, .. } = shared;
        self.members[number].ask(&self.subscription, scratch, &mut tally.subscribers)
    }

    /// Each short-poll has a beat of its own, so that a crowd does not ask as one.
    fn ask_later(&mut self, number: usize, interval: Duration, now_ns: u64) {
        let interval_ns = nanoseconds(interval).max(1);
        let next_ns = match self.members[number].beat_ns {
            None => now_ns + self.luck.u64(0..interval_ns),
            // It was cut off, and is back before its time.
            Some(beat_ns) if beat_ns > now_ns => beat_ns,
            Some(beat_ns) => beat_ns + ((now_ns - beat_ns) / interval_ns + 1) * interval_ns,
        };
        self.members[number].beat_ns = Some(next_ns);
        self.set_alarm(number, next_ns);
    }

    fn set_alarm(&mut self, number: usize, at_ns: u64) {
        self.members[number].alarm_ns = Some(at_ns);
        self.alarms.push(Reverse((at_ns, number)));
    }

    /// Lets everybody do what they do by themselves at this time.
    pub fn on_time(&mut self, shared: &mut Shared) -> Result<(), LoadError> {
        let now_ns = shared.look_at_clock();
        while let Some(Reverse((at_ns, number))) = self.alarms.peek().copied().filter(|Reverse((at, _))| *at <= now_ns)
        {
            self.alarms.pop();
            if self.members[number].alarm_ns != Some(at_ns) {
                continue;
            }
            self.members[number].alarm_ns = None;
            if let Err(error) = self.ask_now(number, shared) {
                self.lose(number, Loss::Io(error), shared)?;
            }
        }
        Ok(())
    }

    /// Breaks the connection of one in so many subscribers. They come back at once, since they know.
    pub fn cut(&mut self, one_in: usize, shared: &mut Shared) -> Result<(), LoadError> {
        let now_ns = shared.look_at_clock();
        for number in (0..self.members.len()).step_by(one_in.max(1)) {
            let member = &mut self.members[number];
            member.disconnect(&shared.registry);
            member.account.cut(now_ns);
            member.alarm_ns = None;
            shared.tally.cut.connections += 1;
            shared.tally.reconnects += 1;
            self.connect(number, shared).or_else(|error| self.lose(number, Loss::Io(error), shared))?;
        }
        Ok(())
    }

    /// The server has ended a connection: regularly, if that was the end of an answer, or if none was awaited.
    fn end(&mut self, number: usize, shared: &mut Shared) -> Result<(), LoadError> {
        let interval = self.subscription.transport.interval();
        if self.members[number].alarm_ns.is_some() && interval.is_some() {
            self.members[number].disconnect(&shared.registry);
            return Ok(());
        }
        let (mut books, ..) = shared.books();
        if let Err(fault) = self.members[number].hear_end(&mut books) {
            return self.lose(number, Loss::Fault(fault), shared);
        }
        self.note(number, News { is_answered: true, ..News::default() }, shared);
        self.ask_again(number, true, shared).or_else(|error| self.lose(number, Loss::Io(error), shared))
    }

    /// A connection is over that should not be. Who was never in cannot come back.
    fn lose(&mut self, number: usize, loss: Loss, shared: &mut Shared) -> Result<(), LoadError> {
        let member = &mut self.members[number];
        member.disconnect(&shared.registry);
        let (transport, address) = (self.subscription.transport, self.subscription.address);
        if !member.has_subscribed {
            let number = number + 1;
            return Err(match loss {
                Loss::Io(source) => LoadError::Connect { number, transport, address, source },
                Loss::Fault(fault) => LoadError::Subscribe { number, transport, fault },
            });
        }
        shared.tally.reconnects += 1;
        shared.tally.fault(|| match loss {
            Loss::Io(error) => format!("a subscriber's connection broke: {error}"),
            Loss::Fault(fault) => format!("a subscriber lost its subscription: {fault}"),
        });
        if member.stay_away(shared.now_ns) {
            shared.tally.absences.leave();
        }
        let pause_ns = self.comeback.pause_ns(member.failures, member.retry, &mut self.luck);
        self.set_alarm(number, shared.now_ns + pause_ns);
        Ok(())
    }
}
