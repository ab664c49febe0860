//! One exchange: a request on its way up, an answer on its way down, and everything that can happen to them.
//!
//! There is one loop, [`Carrier::run`], and what it does next is decided in [`Carrier::poll_step`]: deliver what has
//! arrived, then read more where there is room for it. A change of the link's faults interrupts it and takes effect on
//! whatever is under way.

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    After, Visit,
    answer::{Answer, Part},
    body::{self, Body, Piece},
    client::Line,
    far::Far,
    request::Request,
    words,
};
use crate::lab::{
    faults::{ExchangeKind, Faults},
    links::{Conditions, Exchange},
    troubles::{
        Ending,
        antivirus::Antivirus,
        buffering::Buffering,
        count::{Content, Counter},
        cut::{Cut, Idle},
        door::Door,
        luck::Luck,
        pipe::{Cargo, Pipe, Shape},
        retry::Retry,
        sip::Sip,
        truncate::{Left, Truncate},
        upgrade::{self, Met},
    },
};

/// How long the server keeps a client that is gone behind a silent line. It is about what its own TCP would take to
/// notice that nobody is there.
const GHOST: Duration = Duration::from_secs(15);

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
        Door::Unavailable(left) => Far::middlebox(unavailable(left)),
        Door::Open => match upgrade::meet(conditions.faults.upgrade, &mut request) {
            Met::Answered(answer) => Far::middlebox(answer),
            Met::Passes => visit.server(&conditions.faults).await,
        },
    };
    let mut carrier = Carrier::new(visit, request, far, &conditions, now);
    let after = carrier.run(&mut exchange).await;
    let far = carrier.far;
    visit.server = (after == After::Next).then_some(far);
    after
}

fn unavailable(left: Duration) -> Bytes {
    let seconds = left.as_secs_f64().ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fault lasts a day at most")]
    words::proxy_page(503, "Service Unavailable", Some(seconds as u64))
}

