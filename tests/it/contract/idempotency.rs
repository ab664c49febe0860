//! A publication under a key happens once, however often and wherever it is repeated.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{
    HANG_GUARD, Reader, Request, Response, Subscription, TestServer, Transport,
    publisher::{PostPublisher, WebSocketPublisher},
};

/// Publishes a text under a key on a connection of its own.
async fn publish(server: &TestServer, key: &str, text: &str) -> Response {
    server.request(Request::post(&format!("/channels/room?key={key}"), text)).await
}

#[tokio::test]
async fn a_repeated_publication_returns_the_first_result_and_is_not_appended_again() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    let first = publish(&server, "k1", "once").await;
    let again = publish(&server, "k1", "once").await;
    publish(&server, "k2", "the end").await;

    assert_eq!(again.status(), 201);
    assert_eq!(again.published_id(), first.published_id());
    assert_eq!(reader.texts(2).await, ["once", "the end"]);
}

#[tokio::test]
async fn concurrent_duplicates_are_appended_once_and_all_get_the_same_id() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;

    for round in 0..10 {
        let (key, text) = (format!("key-{round}"), format!("round {round}"));
        let responses = join_all((0..16).map(|_| publish(&server, &key, &text))).await;
        let ids: Vec<_> = responses.iter().map(Response::published_id).collect();
        assert!(ids.iter().all(|id| id == &ids[0]), "{ids:?}");
        assert_eq!(reader.message().await.id, ids[0]);
    }
    publish(&server, "the-end", "the end").await;
    assert_eq!(reader.texts(1).await, ["the end"]);
}

#[tokio::test]
async fn another_body_under_the_same_key_gets_422() {
    let server = TestServer::spawn(&[]);
    publish(&server, "k1", "one body").await.published_id();

    publish(&server, "k1", "another body").await.assert_problem(422);
}

#[tokio::test]
async fn another_label_or_content_type_under_the_same_key_gets_422() {
    let server = TestServer::spawn(&[]);
    publish(&server, "k1", "1").await.published_id();

    server.request(Request::post("/channels/room?key=k1&type=tick", "1")).await.assert_problem(422);
    server.request(Request::post_json("/channels/room?key=k1", "1")).await.assert_problem(422);
}

#[tokio::test]
async fn the_key_may_come_in_the_header_as_well() {
    let server = TestServer::spawn(&[]);
    let by_header = || Request::post("/channels/room", "once").header("Idempotency-Key", "k1");

    let first = server.request(by_header()).await.published_id();
    let again = server.request(by_header()).await.published_id();
    let by_query = publish(&server, "k1", "once").await.published_id();

    assert_eq!([&again, &by_query], [&first, &first]);
}

#[tokio::test]
async fn a_key_over_websocket_and_over_post_is_the_same_key() {
    let server = TestServer::spawn(&[]);
    let mut websocket = WebSocketPublisher::open(&server, &Subscription::to("room")).await;

    let first = websocket.published(json!({ "data": "once", "key": "k1" })).await;
    let again = websocket.published(json!({ "data": "once", "key": "k1" })).await;
    let by_post = publish(&server, "k1", "once").await.published_id();
    let refused = websocket.publish(json!({ "data": "another", "key": "k1" })).await;

    assert_eq!([&again, &by_post], [&first, &first]);
    assert_eq!(refused["error"]["status"], 422, "{refused}");
}

#[tokio::test]
async fn keys_of_two_channels_are_different_keys() {
    let server = TestServer::spawn(&[]);
    let there = || Request::post("/channels/there?key=k1", "there");

    publish(&server, "k1", "here").await.published_id();
    let first = server.request(there()).await.published_id();

    assert_eq!(server.request(there()).await.published_id(), first);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let server = TestServer::spawn(&[]);
    let json = |body| Request::post_json("/channels/room?key=k1", body);

    server.request(json("{bad")).await.assert_problem(400);

    server.request(json("{}")).await.published_id();
}

#[tokio::test]
async fn without_a_key_every_publication_is_appended() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;

    let first = publisher.publish("", "same").await.published_id();
    let second = publisher.publish("", "same").await.published_id();

    assert_ne!(first, second);
}

#[tokio::test]
async fn a_key_is_forgotten_after_its_window() {
    let server = TestServer::spawn(&["--key-window", "1s"]);
    let reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    assert_eq!(reader.hello.expect("a stream begins with hello").key_window_ms, 1_000);
    let first = publish(&server, "k1", "once").await.published_id();

    let appended_again = async {
        while publish(&server, "k1", "once").await.published_id() == first {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(HANG_GUARD, appended_again).await.expect("the window ends");
}
