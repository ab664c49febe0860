//! What a server offers to whoever examines the way to it: bounded, and without anybody's secrets.

use serde_json::Value;

use crate::harness::{
    Connection, Request, TestServer,
    websocket::{RawWebSocket, TEXT},
};

#[tokio::test]
async fn the_request_is_told_as_it_arrived_without_cookies_and_credentials() {
    let server = TestServer::spawn(&[]);
    let request = Request::get("/examination/request")
        .header("Cookie", "session=secret")
        .header("Authorization", "Bearer secret")
        .header("X-Of-A-Proxy", "secret")
        .header("Last-Event-ID", "told");

    let answer = server.request(request).await;

    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    let document = answer.json();
    assert_eq!(document["version"], "HTTP/1.1");
    let fields = document["fields"].as_array().expect("a list").clone();
    let value = |name: &str| fields.iter().find(|field| field[0] == name).map(|field| field[1].clone());
    assert_eq!((value("cookie"), value("last-event-id")), (Some(Value::Null), Some("told".into())));
    assert_eq!(answer.header("ETag").map(str::to_owned), document["sent"][0][1].as_str().map(str::to_owned));
    assert!(answer.header("Link").is_some());
}

#[tokio::test]
async fn pieces_are_streamed_with_their_times_and_ask_not_to_be_held_unless_they_are_plain() {
    let server = TestServer::spawn(&[]);

    let marked = server.get("/examination/pieces?as=lines&count=3&every=1&bytes=100").await;
    let plain = server.get("/examination/pieces?count=1&every=1&plain=1").await;

    let pieces: Vec<Value> =
        marked.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(pieces.iter().map(|piece| piece["piece"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert!(pieces.windows(2).all(|pair| pair[0]["at_us"].as_u64() < pair[1]["at_us"].as_u64()), "{pieces:?}");
    assert!(marked.text().lines().all(|line| line.len() == 100), "{}", marked.text());
    assert_eq!(marked.header("X-Accel-Buffering"), Some("no"));
    assert_eq!(plain.header("X-Accel-Buffering"), None);
    assert_eq!(plain.header("Content-Type"), Some("text/event-stream"));
}

#[tokio::test]
async fn silence_is_silent_and_then_ends() {
    let server = TestServer::spawn(&["--heartbeat", "100ms"]);

    let answer = server.get("/examination/silence?as=lines&for=600").await;
    let beating = server.get("/examination/silence?as=lines&for=600&beat=200").await;
    let late = server.get("/examination/silence?late=1&for=300").await;

    let lines: Vec<&str> = answer.text().lines().collect();
    assert!(lines.len() == 2 && lines[1].contains("awake"), "no heartbeat breaks it: {lines:?}");
    assert_eq!(beating.text().lines().filter(|line| line.contains("beat")).count(), 2, "{}", beating.text());
    assert_eq!(late.json()["awake"], true);
}

#[tokio::test]
async fn the_websocket_says_hello_answers_and_awakes() {
    let server = TestServer::spawn(&[]);

    let mut socket = RawWebSocket::open(&server, "/examination/ws?for=500").await;
    let hello = socket.frame().await.expect("it says hello");
    assert!(socket.send(&crate::harness::Frame::new(TEXT, "and back")).await);
    let echo = socket.frame().await.expect("it answers");
    let awake = socket.frame().await.expect("it awakes");

    assert!(String::from_utf8_lossy(&hello.payload).contains("\"piece\":1"));
    assert_eq!(echo.payload, b"and back");
    assert!(String::from_utf8_lossy(&awake.payload).contains("awake"));
}

#[tokio::test]
async fn requests_are_counted_by_name_and_so_are_handshakes_that_arrive_without_their_upgrade() {
    let server = TestServer::spawn(&[]);
    let count = "/examination/count?nonce=abcdefgh";

    server.request(Request::post(count, "")).await;
    let second = server.request(Request::post(count, "")).await;
    let stripped = server.get("/examination/ws?for=1&nonce=handshake1").await;

    assert_eq!(second.json()["count"], 2);
    assert_eq!(server.get(count).await.json()["count"], 2, "asking does not count");
    stripped.assert_problem(426);
    let arrived = server.get("/examination/count?nonce=handshake1").await.json();
    assert_eq!((&arrived["count"], &arrived["stripped"]), (&1.into(), &true.into()));
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_by_name() {
    let server = TestServer::spawn(&[]);
    for (target, name) in [
        ("/examination/pieces?count=1000", "count"),
        ("/examination/pieces?every=100000", "every"),
        ("/examination/pieces?bytes=1000000", "bytes"),
        ("/examination/pieces?as=pictures", "as"),
        ("/examination/silence?for=86400000", "for"),
        ("/examination/silence?beat=1", "beat"),
        ("/examination/silence?forever=1", "forever"),
        ("/examination/count?nonce=a%20b", "nonce"),
    ] {
        let problem = server.get(target).await.assert_problem(400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&format!("`{name}`"))), "{problem}");
    }
    server.request(Request::post("/examination/verdict", "{}x")).await.assert_problem(400);
    server.request(Request::post("/examination/verdict", "x".repeat(100_000))).await.assert_problem(413);
}

#[tokio::test]
async fn foreign_pages_neither_count_nor_open_sockets_and_only_operators_see_the_room() {
    let server = TestServer::spawn(&[]);
    let foreign = |request: Request| request.header("Origin", "https://elsewhere.example");

    server.request(foreign(Request::post("/examination/count?nonce=abcdefgh", ""))).await.assert_problem(403);
    server.request(foreign(Request::get("/examination/room"))).await.assert_problem(403);
    let mut connection = Connection::open(server.address()).await;
    connection.send(&foreign(Request::websocket("/examination/ws"))).await;
    assert_eq!(connection.head().await.status, 403);
    assert_eq!(server.get("/examination/room").await.json()["is_public"], false);
}

#[tokio::test]
async fn a_head_is_answered_without_waiting() {
    let server = TestServer::spawn(&[]);
    for target in ["/examination/silence?for=600000", "/examination/silence?late=1&for=600000", "/examination/pieces"] {
        assert_eq!(server.request(Request::new("HEAD", target)).await.status(), 200, "{target}");
    }
}

#[tokio::test]
async fn a_server_that_drains_does_not_wait_for_silence() {
    let mut server = TestServer::spawn(&["--drain-time", "1s"]);
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/examination/silence?for=600000")).await;
    connection.head().await;

    server.terminate();

    connection.read_to_end().await;
    assert!(server.exit_status().await.success());
}
