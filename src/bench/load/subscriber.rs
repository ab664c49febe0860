//! One subscriber: its connection, what it asks for, and its account.

use std::{io, time::Duration};

use mio::{Registry, Token};

use super::{
    account::{Account, Books},
    connection::Connection,
    decode::{Decoder, Fault, Heard},
    request::{MASK, Subscription},
    tally::Traffic,
};
use crate::wire::websocket::{Opcode, masked_frame};

/// One subscriber.
#[derive(Debug)]
pub struct Subscriber {
    /// Absent while it waits to connect again.
    pub connection: Option<Connection>,
    /// What it has received.
    pub account: Account,
    /// Whether it has ever been let in.
    pub has_subscribed: bool,
    /// When it began to connect for the first time.
    pub since_ns: u64,
    /// When it does something by itself: asks again, or connects.
    pub alarm_ns: Option<u64>,
    /// How often in a row its connection broke or was refused.
    pub failures: u32,
    /// When to come back, as the server has said in its event stream.
    pub retry: Option<Duration>,
    /// Since when it has no subscription that it had.
    away_since_ns: Option<u64>,
    /// When its last short-poll was due.
    pub beat_ns: Option<u64>,
    decoder: Decoder,
    cursor: Vec<u8>,
}

/// What a read has brought beside messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    /// The subscription was accepted.
    pub is_accepted: bool,
    /// A poll was answered.
    pub is_answered: bool,
    /// The server closes the connection after that answer.
    pub closes: bool,
}

impl Subscriber {
    /// A subscriber that is yet to connect.
    pub fn new(subscription: &Subscription) -> Self {
        Self {
            connection: None,
            account: Account::default(),
            has_subscribed: false,
            since_ns: 0,
            alarm_ns: None,
            failures: 0,
            retry: None,
            away_since_ns: None,
            beat_ns: None,
            decoder: Decoder::new(subscription.transport.form(), subscription.cursor_in.clone()),
            cursor: Vec::new(),
        }
    }

    /// Begins to connect. The request is on its way as soon as that is done.
    pub fn connect(
        &mut self,
        subscription: &Subscription,
        registry: &Registry,
        token: Token,
        scratch: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> io::Result<()> {
        self.decoder.reset();
        self.connection = Some(Connection::open(subscription.address, registry, token)?);
        self.ask(subscription, scratch, traffic)
    }

    /// Ends the connection.
    pub fn disconnect(&mut self, registry: &Registry) {
        if let Some(connection) = self.connection.take() {
            connection.close(registry);
        }
    }

    /// Its connection is broken. Returns whether it was not away already.
    pub fn stay_away(&mut self, now_ns: u64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let is_new = self.away_since_ns.is_none();
        self.away_since_ns.get_or_insert(now_ns);
        is_new
    }

    /// It has a subscription. Returns since when it had none.
    pub fn come_back(&mut self) -> Option<u64> {
        self.failures = 0;
        self.away_since_ns.take()
    }

    /// Sends the request, which goes on from where this subscriber stands.
    pub fn ask(&mut self, subscription: &Subscription, scratch: &mut Vec<u8>, traffic: &mut Traffic) -> io::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let from_start = subscription.from_start.as_ref().filter(|_| self.account.first_message_ns.is_none());
        let cursor: &[u8] = match from_start {
            _ if !self.cursor.is_empty() => &self.cursor,
            Some(start) => start.as_bytes(),
            None => subscription.from_end.as_bytes(),
        };
        scratch.clear();
        subscription.request.write(cursor, scratch);
        traffic.requests += 1;
        traffic.request_bytes += scratch.len() as u64;
        connection.write(scratch, traffic)
    }

    /// Says what is to be said first over a WebSocket that was accepted.
    pub fn greet(
        &mut self,
        subscription: &Subscription,
        scratch: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> io::Result<()> {
        scratch.clear();
        for greeting in &subscription.greetings {
            masked_frame(Opcode::Text, MASK, greeting.as_bytes(), scratch);
        }
        self.send(scratch, traffic)
    }

    /// Sends frames.
    pub fn send(&mut self, frames: &[u8], traffic: &mut Traffic) -> io::Result<()> {
        let Some(connection) = self.connection.as_mut().filter(|_| !frames.is_empty()) else { return Ok(()) };
        traffic.frame_bytes += frames.len() as u64;
        connection.write(frames, traffic)
    }

    /// Books what has arrived. What is to be answered over a WebSocket is appended to `replies`, framed.
    pub fn hear(
        &mut self,
        bytes: &[u8],
        subscription: &Subscription,
        books: &mut Books<'_>,
        replies: &mut Vec<u8>,
    ) -> (News, Result<(), Fault>) {
        let mut news = News::default();
        let Self { decoder, cursor, account, retry, .. } = self;
        let outcome = decoder.feed(bytes, &mut |heard| match heard {
            Heard::Text(text) => {
                account.book_all(text, books);
                reply(text, subscription, replies);
            }
            Heard::Cursor(position) => replace(cursor, position),
            Heard::Retry(pause) => *retry = Some(pause),
            Heard::Head(length) => books.tally.subscribers.head_bytes += length as u64,
            Heard::Accepted => news.is_accepted = true,
            Heard::Answered { closes } => {
                news.is_answered = true;
                news.closes |= closes;
            }
            Heard::Ping(payload) => masked_frame(Opcode::Pong, MASK, payload, replies),
        });
        (news, outcome)
    }

    /// The connection has ended: books what that completes.
    ///
    /// # Errors
    /// That was not the end of an answer, but of a subscription.
    pub fn hear_end(&mut self, books: &mut Books<'_>) -> Result<(), Fault> {
        let Self { decoder, cursor, account, .. } = self;
        decoder.end(&mut |heard| match heard {
            Heard::Text(text) => account.book_all(text, books),
            Heard::Cursor(position) => replace(cursor, position),
            _ => {}
        })
    }
}

fn replace(bytes: &mut Vec<u8>, by: &[u8]) {
    bytes.clear();
    bytes.extend_from_slice(by);
}

fn reply(text: &[u8], subscription: &Subscription, replies: &mut Vec<u8>) {
    for (asked, answer) in &subscription.replies {
        if asked.as_bytes() == text {
            masked_frame(Opcode::Text, MASK, answer.as_bytes(), replies);
        }
    }
}
