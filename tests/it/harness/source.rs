//! Where a reader's events come from: one source for each framing.

use std::{collections::VecDeque, net::SocketAddr};

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    Connection, Event, Message, Request,
    event::offset_of,
    http::{BodyReader, Head, find, narrow_stream},
    reader::{Received, Subscription, Transport},
    within_guard,
};

/// What one read brought.
pub struct Batch {
    pub events: Vec<Received>,
    /// The position after the batch, which the transport tells even if there are no events.
    pub cursor: Option<String>,
}

impl Batch {
    fn of(events: Vec<Received>) -> Self {
        Self { events, cursor: None }
    }
}

pub enum Source {
    WebSocket(WebSocketSource),
    Sse(SseSource),
    Poll(PollSource),
    Stream(LineSource),
}

impl Source {
    /// What the next read brings, possibly nothing; `None` when the server has ended the subscription.
    pub async fn next_batch(&mut self) -> Option<Batch> {
        match self {
            Self::WebSocket(source) => source.next().await.map(|event| Batch::of(Vec::from_iter(event))),
            Self::Sse(source) => source.next().await.map(|event| Batch::of(vec![event])),
            Self::Poll(source) => source.next().await,
            Self::Stream(source) => source.next().await.map(|event| Batch::of(vec![event])),
        }
    }
}

async fn connect(address: SocketAddr, subscription: &Subscription) -> Connection {
    if subscription.is_narrow() { Connection::open_narrow(address).await } else { Connection::open(address).await }
}

/// Reads the head of an endless response, which must be a success.
async fn begin(mut connection: Connection, target: &str) -> (Connection, BodyReader) {
    connection.send(&Request::get(target)).await;
    let head = connection.head().await;
    assert_eq!(head.status, 200, "GET {target} gets {head:?}");
    let body = BodyReader::new(&head);
    (connection, body)
}

pub struct WebSocketSource {
    socket: WebSocketStream<TcpStream>,
    format: Transport,
    close_frame: Option<(u16, String)>,
}

impl WebSocketSource {
    pub async fn open(address: SocketAddr, format: Transport, subscription: &Subscription) -> Self {
        let stream = if subscription.is_narrow() {
            narrow_stream(address).await
        } else {
            Connection::open(address).await.into_stream()
        };
        let url = format!("ws://localhost{}", subscription.target(format));
        let handshake = within_guard("the handshake", tokio_tungstenite::client_async(url, stream));
        let (socket, _) = handshake.await.expect("the handshake succeeds");
        Self { socket, format, close_frame: None }
    }

    /// One event, or none for a ping.
    async fn next(&mut self) -> Option<Option<Received>> {
        use tungstenite::Message as Frame;
        match self.socket.next().await? {
            Ok(Frame::Text(text)) if self.format == Transport::WebSocket => Some(Some(Received::from_json(&text))),
            Ok(Frame::Text(text)) => Some(Some(raw_payload(text.as_bytes()))),
            Ok(Frame::Binary(bytes)) if self.format == Transport::WebSocketRaw => Some(Some(raw_payload(&bytes))),
            Ok(Frame::Ping(_)) => Some(None),
            Ok(Frame::Close(frame)) => {
                self.close_frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                // Reading on sends the reply to the close frame.
                self.socket.next().await;
                None
            }
            Ok(other) => panic!("a server does not send {other:?} here"),
            Err(_) => None,
        }
    }

    pub fn close_frame(&self) -> Option<(u16, String)> {
        self.close_frame.clone()
    }

    pub async fn send_text(&mut self, text: &str) {
        within_guard("the server to read", self.socket.send(text.into())).await.expect("the connection is open");
    }

    /// Sends a close frame and waits for the end of the connection.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).await.expect("the connection is open");
        within_guard("the end of the connection", async {
            while self.socket.next().await.is_some_and(|read| read.is_ok()) {}
        })
        .await;
    }
}

