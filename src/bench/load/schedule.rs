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
        match self.phase.pace {
            Pace::Rate(_) => Some(self.due_ns(shared)),
            Pace::Window(most) if shared.flights.in_flight() < most => Some(shared.now_ns),
            Pace::Window(_) => Some(self.end_ns),
        }
    }

    fn due_ns(&self, shared: &Shared) -> u64 {
        shared.start_ns + self.phase.due_ns(self.published)
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
        let now_ns = shared.look_at_clock();
        while !self.is_over(now_ns) {
            let due_ns = match self.phase.pace {
                Pace::Rate(_) => self.due_ns(shared),
                Pace::Window(most) if shared.flights.in_flight() < most => shared.clock.now_ns(),
                Pace::Window(_) => break,
            };
            if due_ns > shared.look_at_clock() {
                break;
            }
            let was_blocked = std::mem::replace(&mut self.is_blocked, false);
            let stamp = Stamp { sequence: shared.next, due_ns };
            let Shared { payload, registry, tally, .. } = shared;
            if !publisher.publish(stamp, payload, registry, tally)? {
                self.is_blocked = true;
                shared.tally.pool_waits += u64::from(!was_blocked);
                break;
            }
            shared.tally.lag.saturating_record(shared.now_ns - due_ns);
            shared.tally.messages += 1;
            shared.flights.publish();
            shared.next += 1;
            self.published += 1;
        }
        Ok(())
    }

    /// What could not be published may be tried again.
    pub fn unblock(&mut self, publisher: &Publisher) {
        self.is_blocked &= !publisher.is_ready();
    }
}
