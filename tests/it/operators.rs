//! What operators see: health, readiness, metrics, the list of channels, and that others do not see it.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::harness::{
    Connection, Reader, Request, Subscription, TestServer, Transport, event::offset_of, publisher::PostPublisher,
    websocket::RawWebSocket,
};

#[tokio::test]
async fn a_server_that_runs_is_healthy_and_ready() {
    let server = TestServer::spawn(&[]);

    assert_eq!(server.get("/healthz").await.status(), 200);
    assert_eq!(server.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn the_list_shows_each_channel_with_its_head_and_its_subscribers_per_transport() {
    let server = TestServer::spawn(&[]);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=3).await;
    let _readers = [
        Reader::open(&server, Transport::Stream, &Subscription::to("room")).await,
        Reader::open(&server, Transport::WebSocket, &Subscription::to("room")).await,
        Reader::open(&server, Transport::WebSocketRaw, &Subscription::to("room")).await,
    ];

    let list = server.get("/channels").await.json();

    let room = &list["channels"][0];
    assert_eq!((&room["channel"], &room["head"]), (&"room".into(), &ids[2].as_str().into()), "{list}");
    for (transport, count) in [("stream", 1), ("websocket", 2), ("sse", 0), ("long-poll", 0)] {
        assert_eq!(room["subscribers"][transport], count, "{list}");
    }
}

/// The metrics' names and values, in the order in which they are shown. Comments are left out, and so is every sample
/// that is no count.
async fn metrics(server: &TestServer) -> Vec<(String, u64)> {
    let response = server.get("/metrics").await;
    assert_eq!(response.status(), 200);
    let lines = response.text().lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample is a name and a value");
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// The value of the one sample whose name contains all the parts.
#[track_caller]
fn sample(metrics: &[(String, u64)], parts: &[&str]) -> u64 {
    let mut found = metrics.iter().filter(|(name, _)| parts.iter().all(|part| name.contains(part)));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => *value,
        other => panic!("{parts:?} names not one sample but {other:?}"),
    }
}

#[tokio::test]
async fn the_metrics_count_subscribers_events_and_bytes_per_transport() {
    let server = TestServer::spawn(&[]);
    let mut readers = [
        Reader::open(&server, Transport::Stream, &Subscription::to("room")).await,
        Reader::open(&server, Transport::Sse, &Subscription::to("room")).await,
    ];
    PostPublisher::open(&server, "room").await.numbers(1..=5).await;
    for reader in &mut readers {
        reader.texts(5).await;
    }

    let metrics = metrics(&server).await;

    for transport in [r#"transport="stream""#, r#"transport="sse""#] {
        assert_eq!(sample(&metrics, &["fallcast_subscribers{", transport]), 1);
        assert!(sample(&metrics, &["fallcast_events_total{", transport]) >= 5);
        assert!(sample(&metrics, &["fallcast_bytes_total{", transport]) > 0);
    }
}

#[tokio::test]
async fn the_metrics_count_gaps_per_transport_and_reason_and_refusals_by_reason() {
    let server = TestServer::spawn(&[]);
    server.get("/channels/room/poll?after=garbage").await.assert_problem(400);
    let _gap =
        Reader::open(&server, Transport::Sse, &Subscription::to("room").after("another-epoch.1")).await.gap().await;

    let metrics = metrics(&server).await;

    assert_eq!(sample(&metrics, &["fallcast_gaps_total{", r#"transport="sse""#, r#"reason="epoch""#]), 1);
    let refusals = metrics.iter().filter(|(name, _)| name.starts_with("fallcast_refusals_total{"));
    assert_eq!(refusals.map(|(_, value)| value).sum::<u64>(), 1);
}

#[tokio::test]
async fn the_metrics_have_the_content_type_that_scrapers_ask_for() {
    let server = TestServer::spawn(&[]);

    let response = server.get("/metrics").await;

    let content_type = response.header("Content-Type").expect("a content type");
    assert!(
        content_type.starts_with("application/openmetrics-text") || content_type.starts_with("text/plain"),
        "{content_type}"
    );
}

/// An address of this machine that is not the loopback interface's. Connecting a UDP socket sends nothing; it asks the
/// kernel for the way.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A server on all interfaces, and its address as a neighbor in the network sees it. `None` on a machine without a
/// network.
pub fn server_in_the_network(arguments: &[&str]) -> Option<(TestServer, SocketAddr)> {
    let address = own_address()?;
    let server = TestServer::spawn_on("0.0.0.0", arguments);
    let port = server.address().port();
    Some((server, SocketAddr::new(address, port)))
}

#[tokio::test]
async fn who_comes_over_the_network_sees_neither_metrics_nor_channels() {
    let Some((_server, address)) = server_in_the_network(&[]) else { return };

    for target in ["/metrics", "/channels"] {
        let response = Connection::open(address).await.request(&Request::get(target)).await;
        response.assert_problem(403);
        let disguised =
            Request::get(target).header("X-Forwarded-For", "127.0.0.1").header("Forwarded", "for=127.0.0.1");
        Connection::open(address).await.request(&disguised).await.assert_problem(403);
    }
}

#[tokio::test]
async fn who_comes_over_the_network_may_use_everything_else() {
    let Some((_server, address)) = server_in_the_network(&[]) else { return };

    for target in ["/", "/healthz", "/readyz", "/channels/room/poll", "/channels/room/presence"] {
        let response = Connection::open(address).await.request(&Request::get(target)).await;
        assert_eq!(response.status(), 200, "{target}");
    }
}

#[tokio::test]
async fn operators_can_be_allowed_over_the_network() {
    let Some((_server, address)) = server_in_the_network(&["--allow-operators"]) else { return };

    for target in ["/metrics", "/channels"] {
        assert_eq!(Connection::open(address).await.request(&Request::get(target)).await.status(), 200, "{target}");
    }
}

/// A page of another origin must not read the list through an operator's browser on the same machine.
#[tokio::test]
async fn a_foreign_page_on_the_operators_machine_sees_nothing() {
    let server = TestServer::spawn(&[]);

    for target in ["/metrics", "/channels"] {
        let response = server.request(Request::get(target).header("Origin", "https://elsewhere.example")).await;
        assert_eq!(response.header("Access-Control-Allow-Origin"), None, "{target}");
    }
}

#[tokio::test]
async fn a_publication_tells_how_many_subscribers_there_are() {
    let server = TestServer::spawn(&[]);
    let _socket = RawWebSocket::open(&server, "/channels/room/ws").await;
    server.wait_for_subscribers("room", "websocket", 1).await;

    let published = server.request(Request::post("/channels/room", "x")).await;

    assert_eq!(published.json()["subscribers"], 1);
    assert_eq!(offset_of(&published.published_id()), 1);
}
