//! Middleboxes that hold answers back: proxies that buffer, and antivirus software.

use serde_json::{Value, json};

use crate::harness::{
    Connection, Link, Reader, Request, Response, Subscription, TestServer, Transport, publisher::PostPublisher,
};

const WHOLE: &str = r#"{"buffer": {}}"#;

crate::on_transports! {
    an_endless_answer_never_passes_a_proxy_that_holds_it_whole on [sse, sse_raw, stream];
    a_polls_answer_passes_a_proxy_that_holds_it_whole on [poll];
    a_websocket_is_not_held on [websocket];
    setting_a_buffer_holds_what_is_open_and_healing_frees_it on [sse, stream];
}

fn faults(text: &str) -> Value {
    serde_json::from_str(text).expect("faults are JSON")
}

/// Everything that has come over a connection until it is cut.
async fn come_until_cut(link: &Link, mut connection: Connection) -> String {
    link.cut().await;
    String::from_utf8(connection.read_to_ending().await.0).expect("text")
}

/// Publishes, and waits until somebody who reads directly has it.
async fn publish(server: &TestServer, text: &str) {
    let mut direct = Reader::open(server, Transport::Stream, &Subscription::to("room")).await;
    PostPublisher::open(server, "room").await.publish("", text).await.published_id();
    assert_eq!(direct.texts(1).await, [text]);
}

async fn an_endless_answer_never_passes_a_proxy_that_holds_it_whole(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", faults(WHOLE)).await;
    let name = transport.path();
    let connection = link.ask(&link.subscribe(transport, "room")).await;
    server.wait_for_subscribers("room", name, 1).await;
    publish(&server, "held").await;

    assert_eq!(come_until_cut(&link, connection).await, "", "not even the head");
}

async fn a_polls_answer_passes_a_proxy_that_holds_it_whole(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", faults(WHOLE)).await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;
    publish(&server, "x").await;
    assert_eq!(reader.texts(1).await, ["x"]);
}

async fn a_websocket_is_not_held(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "buffer": {}, "hold_events": true })).await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;
    publish(&server, "x").await;
    assert_eq!(reader.texts(1).await, ["x"]);
}

async fn setting_a_buffer_holds_what_is_open_and_healing_frees_it(transport: Transport) {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::of(&server, "a").await;
    let mut freed = link.reader(transport, Subscription::to("room")).await;
    let cut = Link::with(&server, "b", faults(WHOLE)).await;
    let held = cut.ask(&cut.subscribe(transport, "room")).await;
    cut.wait_for_exchanges(1).await;

    link.set(faults(WHOLE)).await;
    publish(&server, "1").await;
    publish(&server, "2").await;
    assert_eq!(come_until_cut(&cut, held).await, "");
    link.heal().await;

    assert_eq!(freed.texts(2).await, ["1", "2"]);
}

#[tokio::test]
async fn a_buffer_passes_on_when_it_is_full_and_begins_to_fill_again() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let link = Link::with(&server, "a", json!({ "buffer": { "until_bytes": 8192 } })).await;
    let mut stream = link.ask(&link.get("/channels/room/stream")).await;
    server.wait_for_subscribers("room", "stream", 1).await;

    publish(&server, "small").await;
    publish(&server, &"x".repeat(9000)).await;
    let come = stream.text_through("xxx").await;
    assert!(come.starts_with("HTTP/1.1 200 ") && come.contains("hello") && come.contains("small"), "{come}");
    publish(&server, "held").await;

    let rest = come_until_cut(&link, stream).await;
    assert!(!rest.contains("held"), "{rest}");
}

#[tokio::test]
async fn an_answer_that_asks_not_to_be_held_passes_where_that_is_honored() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "buffer": { "until_bytes": 8192, "honor_accel": true } })).await;

    // The server's streams carry `X-Accel-Buffering: no`.
    for transport in [Transport::Sse, Transport::Stream] {
        let mut reader = link.reader(transport, Subscription::to("room")).await;
        publish(&server, "x").await;
        assert_eq!(reader.texts(1).await, ["x"]);
    }
}

