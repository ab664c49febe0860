//! Clients that send too slowly or read too slowly: found, let go, and noticed by nobody else.

use crate::harness::{
    Connection, Reader, Request, Subscription, TestServer, Transport, publisher::PostPublisher, websocket::RawWebSocket,
};

crate::on_transports! {
    a_reader_that_never_reads_is_closed_after_the_stall_time on [websocket, websocket_raw, sse, sse_raw, stream];
    a_reader_that_never_reads_disturbs_nobody on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_reader_that_was_closed_for_stalling_comes_back_with_its_cursor on [websocket, sse, sse_raw, stream];
}

/// Publishes far more than the kernel buffers between server and reader can hold.
async fn publish_past(server: &TestServer) {
    let mut publisher = PostPublisher::open(server, "room").await;
    for _ in 0..500 {
        publisher.publish("", &"x".repeat(32 * 1024)).await.published_id();
    }
}

/// The transport's name in the operators' list.
fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket | Transport::WebSocketRaw => "websocket",
        Transport::Sse | Transport::SseRaw => "sse",
        Transport::Poll => "long-poll",
        Transport::Stream => "stream",
    }
}

async fn a_reader_that_never_reads_is_closed_after_the_stall_time(transport: Transport) {
    let server = TestServer::spawn(&["--stall-timeout", "500ms"]);
    let _reader = Reader::open(&server, transport, &Subscription::to("room").narrow()).await;
    server.wait_for_subscribers("room", name(transport), 1).await;

    publish_past(&server).await;

    server.wait_for_subscribers("room", name(transport), 0).await;
}

async fn a_reader_that_never_reads_disturbs_nobody(transport: Transport) {
    let server = TestServer::spawn(&["--log-bytes", "64MiB", "--log-messages", "10000"]);
    let _stalled = Reader::open(&server, transport, &Subscription::to("room").narrow()).await;
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    let (texts, ()) = tokio::join!(reader.texts(500), publish_past(&server));

    assert!(texts.iter().all(|text| text.len() == 32 * 1024));
}

async fn a_reader_that_was_closed_for_stalling_comes_back_with_its_cursor(transport: Transport) {
    let server = TestServer::spawn(&["--stall-timeout", "2s", "--log-bytes", "64MiB", "--log-messages", "10000"]);
    let subscription = Subscription::to("room").narrow();
    let mut reader = Reader::open(&server, transport, &subscription).await;
    publish_past(&server).await;
    server.wait_for_subscribers("room", name(transport), 0).await;

    // What the kernel had taken can still be read; an event that was cut off is discarded.
    let before = reader.until_end().await;
    let mut reader = Reader::open(&server, transport, &subscription.after(reader.cursor())).await;

    assert!(before.len() < 500, "the server did not wait for this reader");
    assert_eq!(reader.texts(500 - before.len()).await.len() + before.len(), 500);
}

const IMPATIENT: [&str; 2] = ["--request-timeout", "1s"];

#[tokio::test]
async fn who_sends_one_byte_of_a_request_and_then_nothing_is_cut_off() {
    let server = TestServer::spawn(&IMPATIENT);
    let mut connection = Connection::open(server.address()).await;

    connection.write(b"G").await;

    assert_cut_off(connection).await;
}

#[tokio::test]
async fn who_sends_half_of_a_head_and_then_nothing_is_cut_off() {
    let server = TestServer::spawn(&IMPATIENT);
    let mut connection = Connection::open(server.address()).await;

    connection.write(b"GET /channels/room/sse HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;

    assert_cut_off(connection).await;
}

#[tokio::test]
async fn who_sends_half_of_a_body_and_then_nothing_is_cut_off_and_nothing_is_appended() {
    let server = TestServer::spawn(&IMPATIENT);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::new("POST", "/channels/room").header("Content-Length", "100")).await;
    connection.write(b"half of").await;

    assert_cut_off(connection).await;
    assert!(server.request(Request::post("/channels/room", "whole")).await.published_id().ends_with(".1"));
}

/// A byte now and then is no proof of good intentions: the time for a head is limited as a whole.
#[tokio::test]
async fn who_sends_a_head_byte_by_byte_is_cut_off() {
    let server = TestServer::spawn(&IMPATIENT);
    let mut connection = Connection::open(server.address()).await;

    let endless_head = b"GET / HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    for byte in endless_head.take(600) {
        if !connection.try_write(&[*byte]).await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("a minute for a head is too long");
}

/// The connection ends, at most with a status that says why.
async fn assert_cut_off(mut connection: Connection) {
    let answer = String::from_utf8_lossy(&connection.read_to_end().await).into_owned();
    let is_timeout = answer.is_empty() || answer.starts_with("HTTP/1.1 408 ");
    assert!(is_timeout, "{answer}");
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_cut_off() {
    let server = TestServer::spawn(&IMPATIENT);

    assert_cut_off(Connection::open(server.address()).await).await;
}

#[tokio::test]
async fn slow_senders_disturb_nobody() {
    let server = TestServer::spawn(&[]);
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut connection = Connection::open(server.address()).await;
        connection.write(b"P").await;
        slow.push(connection);
    }
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    PostPublisher::open(&server, "room").await.numbers(1..=100).await;

    assert_eq!(reader.texts(100).await.len(), 100);
}

/// A frame that never ends is a client that sends nothing: the heartbeat finds it.
#[tokio::test]
async fn a_websocket_frame_that_never_ends_does_not_keep_the_connection() {
    let server = TestServer::spawn(&["--heartbeat", "200ms"]);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;

    socket.send_bytes(&[0x81, 0xfe]).await;

    while socket.frame().await.is_some() {}
}
