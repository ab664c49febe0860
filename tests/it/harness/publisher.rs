//! Publishers: over POST with one request after the other, and over a WebSocket with one frame after the other.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite};

use super::{Connection, Request, Response, Subscription, TestServer, Transport, within_guard};

/// Someone who publishes texts to one channel.
pub enum Publisher {
    Post(PostPublisher),
    WebSocket(Box<WebSocketPublisher>),
}

impl Publisher {
    /// A publisher that sends POST requests on one connection.
    pub async fn post(server: &TestServer, channel: &str) -> Self {
        Self::Post(PostPublisher::open(server, channel).await)
    }

    /// A publisher that sends frames on a WebSocket in the format `json`.
    pub async fn websocket(server: &TestServer, channel: &str) -> Self {
        Self::WebSocket(Box::new(WebSocketPublisher::open(server, &Subscription::to(channel)).await))
    }

    /// Publishes a text and returns its id.
    pub async fn text(&mut self, text: &str) -> String {
        match self {
            Self::Post(publisher) => publisher.publish("", text).await.published_id(),
            Self::WebSocket(publisher) => publisher.published(json!({ "data": text })).await,
        }
    }
}

/// Publishes by POST.
pub struct PostPublisher {
    connection: Connection,
    address: String,
}

impl PostPublisher {
    pub async fn open(server: &TestServer, channel: &str) -> Self {
        Self { connection: Connection::open(server.address()).await, address: format!("/channels/{channel}") }
    }

    /// Publishes a text with query parameters, such as `key=k1`.
    pub async fn publish(&mut self, query: &str, text: &str) -> Response {
        self.send(query, |target| Request::post(target, text)).await
    }

    /// Sends a request that `make` puts together for the target with the query.
    pub async fn send(&mut self, query: &str, make: impl FnOnce(&str) -> Request) -> Response {
        let question_mark = if query.is_empty() { "" } else { "?" };
        let target = format!("{}{question_mark}{query}", self.address);
        self.connection.request(&make(&target)).await
    }

    /// Publishes `first`, `first + 1` … `last` as texts, and returns the ids.
    pub async fn numbers(&mut self, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
        let mut ids = Vec::new();
        for number in numbers {
            ids.push(self.publish("", &number.to_string()).await.published_id());
        }
        ids
    }
}

/// Publishes on a WebSocket, and skips what the subscription brings meanwhile.
pub struct WebSocketPublisher {
    socket: WebSocketStream<TcpStream>,
    last_ref: u64,
}

impl WebSocketPublisher {
    pub async fn open(server: &TestServer, subscription: &Subscription) -> Self {
        let stream = Connection::open(server.address()).await.into_stream();
        let url = format!("ws://localhost{}", subscription.target(Transport::WebSocket));
        let handshake = within_guard("the handshake", tokio_tungstenite::client_async(url, stream));
        let (socket, _) = handshake.await.expect("the handshake succeeds");
        Self { socket, last_ref: 0 }
    }

    /// Publishes what `publication` says, and returns the server's answer to it.
    pub async fn publish(&mut self, publication: Value) -> Value {
        self.last_ref += 1;
        let frame = json!({ "publish": publication, "ref": self.last_ref });
        within_guard("the server to read", self.socket.send(frame.to_string().into()))
            .await
            .expect("the connection is open");
        self.answer().await
    }

    /// Sends a frame of any text, and reads on to the next frame that answers something.
    pub async fn send_text(&mut self, frame: &str) -> Value {
        within_guard("the server to read", self.socket.send(frame.into())).await.expect("the connection is open");
        self.answer().await
    }

    async fn answer(&mut self) -> Value {
        loop {
            let frame = within_guard("an answer", self.socket.next()).await.expect("the connection is open");
            if let tungstenite::Message::Text(text) = frame.expect("the connection is open") {
                let answer: Value = serde_json::from_str(&text).expect("frames are JSON");
                if answer.get("published").or(answer.get("error")).is_some() {
                    break answer;
                }
            }
        }
    }

    /// Publishes something that must be accepted, and returns its id.
    pub async fn published(&mut self, publication: Value) -> String {
        let answer = self.publish(publication).await;
        assert_eq!(answer["ref"], self.last_ref, "{answer}");
        answer["published"]["id"].as_str().unwrap_or_else(|| panic!("refused: {answer}")).to_owned()
    }
}
