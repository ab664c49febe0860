//! The NDJSON stream: one event object a line.

use crate::harness::{Connection, Event, Request, TestServer, http::BodyReader};

#[tokio::test]
async fn the_headers_keep_every_layer_from_buffering_and_transforming() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::get("/channels/room/stream").header("Accept-Encoding", "gzip, br")).await;

    let head = connection.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("Content-Type"), Some("application/x-ndjson"));
    assert_eq!(head.header("Cache-Control"), Some("no-store, no-transform"));
    assert_eq!(head.header("X-Accel-Buffering"), Some("no"));
    assert_eq!(head.header("Content-Encoding"), None);
}

#[tokio::test]
async fn every_line_is_one_event_whatever_was_published() {
    let server = TestServer::spawn(&["--drain-time", "2s"]);
    let texts = ["a\nb\r\nc", "\n{\"message\":{}}\n", "\u{2028}", ""];
    for text in texts {
        server.request(Request::post("/channels/room", text)).await.published_id();
    }
    server.request(Request::post_json("/channels/room", "{\n\"a\":\n1}")).await.published_id();
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/channels/room/stream?after=start")).await;
    let head = connection.head().await;
    let mut body = BodyReader::new(&head);
    let mut received = body.chunk(&mut connection).await.expect("the stream begins");

    server.terminate();
    while let Some(chunk) = body.chunk(&mut connection).await {
        received.extend(chunk);
    }

    let text = String::from_utf8(received).expect("the stream is UTF-8");
    assert!(text.ends_with('\n'), "the last line is finished too");
    let events: Vec<_> = text.split_terminator('\n').map(Event::from_json).collect();
    let messages: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Message(message) = event { Some(message.text()) } else { None })
        .collect();
    assert_eq!(messages, [&texts[..], &[r#"{"a":1}"#]].concat());
    assert!(
        matches!(events[0], Event::Hello(_)) && matches!(events[events.len() - 1], Event::Goodbye(_)),
        "{events:?}"
    );
}