/// A raw WebSocket frame: a payload and nothing else.
fn raw_payload(payload: &[u8]) -> Received {
    let message = Message { id: String::new(), label: None, content_type: String::new(), payload: payload.to_vec() };
    Received {
        event: Event::Message(message),
        wire: String::from_utf8_lossy(payload).into_owned(),
        position: Some(String::new()),
    }
}

/// One block of an event stream, with its fields (WHATWG HTML §9.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub event: Option<String>,
    pub id: Option<String>,
    pub data: Vec<String>,
    pub retry: Option<String>,
    /// The bytes, up to and with the blank line.
    pub wire: String,
}

impl Block {
    /// Takes a block apart. The server ends its lines with LF, so that is the only line end accepted here.
    #[track_caller]
    pub fn parse(wire: &str) -> Self {
        let mut block = Self { wire: wire.to_owned(), ..Self::default() };
        for line in wire.lines() {
            match line.split_once(':') {
                // A comment, such as a heartbeat in `raw`.
                Some(("", _)) => {}
                Some((field, value)) => block.set(field, value.strip_prefix(' ').unwrap_or(value)),
                None if line.is_empty() => {}
                None => panic!("a line without a field: {line:?}"),
            }
        }
        block
    }

    #[track_caller]
    fn set(&mut self, field: &str, value: &str) {
        let value = value.to_owned();
        match field {
            "event" => assert_eq!(self.event.replace(value), None, "one event type in {}", self.wire),
            "id" => assert_eq!(self.id.replace(value), None, "one id in {}", self.wire),
            "retry" => assert_eq!(self.retry.replace(value), None, "one retry in {}", self.wire),
            "data" => self.data.push(value),
            _ => panic!("unknown field {field:?} in {:?}", self.wire),
        }
    }

    /// The data as an `EventSource` hands it over.
    pub fn text(&self) -> String {
        self.data.join("\n")
    }
}

/// Reads an event stream block by block.
pub struct SseSource {
    connection: Connection,
    body: BodyReader,
    unread: Vec<u8>,
    format: Transport,
}

impl SseSource {
    pub async fn open(address: SocketAddr, format: Transport, subscription: &Subscription) -> Self {
        Self::request(connect(address, subscription).await, format, &subscription.target(format)).await
    }

    /// Subscribes by an address of the test's own making.
    pub async fn request(connection: Connection, format: Transport, target: &str) -> Self {
        let (connection, body) = begin(connection, target).await;
        Self { connection, body, unread: Vec::new(), format }
    }

    /// Reads on after a head that the test has read.
    pub fn continued(connection: Connection, format: Transport, head: &Head) -> Self {
        Self { connection, body: BodyReader::new(head), unread: Vec::new(), format }
    }

    /// The next block, or `None` at the end of the stream. An unfinished block at the end is discarded.
    pub async fn block(&mut self) -> Option<Block> {
        let wire = read_through(&mut self.connection, &mut self.body, &mut self.unread, b"\n\n").await?;
        Some(Block::parse(&wire))
    }

    /// The next line, whatever it belongs to, or `None` at the end of the stream.
    pub async fn line(&mut self) -> Option<String> {
        read_through(&mut self.connection, &mut self.body, &mut self.unread, b"\n").await
    }

    async fn next(&mut self) -> Option<Received> {
        let block = self.block().await?;
        assert!(!block.data.is_empty(), "an event without data would be dropped by its receiver: {:?}", block.wire);
        let event = match block.event.as_deref() {
            Some(name @ ("hello" | "gap" | "presence" | "goodbye" | "heartbeat" | "message")) if self.is_json(name) => {
                Event::from_json(&format!("{{\"{name}\":{}}}", block.text()))
            }
            _ => Event::Message(raw_message(&block)),
        };
        if let Some(id) = &block.id {
            assert_eq!(Some(id.as_str()), event.cursor(), "id and data agree in {:?}", block.wire);
        }
        Some(Received { event, wire: block.wire, position: None })
    }

    /// Whether an event of this name carries a JSON object: in `raw`, all but messages do.
    fn is_json(&self, name: &str) -> bool {
        self.format == Transport::Sse || name != "message"
    }
}

