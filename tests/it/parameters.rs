//! A parameter that is unknown or has a bad value is refused, by a document that says which: never a silent default.

use crate::harness::{Request, TestServer, websocket::RawWebSocket};

/// Faults that every subscription refuses, and what the explanation must name.
const FAULTS: [(&str, &str); 24] = [
    ("after=", "after"),
    ("after=garbage", "after"),
    ("after=epoch.", "after"),
    ("after=.1", "after"),
    ("after=epoch.01", "after"),
    ("after=epoch.-1", "after"),
    ("after=epoch.1.5x", "after"),
    ("after=epoch:1", "after"),
    ("after=epoch.9007199254740992", "after"),
    ("after=epoch.99999999999999999999", "after"),
    ("after=START", "after"),
    ("format=xml", "format"),
    ("format=", "format"),
    ("client=too-short", "client"),
    ("client=has%20a%20space%20in%20the%20middle", "client"),
    ("echo=2", "echo"),
    ("echo=no", "echo"),
    ("presence=yes", "presence"),
    ("as=", "as"),
    ("token=secret", "token"),
    ("unknown=1", "unknown"),
    ("After=start", "After"),
    ("after=start&after=end", "after"),
    ("after=%ff", "after"),
];

const TRANSPORTS: [&str; 3] = ["sse", "poll", "stream"];

#[tokio::test]
async fn every_bad_parameter_of_a_subscription_gets_400_and_is_named() {
    let server = TestServer::spawn(&[]);

    for transport in TRANSPORTS {
        for (query, culprit) in FAULTS {
            let target = format!("/channels/room/{transport}?{query}");
            let problem = server.get(&target).await.assert_problem(400);
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(culprit), "{target}: {problem}");
        }
    }
}

#[tokio::test]
async fn every_bad_parameter_of_a_websocket_gets_400_from_a_client_that_is_no_browser() {
    let server = TestServer::spawn(&[]);

    for (query, _) in FAULTS {
        let target = format!("/channels/room/ws?{query}");
        server.request(Request::websocket(&target)).await.assert_problem(400);
    }
}

/// A browser's script learns nothing of a status, but everything of a close frame.
#[tokio::test]
async fn every_bad_parameter_of_a_browsers_websocket_is_told_by_close_code_4000_and_a_reason() {
    let server = TestServer::spawn(&[]);

    for (query, culprit) in FAULTS {
        let target = format!("/channels/room/ws?{query}");
        let request = Request::websocket(&target).header("Origin", &server.origin());
        let mut socket = RawWebSocket::open_with(&server, request).await;
        let close = socket.frame().await.expect("a close frame comes");
        assert_eq!(close.close_code(), 4000, "{target}");
        let reason = String::from_utf8_lossy(&close.payload[2..]).into_owned();
        assert!(reason.contains(culprit), "{target}: {reason}");
    }
}

#[tokio::test]
async fn names_that_are_too_long_are_refused() {
    let server = TestServer::spawn(&[]);
    let long = "x".repeat(65);

    for (transport, parameter) in [("sse", "client"), ("poll", "client"), ("stream", "as"), ("poll", "as")] {
        server.get(&format!("/channels/room/{transport}?{parameter}={long}")).await.assert_problem(400);
    }
    server.get(&format!("/channels/room/poll?after={}.1", "e".repeat(99))).await.assert_problem(400);
}

#[tokio::test]
async fn a_name_to_be_shown_under_counts_characters_and_not_bytes() {
    let server = TestServer::spawn(&[]);
    let umlauts = |count| format!("/channels/room/poll?as={}", "%C3%A4".repeat(count));

    assert_eq!(server.get(&umlauts(64)).await.status(), 200);
    server.get(&umlauts(65)).await.assert_problem(400);
}

