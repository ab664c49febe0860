//! What happens to single requests and answers: sent twice, lost on the way back, truncated.

use serde_json::json;

use crate::harness::{Ending, Link, Reader, Request, Subscription, TestServer, Transport, publisher::PostPublisher};

/// What has been published to the channel `room`.
async fn published(server: &TestServer) -> Vec<String> {
    let polled = server.get("/channels/room/poll?after=start").await.json();
    let events = polled["events"].as_array().expect("a list").iter();
    events.filter_map(|event| event["message"]["data"].as_str()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_duplicated_publication_arrives_twice_and_is_answered_once() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "duplicate": 1 })).await;
    let mut connection = link.connect().await;

    let first = connection.request(&link.post("/channels/room", "one")).await.published_id();
    let second = connection.request(&link.post("/channels/room", "two")).await.published_id();

    assert_eq!(published(&server).await, ["one", "one", "two", "two"]);
    assert!(first.ends_with(".2") && second.ends_with(".4"), "the second answer counts: {first}, {second}");
}

#[tokio::test]
async fn a_key_makes_one_of_two() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "duplicate": 1 })).await;

    let id = link.connect().await.request(&link.post("/channels/room?key=k1", "once")).await.published_id();

    assert_eq!(published(&server).await, ["once"]);
    assert!(id.ends_with(".1"), "{id}");
}

#[tokio::test]
async fn large_and_chunked_requests_are_repeated_or_left_alone_but_never_broken() {
    let server = TestServer::spawn_with_lab(&["--log-bytes", "16MiB"]);
    let link = Link::with(&server, "a", json!({ "duplicate": 1 })).await;
    let large = "x".repeat(1024 * 1024);
    let mut connection = link.connect().await;

    connection.request(&link.post("/channels/room", &large)).await.published_id();
    let chunked = Request::new("POST", &link.target("/channels/room")).header("Transfer-Encoding", "chunked");
    connection.send(&chunked).await;
    connection.write(b"5\r\nchunk\r\n0\r\n\r\n").await;
    let head = connection.head().await;
    assert_eq!(head.status, 201);

    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room").after("start")).await;
    let texts = reader.texts(3).await;
    assert!(texts[0] == large && texts[1] == large && texts[2] == "chunk");
}

crate::on_transports! {
    duplicated_subscriptions_lose_nothing on [websocket, sse, stream, poll];
}

async fn duplicated_subscriptions_lose_nothing(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "duplicate": 1 })).await;
    PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    let mut reader = link.reader(transport, Subscription::to("room").after("start")).await;

    assert_eq!(reader.texts(3).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_has_reached_the_server() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "drop_answer": 1 })).await;

    let outcome = link.answer_and_ending(&link.post("/channels/room", "unknown outcome")).await;

    assert_eq!(outcome, (String::new(), Ending::Reset));
    assert_eq!(published(&server).await, ["unknown outcome"]);
}

#[tokio::test]
async fn streams_and_websockets_do_not_lose_their_answers() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "drop_answer": 1 })).await;
    PostPublisher::open(&server, "room").await.numbers([1]).await;
    for transport in [Transport::WebSocket, Transport::Sse, Transport::Stream] {
        let mut reader = link.reader(transport, Subscription::to("room").after("start")).await;
        assert_eq!(reader.texts(1).await, ["1"], "{transport:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_already_awaited_is_lost_too() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut publisher = PostPublisher::open(&server, "room").await;
    let id = publisher.publish("", "before").await.published_id();
    let mut poll = link.ask(&link.get(&format!("/channels/room/poll?after={id}"))).await;
    server.wait_for_subscribers("room", "long-poll", 1).await;

    link.set(json!({ "drop_answer": 1 })).await;
    publisher.publish("", "lost").await.published_id();

    assert_eq!(poll.read_to_ending().await, (Vec::new(), Ending::Reset));
}

#[tokio::test]
async fn a_truncated_poll_loses_the_second_half_of_its_body() {
    let server = TestServer::spawn_with_lab(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=9).await;
    let target = "/channels/room/poll?after=start&client=0123456789abcdef";
    let whole = server.get(target).await;
    let link = Link::with(&server, "a", json!({ "truncate": 1 })).await;

    let mut connection = link.ask(&link.get(target)).await;

    let head = connection.head().await;
    assert_eq!(head.header("Content-Length"), Some(whole.body.len().to_string().as_str()), "the head promises all");
    let (body, ending) = connection.read_to_ending().await;
    assert_eq!((body.as_slice(), ending), (&whole.body[..whole.body.len() / 2], Ending::Fin));
}

#[tokio::test]
async fn only_polls_are_truncated() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "truncate": 1 })).await;
    assert_eq!(link.connect().await.request(&link.get("/")).await.body, server.get("/").await.body);
    link.connect().await.request(&link.post("/channels/room", "x")).await.published_id();
}

#[tokio::test]
async fn a_healed_link_neither_repeats_nor_loses() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "duplicate": 1, "truncate": 1, "drop_answer": 1 })).await;
    link.heal().await;
    let mut connection = link.connect().await;

    connection.request(&link.post("/channels/room", "once")).await.published_id();
    let polled = connection.request(&link.get("/channels/room/poll?after=start")).await.json();

    assert_eq!(polled["events"].as_array().map(Vec::len), Some(2), "hello and one message: {polled}");
}
