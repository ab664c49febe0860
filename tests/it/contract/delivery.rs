//! Every message arrives once and in order, on every transport, as soon as it is published.

use std::collections::HashMap;

use crate::harness::{Message, Publisher, Reader, Subscription, TestServer, Transport};

crate::on_transports! {
    ten_thousand_messages_of_concurrent_publishers_arrive_once_and_in_order
        on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    what_is_published_before_a_silence_is_delivered_without_another_publication
        on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    two_channels_do_not_hear_each_other on [websocket, websocket_raw, sse, sse_raw, poll, stream];
}

const PUBLISHERS: usize = 8;
const MESSAGES_EACH: usize = 1_250;

async fn ten_thousand_messages_of_concurrent_publishers_arrive_once_and_in_order(transport: Transport) {
    // The log holds them all: this test is about order, `gap` about what happens to those who are too slow for the log.
    let server = TestServer::spawn(&["--log-messages", "20000", "--log-bytes", "64MiB"]);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;
    let publishers =
        futures_util::future::join_all((0..PUBLISHERS).map(|publisher| publish_numbered(&server, publisher)));

    let (ids, received) = tokio::join!(publishers, read_messages(&mut reader, PUBLISHERS * MESSAGES_EACH));

    assert_each_publisher_is_in_order(&received);
    if transport != Transport::WebSocketRaw {
        assert_offsets_are_dense(&received);
        assert_ids_agree(&ids.into_iter().flatten().collect(), &received);
    }
}

/// Publishes texts such as `3/17`, half of the publishers by POST and half over WebSocket. Returns the id of each text.
async fn publish_numbered(server: &TestServer, publisher: usize) -> HashMap<String, String> {
    let mut connection = match publisher % 2 {
        0 => Publisher::post(server, "room").await,
        _ => Publisher::websocket(server, "room").await,
    };
    let mut ids = HashMap::new();
    for number in 0..MESSAGES_EACH {
        let text = format!("{publisher}/{number}");
        let id = connection.text(&text).await;
        ids.insert(text, id);
    }
    ids
}

async fn read_messages(reader: &mut Reader, count: usize) -> Vec<Message> {
    let mut messages = Vec::with_capacity(count);
    while messages.len() < count {
        messages.push(reader.message().await);
    }
    messages
}

/// Each publisher's messages come as 0, 1, 2 … to the last, which excludes loss, repetition and disorder at once.
fn assert_each_publisher_is_in_order(messages: &[Message]) {
    let mut next = [0; PUBLISHERS];
    for message in messages {
        let (publisher, number) = message.text().split_once('/').expect("texts are PUBLISHER/NUMBER");
        let publisher: usize = publisher.parse().expect("a publisher is a number");
        assert_eq!(number, next[publisher].to_string(), "of publisher {publisher}");
        next[publisher] += 1;
    }
    assert_eq!(next, [MESSAGES_EACH; PUBLISHERS]);
}

fn assert_offsets_are_dense(messages: &[Message]) {
    let offsets: Vec<_> = messages.iter().map(Message::offset).collect();
    assert_eq!(offsets, (1..=messages.len() as u64).collect::<Vec<_>>());
}

/// A reader sees each message under the id that its publisher was told.
fn assert_ids_agree(published: &HashMap<String, String>, received: &[Message]) {
    for message in received {
        assert_eq!(published.get(message.text()), Some(&message.id), "of {}", message.text());
    }
}

const ROUNDS: usize = 40;
const READERS: usize = 6;

/// A wake-up that gets lost shows only when nothing follows: later messages would carry the earlier ones along.
async fn what_is_published_before_a_silence_is_delivered_without_another_publication(transport: Transport) {
    // Neither a heartbeat nor the end of a poll's hold comes to the help of a reader that was not woken.
    let server = TestServer::spawn(&["--heartbeat", "10m", "--poll-hold", "10m"]);
    let subscription = Subscription::to("room").with("_", "1");
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Reader::open(&server, transport, &subscription).await);
    }
    let mut publishers = [Publisher::post(&server, "room").await, Publisher::websocket(&server, "room").await];
    let mut random = fastrand::Rng::with_seed(1);

    for round in 0..ROUNDS {
        let burst: Vec<_> = (0..random.usize(1..=5)).map(|number| format!("{round}/{number}")).collect();
        for text in &burst {
            publishers[round % 2].text(text).await;
        }
        for reader in &mut readers {
            assert_eq!(reader.texts(burst.len()).await, burst);
        }
    }
}

async fn two_channels_do_not_hear_each_other(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut here = Reader::open(&server, transport, &Subscription::to("here")).await;
    let mut there = Reader::open(&server, transport, &Subscription::to("there")).await;

    Publisher::post(&server, "here").await.text("for here").await;
    Publisher::post(&server, "there").await.text("for there").await;

    assert_eq!(here.texts(1).await, ["for here"]);
    assert_eq!(there.texts(1).await, ["for there"]);
}
