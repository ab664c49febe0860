//! A link with nothing wrong is a network that nobody notices.

use serde_json::json;

use crate::harness::{
    Ending, Frame, Link, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    websocket::{BINARY, CLOSE, PING, PONG, TEXT},
    within_guard,
};

crate::on_transports! {
    every_transport_passes_unchanged on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_client_that_goes_away_is_gone_for_the_server on [websocket, sse, stream];
    a_channel_can_be_read_over_many_links_at_once on [websocket, sse, poll, stream];
}

/// What can look odd on the wire: every kind of data, line ends, emptiness, and more than one read's worth.
async fn publish_odd_things(server: &TestServer) -> usize {
    let mut publisher = PostPublisher::open(server, "room").await;
    let large = "x".repeat(100_000);
    let texts = ["", "a", "\r\n\r\n", "data: x\n\n", "0\r\n\r\n", "Zoë 🦀", &large];
    for text in texts {
        publisher.publish("", text).await.published_id();
    }
    publisher.send("", |target| Request::post_json(target, br#"{"a": [1, 2]}"#)).await.published_id();
    let bytes: Vec<u8> = (0..=255).collect();
    let binary = |target: &str| Request::post(target, bytes).header("Content-Type", "application/octet-stream");
    publisher.send("", binary).await.published_id();
    texts.len() + 2
}

async fn every_transport_passes_unchanged(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let link = Link::of(&server, "a").await;
    let mut direct = Reader::open(&server, transport, &Subscription::to("room")).await;
    let mut through = link.reader(transport, Subscription::to("room")).await;

    let count = publish_odd_things(&server).await;

    for _ in 0..count {
        let (expected, came) = (direct.receive().await, through.receive().await);
        assert_eq!(came.expect("it goes on").wire, expected.expect("it goes on").wire);
    }
}

async fn a_client_that_goes_away_is_gone_for_the_server(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let name = if transport == Transport::WebSocket { "websocket" } else { transport.path() };
    let reader = link.reader(transport, Subscription::to("room")).await;
    server.wait_for_subscribers("room", name, 1).await;

    drop(reader);

    server.wait_for_subscribers("room", name, 0).await;
}

async fn a_channel_can_be_read_over_many_links_at_once(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let mut readers = Vec::new();
    for number in 0..100 {
        let link = Link::of(&server, &format!("link-{number}")).await;
        readers.push(link.reader(transport, Subscription::to("room").after("start")).await);
    }

    PostPublisher::open(&server, "room").await.numbers(1..=10).await;

    let expected: Vec<_> = (1..=10).map(|number| number.to_string()).collect();
    for reader in &mut readers {
        assert_eq!(reader.texts(10).await, expected);
    }
}

#[tokio::test]
async fn a_parked_poll_ends_with_its_client() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let id = PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
    let poll = link.ask(&link.get(&format!("/channels/room/poll?after={id}"))).await;
    server.wait_for_subscribers("room", "long-poll", 1).await;

    drop(poll);

    server.wait_for_subscribers("room", "long-poll", 0).await;
    link.wait_for_exchanges(0).await;
}

/// Without one, a request travels over no link.
#[tokio::test]
async fn answers_are_the_same_with_a_link_and_without() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    for target in [
        "/",
        "/healthz",
        "/channels/room/presence",
        "/nowhere",
        "/channels/room?_=1&client=0123456789abcdef",
        "/client/fallcast.js",
    ] {
        let direct = server.get(target).await;
        for request in [link.get(target), Request::get(target)] {
            let through = link.connect().await.request(&request).await;
            assert_eq!((through.status(), &through.body), (direct.status(), &direct.body), "{target}");
            assert_eq!(through.header("Content-Type"), direct.header("Content-Type"), "{target}");
        }
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut connection = link.connect().await;

    for number in 0..100 {
        let text = number.to_string();
        connection.request(&link.post("/channels/room", &text)).await.published_id();
        let head = connection.request(&Request::new("HEAD", &link.target("/channels/room/poll"))).await;
        assert_eq!(head.status(), 200);
        assert_eq!(connection.request(&link.get("/nowhere")).await.status(), 404);
        let polled = connection.request(&link.get("/channels/room/poll?after=start")).await.json();
        let last = polled["events"].as_array().and_then(|events| events.last()).expect("there are events");
        assert_eq!(last["message"]["data"], text);
    }

    assert_eq!(link.view().await["total"], json!(null), "a link that nobody created is forgotten when it is unused");
}

#[tokio::test]
async fn requests_of_one_connection_may_travel_over_different_links() {
    let server = TestServer::spawn_with_lab(&[]);
    let bad = Link::with(&server, "bad", json!({ "unavailable_ms": 3_600_000 })).await;
    let good = Link::of(&server, "good").await;
    let mut connection = good.connect().await;

    assert_eq!(connection.request(&good.get("/healthz")).await.status(), 200);
    assert_eq!(connection.request(&Request::get("/healthz")).await.status(), 200);
    assert_eq!(connection.request(&bad.get("/healthz")).await.status(), 503);
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_order() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut connection = link.connect().await;
    let host = connection.host();

    let requests: Vec<_> = ["/healthz", "/nowhere", "/channels/room/poll"].map(|target| link.get(target)).to_vec();
    let bytes: Vec<u8> = requests.iter().flat_map(|request| request.to_bytes(&host)).collect();
    connection.write(&bytes).await;

    for expected in [200, 404, 200] {
        let head = connection.head().await;
        connection.body(&head).await;
        assert_eq!(head.status, expected);
    }
}

#[tokio::test]
async fn a_message_of_a_mebibyte_passes_in_one_piece_and_in_chunks() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let text: String = (0..1024 * 1024).map(|index| char::from(b'a' + u8::try_from(index % 23).unwrap_or(0))).collect();
    let mut connection = link.connect().await;

    connection.request(&link.post("/channels/room", &text)).await.published_id();

    let head = Request::new("POST", &link.target("/channels/room")).header("Transfer-Encoding", "chunked");
    connection.send(&head).await;
    for (index, part) in text.as_bytes().chunks(77_777).enumerate() {
        let extension = if index % 2 == 0 { "" } else { ";part=odd" };
        connection.write(format!("{:X}{extension}\r\n", part.len()).as_bytes()).await;
        connection.write(part).await;
        connection.write(b"\r\n").await;
    }
    connection.write(b"0\r\nX-Trailer: 1\r\n\r\n").await;
    let head = connection.head().await;
    connection.body(&head).await;
    assert_eq!(head.status, 201);

    let mut reader = link.reader(Transport::Poll, Subscription::to("room").after("start")).await;
    assert!(reader.texts(2).await.iter().all(|came| *came == text));
}

