//! A server that is asked to stop says so, lets everybody go, and ends in time.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
};

use futures_util::future::join_all;

use crate::harness::{
    Connection, Event, Reader, Request, Subscription, TestServer, Transport,
    process::{command, end_of, signal},
    publisher::PostPublisher,
    source::Envelope,
    websocket::RawWebSocket,
};

crate::on_transports! {
    a_subscriber_is_told_to_come_back_and_the_process_ends_with_success on [websocket, sse, sse_raw, stream];
    readiness_has_failed_before_anybody_is_sent_away on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    what_was_published_before_the_drain_is_delivered_before_the_end
        on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_subscriber_that_reads_nothing_does_not_keep_the_process_alive
        on [websocket, websocket_raw, sse, sse_raw, poll, stream];
}

const DRAIN: [&str; 4] = ["--drain-time", "2s", "--poll-hold", "10m"];

async fn assert_ends_with_success(mut server: TestServer) {
    assert_eq!(server.exit_status().await.code(), Some(0));
}

async fn a_subscriber_is_told_to_come_back_and_the_process_ends_with_success(transport: Transport) {
    let server = TestServer::spawn(&DRAIN);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    server.terminate();

    match reader.until_end().await.last() {
        Some(Event::Goodbye(goodbye)) => assert_eq!(goodbye.reason, "draining"),
        other => panic!("the last event is {other:?}"),
    }
    if transport == Transport::WebSocket {
        assert_eq!(reader.close_frame().map(|(code, _)| code), Some(1012));
    }
    assert_ends_with_success(server).await;
}

/// A load balancer must have learned that this node is leaving before the node's clients look for another one.
async fn readiness_has_failed_before_anybody_is_sent_away(transport: Transport) {
    let server = TestServer::spawn(&DRAIN);
    assert_eq!(server.get("/readyz").await.status(), 200);
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(Reader::open(&server, transport, &Subscription::to("room")).await);
    }

    server.terminate();

    join_all(readers.iter_mut().map(async |reader| {
        reader.next().await;
        let readiness = server.try_get("/readyz").await;
        assert_ne!(readiness.map(|response| response.status()), Some(200));
    }))
    .await;
    assert_ends_with_success(server).await;
}

async fn what_was_published_before_the_drain_is_delivered_before_the_end(transport: Transport) {
    let server = TestServer::spawn(&DRAIN);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;
    PostPublisher::open(&server, "room").await.numbers(1..=100).await;

    server.terminate();

    let events = reader.until_end().await;
    let messages = events.iter().filter(|event| matches!(event, Event::Message(_)));
    assert_eq!(messages.count(), 100);
    assert_ends_with_success(server).await;
}

async fn a_subscriber_that_reads_nothing_does_not_keep_the_process_alive(transport: Transport) {
    let server = TestServer::spawn(&DRAIN);
    let _reader = Reader::open(&server, transport, &Subscription::to("room").narrow()).await;
    let mut publisher = PostPublisher::open(&server, "room").await;
    for _ in 0..400 {
        publisher.publish("", &"x".repeat(32 * 1024)).await.published_id();
    }

    server.terminate();

    assert_ends_with_success(server).await;
}

#[tokio::test]
async fn a_raw_websocket_is_closed_with_1012() {
    let server = TestServer::spawn(&DRAIN);
    let mut reader = Reader::open(&server, Transport::WebSocketRaw, &Subscription::to("room")).await;

    server.terminate();

    assert!(reader.until_end().await.is_empty());
    assert_eq!(reader.close_frame().map(|(code, _)| code), Some(1012));
    assert_ends_with_success(server).await;
}

#[tokio::test]
async fn a_parked_poll_is_answered_with_its_cursor() {
    let server = TestServer::spawn(&DRAIN);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);
    let mut parked = Connection::open(server.address()).await;
    parked.send(&Request::get(&format!("/channels/room/poll?after={id}"))).await;
    server.wait_for_subscribers("room", "long-poll", 1).await;

    server.terminate();

    let head = parked.head().await;
    assert_eq!(head.status, 200);
    let envelope: Envelope =
        serde_json::from_slice(&parked.body(&head).await).expect("a poll is answered with an envelope");
    assert_eq!(envelope.cursor, id);
    assert_ends_with_success(server).await;
}

/// If all came back at the same moment, the next node would be the next one to fall.
#[tokio::test]
async fn subscribers_are_asked_to_come_back_at_different_times() {
    let server = TestServer::spawn(&DRAIN);
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(Reader::open(&server, Transport::Stream, &Subscription::to("room")).await);
    }

    server.terminate();

    let mut times = HashSet::new();
    for reader in &mut readers {
        match reader.until_end().await.last() {
            Some(Event::Goodbye(goodbye)) => times.insert(goodbye.reconnect_ms),
            other => panic!("the last event is {other:?}"),
        };
    }
    assert!(times.len() > 1, "{times:?}");
    assert_ends_with_success(server).await;
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_the_process_alive() {
    let server = TestServer::spawn(&DRAIN);
    let mut idle = Connection::open(server.address()).await;
    assert_eq!(idle.request(&Request::get("/healthz")).await.status(), 200);
    let _silent = Connection::open(server.address()).await;

    server.terminate();

    assert_ends_with_success(server).await;
}

#[tokio::test]
async fn a_websocket_that_does_not_answer_the_close_frame_does_not_keep_the_process_alive() {
    let server = TestServer::spawn(&DRAIN);
    let _deaf = RawWebSocket::open(&server, "/channels/room/ws").await;

    server.terminate();

    assert_ends_with_success(server).await;
}

/// Whatever collects the log may end before the server does.
#[tokio::test]
async fn a_server_whose_log_nobody_reads_ends_all_the_same() {
    let server = ["serve", "--host", "127.0.0.1", "--port", "0"];
    let mut process = command().args(server).args(DRAIN).spawn().expect("the server's binary starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
    stdout.read_line(&mut String::new()).expect("the server says that it listens");

    drop(process.stderr.take());
    signal(&process, "TERM");

    assert_eq!(end_of(&mut process).await.code(), Some(0));
}

#[tokio::test]
async fn a_server_without_subscribers_ends_with_success() {
    let server = TestServer::spawn(&DRAIN);

    server.terminate();

    assert_ends_with_success(server).await;
}
