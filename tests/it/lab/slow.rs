//! Readers that are slow: the server meets them as it meets a phone that cannot keep up.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Connection, Event, Link, Subscription, TestServer, Transport, publisher::PostPublisher};

crate::on_transports! {
    a_reader_that_takes_nothing_is_closed_by_the_server on [websocket, sse, stream];
    an_open_reader_that_stops_taking_is_closed_by_the_server on [websocket, sse, stream];
    a_slow_reader_that_is_healed_catches_up on [websocket, sse, stream];
}

fn name(transport: Transport) -> &'static str {
    if transport == Transport::WebSocket { "websocket" } else { transport.path() }
}

/// Publishes more than all buffers on the way can hold.
async fn publish_much(server: &TestServer, count: usize) {
    let mut publisher = PostPublisher::open(server, "room").await;
    for _ in 0..count {
        publisher.publish("", &"x".repeat(32 * 1024)).await.published_id();
    }
}

/// A client that reads as fast as it can: whoever is slow, it is not the client.
fn read_eagerly(mut connection: Connection) {
    tokio::spawn(async move { connection.read_to_ending().await });
}

async fn a_reader_that_takes_nothing_is_closed_by_the_server(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--stall-timeout", "500ms"]);
    let link = Link::with(&server, "a", json!({ "slow_reader": 0 })).await;
    read_eagerly(link.ask(&link.subscribe(transport, "room")).await);
    server.wait_for_subscribers("room", name(transport), 1).await;

    publish_much(&server, 100).await;

    server.wait_for_subscribers("room", name(transport), 0).await;
}

async fn an_open_reader_that_stops_taking_is_closed_by_the_server(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--stall-timeout", "500ms"]);
    let link = Link::of(&server, "a").await;
    read_eagerly(link.ask(&link.subscribe(transport, "room")).await);
    server.wait_for_subscribers("room", name(transport), 1).await;

    link.set(json!({ "slow_reader": 0 })).await;
    publish_much(&server, 500).await;

    server.wait_for_subscribers("room", name(transport), 0).await;
}

async fn a_slow_reader_that_is_healed_catches_up(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--log-bytes", "64MiB", "--log-messages", "10000"]);
    let link = Link::with(&server, "a", json!({ "slow_reader": 1000 })).await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;

    publish_much(&server, 100).await;
    // At 1,000 bytes a second, this would take an hour.
    link.heal().await;

    assert!(reader.texts(100).await.iter().all(|text| text.len() == 32 * 1024));
}

#[tokio::test]
async fn a_slow_reader_takes_no_more_than_it_says() {
    let server = TestServer::spawn_with_lab(&[]);
    PostPublisher::open(&server, "room").await.publish("", &"x".repeat(10_000)).await.published_id();
    let link = Link::with(&server, "a", json!({ "slow_reader": 20_000 })).await;
    let began = Instant::now();

    let polled = link.connect().await.request(&link.get("/channels/room/poll?after=start")).await;

    assert!(polled.body.len() > 10_000);
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_a_client_sends_may_be_taken_slowly_too() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "slow_reader": { "up": 20_000 } })).await;
    let began = Instant::now();

    link.connect().await.request(&link.post("/channels/room", "x".repeat(20_000))).await.published_id();

    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

/// A reader that falls off the log is told so, however fast its client reads.
#[tokio::test]
async fn a_reader_that_is_too_slow_for_the_log_gets_a_gap() {
    let server = TestServer::spawn_with_lab(&["--log-messages", "5"]);
    let link = Link::with(&server, "a", json!({ "slow_reader": 100_000 })).await;
    let mut reader = link.reader(Transport::Sse, Subscription::to("room")).await;

    let until_gap = async { while !matches!(reader.next().await.expect("the subscription goes on"), Event::Gap(_)) {} };
    let publish_and_heal = async {
        publish_much(&server, 200).await;
        link.heal().await;
    };
    tokio::join!(until_gap, publish_and_heal);
}