#[tokio::test]
async fn who_asks_before_sending_a_body_is_told_to_go_on() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let head = Request::new("POST", &link.target("/channels/room"))
        .header("Expect", "100-continue")
        .header("Content-Length", "5");
    let mut connection = link.ask(&head).await;

    assert_eq!(connection.head().await.status, 100);
    connection.write(b"hello").await;
    assert_eq!(connection.head().await.status, 201);
}

/// The server refuses the rest of a body that is far too large, and does not wait for it.
#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_whole_arrives() {
    let server = TestServer::spawn_with_lab(&["--max-message-size", "1KiB"]);
    let link = Link::of(&server, "a").await;
    let mut connection = link.connect().await;

    let head = Request::new("POST", &link.target("/channels/room")).header("Content-Length", "100000000");
    connection.send(&head).await;
    let part = vec![b'x'; 64 * 1024];
    while connection.try_write(&part).await && !connection.has_unread().await {}

    assert_eq!(connection.head().await.status, 413);
}

#[tokio::test]
async fn frames_pass_both_ways_with_their_masks_and_their_end() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let link = Link::of(&server, "a").await;
    let mut socket = link.websocket("/channels/room/ws").await;
    let bytes: Vec<u8> = (0..70_000).map(|index| u8::try_from(index % 251).unwrap_or(0)).collect();

    for (opcode, payload) in [(TEXT, "Zoë".as_bytes()), (BINARY, &bytes), (TEXT, b""), (PING, b"are you there?")] {
        assert!(socket.send(&Frame::new(opcode, payload)).await);
        let frame = socket.frame().await.expect("the connection is open");
        let expected = if opcode == PING { PONG } else { opcode };
        assert_eq!((frame.opcode, frame.payload.as_slice()), (expected, payload));
    }
    assert!(socket.send(&Frame::new(CLOSE, 1000_u16.to_be_bytes())).await);

    assert_eq!(socket.close_code().await, 1000);
    link.wait_for_exchanges(0).await;
}