#[tokio::test]
async fn a_parameter_of_one_transport_is_unknown_to_the_others() {
    let server = TestServer::spawn(&[]);

    for target in [
        "/channels/room/sse?wait=1",
        "/channels/room/stream?wait=1",
        "/channels/room/poll?lastEventId=epoch.1",
        "/channels/room/poll?format=raw",
        "/channels/room/stream?format=raw",
    ] {
        server.get(target).await.assert_problem(400);
    }
}

#[tokio::test]
async fn a_bad_wait_is_refused() {
    let server = TestServer::spawn(&[]);

    for wait in ["", "-1", "soon", "1h1", "NaN", "inf", "1e400"] {
        server.get(&format!("/channels/room/poll?wait={wait}")).await.assert_problem(400);
    }
}

/// There would be no way to tell who is here.
#[tokio::test]
async fn presence_on_a_raw_websocket_is_refused() {
    let server = TestServer::spawn(&[]);

    for query in ["presence=1", "presence=1&format=raw"] {
        server.request(Request::websocket(&format!("/channels/room/ws?{query}"))).await.assert_problem(400);
    }
}

#[tokio::test]
async fn names_that_begin_with_an_underscore_are_ignored() {
    let server = TestServer::spawn(&[]);

    assert_eq!(server.get("/channels/room/poll?_=1763712000&_foo=bar").await.status(), 200);
    server.request(Request::post("/channels/room?_=1763712000", "text")).await.published_id();
}

#[tokio::test]
async fn every_bad_parameter_of_a_publication_gets_400_and_nothing_is_appended() {
    let server = TestServer::spawn(&[]);

    for query in [
        "key=",
        "key=has%20space",
        "key=k1&key=k2",
        "client=too-short",
        "type=",
        "type=has%20space",
        "type=a%0Ab",
        "unknown=1",
        "token=x",
        "after=start",
    ] {
        server.request(Request::post(&format!("/channels/room?{query}"), "text")).await.assert_problem(400);
    }
    let bad_header = |name, value| Request::post("/channels/room", "text").header(name, value);
    server.request(bad_header("Idempotency-Key", "not a key")).await.assert_problem(400);
    server.request(bad_header("X-Fallcast-Client", "too-short")).await.assert_problem(400);

    let polled = server.get("/channels/room/poll?after=start").await.json();
    assert_eq!(polled["events"].as_array().map(Vec::len), Some(1), "only hello: {polled}");
}

/// A label becomes the event type of an event source: it must not pass for an event of the protocol, nor of the
/// browser.
#[tokio::test]
async fn a_type_that_is_the_name_of_an_event_is_refused() {
    let server = TestServer::spawn(&[]);

    for name in ["hello", "message", "gap", "presence", "heartbeat", "goodbye", "open", "error", "binary"] {
        server.request(Request::post(&format!("/channels/room?type={name}"), "text")).await.assert_problem(400);
    }
    server.request(Request::post("/channels/room?type=hello.world", "text")).await.published_id();
}

#[tokio::test]
async fn a_name_that_is_no_channel_is_refused_everywhere() {
    let server = TestServer::spawn(&[]);
    let long = "x".repeat(65);

    for name in ["a%20b", "a%2Fb", "%C3%A4", "a+b", "a%0A", ".", "..", "%2E%2E", &long] {
        for address in ["", "/sse", "/poll", "/stream", "/presence"] {
            let target = format!("/channels/{name}{address}");
            server.get(&target).await.assert_problem(400);
        }
        server.request(Request::post(&format!("/channels/{name}"), "text")).await.assert_problem(400);
        server.request(Request::websocket(&format!("/channels/{name}/ws"))).await.assert_problem(400);
    }
}

#[tokio::test]
async fn every_name_that_the_rule_allows_is_a_channel() {
    let server = TestServer::spawn(&[]);
    let long = "x".repeat(64);

    for name in ["a", "A-z_0.9~", "...", ".a", &long] {
        server.request(Request::post(&format!("/channels/{name}"), "text")).await.published_id();
    }
}
