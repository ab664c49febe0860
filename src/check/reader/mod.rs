//! A subscriber over any transport: what is heard, as the profile says where it is.
//!
//! [`understand`] knows what the bytes of each transport mean; [`socket`], [`body`] and [`poll`] fetch them.

mod body;
mod poll;
mod socket;
pub mod understand;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use socket2::SockRef;
use tokio::time::Instant;

use super::{
    case::Case,
    profile::{Place, Subscribe},
    subject::{Channel, Subject},
    template,
    trace::{LineNumber, Trace, escape},
    transport::Transport,
    verdict::{Fault, Proof},
    wire::{
        http::{Head, Request, Unread, read_head},
        line::{Line, Stop},
        websocket::{new_key, upgrade_fields},
    },
};

use self::{body::Body, poll::Poll, socket::Socket};

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Before the oldest message that there is.
    Start,
    /// Behind the newest: what comes from now on.
    End,
    /// Behind this cursor.
    Cursor(String),
}

/// A message that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What was published.
    pub data: Vec<u8>,
    /// Its cursor, if it carries one.
    pub cursor: Option<String>,
    /// Its bytes with the framing that belongs to it: the block, the frame, the line, the object in an answer.
    pub raw: Bytes,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// That messages are missing.
    Gap {
        /// Where it goes on, if this was told.
        resume: Option<String>,
        /// How it was told.
        raw: Bytes,
    },
    /// A sign of life: a heartbeat, a ping, an empty answer.
    Alive,
    /// Anything else, such as a greeting.
    Other(Bytes),
    /// The server has ended the subscription.
    End(Stop),
    /// Nothing, in time.
    Late,
}

/// What was heard, and the position of whoever has heard it, if it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What was heard.
    pub heard: Heard,
    /// The position behind it.
    pub position: Option<String>,
}

/// A subscriber.
#[derive(Debug)]
pub struct Reader {
    transport: Transport,
    source: Source,
    /// What has come and was not given out yet.
    told: VecDeque<Told>,
    cursor: Option<String>,
    /// Whether what was given out last has told its position.
    is_exact: bool,
}

/// Where it comes from.
#[derive(Debug)]
enum Source {
    Socket(Box<Socket>),
    Body(Box<Body>),
    Poll(Box<Poll>),
}

/// How a subscriber asks, by the profile.
#[derive(Clone, Debug)]
pub struct Asking {
    transport: Transport,
    subject: Subject,
    trace: Trace,
    /// What the profile says of the transport.
    pub subscribe: Subscribe,
    channel: String,
}

impl Asking {
    /// How to subscribe to this channel.
    ///
    /// # Errors
    /// The profile does not describe the transport.
    pub fn new(case: &Case<'_>, transport: Transport, channel: &Channel) -> Result<Self, Fault> {
        let subscribe = case.subject.profile.subscribe(transport).ok_or_else(|| {
            Fault::skipped(format!("the profile {} describes no {transport}", case.subject.profile.name))
        })?;
        let (subject, trace) = (case.subject.clone(), case.trace.clone());
        Ok(Self { transport, subject, trace, subscribe: subscribe.clone(), channel: channel.name.clone() })
    }

    /// What stands for `{after}`, if anything does.
    fn after<'a>(&'a self, after: &'a After) -> Result<Option<&'a str>, Fault> {
        Ok(match after {
            After::Cursor(cursor) => Some(cursor.as_str()),
            After::End => self.subscribe.end.as_deref(),
            After::Start => {
                let start = self.subscribe.start.as_deref();
                Some(
                    start
                        .ok_or_else(|| Fault::skipped("the profile has no `start` that asks for the oldest message"))?,
                )
            }
        }
        .filter(|after| !after.is_empty()))
    }

    /// The path and query.
    ///
    /// # Errors
    /// The profile does not say how to ask for the start.
    pub fn target(&self, after: &After) -> Result<String, Fault> {
        Ok(self.subscribe.path.target(&self.channel, self.after(after)?, b""))
    }

