//! A line that takes its time: latency, jitter, bandwidth.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    Ending, Link, Reader, Request, Subscription, TestServer, Transport, lab::A_DAY, publisher::PostPublisher,
};

crate::on_transports! {
    latency_delays_what_is_on_its_way_on_an_open_connection on [websocket, sse, stream];
    jitter_keeps_the_order on [websocket, sse, stream];
    a_slow_line_loses_nothing on [websocket, sse, poll, stream];
}

async fn latency_delays_what_is_on_its_way_on_an_open_connection(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let (healed, cut) = (Link::of(&server, "healed").await, Link::of(&server, "cut").await);
    let mut direct = Reader::open(&server, transport, &Subscription::to("room")).await;
    let mut through = healed.reader(transport, Subscription::to("room")).await;
    let mut lost = cut.reader(transport, Subscription::to("room")).await;
    for link in [&healed, &cut] {
        link.set(json!({ "latency_ms": { "down": A_DAY } })).await;
    }

    let (texts, _) = tokio::join!(direct.texts(1), publisher.publish("", "under way"));
    assert_eq!(texts, ["under way"]);
    cut.cut().await;
    healed.heal().await;

    assert!(lost.until_end().await.is_empty(), "what is under way when the line is cut does not arrive");
    assert_eq!(through.texts(1).await, ["under way"], "what is under way arrives when the line is healed");
}

#[tokio::test]
async fn latency_delays_the_answer_of_a_parked_poll() {
    let server = TestServer::spawn_with_lab(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.publish("", "before").await.published_id();
    let (healed, cut) = (Link::of(&server, "healed").await, Link::of(&server, "cut").await);
    let target = format!("/channels/room/poll?after={id}");
    let (mut delayed, mut lost) = (healed.ask(&healed.get(&target)).await, cut.ask(&cut.get(&target)).await);
    server.wait_for_subscribers("room", "long-poll", 2).await;
    for link in [&healed, &cut] {
        link.set(json!({ "latency_ms": { "down": A_DAY } })).await;
    }

    publisher.publish("", "under way").await.published_id();
    server.wait_for_subscribers("room", "long-poll", 0).await;
    cut.cut().await;
    healed.heal().await;

    assert_eq!(lost.read_to_ending().await, (Vec::new(), Ending::Fin));
    let head = delayed.head().await;
    assert!(String::from_utf8_lossy(&delayed.body(&head).await).contains("under way"));
}

#[tokio::test]
async fn latency_up_delays_requests_and_not_what_comes_down() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut reader = link.reader(Transport::Sse, Subscription::to("room")).await;
    link.set(json!({ "latency_ms": { "up": A_DAY } })).await;

    let mut delayed = link.ask(&link.post("/channels/room", "delayed")).await;
    link.wait_for_exchanges(2).await;
    PostPublisher::open(&server, "room").await.publish("", "direct").await.published_id();

    assert_eq!(reader.texts(1).await, ["direct"]);
    link.heal().await;
    assert_eq!(delayed.head().await.status, 201);
    assert_eq!(reader.texts(1).await, ["delayed"]);
}

/// The first request on a connection has TCP's handshake before it, which is a round trip more.
#[tokio::test]
async fn a_round_trip_takes_its_latency_and_the_first_one_twice_that() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "latency_ms": 100 })).await;
    let mut connection = link.connect().await;

    for round_trips in [2, 1, 1] {
        let began = Instant::now();
        assert_eq!(connection.request(&link.get("/healthz")).await.status(), 200);
        assert!(began.elapsed() >= Duration::from_millis(200) * round_trips, "{:?}", began.elapsed());
    }
}

/// Also what a middlebox says itself has to travel.
#[tokio::test]
async fn a_refusal_takes_a_round_trip_too() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "latency_ms": 100, "upgrade": "403" })).await;
    let began = Instant::now();

    let mut connection = link.ask(&Request::websocket(&link.target("/channels/room/ws"))).await;

    assert_eq!(connection.head().await.status, 403);
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

/// How much is drawn depends on the seed alone, so this is the same in each run.
#[tokio::test]
async fn jitter_takes_some_time() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "jitter_ms": 50, "seed": 7 })).await;
    let mut connection = link.connect().await;
    let began = Instant::now();

    for _ in 0..20 {
        assert_eq!(connection.request(&link.get("/healthz")).await.status(), 200);
    }

    // Twenty times there and back, half of the most on average: a second. A quarter of that is certain enough.
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
}

async fn jitter_keeps_the_order(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "jitter_ms": 30, "seed": 7 })).await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;

    PostPublisher::open(&server, "room").await.numbers(1..=100).await;

    assert_eq!(reader.texts(100).await, (1..=100).map(|number| number.to_string()).collect::<Vec<_>>());
}

async fn a_slow_line_loses_nothing(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "bandwidth": 100_000, "latency_ms": 5, "jitter_ms": 5 })).await;
    let mut reader = link.reader(transport, Subscription::to("room").after("start")).await;
    let mut publisher = PostPublisher::open(&server, "room").await;
    let texts: Vec<_> = (0..10).map(|number| number.to_string().repeat(3000)).collect();
    for text in &texts {
        publisher.publish("", text).await.published_id();
    }

    assert_eq!(reader.texts(10).await, texts);
}

#[tokio::test]
async fn a_line_passes_no_more_than_its_bandwidth() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "bandwidth": 20_000 })).await;
    let text = "x".repeat(10_000);

    for request in [link.post("/channels/room", &text), link.get("/channels/room/poll?after=start")] {
        let began = Instant::now();
        let status = link.connect().await.request(&request).await.status();
        assert!(matches!(status, 200 | 201), "{status}");
        assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn one_direction_may_be_slow_alone() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "bandwidth": { "up": 10_000 } })).await;
    let large = "x".repeat(1_000_000);
    PostPublisher::open(&server, "room").await.publish("", &large).await.published_id();

    // Down, this would take minutes.
    let polled = link.connect().await.request(&link.get("/channels/room/poll?after=start")).await;
    assert!(polled.text().contains(&large));

    let began = Instant::now();
    link.connect().await.request(&link.post("/channels/room", "x".repeat(5000))).await.published_id();
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_slow_line_that_is_healed_is_fast_at_once() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let large = "x".repeat(1_000_000);
    PostPublisher::open(&server, "room").await.publish("", &large).await.published_id();
    link.set(json!({ "bandwidth": 1000 })).await;

    // At 1,000 bytes a second this takes a quarter of an hour.
    let mut connection = link.ask(&link.get("/channels/room/poll?after=start")).await;
    let head = connection.head().await;
    link.heal().await;

    let body = connection.body(&head).await;
    assert!(String::from_utf8_lossy(&body).contains(&large));
}

/// As TCP does: the end of what a client says comes after all that it has said.
#[tokio::test]
async fn a_client_that_closes_its_half_is_heard_to_the_end_on_a_slow_line() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "bandwidth": { "up": 50_000 } })).await;
    let mut connection = link.ask(&link.post("/channels/room", "x".repeat(20_000))).await;

    connection.close_half().await;

    assert!(String::from_utf8_lossy(&connection.read_to_end().await).starts_with("HTTP/1.1 201 "));
}

#[tokio::test]
async fn what_comes_with_the_head_is_taken_as_slowly_as_the_rest() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "slow_reader": { "up": 10_000 } })).await;
    let began = Instant::now();

    let published = link.connect().await.request(&link.post("/channels/room", "x".repeat(5_000))).await;

    published.published_id();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
}