impl<L: Line> Visit<L> {
    /// The server, over the connection of the exchange before if it will do.
    async fn server(&mut self, faults: &Faults) -> Far {
        let is_narrow = faults.slow_reader.is_some_and(|taken| taken.down.is_some());
        match self.server.take().filter(|server| server.is_narrow() == is_narrow) {
            Some(server) => server,
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

/// The way from the client to the far end.
struct Up {
    sip: Sip,
    body: Body,
    /// Whether all of the request, or of the tunnel, has entered the pipe.
    is_whole: bool,
    pipe: Pipe,
    /// What goes to the far end before anything else: a request that is repeated.
    repeated: Bytes,
    retry: Option<Retry>,
    is_silent: bool,
}

/// The way from the far end to the client.
struct Down {
    sip: Sip,
    answer: Answer,
    antivirus: Antivirus,
    buffering: Buffering,
    exit: Exit,
    is_silent: bool,
    /// Whether the whole answer has reached the client.
    is_delivered: bool,
}

/// Where an answer leaves the troubles and becomes bytes again.
struct Exit {
    truncate: Truncate,
    counter: Counter,
    cut: Cut,
    body: Body,
    /// Whether the connection outlives the exchange.
    is_persistent: bool,
    /// Whether nothing more may enter the pipe.
    is_closed: bool,
    pipe: Pipe,
}

impl<'v, L: Line> Carrier<'v, L> {
    fn new(visit: &'v mut Visit<L>, request: Request, far: Far, conditions: &Conditions, now: Instant) -> Self {
        let luck = Luck::of(conditions);
        let mut up = Up::new(&request, conditions, &luck, visit.is_first, now);
        let can_repeat = Retry::can_keep(request.body.length(), request.is_handshake()) && far.is_server();
        up.retry = (luck.is_duplicated && can_repeat).then(Retry::default);
        let exit = Exit {
            truncate: Truncate::Nothing,
            counter: Counter::of(Content::Opaque),
            cut: Cut::of(conditions, luck.cut_after, now),
            body: Body::Empty,
            is_persistent: request.is_persistent(),
            is_closed: false,
            pipe: Pipe::new(Shape::down(&conditions.faults), luck.down.clone()),
        };
        let mut down = Down {
            sip: Sip::new(conditions.faults.slow_reader.and_then(|taken| taken.down)),
            answer: Answer::new(request.is_head()),
            antivirus: Antivirus::default(),
            buffering: Buffering::default(),
            exit,
            is_silent: false,
            is_delivered: false,
        };
        down.hold(&conditions.faults, now);
        let idle = Idle::of(conditions, now);
        Self {
            visit,
            far,
            kind: request.kind(),
            began: now,
            luck,
            up,
            down,
            idle,
            ghost_since: None,
            is_clients_turn: false,
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
        let (faults, luck) = (&conditions.faults, Luck::of(conditions));
        self.up.pipe.reshape(Shape::up(faults), luck.up.clone());
        self.up.sip = Sip::new(faults.slow_reader.and_then(|taken| taken.up));
        self.down.exit.pipe.reshape(Shape::down(faults), luck.down.clone());
        self.down.sip = Sip::new(faults.slow_reader.and_then(|taken| taken.down));
        self.down.exit.cut = Cut::of(conditions, luck.cut_after, self.began);
        self.down.hold(faults, now);
        self.idle = Idle::of(conditions, now);
        self.luck = luck;
        Step::Went
    }

    /// When there is something to do again, if nobody sends anything.
    fn wakes(&self, now: Instant) -> Option<Instant> {
        let ghost = self.ghost_since.map(|since| since + GHOST);
        let pipes = [self.up.pipe.wakes(now), self.down.exit.pipe.wakes(now)];
        let sips = [self.up.sip.wakes(now), self.down.sip.wakes(now)];
        let cuts = [self.down.exit.cut.at(), self.idle.at(), ghost];
        pipes.into_iter().chain(sips).chain(cuts).flatten().min()
    }

    /// Does the next thing that can be done now.
    fn poll_step(&mut self, task: &mut Task<'_>) -> Poll<Step> {
        let now = Instant::now();
        if let Some(step) = self.end_by_time(now).or_else(|| self.try_again()) {
            return Poll::Ready(step);
        }
        let mut polls = [Self::poll_to_client, Self::poll_to_far, Self::poll_from_far, Self::poll_from_client];
        self.is_clients_turn ^= true;
        if self.is_clients_turn {
            polls.swap(2, 3);
        }
        let steps = polls.into_iter().map(|poll| poll(self, task, now));
        steps.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    fn end_by_time(&mut self, now: Instant) -> Option<Step> {
        let is_due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if is_due(self.ghost_since.map(|since| since + GHOST)) {
            return Some(Step::Over(After::Gone));
        }
        if is_due(self.down.exit.cut.at()) {
            return Some(self.end(self.down.exit.cut.ending()));
        }
        is_due(self.idle.at()).then(|| self.end(self.idle.ending()))
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
                self.idle = Idle::of(&Conditions::healthy(), self.began);
                self.down.exit.cut = Cut::NEVER;
                self.up.is_silent |= direction.has_up();
                self.down.is_silent |= direction.has_down();
                Step::Went
            }
        }
    }

    /// A server may answer before it has the whole request. The next exchange begins when both are through, unless the
    /// server does not wait for that.
    fn end_if_both_are_through(&self) -> Step {
        let is_sent = self.up.is_whole && self.up.pipe.is_empty() && self.up.repeated.is_empty();
        match self.down.is_delivered && !self.up.is_silent {
            true if self.far.has_ended() => Step::Over(After::Close),
            true if is_sent => Step::Over(After::Next),
            _ => Step::Went,
        }
    }

    // Down: from the far end to the client.

    fn poll_to_client(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.down.is_silent {
            self.down.exit.pipe.clear();
        }
        match self.down.exit.pipe.arrived(now) {
            None => Poll::Pending,
            Some(Cargo::Bytes(bytes)) => match ready!(self.visit.client.poll_write(task, bytes)) {
                Ok(()) => {
                    self.down.exit.pipe.pop();
                    Poll::Ready(Step::Went)
                }
                Err(_) => Poll::Ready(Step::Over(After::Gone)),
            },
            Some(Cargo::End(ending)) => {
                let ending = *ending;
                self.down.exit.pipe.pop();
                Poll::Ready(self.end(ending))
            }
        }
    }

    fn poll_from_far(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        let room = self.room_for_answer(now);
        if room == 0 {
            return Poll::Pending;
        }
        match ready!(self.far.poll_read(task, room)) {
            Ok(0) => self.far_hung_up(now),
            Ok(bytes) => {
                self.idle.touch(now);
                self.down.sip.took(bytes, now);
                self.take_answer(now);
            }
            Err(_) => self.down.exit.close(Ending::Reset, now),
        }
        Poll::Ready(self.end_if_both_are_through())
    }

    fn room_for_answer(&self, now: Instant) -> usize {
        let waits = self.up.retry.as_ref().is_some_and(Retry::is_answered);
        let room = match &self.down {
            _ if self.far.has_ended() || waits => 0,
            Down { is_silent: true, .. } => usize::MAX,
            // Nothing is to come but the end of the connection.
            Down { is_delivered: true, .. } => 1,
            Down { exit: Exit { is_closed: true, .. }, .. } => 0,
            down => down.exit.pipe.room(now),
        };
        room.min(self.down.sip.allows(now))
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
                    self.down.break_off(Ending::Fin, now);
                    return;
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
            Some(Part::Head(head)) if head.is_interim() => self.down.exit.send(head.bytes, now),
            Some(Part::Head(mut head)) => {
                if head.content == Content::Batch && self.kind != ExchangeKind::Poll {
                    head.content = Content::Opaque;
                }
                if self.luck.loses_answer && !head.content.is_endless() {
                    return self.down.exit.close(Ending::Reset, now);
                }
                if head.status == 101 {
                    (self.up.body, self.up.is_whole) = (Body::Endless, false);
                }
                if self.luck.is_truncated && self.kind == ExchangeKind::Poll {
                    self.down.exit.truncate = Truncate::half_of(head.body.length());
                }
                self.down.take(Part::Head(head), now);
            }
            Some(part) => self.down.take(part, now),
            None => {}
        }
    }

    fn far_hung_up(&mut self, now: Instant) {
        if let Some(retry) = &mut self.up.retry {
            return retry.hung_up();
        }
        if self.down.is_silent {
            return;
        }
        match self.down.answer.hung_up() {
            Some(end) => self.down.take(end, now),
            None if self.down.answer.is_awaited() => {
                self.down.exit.send(words::bad_gateway(), now);
                self.down.exit.close(Ending::Fin, now);
            }
            None => self.down.break_off(Ending::Fin, now),
        }
    }

    // Up: from the client to the far end.

    fn poll_to_far(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.up.is_silent {
            self.up.pipe.clear();
        }
        if !self.up.repeated.is_empty() {
            let written = ready!(self.far.poll_write(task, &mut self.up.repeated));
            return Poll::Ready(self.wrote(written.is_ok(), now));
        }
        match self.up.pipe.arrived(now) {
            None => Poll::Pending,
            Some(Cargo::Bytes(bytes)) => {
                let kept = self.up.retry.as_mut().map(|retry| (retry, bytes.clone()));
                let written = self.far.poll_write(task, bytes);
                if let Some((retry, before)) = kept {
                    retry.keep(&before[..before.len() - bytes.len()]);
                }
                let written = ready!(written);
                self.up.pipe.pop();
                Poll::Ready(self.wrote(written.is_ok(), now))
            }
            // The client has gone, and now the server learns of it.
            Some(Cargo::End(_)) => Poll::Ready(Step::Over(After::Gone)),
        }
    }

    /// After a write. A server that does not read any more may still have sent an answer, so a failure is no end.
    fn wrote(&mut self, is_fine: bool, now: Instant) -> Step {
        if !is_fine {
            self.up.repeated.clear();
            self.up.pipe.clear();
        }
        // A middlebox answers at once.
        self.take_answer(now);
        self.end_if_both_are_through()
    }

    fn poll_from_client(&mut self, task: &mut Task<'_>, now: Instant) -> Poll<Step> {
        if self.pass_request_on(now) {
            return Poll::Ready(Step::Went);
        }
        let room = self.visit.client.room().min(self.up.sip.allows(now));
        if room == 0 {
            return Poll::Pending;
        }
        match ready!(self.visit.client.poll_read(task, room)) {
            Ok(0) | Err(_) => self.client_hung_up(now),
            Ok(bytes) => {
                self.idle.touch(now);
                self.up.sip.took(bytes, now);
            }
        }
        Poll::Ready(Step::Went)
    }

    /// Puts what has come from the client into the pipe, as far as it belongs to this exchange and there is room. What
    /// belongs to the next request stays where it is. False if there is nothing to do.
    fn pass_request_on(&mut self, now: Instant) -> bool {
        let input = &mut self.visit.client.input;
        if self.up.is_silent {
            input.clear();
        }
        if self.up.is_whole {
            return false;
        }
        let is_chunked = self.up.body.is_chunked();
        match self.up.body.next(input, self.up.pipe.room(now)) {
            Ok(Some(Piece::Data(data))) => self.up.pipe.push(if is_chunked { body::chunk(&data) } else { data }, now),
            Ok(Some(Piece::End)) => self.up.complete(is_chunked, now),
            Ok(None) => return false,
            // Where the next request begins, nobody can tell any more.
            Err(_) => self.up.pipe.end(Ending::Fin, now),
        }
        true
    }

    fn client_hung_up(&mut self, now: Instant) {
        if self.up.is_silent {
            self.ghost_since = Some(now);
        } else {
            self.up.pipe.end(Ending::Fin, now);
        }
    }

    /// Sends the request again once the first answer has been thrown away and the whole request is known.
    fn try_again(&mut self) -> Option<Step> {
        let is_known = self.up.is_whole && self.up.pipe.is_empty();
        let retry = self.up.retry.take_if(|retry| retry.is_answered() && is_known)?;
        self.down.answer = self.down.answer.again();
        let needs_connection = retry.needs_connection();
        self.up.repeated = retry.again();
        Some(if needs_connection { Step::Reconnect } else { Step::Went })
    }
}

impl Up {
    fn new(request: &Request, conditions: &Conditions, luck: &Luck, is_first: bool, now: Instant) -> Self {
        let faults = &conditions.faults;
        let (there, back) = (Shape::up(faults), Shape::down(faults));
        let mut pipe = Pipe::new(there, luck.up.clone());
        if is_first {
            // The handshake of TCP goes there and back before the first byte of a request may leave.
            pipe.open_at(now + there.latency + back.latency);
        }
        pipe.push(request.to_bytes(), now);
        Self {
            sip: Sip::new(faults.slow_reader.and_then(|taken| taken.up)),
            body: request.body,
            is_whole: request.body.length() == Some(0),
            pipe,
            repeated: Bytes::new(),
            retry: None,
            is_silent: false,
        }
    }

    fn complete(&mut self, is_chunked: bool, now: Instant) {
        self.is_whole = true;
        if is_chunked {
            self.pipe.push(body::LAST_CHUNK, now);
        }
    }
}

impl Down {
    /// Sets what is held back. What must not be held any more passes.
    fn hold(&mut self, faults: &Faults, now: Instant) {
        let Self { antivirus, buffering, exit, .. } = self;
        antivirus.switch(faults.hold_events.unwrap_or(false), &mut |part| {
            buffering.take(part, &mut |part| exit.take(part, now));
        });
        buffering.set(faults.buffer, &mut |part| exit.take(part, now));
    }

    /// Sends a part through everything that may hold it back.
    fn take(&mut self, part: Part, now: Instant) {
        let Self { antivirus, buffering, exit, .. } = self;
        antivirus.take(part, &mut |part| buffering.take(part, &mut |part| exit.take(part, now)));
    }

    /// Ends an answer that will never be complete. What was held of it passes before.
    fn break_off(&mut self, ending: Ending, now: Instant) {
        let Self { antivirus, buffering, exit, .. } = self;
        antivirus.release(&mut |part| buffering.take(part, &mut |part| exit.take(part, now)));
        buffering.release(&mut |part| exit.take(part, now));
        exit.close(ending, now);
    }
}

impl Exit {
    fn take(&mut self, part: Part, now: Instant) {
        if self.is_closed {
            return;
        }
        match self.truncate.take(part) {
            Left::Part(part) => self.pass(part, now),
            Left::Nothing => {}
            Left::Last(bytes) => {
                self.pass(Part::Data(bytes), now);
                self.close(Ending::Fin, now);
            }
        }
    }

    fn pass(&mut self, part: Part, now: Instant) {
        match part {
            Part::Head(head) => {
                self.counter = Counter::of(head.content);
                self.body = head.body;
                self.is_persistent &= head.is_persistent;
                self.send(head.bytes, now);
            }
            Part::Data(mut data) => {
                if let Some(at) = self.cut.within_messages(&data, &mut self.counter) {
                    self.send_data(data.split_to(at), now);
                    self.cut(now);
                    // The counter has stopped there, and stays in step.
                    self.cut.within_messages(&data, &mut self.counter);
                }
                self.send_data(data, now);
            }
            Part::End => {
                if self.body.is_chunked() {
                    self.send(body::LAST_CHUNK, now);
                }
                self.close(if self.is_persistent { Ending::Complete } else { Ending::Fin }, now);
            }
        }
    }

    fn send_data(&mut self, data: Bytes, now: Instant) {
        if !data.is_empty() {
            self.send(if self.body.is_chunked() { body::chunk(&data) } else { data }, now);
        }
    }

    /// Sends bytes, as far as no cut comes between.
    fn send(&mut self, mut bytes: Bytes, now: Instant) {
        if self.is_closed {
            return;
        }
        if let Some(at) = self.cut.within_bytes(bytes.len()) {
            self.pipe.push(bytes.split_to(at), now);
            self.cut(now);
        }
        if !self.is_closed {
            self.pipe.push(bytes, now);
        }
    }

    /// Cuts the exchange behind what has been sent. Silence on the way up alone leaves the way down open.
    fn cut(&mut self, now: Instant) {
        let ending = self.cut.ending();
        self.cut = Cut::NEVER;
        match ending {
            Ending::Silence(direction) if !direction.has_down() => self.pipe.end(ending, now),
            _ => self.close(ending, now),
        }
    }

    /// Sends the end, behind which nothing comes.
    fn close(&mut self, ending: Ending, now: Instant) {
        if !self.is_closed {
            self.is_closed = true;
            self.pipe.end(ending, now);
        }
    }
}

/// A timer that is only there when somebody needs it.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until a moment, or for ever. It may ring too early, never too late.
    async fn ring_at(&mut self, moment: Option<Instant>) {
        let Some(moment) = moment else { return pending().await };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        // Most deadlines are put off again and again; an early ring is cheaper than setting a timer for each byte.
        if sleep.is_elapsed() || sleep.deadline() > moment {
            sleep.as_mut().reset(moment);
        }
        sleep.await;
    }
}
