//! Who may use the server from a browser: the pages of its own origin, and those of a list.

use crate::harness::{
    Connection, Frame, Reader, Request, Response, Subscription, TestServer, Transport, websocket::RawWebSocket,
    websocket::TEXT,
};

const FOREIGN: &str = "https://elsewhere.example";
const ALLOWED: [&str; 2] = ["--allow-origin", "https://app.example"];

/// An origin that does not match, in all the ways in which a careless comparison would let it through.
fn foreign_origins(server: &TestServer) -> Vec<String> {
    let address = server.address();
    let suffixed = format!("http://{address}.elsewhere.example");
    let other_port = format!("http://{}:{}", address.ip(), address.port() ^ 1);
    ["null", FOREIGN, "https://app.example.elsewhere.example", "http://app.example", "file://"]
        .map(str::to_owned)
        .into_iter()
        .chain([suffixed, other_port])
        .collect()
}

async fn publish_from(server: &TestServer, origin: &str) -> Response {
    server.request(Request::post("/channels/room", "text").header("Origin", origin)).await
}

#[tokio::test]
async fn a_foreign_origin_may_not_publish_and_nothing_is_appended() {
    let server = TestServer::spawn(&ALLOWED);

    for origin in foreign_origins(&server) {
        publish_from(&server, &origin).await.assert_problem(403);
    }

    let polled = server.get("/channels/room/poll?after=start").await.json();
    assert_eq!(polled["events"].as_array().map(Vec::len), Some(1), "only hello: {polled}");
}

#[tokio::test]
async fn a_foreign_origin_gets_403_for_a_websocket() {
    let server = TestServer::spawn(&ALLOWED);

    for origin in foreign_origins(&server) {
        for address in ["/channels/room/ws", "/channels/room", "/"] {
            let response = server.request(Request::websocket(address).header("Origin", &origin)).await;
            assert_eq!(response.status(), 403, "{origin} at {address}");
        }
    }
}

#[tokio::test]
async fn the_own_origin_and_those_of_the_list_may_publish() {
    let server = TestServer::spawn(&ALLOWED);

    for origin in [server.origin(), "https://app.example".to_owned()] {
        publish_from(&server, &origin).await.published_id();
    }
}

#[tokio::test]
async fn the_own_origin_and_those_of_the_list_get_a_websocket() {
    let server = TestServer::spawn(&ALLOWED);

    for origin in [server.origin(), "https://app.example".to_owned()] {
        let request = Request::websocket("/channels/room/ws").header("Origin", &origin);
        let mut socket = RawWebSocket::open_with(&server, request).await;
        assert!(socket.send(&Frame::new(TEXT, &origin)).await);
        assert_eq!(socket.frame_but_pings().await.expect("the socket stays open").payload, origin.as_bytes());
    }
}

#[tokio::test]
async fn several_origins_can_be_allowed() {
    let server =
        TestServer::spawn(&["--allow-origin", "https://a.example", "--allow-origin", "https://b.example:8443"]);

    publish_from(&server, "https://a.example").await.published_id();
    publish_from(&server, "https://b.example:8443").await.published_id();
    publish_from(&server, "https://b.example").await.assert_problem(403);
}

/// Requests of programs that are no browsers carry no `Origin`.
#[tokio::test]
async fn a_request_without_origin_may_publish() {
    let server = TestServer::spawn(&[]);

    server.request(Request::post("/channels/room", "text")).await.published_id();
}

#[tokio::test]
async fn an_allowed_origin_may_read_and_is_named_in_the_answer() {
    let server = TestServer::spawn(&ALLOWED);

    for address in ["/channels/room/sse", "/channels/room/poll", "/channels/room/stream", "/channels/room/presence"] {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::get(address).header("Origin", "https://app.example")).await;
        let head = connection.head().await;
        assert_eq!(head.header("Access-Control-Allow-Origin"), Some("https://app.example"), "{address}");
        assert!(head.lists("Vary", "Origin"), "{address}: {head:?}");
    }
}

#[tokio::test]
async fn a_foreign_origin_is_not_told_that_it_may_read() {
    let server = TestServer::spawn(&ALLOWED);

    for address in ["/channels/room/sse", "/channels/room/poll", "/channels/room/stream", "/channels/room/presence"] {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::get(address).header("Origin", FOREIGN)).await;
        assert_eq!(connection.head().await.header("Access-Control-Allow-Origin"), None, "{address}");
    }
}

#[tokio::test]
async fn a_problem_is_readable_for_an_allowed_origin() {
    let server = TestServer::spawn(&ALLOWED);

    let response =
        server.request(Request::get("/channels/room/poll?after=garbage").header("Origin", "https://app.example")).await;

    response.assert_problem(400);
    assert_eq!(response.header("Access-Control-Allow-Origin"), Some("https://app.example"));
}

#[tokio::test]
async fn a_refused_origin_disturbs_nobody() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    publish_from(&server, FOREIGN).await.assert_problem(403);
    server.request(Request::post("/channels/room", "from here")).await.published_id();

    assert_eq!(reader.texts(1).await, ["from here"]);
}
