//! The WebSocket handshake: RFC 6455 §4.2, and a status of its own for each fault.

use crate::harness::{Connection, Request, TestServer};

const ADDRESS: &str = "/channels/room/ws";

#[tokio::test]
async fn the_handshake_of_the_standard_gets_the_answer_of_the_standard() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::websocket(ADDRESS)).await;

    let head = connection.head().await;
    assert_eq!(head.status, 101);
    // RFC 6455 §1.3 has this pair of key and answer.
    assert_eq!(head.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(head.header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")));
    assert!(head.lists("Connection", "Upgrade"));
}

/// To answer with something that was not offered makes the client fail the connection (RFC 6455 §4.1).
#[tokio::test]
async fn no_extension_and_no_subprotocol_is_answered() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;
    let offer = Request::websocket(ADDRESS)
        .header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
        .header("Sec-WebSocket-Protocol", "chat, superchat");

    connection.send(&offer).await;

    let head = connection.head().await;
    assert_eq!(head.status, 101);
    assert_eq!(head.header("Sec-WebSocket-Extensions"), None);
    assert_eq!(head.header("Sec-WebSocket-Protocol"), None);
}

#[tokio::test]
async fn header_values_are_compared_without_regard_to_case() {
    let server = TestServer::spawn(&[]);
    let request = Request::websocket(ADDRESS)
        .without("Connection")
        .without("Upgrade")
        .header("connection", "keep-alive, UPGRADE")
        .header("upgrade", "WebSocket");
    let mut connection = Connection::open(server.address()).await;

    connection.send(&request).await;

    assert_eq!(connection.head().await.status, 101);
}

#[tokio::test]
async fn a_request_that_does_not_ask_for_an_upgrade_gets_426_and_the_version() {
    let server = TestServer::spawn(&[]);

    for request in [
        Request::get(ADDRESS),
        Request::websocket(ADDRESS).without("Upgrade"),
        Request::websocket(ADDRESS).without("Upgrade").header("Upgrade", "h2c"),
        Request::websocket(ADDRESS).without("Connection"),
    ] {
        let response = server.request(request).await;
        response.assert_problem(426);
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"));
        assert_eq!(response.header("Upgrade"), Some("websocket"), "RFC 9110 §15.5.22 asks for it");
    }
}

#[tokio::test]
async fn another_version_gets_426_and_the_version_that_is_spoken() {
    let server = TestServer::spawn(&[]);

    for version in ["8", "0", "14", "thirteen"] {
        let request =
            Request::websocket(ADDRESS).without("Sec-WebSocket-Version").header("Sec-WebSocket-Version", version);
        let response = server.request(request).await;
        response.assert_problem(426);
        assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"), "RFC 6455 §4.4");
    }
}

#[tokio::test]
async fn a_missing_version_gets_400() {
    let server = TestServer::spawn(&[]);

    server.request(Request::websocket(ADDRESS).without("Sec-WebSocket-Version")).await.assert_problem(400);
}

#[tokio::test]
async fn a_key_that_is_not_sixteen_bytes_in_base64_gets_400() {
    let server = TestServer::spawn(&[]);

    server.request(Request::websocket(ADDRESS).without("Sec-WebSocket-Key")).await.assert_problem(400);
    for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==AAAA", "!!!!!!!!!!!!!!!!!!!!!!=="] {
        let request = Request::websocket(ADDRESS).without("Sec-WebSocket-Key").header("Sec-WebSocket-Key", key);
        server.request(request).await.assert_problem(400);
    }
}

#[tokio::test]
async fn http_1_0_cannot_upgrade() {
    assert_eq!(status_over_http_1_0(Request::websocket(ADDRESS)).await, "400");
}

/// As nginx passes a handshake on, unless it is told more.
#[tokio::test]
async fn a_proxy_that_takes_upgrade_off_and_speaks_http_1_0_hears_what_is_missing() {
    assert_eq!(status_over_http_1_0(Request::websocket(ADDRESS).without("Upgrade")).await, "426");
}

async fn status_over_http_1_0(request: Request) -> String {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;
    let request = String::from_utf8(request.to_bytes("localhost")).expect("a request is text");

    connection.write(request.replacen("HTTP/1.1", "HTTP/1.0", 1).as_bytes()).await;

    let answer = connection.read_to_end().await;
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).expect("an answer has a status").to_owned()
}

#[tokio::test]
async fn a_handshake_at_an_unknown_address_gets_404() {
    let server = TestServer::spawn(&[]);

    server.request(Request::websocket("/nothing")).await.assert_problem(404);
}

#[tokio::test]
async fn another_method_gets_405() {
    let server = TestServer::spawn(&[]);
    let bytes = String::from_utf8(Request::websocket(ADDRESS).to_bytes("localhost")).expect("a request is text");
    let mut connection = Connection::open(server.address()).await;

    connection.write(bytes.replacen("GET", "DELETE", 1).as_bytes()).await;

    assert_eq!(connection.head().await.status, 405);
}
