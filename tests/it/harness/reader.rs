//! One reader for all transports: it opens a subscription, yields events, and knows its cursor.

use std::{collections::VecDeque, net::SocketAddr};

use super::{
    Event, Gap, Message, Presence, TestServer,
    event::Hello,
    source::{LineSource, PollSource, Source, SseSource, WebSocketSource},
    within_guard,
};

/// A way to read a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    WebSocketRaw,
    Sse,
    SseRaw,
    Poll,
    Stream,
}

/// The transports under the names that tests have.
#[allow(non_upper_case_globals, reason = "they appear as the names of tests")]
pub mod transports {
    use super::Transport;

    pub const websocket: Transport = Transport::WebSocket;
    pub const websocket_raw: Transport = Transport::WebSocketRaw;
    pub const sse: Transport = Transport::Sse;
    pub const sse_raw: Transport = Transport::SseRaw;
    pub const poll: Transport = Transport::Poll;
    pub const stream: Transport = Transport::Stream;
}

impl Transport {
    /// Every transport that tells its cursor, so that one can hop from any to any.
    pub const WITH_CURSOR: [Self; 5] = [Self::WebSocket, Self::Sse, Self::Poll, Self::Stream, Self::SseRaw];

    /// The last part of the address.
    pub fn path(self) -> &'static str {
        match self {
            Self::WebSocket | Self::WebSocketRaw => "ws",
            Self::Sse | Self::SseRaw => "sse",
            Self::Poll => "poll",
            Self::Stream => "stream",
        }
    }

    /// The format to ask for, where there is a choice.
    pub fn format(self) -> Option<&'static str> {
        match self {
            Self::WebSocket | Self::Sse => Some("json"),
            Self::WebSocketRaw | Self::SseRaw => Some("raw"),
            Self::Poll | Self::Stream => None,
        }
    }
}

/// What to subscribe to, and how: a channel and query parameters.
#[derive(Clone, Debug)]
pub struct Subscription {
    channel: String,
    after: Option<String>,
    parameters: Vec<(String, String)>,
    narrow: bool,
}

impl Subscription {
    /// A subscription to `channel` from its head on.
    pub fn to(channel: &str) -> Self {
        Self { channel: channel.to_owned(), after: None, parameters: Vec::new(), narrow: false }
    }

    /// Begins after a cursor, or at `start` or `end`.
    pub fn after(mut self, after: &str) -> Self {
        self.after = Some(after.to_owned());
        self
    }

    /// Gives the subscriber a secret name.
    pub fn client(self, secret: &str) -> Self {
        self.with("client", secret)
    }

    /// Leaves out the publications that carried the subscriber's own name.
    pub fn without_echo(self) -> Self {
        self.with("echo", "0")
    }

    /// Announces the subscriber.
    pub fn named(self, name: &str) -> Self {
        self.with("as", name)
    }

    /// Asks who is here.
    pub fn with_presence(self) -> Self {
        self.with("presence", "1")
    }

    /// Adds a query parameter.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses a small receive buffer, so that a reader that stops is noticed soon.
    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// Whether to use a small receive buffer.
    pub fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// Where the subscription begins, if it says so.
    pub fn position(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The request target for one transport.
    pub fn target(&self, transport: Transport) -> String {
        let format = transport.format().map(|format| ("format", format));
        let after = self.after.as_deref().map(|after| ("after", after));
        let parameters = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs: Vec<_> =
            format.into_iter().chain(after).chain(parameters).map(|(name, value)| format!("{name}={value}")).collect();
        let question_mark = if pairs.is_empty() { "" } else { "?" };
        format!("/channels/{}/{}{question_mark}{}", self.channel, transport.path(), pairs.join("&"))
    }
}

/// An event together with how it looked on the wire.
#[derive(Clone, Debug)]
pub struct Received {
    pub event: Event,
    /// The event's JSON object, or its SSE block.
    pub wire: String,
    /// Where the subscriber stands after it, if the transport tells by other means than the event.
    pub position: Option<String>,
}

impl Received {
    /// An event that was sent as one JSON object.
    pub fn from_json(text: &str) -> Self {
        Self { event: Event::from_json(text), wire: text.to_owned(), position: None }
    }
}

/// A subscriber.
pub struct Reader {
    /// The first event, on the transports and formats that have one.
    pub hello: Option<Hello>,
    cursor: String,
    pending: VecDeque<Received>,
    source: Source,
}

impl Reader {
    /// Subscribes. When this returns, the subscription exists on the server: whatever is published from now on is part
    /// of it.
    pub async fn open(server: &TestServer, transport: Transport, subscription: &Subscription) -> Self {
        Self::open_at(server.address(), transport, subscription).await
    }

