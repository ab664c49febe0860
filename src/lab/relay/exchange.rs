//! One exchange: a request on its way up, an answer on its way down, and everything that can happen to them.
//!
//! There is one loop, [`Carrier::run`], and what it does next is decided in [`Carrier::poll_step`]: deliver what has
//! arrived, then read more where there is room for it. A change of the link's faults interrupts it and takes effect on
//! whatever is under way.

use std::{
    future::poll_fn,
    io::IoSlice,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    After, Visit,
    alarm::Alarm,
    answer::Part,
    client::Line,
    down::Down,
    far::Far,
    request::Request,
    up::{Again, Up},
    words,
};
use crate::lab::{
    faults::{ExchangeKind, Faults},
    links::{Conditions, Exchange},
    troubles::{
        Ending,
        cut::{Cut, Idle},
        door::Door,
        luck::Luck,
        retry::Retry,
        upgrade::{self, Met},
    },
};

/// How long the server keeps a client that is gone behind a silent line. It is about what its own TCP would take to
/// notice that nobody is there.
const GHOST: Duration = Duration::from_secs(15);

/// How many pieces are written at once.
const SLICES: usize = 16;

/// What the carrier has done in one step.
#[derive(Debug)]
enum Step {
    /// Something; there may be more to do.
    Went,
    /// It needs another connection to the server.
    Reconnect,
    /// The exchange is over.
    Over(After),
}

/// Carries one exchange from its request to its last byte.
pub(super) async fn carry<L: Line>(visit: &mut Visit<L>, mut request: Request, mut exchange: Exchange) -> After {
    let (now, conditions) = (Instant::now(), exchange.conditions());
    let far = match Door::of(&conditions, now) {
        Door::Refuses => return After::Reset,
        Door::Unavailable(left) => Far::middlebox(words::unavailable(left)),
        Door::Open => match upgrade::meet(conditions.faults.upgrade, &mut request) {
            Met::Answered(answer) => Far::middlebox(answer),
            Met::Passes => visit.server(&conditions.faults).await,
        },
    };
    let mut carrier = Carrier::new(visit, &request, far, &conditions, now);
    let after = carrier.run(&mut exchange).await;
    let far = carrier.far;
    visit.server = (after == After::Next).then_some(far);
    after
}

impl<L: Line> Visit<L> {
    /// The server, over the connection of the exchange before if it will do.
    async fn server(&mut self, faults: &Faults) -> Far {
        let is_narrow = faults.slow_reader.is_some_and(|taken| taken.down.is_some());
        match self.server.take().filter(|server| server.is_narrow() == is_narrow) {
            Some(server) => server.reused(),
            None => self.connect(is_narrow).await,
        }
    }

    async fn connect(&self, is_narrow: bool) -> Far {
        let context = &self.context;
        match Far::connect(&context.peers, context.upstream, self.peer, is_narrow).await {
            Ok(server) => server,
            Err(fault) => {
                tracing::warn!(%fault, "the lab cannot reach its server");
                Far::middlebox(words::bad_gateway())
            }
        }
    }
}

/// Everything about one exchange.
struct Carrier<'v, L> {
    visit: &'v mut Visit<L>,
    far: Far,
    kind: ExchangeKind,
    began: Instant,
    luck: Luck,
    up: Up,
    down: Down,
    idle: Idle,
    /// Since when the client is gone without the server's knowledge.
    ghost_since: Option<Instant>,
    /// Which side is read first. They take turns, so that a torrent one way does not keep the other waiting.
    is_clients_turn: bool,
}

impl<'v, L: Line> Carrier<'v, L> {
    fn new(visit: &'v mut Visit<L>, request: &Request, far: Far, conditions: &Conditions, now: Instant) -> Self {
        let luck = Luck::of(conditions);
        Self {
            up: Up::new(request, &far, visit.is_first, conditions, &luck),
            down: Down::new(request, conditions, &luck, now),
            idle: Idle::of(conditions, now),
            kind: request.kind(),
            began: now,
            ghost_since: None,
            is_clients_turn: false,
            visit,
            far,
            luck,
        }
    }

    async fn run(&mut self, exchange: &mut Exchange) -> After {
        let mut alarm = Alarm::default();
        loop {
            let wakes = self.wakes(Instant::now());
            let step = tokio::select! {
                biased;
                conditions = exchange.changed() => self.change(&conditions, Instant::now()),
                step = poll_fn(|task| self.poll_step(task)) => step,
                () = alarm.ring_at(wakes) => Step::Went,
            };
            match step {
                Step::Went => {}
                Step::Reconnect => self.far = self.visit.connect(self.far.is_narrow()).await,
                Step::Over(after) => return after,
            }
        }
    }