/// What follows a handshake at once belongs to the WebSocket, and waits for it.
#[tokio::test]
async fn a_frame_may_come_right_behind_the_handshake() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let link = Link::of(&server, "a").await;
    let mut connection = link.connect().await;
    let mut bytes = Request::websocket(&link.target("/channels/room/ws")).to_bytes(&connection.host());
    bytes.extend(Frame::new(TEXT, "early").to_bytes());

    connection.write(&bytes).await;

    assert_eq!(connection.head().await.status, 101);
    assert_eq!(connection.read_exact(7).await.as_deref(), Some(&b"\x81\x05early"[..]));
}

#[tokio::test]
async fn a_request_that_cannot_be_passed_on_is_refused_by_the_lab() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    for (target, detail) in [("/?link=", "1 to 60"), ("/?link=a%20b", "1 to 60"), ("/?link=a&link=b", "given twice")] {
        let response = link.connect().await.request(&Request::get(target)).await;
        let problem = response.assert_problem(400);
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "{problem}");
    }
    let request = Request::get("/").header("X-Long", &"x".repeat(70_000));
    link.connect().await.request(&request).await.assert_problem(431);
    let request = Request::post("/channels/room", "x").header("Transfer-Encoding", "chunked");
    link.connect().await.request(&request).await.assert_problem(400);

    let mut connection = link.connect().await;
    connection.write(b"this is no HTTP\r\n\r\n").await;
    assert_eq!(connection.head().await.status, 400);
}

#[tokio::test]
async fn where_a_body_cannot_be_told_from_the_next_request_the_connection_ends() {
    let server = TestServer::spawn_with_lab(&[]);
    for latency in [0, crate::harness::lab::A_DAY] {
        let link = Link::of(&server, "a").await;
        let head = Request::new("POST", &link.target("/channels/room")).header("Transfer-Encoding", "chunked");
        let mut connection = link.ask(&head).await;
        link.set(json!({ "latency_ms": latency })).await;
        connection.write(b"5\r\nhello\r\nthis is no chunk").await;
        link.heal().await;

        let (answer, _) = connection.read_to_ending().await;
        assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 400 "), "{answer:?}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
    let server = TestServer::spawn_with_lab(&["--request-timeout", "1s"]);
    let link = Link::of(&server, "a").await;
    let mut silent = link.connect().await;
    let mut slow = link.connect().await;
    slow.write(b"GET / HTTP/1.1\r\nHost:").await;

    assert_eq!(slow.head().await.status, 408);
    assert_eq!(silent.read_to_ending().await, (Vec::new(), Ending::Fin));

    let mut connection = link.connect().await;
    assert_eq!(connection.request(&link.get("/healthz")).await.status(), 200);
    connection.write(b"GET").await;
    assert_eq!(connection.head().await.status, 408, "a later head is not waited for either");
}

#[tokio::test]
async fn when_the_server_ends_an_unused_connection_the_client_sees_it() {
    let server = TestServer::spawn_with_lab(&["--keep-alive", "1s"]);
    let link = Link::of(&server, "a").await;
    let mut connection = link.connect().await;
    assert_eq!(connection.request(&link.get("/healthz")).await.status(), 200);

    assert_eq!(within_guard("the end", connection.read_to_ending()).await, (Vec::new(), Ending::Fin));
}
