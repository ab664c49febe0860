//! Links of the lab: the network in front of a server, in the hands of a test.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    Connection, Ending, Reader, Request, Subscription, TestServer, Transport, websocket::RawWebSocket, within_guard,
};

/// Longer than any test: what is delayed by so much does not arrive unless something else happens.
pub const A_DAY: u64 = 24 * 60 * 60 * 1000;

/// A link, healthy until a test says otherwise.
pub struct Link {
    name: String,
    server: SocketAddr,
    lab: SocketAddr,
}

impl Link {
    /// A link of a server that has a lab.
    pub async fn of(server: &TestServer, name: &str) -> Self {
        Self { name: name.to_owned(), server: server.address(), lab: server.lab().await }
    }

    /// A link with faults.
    pub async fn with(server: &TestServer, name: &str, faults: Value) -> Self {
        let link = Self::of(server, name).await;
        link.set(faults).await;
        link
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the faults, in place of all that were there. A test comes from this machine, so it may.
    pub async fn set(&self, faults: Value) {
        let response = self.control(Request::put(&self.address(), faults.to_string())).await;
        assert!([200, 201].contains(&response.0), "{faults}: {}", response.1);
    }

    /// Heals the link.
    pub async fn heal(&self) {
        assert_eq!(self.control(Request::new("DELETE", &self.address())).await.0, 204);
    }

    /// Cuts everything that is open, by FIN, and nothing else. What is under way or held back is lost.
    pub async fn cut(&self) {
        self.set(json!({ "cut": { "after_ms": 0, "open_only": true } })).await;
    }

    /// The link as the server shows it.
    pub async fn view(&self) -> Value {
        let (_, text) = self.control(Request::get(&self.address())).await;
        serde_json::from_str(&text).expect("a link is shown as JSON")
    }

    /// Waits until so many exchanges are open. A link that nobody has created is gone when there are none.
    pub async fn wait_for_exchanges(&self, count: u64) {
        within_guard("exchanges", async {
            while self.view().await["exchanges"].as_u64().unwrap_or(0) != count {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// A target over this link.
    pub fn target(&self, target: &str) -> String {
        let separator = if target.contains('?') { '&' } else { '?' };
        format!("{target}{separator}link={}", self.name)
    }

    /// `GET target` over this link.
    pub fn get(&self, target: &str) -> Request {
        Request::get(&self.target(target))
    }

    /// `POST target` over this link.
    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Request {
        Request::post(&self.target(target), body)
    }

    /// What opens a subscription over this link.
    pub fn subscribe(&self, transport: Transport, channel: &str) -> Request {
        let target = self.target(&Subscription::to(channel).target(transport));
        match transport {
            Transport::WebSocket | Transport::WebSocketRaw => Request::websocket(&target),
            Transport::Sse | Transport::SseRaw | Transport::Poll | Transport::Stream => Request::get(&target),
        }
    }

    /// A connection to the lab.
    pub async fn connect(&self) -> Connection {
        Connection::open(self.lab).await
    }

    /// A connection over which a request was sent, the answer of which is not read yet.
    pub async fn ask(&self, request: &Request) -> Connection {
        let mut connection = self.connect().await;
        connection.send(request).await;
        connection
    }

    /// What comes back for a request until the connection ends, and how it ends.
    pub async fn answer_and_ending(&self, request: &Request) -> (String, Ending) {
        let (answer, ending) = self.ask(request).await.read_to_ending().await;
        (String::from_utf8(answer).expect("the answer is text"), ending)
    }

    /// A subscriber over this link.
    pub async fn reader(&self, transport: Transport, subscription: Subscription) -> Reader {
        Reader::open_at(self.lab, transport, &subscription.with("link", &self.name)).await
    }

    /// A WebSocket over this link.
    pub async fn websocket(&self, target: &str) -> RawWebSocket {
        RawWebSocket::open_on(self.connect().await, Request::websocket(&self.target(target))).await
    }

    fn address(&self) -> String {
        format!("/lab/links/{}", self.name)
    }

    async fn control(&self, request: Request) -> (u16, String) {
        let response = Connection::open(self.server).await.request(&request).await;
        (response.status(), response.text().to_owned())
    }
}
