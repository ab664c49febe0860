//! Direct delivery: what only a socket that leaves the framework could break.
//!
//! What both ways of delivery promise stands in the other modules, which run on either (`TEST_DELIVERY`). Here both are
//! named: bytes are compared between them, and everything that happens at the border between framework and stage is
//! shown to happen to nobody else. Linux only, as direct delivery is.

mod border;
mod bounds;
mod equal;
mod wakeups;

use crate::harness::{Connection, Request, Response, TestServer, publisher::PostPublisher, within_guard};

/// A server that delivers directly, and holds polls for longer than any test takes.
fn direct(flags: &[&str]) -> TestServer {
    TestServer::spawn(&[&["--delivery", "direct", "--poll-hold", "10m"], flags].concat())
}

/// A server that is as alike as can be, but for its delivery.
fn streaming(flags: &[&str]) -> TestServer {
    TestServer::spawn(&[&["--delivery", "streaming", "--poll-hold", "10m"], flags].concat())
}

/// The value of a gauge or counter without labels, or with these.
async fn metric(server: &TestServer, name: &str) -> u64 {
    find_metric(server, name).await.unwrap_or_else(|| panic!("there is no {name}"))
}

/// The same, or nothing if the server has no place for whoever asks.
async fn find_metric(server: &TestServer, name: &str) -> Option<u64> {
    let metrics = server.get("/metrics").await;
    metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The gauge of sockets that are out of the framework.
const OUTSIDE: &str = "fallcast_direct_connections";

/// How many sockets are out of the framework now.
async fn outside(server: &TestServer) -> u64 {
    metric(server, OUTSIDE).await
}

/// Waits until so many sockets are out of the framework.
async fn wait_for_outside(server: &TestServer, count: u64) {
    within_guard(&format!("{count} sockets outside of the framework"), async {
        while find_metric(server, OUTSIDE).await != Some(count) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A poller on a connection of its own, and the cursor from which it goes on.
struct Poller {
    connection: Connection,
    cursor: String,
    /// What it says of itself in its query.
    name: String,
}

impl Poller {
    /// Begins at the head of a channel. The poll is answered at once, by the framework.
    async fn open(server: &TestServer) -> Self {
        Self::begin(Connection::open(server.address()).await).await
    }

    async fn begin(mut connection: Connection) -> Self {
        let answer = connection.request(&Request::get("/channels/room/poll?after=end")).await;
        let mut poller = Self { connection, cursor: String::new(), name: String::new() };
        poller.go_on_from(&answer);
        poller
    }

    fn request(&self) -> Request {
        Request::get(&format!("/channels/room/poll?after={}{}", self.cursor, self.name))
    }

    /// Asks again. There is nothing new, so the poll is held, and the socket leaves.
    async fn hold(&mut self, server: &TestServer) {
        self.connection.send(&self.request()).await;
        server.wait_for_subscribers("room", "long-poll", 1).await;
        wait_for_outside(server, 1).await;
    }

    /// Reads an answer.
    async fn answer(&mut self) -> Response {
        let answer = self.next_response().await;
        self.go_on_from(&answer);
        answer
    }

    async fn next_response(&mut self) -> Response {
        let head = self.connection.head().await;
        let body = self.connection.body(&head).await;
        Response { head, body }
    }

    fn go_on_from(&mut self, answer: &Response) {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.json()["cursor"].as_str().expect("an answer has a cursor").clone_into(&mut self.cursor);
    }

    /// Lets a poll be held and answered, so that the connection rests outside of the framework.
    async fn rest(&mut self, server: &TestServer) {
        self.hold(server).await;
        PostPublisher::open(server, "room").await.numbers([1]).await;
        assert_eq!(texts(&self.answer().await), ["1"]);
    }
}

/// The texts that an answer tells.
#[track_caller]
fn texts(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let envelope = answer.json();
    let events = envelope["events"].as_array().expect("an answer has events");
    events.iter().filter_map(|event| Some(event["message"]["data"].as_str()?.to_owned())).collect()
}
