//! Links that let nobody in for a while.

use serde_json::json;

use crate::harness::{
    Ending, Link, Request, Subscription, TestServer, Transport, publisher::PostPublisher, within_guard,
};

const AN_HOUR: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn new_exchanges_are_reset_and_open_ones_live_on() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut reader = link.reader(Transport::Sse, Subscription::to("room")).await;

    link.set(json!({ "refuse_ms": AN_HOUR })).await;

    for request in
        [link.get("/healthz"), link.post("/channels/room", "lost"), Request::websocket(&link.target("/chat"))]
    {
        assert_eq!(link.answer_and_ending(&request).await, (String::new(), Ending::Reset));
    }
    PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
    assert_eq!(reader.texts(1).await, ["x"], "nothing else was published");

    link.heal().await;
    assert_eq!(link.connect().await.request(&link.get("/healthz")).await.status(), 200);
}

#[tokio::test]
async fn new_exchanges_get_a_503_from_the_proxy_and_open_ones_live_on() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut reader = link.reader(Transport::WebSocket, Subscription::to("room")).await;

    link.set(json!({ "unavailable_ms": AN_HOUR })).await;

    for request in
        [link.get("/healthz"), link.post("/channels/room", "lost"), Request::websocket(&link.target("/chat"))]
    {
        let response = link.connect().await.request(&request).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.header("Content-Type"), Some("text/html"));
        let seconds: u64 =
            response.header("Retry-After").and_then(|text| text.parse().ok()).expect("when to come back");
        assert!((1..=3600).contains(&seconds), "{seconds}");
    }
    PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
    assert_eq!(reader.texts(1).await, ["x"], "nothing else was published");

    link.heal().await;
    assert_eq!(link.connect().await.request(&link.get("/healthz")).await.status(), 200);
}

#[tokio::test]
async fn the_door_opens_by_itself_when_its_time_is_over() {
    let server = TestServer::spawn_with_lab(&[]);
    for faults in [json!({ "refuse_ms": 300 }), json!({ "unavailable_ms": 300 })] {
        let link = Link::with(&server, "a", faults).await;
        within_guard("the door", async {
            while !link.answer_and_ending(&link.get("/healthz").header("Connection", "close")).await.0.contains(" 200 ")
            {
            }
        })
        .await;
    }
}

#[tokio::test]
async fn only_some_kinds_of_exchange_may_suffer() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "unavailable_ms": AN_HOUR, "only": ["sse", "publish"] })).await;
    let status = async |request: Request| link.connect().await.request(&request).await.status();

    assert_eq!(status(link.get("/channels/room/sse")).await, 503);
    assert_eq!(status(link.get("/channels/room").header("Accept", "text/event-stream")).await, 503);
    assert_eq!(status(link.post("/channels/room", "x")).await, 503);
    let preflight = Request::new("OPTIONS", &link.target("/channels/room"));
    assert_eq!(status(preflight.clone().header("Access-Control-Request-Method", "POST")).await, 503);
    assert_eq!(status(preflight).await, 204);
    for target in ["/channels/room/poll", "/channels/room/presence", "/healthz", "/"] {
        assert_eq!(status(link.get(target)).await, 200, "{target}");
    }
    assert_eq!(status(Request::websocket(&link.target("/channels/room/ws"))).await, 101);
}

/// What is open falls silent without an end, and nothing new connects.
#[tokio::test]
async fn a_train_in_a_tunnel() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut silent = link.ask(&link.get("/channels/room/sse")).await;
    assert_eq!(silent.head().await.status, 200);

    link.set(json!({ "preset": "train-tunnel" })).await;
    assert_eq!(link.answer_and_ending(&link.get("/healthz")).await, (String::new(), Ending::Reset));
    PostPublisher::open(&server, "room").await.publish("", "unheard").await.published_id();

    link.set(json!({ "cut": { "after_ms": 0 } })).await;
    let (come, _) = silent.read_to_ending().await;
    assert!(!String::from_utf8_lossy(&come).contains("unheard"));
}
