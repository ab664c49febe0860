//! A poller whose socket has left the framework: its polls are held, answered and repeated on the stage.

use std::{future::pending, rc::Rc, sync::Arc, task::Poll, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{ConnectionType, header::HeaderMap},
    web,
};
use bytes::Bytes;

use super::{
    batch::{Batch, MAX_BATCH},
    form::{self, Form, Words},
    preference_applied,
    repetition::Repetition,
    rest_of_query,
};
use crate::{
    delivery::{Exit, Next, Occupant, Subscription, Turn, Whom},
    transport::{
        cors,
        problem::Problem,
        state::State,
        subscribe::{Opened, exit, millis},
    },
};

/// A stage knows the time to a tick of its worker. Shorter holds stay with the framework, which has exact timers.
const TICKS_OF_A_HOLD: u32 = 8;

/// How much of the next requests is kept while a poll is held.
const MAX_AHEAD: usize = 8 * 1024;

/// A poller that is about to leave, before it has its subscription.
pub struct Leaving {
    exit: Exit,
    state: web::Data<State>,
    form: Rc<Form>,
    repetition: Repetition,
    hold: Duration,
}

/// A connection over which one client polls.
#[derive(Debug)]
pub struct Poller {
    state: web::Data<State>,
    form: Rc<Form>,
    subscription: Subscription,
    repetition: Repetition,
    hold: Duration,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// A poll is held, until that time at the latest, in the worker's milliseconds. What the client sends meanwhile is
    /// its next request.
    Held { until_ms: u64, ahead: Vec<u8> },
    /// The client has its answer, and may take until that time to ask again.
    Answered { until_ms: u64 },
    /// A request came that the framework has to look at.
    Foreign(Vec<u8>),
    /// The client sends and sends.
    Flooded,
}

impl Leaving {
    /// Lets the socket of a poll leave, if the poll is one that a stage can hold and answer.
    ///
    /// Who is here may change at every poll, and a short hold needs an exact timer; such polls stay with the framework.
    pub fn of(request: &HttpRequest, state: &web::Data<State>, opened: &Opened, hold: Duration) -> Option<Self> {
        let wish = &opened.wish;
        let goes_on = request.head().connection_type() == ConnectionType::KeepAlive;
        let is_long = hold >= state.settings.pace.tick() * TICKS_OF_A_HOLD;
        if wish.presence || wish.shown_as.is_some() || !goes_on || !is_long {
            return None;
        }
        let exit = exit(request)?;
        let Some(repetition) = Repetition::of(&exit.head()) else {
            exit.stay();
            return None;
        };
        let mut fields = HeaderMap::new();
        cors::add_headers(state, request, &mut fields);
        let words = Words {
            rest_of_query: rest_of_query(request, opened),
            preference_applied: preference_applied(hold),
            fields: form::lines(&fields),
        };
        Some(Self { exit, state: state.clone(), form: Form::of(words), repetition, hold })
    }

    /// Gives the subscription to the stage, and waits to be dropped by the framework, which sees the stream end.
    pub async fn take_over(self, subscription: Subscription) -> Result<HttpResponse, Problem> {
        let Self { exit, state, form, repetition, hold } = self;
        let phase = Phase::Held { until_ms: until(&subscription, hold), ahead: Vec::new() };
        exit.leave_to(Box::new(Poller { state, form, subscription, repetition, hold, phase }));
        pending().await
    }
}

/// When something that begins now and takes so long is over, a tick early rather than late.
fn until(subscription: &Subscription, after: Duration) -> u64 {
    let worker = subscription.worker();
    worker.now_ms() + millis(after.saturating_sub(worker.pace().tick()))
}

impl Poller {
    /// The position from which a request asks to go on, if it is the last one again and nothing has happened that the
    /// framework must look at.
    fn position(&self, request: &[u8]) -> Option<u64> {
        let (epoch, offset) = self.repetition.cursor(request)?.rsplit_once('.')?;
        let offset = parse_offset(offset)?;
        let (channel, hub) = (self.subscription.channel(), &self.state.hub);
        let is_in_log = epoch == channel.epoch().as_str() && (channel.start()..=channel.head()).contains(&offset);
        let is_current = || hub.find(channel.name()).is_some_and(|current| Arc::ptr_eq(&current, channel));
        let has_room = || hub.subscribers() < self.state.guard.connections().max();
        (is_in_log && !self.state.is_draining() && is_current() && has_room()).then_some(offset)
    }

