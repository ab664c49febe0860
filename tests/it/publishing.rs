//! `POST /channels/{channel}`: what is accepted, as what it arrives, and what is refused.

use crate::harness::{
    Connection, Message, Reader, Request, Response, Subscription, TestServer, Transport, publisher::PostPublisher,
    within_guard,
};

const ROOM: &str = "/channels/room";

/// Publishes, and returns what a subscriber gets.
async fn round_trip(request: Request) -> Message {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    let id = server.request(request).await.published_id();
    let message = reader.message().await;
    assert_eq!(message.id, id);
    message
}

async fn refused(request: Request) -> Response {
    TestServer::spawn(&[]).request(request).await
}

#[tokio::test]
async fn a_publication_is_created_and_numbered() {
    let server = TestServer::spawn(&[]);
    let _readers = [
        Reader::open(&server, Transport::Stream, &Subscription::to("room")).await,
        Reader::open(&server, Transport::WebSocket, &Subscription::to("room")).await,
    ];

    let response = server.request(Request::post(ROOM, "text")).await;

    assert_eq!(response.status(), 201);
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.json()["subscribers"], 2, "{}", response.text());
    assert!(response.published_id().ends_with(".1"));
}

#[tokio::test]
async fn an_id_is_a_cursor_after_the_message() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let ids = publisher.numbers(1..=2).await;

    let polled = server.get(&format!("/channels/room/poll?after={}", ids[0])).await.json();

    assert_eq!(polled["events"][0]["message"]["id"], ids[1]);
}

#[tokio::test]
async fn a_body_without_a_content_type_is_text() {
    let message = round_trip(Request::post(ROOM, "{not json")).await;
    assert_eq!((message.content_type.as_str(), message.text()), ("text/plain", "{not json"));
}

/// `curl -d` says that its data is a form. It is not decoded: nobody who types `curl -d 'a=b&c=%20'` wants to see
/// anything else.
#[tokio::test]
async fn a_form_is_text_as_it_came() {
    let form = Request::post(ROOM, "a=b&c=%20+").header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(round_trip(form).await.text(), "a=b&c=%20+");
}

#[tokio::test]
async fn text_of_any_kind_keeps_its_kind_and_every_byte() {
    let body = "\u{feff}# Tïtle \r\n\ttwo\n\n\0 three\u{2028}";
    let message = round_trip(Request::post(ROOM, body).header("Content-Type", "text/markdown; charset=UTF-8")).await;
    assert_eq!((message.content_type.as_str(), message.text()), ("text/markdown", body));
}

#[tokio::test]
async fn json_of_any_kind_keeps_its_kind() {
    let message = round_trip(Request::post(ROOM, "{}").header("Content-Type", "application/geo+json")).await;
    assert_eq!((message.content_type.as_str(), message.text()), ("application/geo+json", "{}"));
}

#[tokio::test]
async fn anything_else_is_bytes() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let message = round_trip(Request::post(ROOM, &every_byte).header("Content-Type", "image/png")).await;
    assert_eq!((message.content_type.as_str(), message.payload), ("image/png", every_byte));
}

#[tokio::test]
async fn an_empty_body_is_an_empty_text() {
    assert_eq!(round_trip(Request::post(ROOM, "")).await.text(), "");
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    let mut connection = Connection::open(server.address()).await;

    let chunked = Request::new("POST", ROOM).header("Transfer-Encoding", "chunked");
    connection.send(&chunked).await;
    connection.write(b"5\r\nhello\r\n").await;
    connection.write(b"7\r\n, world\r\n0\r\n\r\n").await;

    assert_eq!(connection.head().await.status, 201);
    assert_eq!(reader.texts(1).await, ["hello, world"]);
}

#[tokio::test]
async fn one_connection_carries_many_publications() {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;

    let ids = publisher.numbers(1..=200).await;

    assert!(ids[199].ends_with(".200"));
}

#[tokio::test]
async fn the_label_travels_along() {
    let message = round_trip(Request::post("/channels/room?type=tick.v2", "text")).await;
    assert_eq!(message.label.as_deref(), Some("tick.v2"));
}

#[tokio::test]
async fn text_that_is_not_utf_8_gets_400() {
    for body in [&b"\xff"[..], b"caf\xe9", b"\xed\xa0\x80"] {
        refused(Request::post(ROOM, body)).await.assert_problem(400);
        refused(Request::post(ROOM, body).header("Content-Type", "text/plain; charset=utf-8"))
            .await
            .assert_problem(400);
    }
}

#[tokio::test]
async fn another_charset_gets_415() {
    for content_type in
        ["text/plain; charset=iso-8859-1", "application/json; charset=utf-16", "text/html;charset=windows-1252"]
    {
        refused(Request::post(ROOM, "text").header("Content-Type", content_type)).await.assert_problem(415);
    }
}

