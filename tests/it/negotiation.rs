//! One address for all transports: `GET /channels/{channel}` chooses from `Upgrade` and `Accept`.

use crate::harness::{
    Connection, Frame, Reader, Request, Subscription, TestServer, Transport,
    http::Head,
    publisher::PostPublisher,
    websocket::{RawWebSocket, TEXT},
};

/// The head of the answer to a request for the channel that accepts `accept`.
async fn head_for(server: &TestServer, accept: &str) -> Head {
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/channels/room").header("Accept", accept)).await;
    connection.head().await
}

async fn assert_chooses(accept: &str, content_type: &str) {
    let server = TestServer::spawn(&[]);
    let head = head_for(&server, accept).await;
    assert_eq!(head.status, 200, "{accept}");
    let media_type = head.header("Content-Type").and_then(|value| value.split(';').next());
    assert_eq!(media_type, Some(content_type), "{accept}");
    assert!(head.lists("Vary", "Accept"), "a cache must keep the answers apart: {head:?}");
}

#[tokio::test]
async fn an_event_source_gets_server_sent_events() {
    assert_chooses("text/event-stream", "text/event-stream").await;
}

#[tokio::test]
async fn who_accepts_ndjson_gets_the_stream() {
    assert_chooses("application/x-ndjson", "application/x-ndjson").await;
}

#[tokio::test]
async fn who_accepts_json_gets_a_poll() {
    assert_chooses("application/json", "application/json").await;
}

#[tokio::test]
async fn who_accepts_anything_gets_a_poll() {
    assert_chooses("*/*", "application/json").await;
}

#[tokio::test]
async fn a_browser_that_navigates_gets_the_page_of_the_channel() {
    assert_chooses("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html").await;
}

#[tokio::test]
async fn a_weight_decides_between_two_types() {
    assert_chooses("text/event-stream;q=0.1, application/json;q=0.9", "application/json").await;
    assert_chooses("text/html;q=0.5, text/event-stream", "text/event-stream").await;
    assert_chooses("text/event-stream;q=0, */*", "application/json").await;
}

#[tokio::test]
async fn who_says_nothing_gets_a_poll_that_does_not_wait() {
    let server = TestServer::spawn(&["--poll-hold", "10m"]);
    PostPublisher::open(&server, "room").await.numbers([1]).await;

    let response = server.get("/channels/room").await;

    assert_eq!(response.status(), 200);
    assert!(response.head.lists("Vary", "Accept"));
    assert!(response.json()["events"][0]["hello"].is_object(), "{}", response.text());
}

#[tokio::test]
async fn the_parameters_are_those_of_the_transport_that_was_chosen() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    let polled = server.get("/channels/room?after=start&wait=0").await.json();
    assert_eq!(polled["events"].as_array().map(Vec::len), Some(4), "hello and three messages: {polled}");
    let as_sse = Request::get("/channels/room?wait=0").header("Accept", "text/event-stream");
    server.request(as_sse).await.assert_problem(400);
}

#[tokio::test]
async fn the_page_ignores_parameters_that_it_does_not_know() {
    let server = TestServer::spawn(&[]);

    let page = Request::get("/channels/room?utm_source=mail&after=garbage").header("Accept", "text/html");

    assert_eq!(server.request(page).await.status(), 200);
}

#[tokio::test]
async fn an_upgrade_gets_a_websocket() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, "/channels/room").await;

    socket.send(&Frame::new(TEXT, "hello")).await;

    let echo = socket.frame_but_pings().await.expect("the socket stays open");
    assert_eq!(echo.payload, b"hello", "raw is the default, and it echoes");
}

/// curl offers `h2c` with `--http2`, and means nothing but a plain request.
#[tokio::test]
async fn an_upgrade_to_another_protocol_is_an_ordinary_request() {
    let server = TestServer::spawn(&[]);

    for protocol in ["h2c", "websocket2", "TLS/1.0"] {
        let request = Request::get("/channels/room").header("Connection", "Upgrade").header("Upgrade", protocol);
        let response = server.request(request).await;
        assert_eq!(response.status(), 200, "{protocol}");
        assert_eq!(response.header("Content-Type"), Some("application/json"), "{protocol}");
    }
}

/// The tutorials' `new WebSocket("ws://localhost:8080")` and their Node servers that send to everybody else.
#[tokio::test]
async fn an_upgrade_at_the_root_joins_the_lobby_and_hears_all_but_itself() {
    let server = TestServer::spawn(&[]);
    let mut ann = RawWebSocket::open(&server, "/").await;
    let mut bob = RawWebSocket::open(&server, "/").await;
    let mut lobby = Reader::open(&server, Transport::Sse, &Subscription::to("lobby")).await;

    ann.send(&Frame::new(TEXT, "by ann")).await;
    assert_eq!(bob.frame_but_pings().await.expect("the socket stays open").payload, b"by ann");
    bob.send(&Frame::new(TEXT, "by bob")).await;
    assert_eq!(ann.frame_but_pings().await.expect("the socket stays open").payload, b"by bob");
    assert_eq!(lobby.texts(2).await, ["by ann", "by bob"]);
}