#[tokio::test]
async fn answers_that_end_pass_any_buffer_unchanged() {
    let server = TestServer::spawn_with_lab(&[]);
    for rule in [json!({}), json!({ "until_bytes": 100 }), json!({ "until_bytes": 1_000_000 })] {
        let link = Link::with(&server, "a", json!({ "buffer": rule, "hold_events": true })).await;
        let mut connection = link.connect().await;
        for target in ["/", "/healthz", "/nowhere", "/client/fallcast.js"] {
            let (direct, through): (Response, _) =
                (server.get(target).await, connection.request(&link.get(target)).await);
            assert_eq!((through.status(), through.body), (direct.status(), direct.body), "{target}");
        }
        let head = connection.request(&Request::new("HEAD", &link.target("/"))).await;
        assert_eq!(head.status(), 200);
    }
}

/// An event stream over a link with antivirus; its head passes at once.
async fn scanned(server: &TestServer) -> (Link, Connection) {
    let link = Link::with(server, "a", json!({ "hold_events": true })).await;
    let mut connection = link.ask(&link.subscribe(Transport::SseRaw, "room")).await;
    assert_eq!(connection.head().await.status, 200);
    (link, connection)
}

#[tokio::test]
async fn an_event_is_held_until_the_next_one_begins() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let (link, mut stream) = scanned(&server).await;
    let mut before = String::new();

    for (text, passes) in [("one", "hello"), ("two", "data: one\n\n"), ("three", "data: two\n\n")] {
        publish(&server, text).await;
        before = stream.text_through(passes).await;
        assert!(!before.contains(text), "{before}");
    }

    let rest = come_until_cut(&link, stream).await;
    assert!(!(before + &rest).contains("three"), "{rest}");
}

/// In `raw` heartbeats are comments, and a comment is no event.
#[tokio::test]
async fn a_comment_does_not_free_an_event() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "100ms"]);
    let (link, stream) = scanned(&server).await;
    publish(&server, "one").await;
    // Somebody who reads directly gets some heartbeats, and the one who is held has had as many.
    let mut direct = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    for _ in 0..5 {
        direct.next().await.expect("heartbeats go on");
    }

    let come = come_until_cut(&link, stream).await;
    assert!(!come.contains("one"), "{come}");
}

#[tokio::test]
async fn antivirus_that_is_switched_on_and_off_acts_on_open_streams() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h"]);
    let (healed, cut) = (Link::of(&server, "healed").await, Link::of(&server, "cut").await);
    let mut freed = healed.reader(Transport::Sse, Subscription::to("room")).await;
    let mut held = cut.ask(&cut.subscribe(Transport::Sse, "room")).await;
    assert_eq!(held.head().await.status, 200);
    publish(&server, "zero").await;

    for link in [&healed, &cut] {
        link.set(json!({ "hold_events": true })).await;
    }
    publish(&server, "one").await;
    publish(&server, "two").await;
    held.text_through("one").await;
    let rest = come_until_cut(&cut, held).await;
    assert!(!rest.contains("two"), "{rest}");
    healed.heal().await;

    assert_eq!(freed.texts(3).await, ["zero", "one", "two"]);
}

#[tokio::test]
async fn other_transports_do_not_interest_antivirus() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "preset": "antivirus" })).await;
    for transport in [Transport::WebSocket, Transport::Stream, Transport::Poll] {
        let mut reader = link.reader(transport, Subscription::to("room")).await;
        publish(&server, "x").await;
        assert_eq!(reader.texts(1).await, ["x"], "{transport:?}");
    }
}

/// Only long-polling lives behind a corporate proxy.
#[tokio::test]
async fn behind_a_corporate_proxy_only_polls_live() {
    let server = TestServer::spawn_with_lab(&[]);
    let link = Link::with(&server, "a", json!({ "preset": "corporate-proxy" })).await;

    let mut refused = link.ask(&Request::websocket(&link.target("/channels/room/ws"))).await;
    assert_eq!(refused.head().await.status, 403);
    let held = link.ask(&link.get("/channels/room/sse")).await;
    server.wait_for_subscribers("room", "sse", 1).await;
    let mut reader = link.reader(Transport::Poll, Subscription::to("room")).await;
    publish(&server, "x").await;
    assert_eq!(reader.texts(1).await, ["x"]);
    assert_eq!(come_until_cut(&link, held).await, "");
}