    /// Further fields, as lines; without those of a WebSocket's handshake.
    ///
    /// # Errors
    /// As for [`Asking::target`].
    pub fn fields(&self, after: &After) -> Result<Vec<String>, Fault> {
        let cursor = self.after(after)?;
        let mut fields = template::fields(&self.subscribe.headers, &self.channel, cursor);
        // A browser does the same (HTML §9.2.3), so a profile need not say it.
        let has_place = self.subscribe.path.has(template::AFTER)
            || self.subscribe.headers.iter().any(|field| field.contains(template::AFTER));
        if let (Some(cursor), Some(Place::EventId), false) = (cursor, &self.subscribe.id, has_place) {
            fields.push(format!("Last-Event-ID: {cursor}"));
        }
        Ok(fields)
    }

    /// The request.
    ///
    /// # Errors
    /// As for [`Asking::target`].
    pub fn request(&self, after: &After) -> Result<Request, Fault> {
        Ok(Request::get(&self.target(after)?).fields(self.fields(after)?))
    }
}

impl Reader {
    /// Subscribes, and returns when the subscription is known to exist, as far as the transport lets one know.
    ///
    /// # Errors
    /// The server refuses, or its answer is none.
    pub async fn open(case: &Case<'_>, transport: Transport, channel: &Channel, after: &After) -> Result<Self, Fault> {
        let asking = Asking::new(case, transport, channel)?;
        let mut told = VecDeque::new();
        let source = match transport {
            Transport::WebSocket => Source::Socket(Box::new(Socket::open(case, asking, after, &mut told).await?)),
            Transport::Sse | Transport::Stream => {
                Source::Body(Box::new(Body::open(case, asking, after, &mut told).await?))
            }
            Transport::LongPoll => Source::Poll(Box::new(Poll::open(case, asking, after, &mut told).await?)),
        };
        // What greets a subscriber tells where the subscription begins.
        let greeting = told.front().filter(|told| matches!(told.heard, Heard::Other(_) | Heard::Alive));
        let cursor = match after {
            After::Cursor(cursor) => Some(cursor.clone()),
            After::Start | After::End => greeting.and_then(|told: &Told| told.position.clone()),
        };
        Ok(Self { transport, source, told, cursor, is_exact: true })
    }

