//! HEAD, OPTIONS and the methods that an address does not know.

use crate::harness::{Request, TestServer, publisher::PostPublisher};

const SUBSCRIPTIONS: [(&str, &str); 3] =
    [("sse", "text/event-stream"), ("stream", "application/x-ndjson"), ("poll", "application/json")];

#[tokio::test]
async fn head_answers_with_the_headers_and_never_waits() {
    let server = TestServer::spawn(&["--poll-hold", "10m"]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);

    for (transport, content_type) in SUBSCRIPTIONS {
        let response = server.request(Request::new("HEAD", &format!("/channels/room/{transport}?after={id}"))).await;
        assert_eq!(response.status(), 200, "{transport}");
        assert_eq!(response.header("Content-Type"), Some(content_type));
        assert!(response.header("Cache-Control").is_some_and(|value| value.contains("no-store")));
    }
}

#[tokio::test]
async fn head_of_a_bad_request_is_a_bad_request() {
    let server = TestServer::spawn(&[]);

    for (transport, _) in SUBSCRIPTIONS {
        let response = server.request(Request::new("HEAD", &format!("/channels/room/{transport}?after=garbage"))).await;
        assert_eq!(response.status(), 400, "{transport}");
    }
}

#[tokio::test]
async fn options_names_every_method_and_header_that_is_understood() {
    let server = TestServer::spawn(&[]);

    let subscribing = ["GET", "HEAD", "OPTIONS"].as_slice();
    for (address, methods) in [
        ("/channels/room", ["GET", "HEAD", "POST", "OPTIONS"].as_slice()),
        ("/channels/room/sse", subscribing),
        ("/channels/room/poll", subscribing),
        ("/channels/room/stream", subscribing),
        ("/channels/room/leave", &["POST", "OPTIONS"]),
    ] {
        let preflight = Request::new("OPTIONS", address)
            .header("Origin", &server.origin())
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "last-event-id");
        let response = server.request(preflight).await;
        assert_eq!(response.status(), 204, "{address}");
        assert_eq!(response.header("Access-Control-Max-Age"), Some("7200"));
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let is_listed = response.head.lists("Access-Control-Allow-Methods", method);
            assert_eq!(is_listed, methods.contains(&method), "{method} at {address}");
        }
        for header in ["Last-Event-ID", "Content-Type", "Idempotency-Key", "X-Fallcast-Client", "Authorization"] {
            assert!(response.head.lists("Access-Control-Allow-Headers", header), "{header} at {address}");
        }
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_know_gets_405_and_the_list_of_those_it_knows() {
    let server = TestServer::spawn(&[]);

    for (method, address) in [("DELETE", "/channels/room"), ("PUT", "/channels/room"), ("POST", "/channels/room/sse")] {
        let response = server.request(Request::new(method, address).header("Content-Length", "0")).await;
        response.assert_problem(405);
        assert!(response.head.lists("Allow", "GET"), "{method} {address}: {:?}", response.head);
    }
}

#[tokio::test]
async fn an_unknown_address_gets_404() {
    let server = TestServer::spawn(&[]);

    for address in ["/nothing", "/channels/room/nothing", "/channels/room/sse/more"] {
        server.get(address).await.assert_problem(404);
    }
}