fn raw_message(block: &Block) -> Message {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let is_binary = block.event.as_deref() == Some("binary");
    let payload = if is_binary {
        STANDARD.decode(block.text()).expect("bytes come as base64")
    } else {
        block.text().into_bytes()
    };
    Message {
        id: block.id.clone().expect("a message has an id"),
        label: block.event.clone().filter(|_| !is_binary),
        content_type: String::new(),
        payload,
    }
}

/// Reads newline-delimited JSON.
pub struct LineSource {
    connection: Connection,
    body: BodyReader,
    unread: Vec<u8>,
}

impl LineSource {
    pub async fn open(address: SocketAddr, subscription: &Subscription) -> Self {
        let connection = connect(address, subscription).await;
        let (connection, body) = begin(connection, &subscription.target(Transport::Stream)).await;
        Self { connection, body, unread: Vec::new() }
    }

    async fn next(&mut self) -> Option<Received> {
        let line = read_through(&mut self.connection, &mut self.body, &mut self.unread, b"\n").await?;
        Some(Received::from_json(line.trim_end_matches('\n')))
    }
}

/// Takes text up to the end of the first `delimiter` from a body; an unfinished rest is discarded.
async fn read_through<const N: usize>(
    connection: &mut Connection,
    body: &mut BodyReader,
    unread: &mut Vec<u8>,
    delimiter: &[u8; N],
) -> Option<String> {
    let mut searched = 0;
    loop {
        if let Some(at) = find(&unread[searched..], delimiter) {
            let text = unread.drain(..searched + at + N).collect();
            return Some(String::from_utf8(text).expect("the body is UTF-8"));
        }
        searched = unread.len().saturating_sub(N - 1);
        unread.extend(body.chunk(connection).await?);
    }
}

/// The body of a poll's answer.
#[derive(Deserialize)]
pub struct Envelope {
    pub cursor: String,
    pub events: Vec<Box<RawValue>>,
    pub more: bool,
}

/// Polls again and again on one connection, with the cursor of the answer before.
pub struct PollSource {
    connection: Connection,
    subscription: Subscription,
    unread: VecDeque<Batch>,
}

impl PollSource {
    /// Asks for what there is, without waiting, so that faults and gaps show at once.
    pub async fn open(address: SocketAddr, subscription: &Subscription) -> Self {
        let connection = connect(address, subscription).await;
        let mut source = Self { connection, subscription: subscription.clone(), unread: VecDeque::new() };
        let first = source.poll(&subscription.clone().with("wait", "0")).await;
        source.unread.extend(first);
        source
    }

    async fn next(&mut self) -> Option<Batch> {
        if let Some(batch) = self.unread.pop_front() {
            return Some(batch);
        }
        let subscription = self.subscription.clone();
        self.poll(&subscription).await
    }

    /// One poll. `None` when the server has hung up between two polls, as a draining one does.
    async fn poll(&mut self, subscription: &Subscription) -> Option<Batch> {
        let response = self.connection.try_request(&Request::get(&subscription.target(Transport::Poll))).await?;
        assert_eq!(response.status(), 200, "{}", response.text());
        let envelope: Envelope = serde_json::from_slice(&response.body).expect("a poll is answered with an envelope");
        self.subscription = self.subscription.clone().after(&envelope.cursor);
        Some(envelope.into_batch())
    }
}

impl Envelope {
    fn into_batch(self) -> Batch {
        let mut events: Vec<_> = self.events.iter().map(|event| Received::from_json(event.get())).collect();
        assert!(!(self.more && events.is_empty()), "an empty answer does not promise more");
        if let Some(last) = events.last_mut() {
            // The envelope may be ahead of the last event, by publications that `echo=0` excludes.
            let last_offset = last.event.cursor().map_or(0, offset_of);
            assert!(
                offset_of(&self.cursor) >= last_offset || matches!(last.event, Event::Hello(_)),
                "the cursor covers all events"
            );
            last.position = Some(self.cursor.clone());
        }
        Batch { events, cursor: Some(self.cursor) }
    }
}
