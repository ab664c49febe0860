//! A cursor of any transport is a place to go on from, on the same transport and after any message.

use crate::harness::{Event, Reader, Subscription, TestServer, Transport, event::moved, publisher::PostPublisher};

crate::on_transports! {
    a_reader_resumes_from_every_position on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    the_cursor_of_hello_is_a_position_before_the_first_message on [websocket, sse, sse_raw, poll, stream];
    start_is_the_position_before_the_oldest_message on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    end_is_the_head_and_the_default on [websocket, sse, sse_raw, poll, stream];
    replayed_events_are_the_same_bytes_as_live_ones on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    several_readers_of_one_position_get_the_same on [websocket, websocket_raw, sse, sse_raw, poll, stream];
}

const MESSAGES: usize = 40;

fn numbers(range: impl IntoIterator<Item = usize>) -> Vec<String> {
    range.into_iter().map(|number| number.to_string()).collect()
}

async fn a_reader_resumes_from_every_position(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let ids = publisher.numbers(1..=MESSAGES).await;
    let before_all = moved(&ids[0], -1);

    let mut head = MESSAGES;
    for (position, cursor) in [&before_all].into_iter().chain(&ids).enumerate() {
        let mut reader = Reader::open(&server, transport, &Subscription::to("room").after(cursor)).await;
        // One more while the replay is on its way: the seam between old and new is where messages get lost.
        head += 1;
        publisher.numbers([head]).await;
        let expected = numbers(position + 1..=head);
        assert_eq!(reader.texts(expected.len()).await, expected, "after {cursor}");
    }
}

async fn the_cursor_of_hello_is_a_position_before_the_first_message(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let reader = Reader::open(&server, transport, &Subscription::to("room")).await;
    let cursor = reader.cursor().to_owned();
    drop(reader);

    PostPublisher::open(&server, "room").await.numbers([1]).await;

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after(&cursor)).await;
    assert_eq!(reader.texts(1).await, ["1"]);
}

async fn start_is_the_position_before_the_oldest_message(transport: Transport) {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=MESSAGES).await;

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after("start")).await;

    assert_eq!(reader.texts(MESSAGES).await, numbers(1..=MESSAGES));
}

async fn end_is_the_head_and_the_default(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let ids = publisher.numbers(1..=MESSAGES).await;

    let mut by_name = Reader::open(&server, transport, &Subscription::to("room").after("end")).await;
    let mut by_default = Reader::open(&server, transport, &Subscription::to("room")).await;
    assert_eq!(by_name.cursor(), ids[MESSAGES - 1]);
    assert_eq!(by_default.cursor(), ids[MESSAGES - 1]);

    publisher.numbers([MESSAGES + 1]).await;
    assert_eq!(by_name.texts(1).await, numbers([MESSAGES + 1]));
    assert_eq!(by_default.texts(1).await, numbers([MESSAGES + 1]));
}

async fn replayed_events_are_the_same_bytes_as_live_ones(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut live = Reader::open(&server, transport, &Subscription::to("room")).await;
    PostPublisher::open(&server, "room").await.numbers(1..=MESSAGES).await;
    let mut replayed = Reader::open(&server, transport, &Subscription::to("room").after("start")).await;

    assert_eq!(message_bytes(&mut replayed).await, message_bytes(&mut live).await);
}

/// The next messages as they are on the wire.
async fn message_bytes(reader: &mut Reader) -> Vec<String> {
    let mut bytes = Vec::new();
    while bytes.len() < MESSAGES {
        let received = reader.receive().await.expect("the subscription goes on");
        if let Event::Message(_) = received.event {
            bytes.push(received.wire);
        }
    }
    bytes
}

/// Reading consumes nothing, not even on a poll.
async fn several_readers_of_one_position_get_the_same(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=MESSAGES).await;
    let subscription = Subscription::to("room").after(&ids[9]);

    for _ in 0..3 {
        let mut reader = Reader::open(&server, transport, &subscription).await;
        assert_eq!(reader.texts(MESSAGES - 10).await, numbers(11..=MESSAGES));
    }
}
