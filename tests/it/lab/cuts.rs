//! Connections that are cut: after bytes, messages, time or idleness; by FIN, by RST, or by silence.

use serde_json::{Value, json};

use crate::harness::{
    Connection, Ending, Frame, Link, Reader, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    websocket::{PING, RawWebSocket, TEXT},
};

crate::on_transports! {
    a_cut_after_messages_lets_the_last_one_arrive_whole on [websocket, websocket_raw, sse, sse_raw, stream];
    messages_are_counted_from_when_the_faults_are_set on [websocket, sse, stream];
    a_cut_by_time_ends_what_is_open on [websocket, sse, stream];
    after_silence_nothing_arrives_and_nothing_ends on [websocket, sse, stream];
    the_server_does_not_learn_of_a_client_that_leaves_in_silence on [websocket, sse, stream];
    an_idle_exchange_is_cut on [websocket, sse, poll, stream];
    a_busy_exchange_is_not_idle on [websocket, sse, stream];
}

/// A server whose own heartbeats stay out of the way.
fn server() -> TestServer {
    TestServer::spawn_with_lab(&["--heartbeat", "1h"])
}

fn name(transport: Transport) -> &'static str {
    if transport == Transport::WebSocket { "websocket" } else { transport.path() }
}

#[tokio::test]
async fn a_cut_after_bytes_is_exact() {
    for (how, ending) in [("fin", Ending::Fin), ("rst", Ending::Reset)] {
        let server = server();
        let whole = {
            let link = Link::of(&server, "whole").await;
            let (answer, _) = link.answer_and_ending(&link.get("/healthz").header("Connection", "close")).await;
            answer
        };
        for bytes in [0, 1, 20, whole.len() - 1] {
            let link = Link::with(&server, "cut", json!({ "cut": { "after_bytes": bytes, "how": how } })).await;
            let request = link.get("/healthz").header("Connection", "close");
            let (answer, ended) = link.answer_and_ending(&request).await;
            // The date may be another one.
            assert_eq!((answer.len(), ended), (bytes, ending), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_range_is_drawn_anew_for_each_exchange_and_the_same_again_with_the_same_seed() {
    let server = server();
    let mut runs = Vec::new();
    for (name, seed) in [("one", 1), ("again", 1), ("other", 2)] {
        let link =
            Link::with(&server, name, json!({ "seed": seed, "cut": { "after_bytes": [1, 100], "how": "rst" } })).await;
        let mut lengths = Vec::new();
        for _ in 0..10 {
            lengths.push(link.answer_and_ending(&link.get("/")).await.0.len());
        }
        assert!(lengths.iter().all(|length| (1..=100).contains(length)), "{lengths:?}");
        runs.push(lengths);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!(runs[0].windows(2).any(|pair| pair[0] != pair[1]), "{runs:?}");
}

/// How many messages a subscriber gets until its connection is cut.
async fn messages_until_end(reader: &mut Reader) -> Vec<String> {
    let events = reader.until_end().await;
    let message = |event| match event {
        crate::harness::Event::Message(message) => Some(message.text().to_owned()),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

async fn a_cut_after_messages_lets_the_last_one_arrive_whole(transport: Transport) {
    let server = server();
    PostPublisher::open(&server, "room").await.numbers(1..=50).await;
    // What a subscription says before its first message counts, where it is a message of the framing.
    let hello = u64::from(transport != Transport::WebSocketRaw);
    for how in ["fin", "rst"] {
        let faults = json!({ "cut": { "after_messages": 7 + hello, "how": how } });
        let link = Link::with(&server, "a", faults).await;
        let mut reader = link.reader(transport, Subscription::to("room").after("start")).await;

        assert_eq!(messages_until_end(&mut reader).await, ["1", "2", "3", "4", "5", "6", "7"], "{how}");
    }
}

async fn messages_are_counted_from_when_the_faults_are_set(transport: Transport) {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;
    publisher.numbers(1..=5).await;
    assert_eq!(reader.texts(5).await.len(), 5);

    link.set(json!({ "cut": { "after_messages": 3 } })).await;
    publisher.numbers(6..=20).await;

    assert_eq!(messages_until_end(&mut reader).await, ["6", "7", "8"]);
}

#[tokio::test]
async fn a_polls_answer_is_cut_between_two_events() {
    let server = server();
    PostPublisher::open(&server, "room").await.numbers(1..=5).await;
    let link = Link::with(&server, "a", json!({ "cut": { "after_messages": 2 } })).await;
    let id =
        server.get("/channels/room/poll?after=start").await.json()["cursor"].as_str().expect("a cursor").to_owned();
    let before_all = crate::harness::event::moved(&id, -5);

    let (answer, ending) = link.answer_and_ending(&link.get(&format!("/channels/room/poll?after={before_all}"))).await;

    assert_eq!(ending, Ending::Fin);
    assert_eq!(answer.matches("\"message\"").count(), 2, "{answer}");
    assert!(answer.ends_with("}}"), "{answer}");
}

async fn a_cut_by_time_ends_what_is_open(transport: Transport) {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;
    server.wait_for_subscribers("room", name(transport), 1).await;

    link.set(json!({ "cut": { "after_ms": [0, 50], "how": "rst" } })).await;

    assert!(reader.until_end().await.is_empty());
    server.wait_for_subscribers("room", name(transport), 0).await;
}

/// However busy the lab is, it does not overlook a fault because the next change follows at once.
#[tokio::test]
async fn a_cut_that_is_healed_at_once_has_cut() {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(link.reader(Transport::Stream, Subscription::to("room")).await);
    }

    link.cut().await;
    link.heal().await;

    for mut reader in readers {
        assert!(reader.until_end().await.is_empty());
    }
}

#[tokio::test]
async fn a_cut_for_what_is_open_spares_what_comes() {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut open = link.reader(Transport::Sse, Subscription::to("room")).await;

    link.set(json!({ "cut": { "after_ms": 0, "open_only": true } })).await;
    let mut new = link.reader(Transport::Sse, Subscription::to("room")).await;

    assert!(open.until_end().await.is_empty());
    PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
    assert_eq!(new.texts(1).await, ["x"]);
}

async fn publish(server: &TestServer, text: &str) {
    let mut direct = Reader::open(server, Transport::Stream, &Subscription::to("room")).await;
    PostPublisher::open(server, "room").await.publish("", text).await.published_id();
    assert_eq!(direct.texts(1).await, [text]);
}

fn silence(direction: &str) -> Value {
    json!({ "cut": { "after_ms": 0, "how": "silence", "direction": direction, "open_only": true } })
}

/// A subscription over a link, whose head has come.
async fn opened(link: &Link, transport: Transport) -> Connection {
    let mut connection = link.ask(&link.subscribe(transport, "room")).await;
    assert!(matches!(connection.head().await.status, 101 | 200));
    connection
}

async fn after_silence_nothing_arrives_and_nothing_ends(transport: Transport) {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut silent = opened(&link, transport).await;
    publish(&server, "before").await;
    silent.text_through("before").await;

    link.set(silence("both")).await;
    publish(&server, "lost").await;
    link.heal().await;
    publish(&server, "lost for ever").await;
    server.wait_for_subscribers("room", name(transport), 1).await;
    let mut new = link.reader(transport, Subscription::to("room")).await;
    publish(&server, "new").await;
    assert_eq!(new.texts(1).await, ["new"], "only what was open is silent");

    // Faults still act on it, which shows that it was there all the time.
    link.set(json!({ "cut": { "after_ms": 0, "how": "rst" } })).await;
    let (come, ending) = silent.read_to_ending().await;
    let come = String::from_utf8_lossy(&come).into_owned();
    assert_eq!(ending, Ending::Reset);
    assert!(!come.contains("lost") && !come.contains("new"), "{come}");
}

async fn the_server_does_not_learn_of_a_client_that_leaves_in_silence(transport: Transport) {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut gone = link.reader(transport, Subscription::to("room")).await;
    publish(&server, "before").await;
    assert_eq!(gone.texts(1).await, ["before"]);
    link.set(silence("both")).await;
    link.set(json!({})).await;

    drop(gone);
    // A client on the same lab that leaves afterwards, and of which the server does learn.
    let other = link.reader(transport, Subscription::to("room")).await;
    server.wait_for_subscribers("room", name(transport), 2).await;
    drop(other);

    server.wait_for_subscribers("room", name(transport), 1).await;
    // To the lab, the other exchange ends a moment after the server has let go of it.
    link.wait_for_exchanges(1).await;
}

#[tokio::test]
async fn silence_may_be_on_the_way_up_alone() {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut socket = link.websocket("/channels/room/ws").await;

    link.set(silence("up")).await;
    assert!(socket.send(&Frame::new(TEXT, "lost")).await);
    assert!(socket.send(&Frame::new(PING, "lost")).await);
    publish(&server, "heard").await;

    let frame = socket.frame().await.expect("the way down is open");
    assert_eq!(frame.payload, b"heard", "nothing was published before, and no pong came");
}

#[tokio::test]
async fn silence_may_be_on_the_way_down_alone() {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut socket: RawWebSocket = link.websocket("/channels/room/ws").await;
    let mut direct = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    link.set(silence("down")).await;
    assert!(socket.send(&Frame::new(TEXT, "published")).await);
    assert_eq!(direct.texts(1).await, ["published"]);

    link.cut().await;
    assert_eq!(socket.into_connection().read_to_ending().await, (Vec::new(), Ending::Fin));
}

#[tokio::test]
async fn silence_after_bytes_and_messages_begins_behind_them() {
    let server = server();
    PostPublisher::open(&server, "room").await.numbers(1..=9).await;
    let link = Link::with(&server, "a", json!({ "cut": { "after_messages": 4, "how": "silence" } })).await;
    let mut reader = link.reader(Transport::Stream, Subscription::to("room").after("start")).await;
    assert_eq!(reader.texts(3).await, ["1", "2", "3"]);
    link.cut().await;
    assert!(reader.until_end().await.is_empty());

    let link = Link::with(&server, "a", json!({ "cut": { "after_bytes": 12, "how": "silence" } })).await;
    let mut connection = link.ask(&link.get("/healthz")).await;
    assert_eq!(connection.read_exact(12).await.as_deref(), Some(&b"HTTP/1.1 200"[..]));
    link.cut().await;
    assert_eq!(connection.read_to_ending().await, (Vec::new(), Ending::Fin));
}

/// On the way up alone, the rest of the answer still comes.
#[tokio::test]
async fn silence_on_the_way_up_after_messages_leaves_the_way_down_open() {
    let server = server();
    PostPublisher::open(&server, "room").await.numbers(1..=9).await;
    let faults = json!({ "cut": { "after_messages": 4, "how": "silence", "direction": "up" } });
    let link = Link::with(&server, "a", faults).await;

    let mut reader = link.reader(Transport::WebSocket, Subscription::to("room").after("start")).await;
    assert_eq!(reader.texts(9).await.len(), 9);
    reader.send_text(r#"{"publish":{"data":"lost"}}"#).await;
    publish(&server, "heard").await;

    assert_eq!(reader.texts(1).await, ["heard"]);
}

async fn an_idle_exchange_is_cut(transport: Transport) {
    for (how, ending) in [("fin", Ending::Fin), ("rst", Ending::Reset)] {
        let server = server();
        let link = Link::of(&server, "a").await;
        let id = PostPublisher::open(&server, "room").await.publish("", "x").await.published_id();
        let mut connection = match transport {
            Transport::Poll => link.ask(&link.get(&format!("/channels/room/poll?after={id}"))).await,
            _ => opened(&link, transport).await,
        };
        link.wait_for_exchanges(1).await;

        link.set(json!({ "idle": { "after_ms": 100, "how": how } })).await;

        assert_eq!(connection.read_to_ending().await.1, ending, "{how}");
    }
}

async fn a_busy_exchange_is_not_idle(transport: Transport) {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "200ms"]);
    let link = Link::with(&server, "a", json!({ "idle": { "after_ms": 20_000 } })).await;
    let mut reader = link.reader(transport, Subscription::to("room")).await;
    // The link's patience is much longer than the time between two heartbeats, whatever else the machine has to do.
    for number in 0..10 {
        publish(&server, &number.to_string()).await;
        assert_eq!(reader.texts(1).await, [number.to_string()]);
    }
}

#[tokio::test]
async fn a_laptop_that_slept_has_silent_connections_and_can_open_new_ones() {
    let server = server();
    let link = Link::of(&server, "a").await;
    let mut silent = opened(&link, Transport::Sse).await;

    link.set(json!({ "preset": "laptop-sleep" })).await;
    publish(&server, "asleep").await;
    let mut new = link.reader(Transport::Sse, Subscription::to("room")).await;
    publish(&server, "awake").await;

    assert_eq!(new.texts(1).await, ["awake"]);
    link.set(json!({ "cut": { "after_ms": 0 } })).await;
    let (come, _) = silent.read_to_ending().await;
    assert!(!String::from_utf8_lossy(&come).contains("asleep"));
}
