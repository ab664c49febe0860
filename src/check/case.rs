//! One check at work, on one transport or on all: its luck, its time, and what it has proved.

use std::{
    cell::RefCell,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::{
    checks::Check,
    run::Observer,
    subject::Subject,
    trace::Trace,
    transport::Transport,
    verdict::{Fault, Outcome, Proof, Property, Verdict},
};

/// A check at work.
pub struct Case<'a> {
    /// The server under test.
    pub subject: &'a Subject,
    /// What goes over the connections of this case.
    pub trace: Trace,
    check: &'static Check,
    transport: Option<Transport>,
    deadline: Instant,
    dice: RefCell<fastrand::Rng>,
    waiting: RefCell<String>,
    outcomes: RefCell<Vec<Outcome>>,
    observer: &'a dyn Observer,
}

impl<'a> Case<'a> {
    /// A case that begins now. The seed, the check and the transport alone decide its luck, not what ran before.
    #[must_use]
    pub fn new(
        subject: &'a Subject,
        check: &'static Check,
        transport: Option<Transport>,
        observer: &'a dyn Observer,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        (subject.settings.seed, check.name, transport.map(Transport::name)).hash(&mut hasher);
        Self {
            subject,
            trace: Trace::new(),
            check,
            transport,
            deadline: Instant::now() + subject.settings.time_limit,
            dice: RefCell::new(fastrand::Rng::with_seed(hasher.finish())),
            waiting: RefCell::default(),
            outcomes: RefCell::default(),
            observer,
        }
    }

    /// The transport that is looked at. A check that runs once for all of them must not ask.
    ///
    /// # Panics
    /// If it does.
    #[must_use]
    #[track_caller]
    pub fn transport(&self) -> Transport {
        self.transport.expect("only checks of each transport ask for it")
    }

    /// The transport that is looked at, in a check that may run once for all.
    #[must_use]
    pub const fn transport_if_any(&self) -> Option<Transport> {
        self.transport
    }

    /// When to stop waiting for what should come at once.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.within(self.subject.patience())
    }

    /// When so much time has passed, but no later than the time limit of the check.
    #[must_use]
    pub fn within(&self, time: Duration) -> Instant {
        (Instant::now() + time).min(self.deadline)
    }

    /// Rolls the dice of this case.
    pub fn roll<T>(&self, roll: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        roll(&mut self.dice.borrow_mut())
    }

    /// Says what is waited for from now on, should the time limit end the wait: `the message check-7`.
    pub fn waiting_for(&self, what: impl Into<String>) {
        *self.waiting.borrow_mut() = what.into();
    }

    /// Proves one property, on connections of its own: the trace begins anew.
    pub async fn prove(&self, property: &'static Property, proof: impl Future<Output = Proof>) {
        self.prove_all(&[property], proof).await;
    }

    /// Proves several properties by one scenario. A violation names the property that it breaks, otherwise it is the
    /// first; the others are then skipped, since nobody knows about them.
    pub async fn prove_all(&self, properties: &[&'static Property], proof: impl Future<Output = Proof>) {
        self.trace.clear();
        self.waiting_for("an answer");
        let result = if Instant::now() < self.deadline {
            timeout_at(self.deadline, proof).await.unwrap_or_else(|_| Err(self.out_of_time()))
        } else {
            Err(Fault::skipped("the properties before it have used up the time limit of the check"))
        };
        self.judge_all(properties, &result);
    }

    /// Judges a property by what was found on the way, without a proof of its own.
    pub fn judge(&self, property: &'static Property, result: &Proof) {
        self.judge_all(&[property], result);
    }

    fn out_of_time(&self) -> Fault {
        let limit = humantime::format_duration(self.subject.settings.time_limit);
        let says = format!("timed out while waiting for {} (--time-limit {limit})", self.waiting.borrow());
        Fault::violated(says, self.trace.recent_lines())
    }

    fn judge_all(&self, properties: &[&'static Property], result: &Proof) {
        let broken = match result {
            Err(Fault::Violated(violation)) => violation.property.or(properties.first().copied()),
            _ => None,
        };
        // What breaks another property than those at hand was found there already, or else must not be lost here.
        let is_at_hand = broken.is_some_and(|broken| properties.contains(&broken) || self.has_failed(broken));
        let broken = if is_at_hand { broken } else { properties.first().copied() };
        for &property in properties {
            let verdict = match result {
                Ok(()) => Verdict::Passed,
                Err(Fault::Skipped(reason)) => Verdict::Skipped { reason: reason.clone() },
                Err(Fault::Violated(violation)) if broken == Some(property) => {
                    let trace = self.trace.shortest(&violation.lines);
                    Verdict::Failed { says: violation.says.clone(), trace }
                }
                Err(Fault::Violated(_)) => {
                    let broken = broken.map_or("another property", |broken| broken.id);
                    Verdict::Skipped { reason: format!("the same test broke {broken} first") }
                }
            };
            self.enter(property, verdict);
        }
    }

    fn has_failed(&self, property: &'static Property) -> bool {
        let is_that = |outcome: &Outcome| outcome.property == property && outcome.verdict.is_failed();
        self.outcomes.borrow().iter().any(is_that)
    }

    fn enter(&self, property: &'static Property, verdict: Verdict) {
        let is_left_out = self.subject.settings.skip.iter().any(|id| id == property.id);
        let left_out = || Verdict::Skipped { reason: "it was left out (--skip)".to_owned() };
        let verdict = if is_left_out { left_out() } else { verdict };
        let outcome = Outcome { property, transport: self.transport, verdict };
        self.observer.judged(&outcome);
        self.outcomes.borrow_mut().push(outcome);
    }

    /// Skips whatever was not judged yet, for this reason.
    pub fn skip_the_rest(&self, reason: &str) {
        let is_judged =
            |property: &&'static Property| self.outcomes.borrow().iter().any(|outcome| outcome.property == *property);
        let rest: Vec<&'static Property> =
            self.check.properties.iter().copied().filter(|property| !is_judged(property)).collect();
        for property in rest {
            self.enter(property, Verdict::Skipped { reason: reason.to_owned() });
        }
    }

    /// Ends the case.
    #[must_use]
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes.into_inner()
    }
}