    /// Like `open`, by way of another address.
    pub async fn open_at(address: SocketAddr, transport: Transport, subscription: &Subscription) -> Self {
        let source = match transport {
            Transport::WebSocket | Transport::WebSocketRaw => {
                Source::WebSocket(WebSocketSource::open(address, transport, subscription).await)
            }
            Transport::Sse | Transport::SseRaw => Source::Sse(SseSource::open(address, transport, subscription).await),
            Transport::Poll => Source::Poll(PollSource::open(address, subscription).await),
            Transport::Stream => Source::Stream(LineSource::open(address, subscription).await),
        };
        let cursor = subscription.position().unwrap_or_default().to_owned();
        let mut reader = Self { hello: None, cursor, pending: VecDeque::new(), source };
        reader.read_hello(transport, subscription).await;
        reader
    }

    /// Reads `hello` where there is one: not in a raw WebSocket, and not in a poll that brings its cursor along.
    async fn read_hello(&mut self, transport: Transport, subscription: &Subscription) {
        let brings_cursor = subscription.position().is_some_and(|after| after.contains('.'));
        if transport == Transport::WebSocketRaw || transport == Transport::Poll && brings_cursor {
            return;
        }
        match self.receive().await.map(|received| received.event) {
            Some(Event::Hello(hello)) => self.hello = Some(hello),
            other => panic!("{transport:?} begins with {other:?}"),
        }
    }

    /// The position after all that was read so far: where another transport continues.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The next event with its bytes, or `None` when the server has ended the subscription.
    pub async fn receive(&mut self) -> Option<Received> {
        while self.pending.is_empty() {
            self.fill().await?;
        }
        let received = self.pending.pop_front()?;
        if let Some(cursor) = received.position.as_deref().or(received.event.cursor()) {
            cursor.clone_into(&mut self.cursor);
        }
        Some(received)
    }

    async fn fill(&mut self) -> Option<()> {
        let batch = within_guard("an event", self.source.next_batch()).await?;
        if let (true, Some(cursor)) = (batch.events.is_empty(), batch.cursor) {
            self.cursor = cursor;
        }
        self.pending.extend(batch.events);
        Some(())
    }

    /// The next event of any kind.
    pub async fn next(&mut self) -> Option<Event> {
        self.receive().await.map(|received| received.event)
    }

    /// The next event but heartbeats.
    async fn next_of_substance(&mut self) -> Event {
        loop {
            match self.next().await.expect("the subscription goes on") {
                Event::Heartbeat(_) => {}
                event => break event,
            }
        }
    }

    /// The next message. Anything else but a heartbeat fails the test.
    pub async fn message(&mut self) -> Message {
        match self.next_of_substance().await {
            Event::Message(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// The payloads of the next `count` messages.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            texts.push(self.message().await.text().to_owned());
        }
        texts
    }

    /// The next event, which must be a gap.
    pub async fn gap(&mut self) -> Gap {
        match self.next_of_substance().await {
            Event::Gap(gap) => gap,
            other => panic!("no gap: {other:?}"),
        }
    }

    /// The next event, which must be about presence.
    pub async fn presence(&mut self) -> Presence {
        match self.next_of_substance().await {
            Event::Presence(presence) => presence,
            other => panic!("no presence: {other:?}"),
        }
    }

    /// Reads on until the server ends the subscription, and returns what came.
    pub async fn until_end(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Code and reason with which the server closed a WebSocket.
    pub fn close_frame(&self) -> Option<(u16, String)> {
        match &self.source {
            Source::WebSocket(source) => source.close_frame(),
            _ => None,
        }
    }

    /// Publishes on the subscription's own WebSocket, without waiting for the answer.
    pub async fn send_text(&mut self, text: &str) {
        match &mut self.source {
            Source::WebSocket(source) => source.send_text(text).await,
            _ => panic!("only a WebSocket has a way back"),
        }
    }

    /// Says goodbye as the transport can: a WebSocket with a close frame of the given code, the others by hanging up.
    pub async fn leave(self, code: u16) {
        if let Source::WebSocket(source) = self.source {
            source.close(code).await;
        }
    }
}