    /// Asks for a subscription, and returns the head of the answer, whatever it is, and the connection.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(
        case: &Case<'_>,
        transport: Transport,
        channel: &Channel,
        after: &After,
    ) -> Result<(Head, LineNumber), Fault> {
        let (head, line) = Self::ask_any(case, transport, channel, after).await?;
        let unanswered = |unread: Unread| {
            Fault::violated(format!("a subscription over {transport} has no answer: {}", unread.says()), [line])
        };
        Ok((head.map_err(unanswered)?, line))
    }

    /// The same, where there may be no answer.
    ///
    /// # Errors
    /// The server takes no connection, or the profile has no such transport.
    pub async fn ask_any(
        case: &Case<'_>,
        transport: Transport,
        channel: &Channel,
        after: &After,
    ) -> Result<(Result<Head, Unread>, LineNumber), Fault> {
        let asking = Asking::new(case, transport, channel)?;
        let mut request = asking.request(after)?;
        if transport == Transport::WebSocket {
            request = request.fields(upgrade_fields(&new_key(case)));
        }
        let mut line = Line::open(case.subject, &case.trace).await?;
        // What the server says before it closes is read here.
        let _ = line.send(&request.bytes(case.subject)).await;
        Ok((read_head(&mut line, case.until()).await, line.number()))
    }

    /// What comes next. Polls again, answers pings.
    ///
    /// # Errors
    /// What came cannot be read.
    pub async fn next(&mut self, until: Instant) -> Result<Heard, Fault> {
        loop {
            if let Some(Told { heard, position }) = self.told.pop_front() {
                self.is_exact = position.is_some() || !matches!(heard, Heard::Message(_));
                self.cursor = position.or(self.cursor.take());
                return Ok(heard);
            }
            let fetched = match &mut self.source {
                Source::Socket(socket) => socket.fetch(until, &mut self.told).await,
                Source::Body(body) => body.fetch(until, &mut self.told).await,
                Source::Poll(poll) => poll.fetch(until, self.cursor.as_deref(), &mut self.told).await,
            };
            match fetched {
                Ok(()) => {}
                Err(Unheard::Stopped(Stop::Late)) => return Ok(Heard::Late),
                Err(Unheard::Stopped(stop)) => return Ok(Heard::End(stop)),
                Err(Unheard::Fault(fault)) => return Err(fault),
            }
        }
    }

    /// The next message of this channel; passes over signs of life and whatever else is said.
    ///
    /// # Errors
    /// A gap, the end, or nothing in time comes instead; the violation says so and names what was expected.
    pub async fn message(&mut self, case: &Case<'_>, channel: &Channel, expected: &str) -> Proof<Message> {
        loop {
            let message = self.any_message(case, expected).await?;
            if channel.owns(&message.data) {
                return Ok(message);
            }
        }
    }

    /// The next message, whatever it says.
    ///
    /// # Errors
    /// As for [`Reader::message`].
    pub async fn any_message(&mut self, case: &Case<'_>, expected: &str) -> Proof<Message> {
        case.waiting_for(format!("{expected} over {}", self.transport));
        let until = case.until();
        let mut other = None;
        loop {
            let instead = match self.next(until).await? {
                Heard::Message(message) => return Ok(message),
                Heard::Alive => continue,
                Heard::Other(raw) => {
                    other = Some(raw);
                    continue;
                }
                Heard::Gap { .. } => "a gap was told".to_owned(),
                Heard::End(stop) => stop.says().to_owned(),
                Heard::Late => {
                    let patience = humantime::format_duration(case.subject.patience());
                    let hint = other.map_or_else(String::new, |raw| {
                        format!("; what came is no message by the profile: \"{}\"", escape(&raw[..raw.len().min(120)]))
                    });
                    format!("nothing came within {patience}{hint}")
                }
            };
            let says = format!("expected {expected} over {}, but {instead}", self.transport);
            return Err(Fault::violated(says, self.lines()));
        }
    }

    /// The position to go on from: the cursor of what was heard last, or what the server told at the beginning.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Whether [`Reader::cursor`] is the position behind what was heard last. It is not in the middle of a poll's answer
    /// whose messages have no cursors of their own.
    #[must_use]
    pub const fn knows_its_position(&self) -> bool {
        self.is_exact
    }

    /// Its transport.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The connections that it has used, the newest last, at most the last two.
    #[must_use]
    pub fn lines(&self) -> Vec<LineNumber> {
        match &self.source {
            Source::Socket(socket) => vec![socket.line()],
            Source::Body(body) => vec![body.line()],
            Source::Poll(poll) => poll.lines(),
        }
    }

    /// The socket that it reads from now, if there is one.
    fn socket(&self) -> Option<SockRef<'_>> {
        match &self.source {
            Source::Socket(socket) => Some(socket.socket()),
            Source::Body(body) => Some(body.socket()),
            Source::Poll(poll) => poll.socket(),
        }
    }

    /// Leaves the system little room for what it has not read, so that the server soon notices. The size is in bytes, and
    /// a wish.
    pub fn narrow(&self, size: usize) {
        if let Some(socket) = self.socket() {
            // Where the system refuses, more must be sent before anybody notices, and more is.
            let _ = socket.set_recv_buffer_size(size);
        }
    }

    /// The local port of its connection, if it has one now.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        Some(self.socket()?.local_addr().ok()?.as_socket()?.port())
    }

    /// Breaks its connection off (RST).
    pub fn cut(self) {
        match self.source {
            Source::Socket(socket) => socket.cut(),
            Source::Body(body) => body.cut(),
            Source::Poll(poll) => poll.cut(),
        }
    }
}

/// Why nothing was fetched.
#[derive(Debug)]
enum Unheard {
    Stopped(Stop),
    Fault(Fault),
}

impl From<Fault> for Unheard {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Stop> for Unheard {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// The answer to a first poll is waited for so long where nobody promises it at once: the server may hold the poll.
const GRACE: Duration = Duration::from_secs(1);

/// The same where it was seen not to come.
const SHORT_GRACE: Duration = Duration::from_millis(200);

impl Asking {
    /// How long to wait for what greets a subscriber, if it is promised: as long as for anything, but only once.
    fn grace(&self, is_promised: bool) -> Duration {
        match (self.subject.begins_silently(self.transport), is_promised) {
            (true, _) => SHORT_GRACE,
            (false, true) => self.subject.patience(),
            (false, false) => GRACE.min(self.subject.patience()),
        }
    }
}
