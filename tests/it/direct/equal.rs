//! One server and two ways of delivery: a client cannot tell them apart by a single byte.

use super::{Poller, direct, metric, outside, streaming, wait_for_outside};
use crate::harness::{
    Connection, Frame, Request, Response, TestServer,
    http::{BodyReader, Head},
    publisher::PostPublisher,
    secret_of,
    websocket::{CLOSE, PING, RawWebSocket, TEXT},
    within_guard,
};

/// A large message, of more than one write.
const LARGE: usize = 100_000;

/// A server, and how many sockets are outside of its framework when it has one subscriber.
struct Way {
    server: TestServer,
    outside: u64,
}

/// Runs the same on both servers, and asserts that what it returns is equal.
async fn on_both<T: PartialEq + std::fmt::Debug>(flags: &[&str], run: impl AsyncFn(&Way) -> T) {
    let (inside, out) = (Way { server: streaming(flags), outside: 0 }, Way { server: direct(flags), outside: 1 });
    let (streamed, sent) = (run(&inside).await, run(&out).await);
    assert_eq!(sent, streamed);
}

impl Way {
    /// Asserts that the one subscriber is served in this way.
    async fn assert_taken(&self) {
        if self.outside > 0 {
            wait_for_outside(&self.server, self.outside).await;
        }
        assert_eq!(outside(&self.server).await, self.outside);
    }