    // ANCHOR: ask
    /// Takes a request: the last one again, with another cursor, or something for the framework.
    fn ask(&mut self, request: &[u8]) {
        self.phase = match self.position(request) {
            Some(position) => {
                self.subscription.resume(position);
                Phase::Held { until_ms: until(&self.subscription, self.hold), ahead: Vec::new() }
            }
            None => Phase::Foreign(request.to_vec()),
        };
    }
    // ANCHOR_END: ask

    /// The answer to the poll that is held, if there is one now.
    fn answer(&mut self, whom: Whom<'_>, until_ms: u64) -> Option<Bytes> {
        let (mut first, mut batch) = (None, Batch::default());
        while batch.size() < MAX_BATCH || self.subscription.is_within_event() {
            match self.subscription.next_for(whom) {
                Poll::Ready(Some(Next::Bytes(lines))) if first.is_none() && batch.is_empty() => first = Some(lines),
                Poll::Ready(Some(next)) => {
                    first.take().into_iter().for_each(|lines| batch.take(Next::Bytes(lines)));
                    batch.take(next);
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let more = self.has_more();
        let make = |batch: Batch| {
            let cursor = self.subscription.channel().cursor(self.subscription.position());
            self.form.response(&cursor.to_string(), &batch.into_body(&cursor, more))
        };
        match first {
            Some(lines) => Some(
                self.form.answer(&lines, more, self.subscription.worker().clock().now_us(), || make(Batch::of(&lines))),
            ),
            None if batch.is_empty() && self.subscription.worker().now_ms() < until_ms => None,
            None => Some(make(batch)),
        }
    }

    fn has_more(&self) -> bool {
        self.subscription.position() < self.subscription.channel().head()
    }

    /// The poll is answered. What the client sent meanwhile is its next request.
    fn rest(&mut self, ahead: &[u8]) {
        self.subscription.pause();
        self.phase = Phase::Answered { until_ms: until(&self.subscription, self.state.settings.keep_alive) };
        if !ahead.is_empty() {
            self.ask(ahead);
        }
    }
}

/// Reads an offset as it is printed: decimal, without sign or leading zeros.
fn parse_offset(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || text.starts_with(|first: char| ('1'..='9').contains(&first));
    text.parse().ok().filter(|_| is_canonical)
}

impl Occupant for Poller {
    fn next(&mut self, whom: Whom<'_>) -> Turn {
        match &mut self.phase {
            Phase::Held { until_ms, ahead } => {
                let (until_ms, ahead) = (*until_ms, std::mem::take(ahead));
                if let Some(answer) = self.answer(whom, until_ms) {
                    self.rest(&ahead);
                    return Turn::Send(answer);
                }
                self.phase = Phase::Held { until_ms, ahead };
                self.subscription.wait(whom, until_ms.min(self.subscription.wake_at_ms()));
                Turn::Wait
            }
            Phase::Answered { until_ms } => {
                if self.subscription.worker().now_ms() >= *until_ms || self.state.is_draining() {
                    return Turn::End;
                }
                self.subscription.wait(whom, *until_ms);
                Turn::Wait
            }
            Phase::Foreign(request) => Turn::GiveBack(std::mem::take(request)),
            Phase::Flooded => Turn::Drop,
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        match &mut self.phase {
            Phase::Held { ahead, .. } if ahead.len() + bytes.len() <= MAX_AHEAD => ahead.extend_from_slice(bytes),
            Phase::Held { .. } | Phase::Flooded => self.phase = Phase::Flooded,
            Phase::Answered { .. } => self.ask(bytes),
            Phase::Foreign(request) => request.extend_from_slice(bytes),
        }
    }

    /// What comes behind a request for the framework, the framework reads itself.
    fn is_listening(&self) -> bool {
        !matches!(self.phase, Phase::Foreign(_))
    }
}
