//! A phase on its way: which message is due, which were published, and what is waited for.

use super::{
    error::LoadError,
    payload::Stamp,
    phase::{Pace, Phase},
    publisher::Publisher,
    shared::Shared,
};

/// The schedule of one phase.
#[derive(Debug)]
pub struct Schedule {
    phase: Phase,
    /// How many messages there are, where that is known.
    messages: Option<u64>,
    published: u64,
    /// Whether the next message is due but cannot be published.
    is_blocked: bool,
    cut_is_due: bool,
    end_ns: u64,
    /// When a message was published last, if one was.
    last_ns: Option<u64>,
}

impl Schedule {
    /// The schedule of a phase that begins now.
    pub fn new(phase: Phase, start_ns: u64) -> Self {
        Self {
            phase,
            messages: phase.messages(),
            published: 0,
            is_blocked: false,
            cut_is_due: phase.cut.is_some(),
            end_ns: start_ns + super::clock::nanoseconds(phase.duration),
            last_ns: None,
        }
    }

    /// Whether all messages are published.
    pub fn is_over(&self, now_ns: u64) -> bool {
        self.messages.map_or(now_ns >= self.end_ns, |messages| self.published >= messages)
    }

    /// When something is to be done next, unless somebody else has to do something first.
    pub fn next_ns(&self, shared: &Shared) -> Option<u64> {
        if self.is_blocked || self.is_over(shared.now_ns) {
            return None;
        }
        Some(self.due_ns(shared).unwrap_or(self.end_ns))
    }

    /// When the next message is due; `None` while it waits for others to arrive.
    fn due_ns(&self, shared: &Shared) -> Option<u64> {
        let in_flight = shared.flights.in_flight();
        match self.phase.pace {
            Pace::Rate(_) => Some(shared.start_ns + self.phase.intervals_ns(self.published)),
            Pace::Window(most) => (in_flight < most).then_some(shared.now_ns),
            Pace::Closed(_) => {
                let next_ns = self.last_ns.map_or(shared.start_ns, |last_ns| last_ns + self.phase.intervals_ns(1));
                (in_flight == 0).then_some(next_ns)
            }
        }
    }

    /// Whether the time of the cut has come. It comes once.
    pub fn takes_cut(&mut self, shared: &Shared) -> Option<usize> {
        let cut = self.phase.cut.filter(|_| self.cut_is_due)?;
        let is_now = shared.now_ns >= shared.start_ns + super::clock::nanoseconds(cut.after);
        self.cut_is_due = !is_now;
        is_now.then_some(cut.one_in)
    }

    /// Publishes what is due.
    pub fn publish(&mut self, publisher: &mut Publisher, shared: &mut Shared) -> Result<(), LoadError> {
        while !self.is_over(shared.look_at_clock()) {
            let Some(mut due_ns) = self.due_ns(shared).filter(|&due_ns| due_ns <= shared.now_ns) else { break };
            if !matches!(self.phase.pace, Pace::Rate(_)) {
                due_ns = shared.now_ns;
            }
            let stamp = Stamp { sequence: shared.next, due_ns };
            let Shared { payload, registry, tally, .. } = shared;
            if !publisher.publish(stamp, payload, registry, tally)? {
                self.is_blocked = true;
                shared.tally.pool_waits += 1;
                break;
            }
            shared.tally.lag.saturating_record(shared.now_ns - due_ns);
            self.last_ns = Some(shared.now_ns);
            shared.tally.messages += 1;
            shared.flights.publish(shared.now_ns, !publisher.is_answered());
            shared.next += 1;
            self.published += 1;
        }
        let Shared { registry, tally, .. } = shared;
        Ok(publisher.flush(registry, tally)?)
    }

    /// Whether the next message is due, but cannot be published.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// What could not be published may be tried again.
    pub fn unblock(&mut self, publisher: &Publisher) {
        self.is_blocked &= !publisher.is_ready();
    }
}