    /// Text without what differs between two runs of one server: its epoch, its address, its clock, its names for clients,
    /// and what is drawn by lot. Large messages are told by their size.
    fn normal(&self, text: &[u8], epoch: &str) -> String {
        let text = String::from_utf8_lossy(text).replace(epoch, "EPOCH");
        let text = text.replace(&self.server.address().to_string(), "HOST");
        let text = text.replace(&"x".repeat(LARGE), "LARGE");
        let text = mask(&text, r#""at":"#, ',');
        let text = mask(&text, r#""member":""#, '"');
        mask(&text, "retry: ", '\n')
    }

    /// What a head says, but for the moment at which it says it.
    fn fields(&self, head: &Head, epoch: &str) -> (u16, Vec<(String, String)>) {
        let fields = head.fields().into_iter().map(|(name, value)| {
            let value = if name == "date" { String::new() } else { self.normal(value.as_bytes(), epoch) };
            (name, value)
        });
        (head.status, fields.collect())
    }

    /// Publishes a message of each kind to `room`, and returns its epoch.
    async fn epoch_of_room(&self) -> String {
        let mut publisher = PostPublisher::open(&self.server, "room").await;
        let id = publisher.publish("type=note", "text with\nlines").await.published_id();
        publisher.send("", |target| Request::post_json(target, r#"{"a":1}"#)).await.published_id();
        let bytes = |target: &str| Request::post(target, [0, 255]).header("Content-Type", "application/octet-stream");
        publisher.send("", bytes).await.published_id();
        id.rsplit_once('.').expect("a cursor has a dot").0.to_owned()
    }

    async fn publish_more(&self) {
        let mut publisher = PostPublisher::open(&self.server, "room").await;
        publisher.numbers([4]).await;
        publisher.publish("", &"x".repeat(LARGE)).await.published_id();
    }

    /// Head and body of an endless answer, up to the end of the large message.
    async fn endless(&self, request: &Request) -> ((u16, Vec<(String, String)>), String) {
        let epoch = self.epoch_of_room().await;
        let mut connection = Connection::open(self.server.address()).await;
        connection.send(request).await;
        let head = connection.head().await;
        let mut body = BodyReader::new(&head);
        let mut text = body.chunk(&mut connection).await.expect("the opening");
        self.assert_taken().await;
        self.publish_more().await;
        while text.len() < LARGE || !text.ends_with(b"\n") {
            text.extend(body.chunk(&mut connection).await.expect("the answer goes on"));
        }
        (self.fields(&head, &epoch), self.normal(&text, &epoch))
    }
}

/// Puts a `*` in place of what stands between `before` and `after`.
fn mask(text: &str, before: &str, after: char) -> String {
    let mut parts = text.split(before);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |masked, part| masked + before + "*" + part.find(after).map_or("", |end| &part[end..]))
}

/// Nothing but messages.
const SILENT: [&str; 2] = ["--heartbeat", "1h"];

#[tokio::test]
async fn event_streams() {
    let ann = secret_of("ann");
    for format in ["raw", "json"] {
        let target = format!("/channels/room/sse?format={format}&after=start&presence=1&as=ann&client={ann}");
        on_both(&SILENT, async |way| way.endless(&Request::get(&target)).await).await;
    }
}

/// A page of another origin gets fields of its own.
#[tokio::test]
async fn event_streams_for_pages() {
    let target = format!("/channels/room/sse?after=start&client={}", secret_of("ann"));
    let flags = [&SILENT[..], &["--allow-origin", "https://page.example"]].concat();
    let request = Request::get(&target).header("Origin", "https://page.example");
    on_both(&flags, async |way| way.endless(&request).await).await;
}

#[tokio::test]
async fn streams() {
    let target = format!("/channels/room/stream?after=start&client={}", secret_of("ann"));
    on_both(&SILENT, async |way| way.endless(&Request::get(&target)).await).await;
}

#[tokio::test]
async fn websockets() {
    for (format, word) in [("raw", "5"), ("json", r#"{"publish":{"data":5},"ref":1}"#)] {
        let target = format!("/channels/room/ws?format={format}&after=start&client={}", secret_of("ann"));
        let talk = [Frame::new(PING, "are you there"), Frame::new(TEXT, word), Frame::new(CLOSE, b"\x0f\xa0bye")];
        on_both(&SILENT, async |way| {
            let epoch = way.epoch_of_room().await;
            let mut connection = Connection::open(way.server.address()).await;
            connection.send(&Request::websocket(&target)).await;
            let head = connection.head().await;
            way.assert_taken().await;
            way.publish_more().await;
            let mut socket = RawWebSocket::of(connection);
            let mut frames = Vec::new();
            // The history comes before the talk, so that its order is known.
            while frames.last().is_none_or(|(_, text): &(u8, String)| !text.contains("LARGE")) {
                let frame = socket.frame().await.expect("a frame");
                frames.push((frame.opcode, way.normal(&frame.payload, &epoch)));
            }
            socket.send_bytes(&talk.iter().flat_map(Frame::to_bytes).collect::<Vec<u8>>()).await;
            let mut answers = Vec::new();
            while let Some(frame) = socket.frame().await {
                answers.push((frame.opcode, way.normal(&frame.payload, &epoch)));
            }
            let last = answers.pop();
            // The message may come before what answers it.
            answers.sort();
            (way.fields(&head, &epoch), frames, answers, last)
        })
        .await;
    }
}

/// Polls on one connection, each held: for a message, for a large one, in vain, and for a message again.
#[tokio::test]
async fn polls() {
    let flags = ["--heartbeat", "1s", "--allow-origin", "https://page.example"];
    for origin in [None, Some("https://page.example"), Some("https://evil.example")] {
        on_both(&flags, async |way| {
            let mut publisher = PostPublisher::open(&way.server, "room").await;
            let mut poller = Poller::open(&way.server).await;
            let epoch = poller.cursor.rsplit_once('.').expect("a cursor has a dot").0.to_owned();
            let mut answers = Vec::new();
            for text in [Some("1"), Some(&"x".repeat(LARGE)), None, Some("4")] {
                let target = format!("/channels/room/poll?wait=1&after={}&echo=1&_=x%20y", poller.cursor);
                let request = Request::get(&target).header("Accept", "*/*");
                let request = origin.into_iter().fold(request, |request, origin| request.header("Origin", origin));
                poller.connection.send(&request).await;
                if let Some(text) = text {
                    way.server.wait_for_subscribers("room", "long-poll", 1).await;
                    way.assert_taken().await;
                    publisher.publish("type=note", text).await.published_id();
                }
                let Response { head, body } = poller.next_response().await;
                if head.status == 200 {
                    poller.go_on_from(&Response { head: head.clone(), body: body.clone() });
                }
                answers.push((way.fields(&head, &epoch), way.normal(&body, &epoch)));
            }
            answers
        })
        .await;
    }
}

/// Waits until every message was handed to every subscriber.
async fn wait_for_all(server: &TestServer) {
    within_guard("all events", async {
        for (transport, count) in [("stream", 5), ("websocket", 10)] {
            while metric(server, &format!("fallcast_events_total{{transport=\"{transport}\"}}")).await < count {}
        }
    })
    .await;
}

/// What operators see of the same work is the same.
#[tokio::test]
async fn metrics() {
    on_both(&SILENT, async |way| {
        way.epoch_of_room().await;
        let client = secret_of("ann");
        let mut connections = Vec::new();
        for path in ["stream", "ws?format=raw", "ws?format=json"] {
            let separator = if path.contains('?') { '&' } else { '?' };
            let target = format!("/channels/room/{path}{separator}after=start&client={client}");
            let mut connection = Connection::open(way.server.address()).await;
            let is_websocket = path.starts_with("ws");
            connection.send(&if is_websocket { Request::websocket(&target) } else { Request::get(&target) }).await;
            connection.head().await;
            connections.push(connection);
        }
        way.publish_more().await;
        for connection in &mut connections {
            // Larger than all that comes before it, and complete.
            connection.take_in(LARGE).await;
            wait_for_all(&way.server).await;
        }
        let mut seen = Vec::new();
        for name in ["events_total", "bytes_total", "subscribers", "publish_to_write_seconds_count"] {
            for transport in ["stream", "websocket"] {
                seen.push(metric(&way.server, &format!("fallcast_{name}{{transport=\"{transport}\"}}")).await);
            }
        }
        (seen, metric(&way.server, "fallcast_published_total").await)
    })
    .await;
}