#[tokio::test]
async fn a_content_encoding_gets_415() {
    for encoding in ["gzip", "br", "deflate", "gzip, br"] {
        refused(Request::post(ROOM, "text").header("Content-Encoding", encoding)).await.assert_problem(415);
    }
    round_trip(Request::post(ROOM, "text").header("Content-Encoding", "identity")).await;
}

#[tokio::test]
async fn a_content_type_that_is_none_gets_415() {
    for content_type in ["json", "/", "text/", "a b/c"] {
        refused(Request::post(ROOM, "text").header("Content-Type", content_type)).await.assert_problem(415);
    }
}

#[tokio::test]
async fn data_up_to_the_limit_is_accepted_and_one_byte_more_gets_413() {
    let server = TestServer::spawn(&["--max-message-size", "10KiB"]);
    let limit = 10 * 1024;
    // The connection has to stay usable after a refusal, or a browser would have to open another one.
    let mut publisher = PostPublisher::open(&server, "room").await;

    for (size, status) in [(limit + 1, 413), (limit, 201)] {
        assert_eq!(publisher.publish("", &"x".repeat(size)).await.status(), status, "{size} bytes");
    }
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_before_the_body_is_sent() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::new("POST", ROOM).header("Content-Length", "1099511627776")).await;

    let head = connection.head().await;
    assert_eq!((head.status, head.header("Connection")), (413, Some("close")));
}

/// A client that is still sending looks at no answer. So what is a little too large is read to its end, and a browser
/// sees a 413 in place of a broken connection.
#[tokio::test]
async fn a_body_somewhat_beyond_the_limit_is_read_to_its_end_and_the_connection_goes_on() {
    let server = TestServer::spawn(&["--max-message-size", "100KiB"]);
    let mut connection = Connection::open(server.address()).await;

    for factor in 2..=4 {
        let body = vec![b'x'; factor * 100 * 1024];
        connection.request(&Request::post(ROOM, &body)).await.assert_problem(413);
        let chunked = Request::new("POST", ROOM).header("Transfer-Encoding", "chunked");
        connection.send(&chunked).await;
        connection.write(&chunk_of(&body)).await;
        connection.write(b"0\r\n\r\n").await;
        let head = connection.head().await;
        assert_eq!((head.status, head.header("Connection")), (413, None));
        connection.body(&head).await;
    }

    connection.request(&Request::post(ROOM, "small")).await.published_id();
}

/// A chunk of a chunked body (RFC 9112 §7.1).
fn chunk_of(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn chunks_without_end_are_refused_and_take_no_memory() {
    let server = TestServer::spawn(&[]);
    let before = server.resident_bytes();
    let chunk = chunk_of(&vec![b'x'; 1 << 20]);
    let (mut sent, mut most) = (0, before);
    for target in [ROOM, "/channels/room/sse", "/", "/nothing"] {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::new("POST", target).header("Transfer-Encoding", "chunked")).await;
        within_guard("the server to hang up", async {
            while connection.try_write(&chunk).await {
                sent += 1;
                most = most.max(server.resident_bytes());
            }
        })
        .await;
    }

    let grown = most - before;
    assert!(grown < 32 << 20, "{sent} MiB were sent, memory grew by {grown} bytes");
}

#[tokio::test]
async fn who_publishes_faster_than_allowed_gets_429_and_is_told_when_to_come_back() {
    let server = TestServer::spawn(&["--publish-rate", "5"]);
    let mut publisher = PostPublisher::open(&server, "room").await;

    let mut refusal = None;
    for _ in 0..100 {
        let response = publisher.publish("", "text").await;
        if response.status() != 201 {
            refusal = Some(response);
            break;
        }
    }

    let refusal = refusal.expect("a hundred at once are too many");
    refusal.assert_problem(429);
    let seconds = refusal.header("Retry-After").and_then(|value| value.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{:?}", refusal.head);
}

#[tokio::test]
async fn a_refused_publication_disturbs_nobody_and_appends_nothing() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    for request in [
        Request::post_json(ROOM, "{bad"),
        Request::post(ROOM, b"\xff"),
        Request::post(ROOM, "text").header("Content-Encoding", "gzip"),
        Request::post(ROOM, vec![b'x'; 2 << 20]),
    ] {
        assert!(server.request(request).await.status() >= 400);
    }
    let id = server.request(Request::post(ROOM, "good")).await.published_id();

    assert!(id.ends_with(".1"), "the first one that counts: {id}");
    assert_eq!(reader.texts(1).await, ["good"]);
}
