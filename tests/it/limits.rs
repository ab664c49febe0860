//! Bounds that no client can push: channels, connections, memory.

use crate::harness::{
    Connection, Reader, Request, Response, Subscription, TestServer, Transport, publisher::PostPublisher,
    source::Block, websocket::RawWebSocket, within_guard,
};

/// Publishes one message to each of so many channels on one connection, and returns the statuses.
async fn publish_to_channels(server: &TestServer, count: usize) -> Vec<u16> {
    let mut connection = Connection::open(server.address()).await;
    let mut statuses = Vec::with_capacity(count);
    for number in 0..count {
        statuses.push(connection.request(&Request::post(&format!("/channels/c{number}"), "x")).await.status());
    }
    statuses
}

#[tokio::test]
async fn ten_thousand_channels_are_bounded_by_the_limit() {
    let server = TestServer::spawn(&["--max-channels", "1000"]);

    let statuses = publish_to_channels(&server, 10_000).await;

    assert!(statuses[..1000].iter().all(|&status| status == 201));
    assert!(statuses[1000..].iter().all(|&status| status == 503));
}

#[tokio::test]
async fn channels_that_exist_go_on_when_there_is_no_room_for_another() {
    let server = TestServer::spawn(&["--max-channels", "2"]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("c0")).await;
    assert_eq!(publish_to_channels(&server, 3).await, [201, 201, 503]);

    PostPublisher::open(&server, "c0").await.numbers([1]).await;

    assert_eq!(reader.texts(2).await, ["x", "1"]);
}

#[tokio::test]
async fn a_publication_to_one_channel_too_many_gets_503_and_a_time_to_come_back() {
    let server = TestServer::spawn(&["--max-channels", "1"]);
    publish_to_channels(&server, 1).await;

    let response = server.request(Request::post("/channels/another", "x")).await;

    response.assert_problem(503);
    assert!(response.header("Retry-After").is_some(), "{:?}", response.head);
}

#[tokio::test]
async fn a_poll_a_stream_and_a_websocket_of_one_channel_too_many_get_503() {
    let server = TestServer::spawn(&["--max-channels", "1"]);
    publish_to_channels(&server, 1).await;

    server.get("/channels/another/poll").await.assert_problem(503);
    server.get("/channels/another/stream").await.assert_problem(503);
    server.request(Request::websocket("/channels/another/ws")).await.assert_problem(503);
}

#[tokio::test]
async fn a_browsers_websocket_of_one_channel_too_many_is_told_by_a_close_code_to_back_off() {
    let server = TestServer::spawn(&["--max-channels", "1"]);
    publish_to_channels(&server, 1).await;

    let request = Request::websocket("/channels/another/ws").header("Origin", &server.origin());
    let mut socket = RawWebSocket::open_with(&server, request).await;

    let code = socket.close_code().await;
    assert!(code == 1013 || (4100..4200).contains(&code), "{code}");
}

/// Any status but 200 would end a native `EventSource` for good, though there may be room again in a minute.
#[tokio::test]
async fn an_event_source_of_one_channel_too_many_is_asked_to_come_back() {
    let server = TestServer::spawn(&["--max-channels", "1"]);
    publish_to_channels(&server, 1).await;

    let response = server.get("/channels/another/sse").await;

    assert_asked_to_come_back(&response);
}

#[track_caller]
fn assert_asked_to_come_back(response: &Response) {
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("Content-Type"), Some("text/event-stream"));
    let block = Block::parse(response.text());
    assert_eq!(block.event.as_deref(), Some("goodbye"), "{}", response.text());
    let milliseconds = block.retry.as_deref().and_then(|retry| retry.parse::<u64>().ok());
    assert!(milliseconds.is_some_and(|milliseconds| milliseconds > 0), "{}", response.text());
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_those_within_go_on() {
    let server = TestServer::spawn(&["--max-connections", "20"]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut readers = Vec::new();
    for _ in 0..19 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }

    let mut one_too_many = Connection::open(server.address()).await;
    let answer = one_too_many.try_request(&Request::get("/channels/room/stream")).await;
    if let Some(response) = answer {
        response.assert_problem(503);
    }
    publisher.numbers([1]).await;
    for reader in &mut readers {
        assert_eq!(reader.texts(1).await, ["1"]);
    }
}

#[tokio::test]
async fn a_connection_that_ends_makes_room_for_another() {
    let server = TestServer::spawn(&["--max-connections", "10"]);
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }

    drop(readers);

    within_guard("room for another", async {
        while server.try_get("/healthz").await.is_none_or(|response| response.status() != 200) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn connections_of_one_address_beyond_its_limit_get_429() {
    let server = TestServer::spawn(&["--max-connections-per-address", "3"]);
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }

    let mut one_too_many = Connection::open(server.address()).await;
    let answer = one_too_many.try_request(&Request::get("/channels/room/stream")).await;

    answer.expect("the refusal says why").assert_problem(429);
}

#[tokio::test]
async fn an_event_source_of_one_connection_too_many_is_asked_to_come_back() {
    let server = TestServer::spawn(&["--max-connections-per-address", "3"]);
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }

    let mut one_too_many = Connection::open(server.address()).await;
    let answer =
        one_too_many.try_request(&Request::get("/channels/room/sse").header("Accept", "text/event-stream")).await;

    assert_asked_to_come_back(&answer.expect("the refusal says why"));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.write(b"GET / HTTP/1.1\r\n").await;
    let line = format!("X-More: {}\r\n", "x".repeat(1000));
    let mut sent = 0;
    while sent < 10_000 && connection.try_write(line.as_bytes()).await {
        sent += 1;
    }

    assert!(sent < 10_000, "the server hangs up");
}

#[tokio::test]
async fn a_target_of_a_hundred_kilobytes_is_refused() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    let target = format!("/channels/room/poll?_={}", "x".repeat(100_000));
    let response = connection.try_request(&Request::get(&target)).await;

    if let Some(response) = response {
        assert!((400..500).contains(&response.status()), "{}", response.status());
    }
    assert_eq!(server.get("/healthz").await.status(), 200);
}