    /// Lets other faults take effect on whatever is under way.
    fn change(&mut self, conditions: &Conditions, now: Instant) -> Step {
        self.luck = Luck::of(conditions);
        self.up.change(&conditions.faults, &self.luck);
        self.down.change(conditions, &self.luck, self.began, now);
        self.idle = Idle::of(conditions, now);
        // Before the next change may take it back.
        self.end_by_time(now).unwrap_or(Step::Went)
    }

    /// When there is something to do again, if nobody sends anything.
    fn wakes(&self, now: Instant) -> Option<Instant> {
        let pipes = [self.up.pipe.wakes(now), self.down.exit.pipe.wakes(now)];
        let sips = [self.up.sip.wakes(now), self.down.sip.wakes(now)];
        let cuts = [self.down.exit.cut.at(), self.idle.at(), self.ghost_until()];
        pipes.into_iter().chain(sips).chain(cuts).flatten().min()
    }

    /// Does the next thing that can be done now.
    fn poll_step(&mut self, task: &mut Task<'_>) -> Poll<Step> {
        let now = Instant::now();
        if let Some(step) = self.end_by_time(now).or_else(|| self.begin_again()) {
            return Poll::Ready(step);
        }
        let mut polls = [Self::poll_to_client, Self::poll_to_far, Self::poll_from_far, Self::poll_from_client];
        self.is_clients_turn ^= true;
        if self.is_clients_turn {
            polls.swap(2, 3);
        }
        let mut steps = polls.into_iter().map(|poll| poll(self, task, now));
        steps.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    fn end_by_time(&mut self, now: Instant) -> Option<Step> {
        let is_due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if is_due(self.ghost_until()) {
            return Some(Step::Over(After::Gone));
        }
        if is_due(self.down.exit.cut.at()) {
            return Some(self.end(self.down.exit.cut.ending()));
        }
        is_due(self.idle.at()).then(|| self.end_idle(now))
    }

    /// Ends an exchange that was silent for too long. A proxy that closes in order says so as far as it still can: with a
    /// status, if the server has not begun to answer; otherwise without what it held.
    fn end_idle(&mut self, now: Instant) -> Step {
        let ending = self.idle.ending();
        if ending != Ending::Fin {
            return self.end(ending);
        }
        self.idle = Idle::NEVER;
        if self.down.answer.is_awaited() {
            self.down.exit.send(words::gateway_timeout(), now);
        }
        self.down.give_up(ending, now);
        Step::Went
    }

    fn ghost_until(&self) -> Option<Instant> {
        self.ghost_since.map(|since| since + GHOST)
    }

    /// Ends the exchange, or begins its silence.
    fn end(&mut self, ending: Ending) -> Step {
        match ending {
            Ending::Complete => {
                self.down.is_delivered = true;
                self.end_if_both_are_through()
            }
            Ending::Fin => Step::Over(After::Close),
            Ending::Reset => Step::Over(After::Reset),
            Ending::Silence(direction) => {
                (self.down.exit.cut, self.idle) = (Cut::NEVER, Idle::NEVER);
                self.up.is_silent |= direction.has_up();
                self.visit.client.claim_the_rest();
                self.down.is_silent |= direction.has_down();
                Step::Went
            }
        }
    }

    /// A server may answer before it has the whole request. The next exchange begins when both are through, unless the
    /// server does not wait for that.
    fn end_if_both_are_through(&self) -> Step {
        match self.down.is_delivered && !self.up.is_silent {
            true if self.far.has_ended() => Step::Over(After::Close),
            true if self.up.is_through() => Step::Over(After::Next),
            _ => Step::Went,
        }
    }

    // Down: from the far end to the client.

    fn poll_from_far(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        let room = self.down.room(now);
        if room == 0 || self.far.has_ended() || self.up.retry.as_ref().is_some_and(Retry::is_answered) {
            return Poll::Pending;
        }
        match ready!(self.far.poll_read(task, room)) {
            Ok(0) => self.far_hung_up(Ending::Fin, now),
            Err(_) => self.far_hung_up(Ending::Reset, now),
            Ok(bytes) => {
                self.idle.touch(now);
                self.down.sip.took(bytes, now);
                self.take_answer(now);
            }
        }
        Poll::Ready(self.end_if_both_are_through())
    }

    /// Takes what has come from the far end as far as it goes.
    fn take_answer(&mut self, now: Instant) {
        if self.down.is_silent {
            self.far.input.clear();
            return;
        }
        loop {
            match self.down.answer.next(&mut self.far.input) {
                Ok(Some(part)) => self.take_part(part, now),
                Ok(None) => return,
                Err(fault) => {
                    tracing::warn!(%fault, "the lab closes a connection");
                    return self.down.break_off(Ending::Fin, now);
                }
            }
        }
    }

    fn take_part(&mut self, part: Part, now: Instant) {
        let part = match &mut self.up.retry {
            Some(retry) => retry.take(part),
            None => Some(part),
        };
        match part {
            None => {}
            Some(Part::Head(head)) if head.is_interim() => self.down.exit.send(head.bytes, now),
            Some(Part::Head(head)) => {
                if head.status == 101 {
                    self.up.become_tunnel();
                    self.visit.client.claim_the_rest();
                }
                self.down.begin(head, self.kind, &self.luck, now);
            }
            Some(part) => self.down.take(part, now),
        }
    }

    /// What the server does to its connection, the client sees on its own.
    fn far_hung_up(&mut self, how: Ending, now: Instant) {
        if let Some(retry) = &mut self.up.retry {
            return retry.hung_up();
        }
        if self.down.is_silent {
            return;
        }
        match self.down.answer.hung_up() {
            Some(end) => self.down.take(end, now),
            // A server may close a connection that has been idle in the very moment in which it is used again. A browser
            // that sees no answer at all repeats the request; a status it would take for the answer.
            None if self.down.answer.is_awaited() => {
                if !self.far.is_reused() {
                    self.down.exit.send(words::bad_gateway(), now);
                }
                self.down.exit.close(Ending::Fin, now);
            }
            None => self.down.break_off(how, now),
        }
    }

    fn poll_to_client(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.down.is_silent {
            self.down.exit.pipe.clear();
        }
        if ready!(self.visit.client.poll_flush(task)).is_err() {
            return Poll::Ready(Step::Over(After::Gone));
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.down.exit.pipe.arrived(now, &mut slices);
        if count == 0 {
            return self.down.exit.pipe.take_end(now).map_or(Poll::Pending, |ending| Poll::Ready(self.end(ending)));
        }
        match ready!(self.visit.client.poll_write(task, &slices[..count])) {
            Ok(written @ 1..) => {
                self.down.exit.pipe.take(written, |_| {});
                Poll::Ready(Step::Went)
            }
            Ok(0) | Err(_) => Poll::Ready(Step::Over(After::Gone)),
        }
    }

    // Up: from the client to the far end.

    fn poll_from_client(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.take_from_client(now) {
            if self.up.is_broken() {
                self.refuse_body(now);
            }
            return Poll::Ready(Step::Went);
        }
        if self.visit.client.has_ended() {
            // The server hears of it as late as of everything else, or never.
            return if self.up.hang_up(now) { Poll::Ready(Step::Went) } else { Poll::Pending };
        }
        let room = self.visit.client.room();
        if room == 0 {
            return Poll::Pending;
        }
        match ready!(self.visit.client.poll_read(task, room)) {
            Ok(1..) => self.idle.touch(now),
            Ok(0) | Err(_) => self.ghost_since = Some(now),
        }
        Poll::Ready(Step::Went)
    }

    /// Takes what has come from the client as far as it belongs to this exchange.
    fn take_from_client(&mut self, now: Instant) -> bool {
        let came = self.visit.client.input.len();
        let has_taken = self.up.take(&mut self.visit.client.input, now);
        if self.up.is_chunked() {
            self.visit.client.claim(came - self.visit.client.input.len());
        }
        has_taken
    }

    /// Where the next request begins, nobody can tell any more.
    fn refuse_body(&mut self, now: Instant) {
        if self.down.answer.is_awaited() {
            self.down.exit.send(words::bad_body(), now);
        }
        self.down.exit.close(Ending::Fin, now);
    }

    fn poll_to_far(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.up.is_silent {
            self.up.pipe.clear();
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.up.arrived(now, &mut slices);
        if count == 0 {
            return self.up.pipe.take_end(now).map_or(Poll::Pending, |_| self.poll_hang_up(task));
        }
        if let Ok(written @ 1..) = ready!(self.far.poll_write(task, &slices[..count])) {
            self.up.gone(written);
        } else {
            // A server that does not read any more may still have sent an answer, so this is no end.
            self.up.clear();
            if self.visit.client.has_ended() {
                return Poll::Ready(Step::Over(After::Gone));
            }
        }
        // A middlebox answers at once.
        self.take_answer(now);
        Poll::Ready(self.end_if_both_are_through())
    }

    /// Lets the server learn that the client has closed its half. What that means for an answer is the server's affair.
    fn poll_hang_up(&mut self, task: &mut Task<'_>) -> Poll<Step> {
        match self.far.poll_shutdown(task) {
            Poll::Ready(Ok(())) => Poll::Ready(Step::Went),
            // A middlebox has nothing more to say; and a socket that does not close at once will not do so later.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(Step::Over(After::Gone)),
        }
    }

    /// Sends the request again if it is time for that.
    fn begin_again(&mut self) -> Option<Step> {
        let again = self.up.begin_again()?;
        self.down.answer = self.down.answer.again();
        Some(match again {
            Again::OnSameConnection => Step::Went,
            Again::OnNewConnection => Step::Reconnect,
        })
    }
}
