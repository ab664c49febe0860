//! Server-sent events to the byte (WHATWG HTML §9.2).

use crate::harness::{
    Connection, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    secret_of,
    source::{Block, SseSource},
};

/// Subscribes by an address of the test's own making and skips the first block.
async fn subscribe(server: &TestServer, target: &str) -> SseSource {
    let mut source = SseSource::request(Connection::open(server.address()).await, Transport::SseRaw, target).await;
    let hello = source.block().await.expect("the stream goes on");
    assert_eq!(hello.event.as_deref(), Some("hello"));
    source
}

async fn block(source: &mut SseSource) -> Block {
    source.block().await.expect("the stream goes on")
}

/// Publishes and returns the block that an event source gets for it.
async fn block_for(format: &str, request: Request) -> Block {
    let server = TestServer::spawn(&[]);
    let mut source = subscribe(&server, &format!("/channels/room/sse?format={format}")).await;
    server.request(request).await.published_id();
    block(&mut source).await
}

fn post(body: impl AsRef<[u8]>) -> Request {
    Request::post("/channels/room", body)
}

#[tokio::test]
async fn the_headers_keep_every_layer_from_buffering_and_transforming() {
    let server = TestServer::spawn(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::get("/channels/room/sse").header("Accept-Encoding", "gzip, br")).await;

    let head = connection.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("Content-Type"), Some("text/event-stream"));
    assert_eq!(head.header("Cache-Control"), Some("no-store, no-transform"));
    assert_eq!(head.header("X-Accel-Buffering"), Some("no"));
    assert_eq!(head.header("Content-Encoding"), None);
}

/// `retry:` in a block of its own is an event to two client libraries, and an id in the first block makes even a drop
/// before the first message resume exactly.
#[tokio::test]
async fn the_first_block_is_retry_hello_id_and_data_in_one() {
    let server = TestServer::spawn(&[]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);

    for format in ["raw", "json"] {
        let target = format!("/channels/room/sse?format={format}");
        let mut source = SseSource::request(Connection::open(server.address()).await, Transport::Sse, &target).await;
        let first = source.block().await.expect("a block comes at once");
        let (retry, data) = (first.retry.clone().expect("retry comes first"), first.text());
        assert!(retry.parse::<u32>().is_ok(), "HTML §9.2.6: digits only, else it is ignored: {retry}");
        assert_eq!(first.wire, format!("retry: {retry}\nevent: hello\nid: {id}\ndata: {data}\n\n"));
        let hello: serde_json::Value = serde_json::from_str(&data).expect("hello is JSON");
        assert_eq!(
            (&hello["protocol"], &hello["cursor"], &hello["transport"]),
            (&1.into(), &id.as_str().into(), &"sse".into())
        );
    }
}

#[tokio::test]
async fn a_raw_message_is_its_id_and_its_data_and_nothing_else() {
    let block = block_for("raw", post("hello")).await;
    let id = block.id.as_deref().expect("a message has an id");
    assert_eq!(block.wire, format!("id: {id}\ndata: hello\n\n"));
}

#[tokio::test]
async fn a_label_is_the_event_type_of_a_raw_message() {
    let block = block_for("raw", Request::post("/channels/room?type=tick", "7")).await;
    assert_eq!((block.event.as_deref(), block.text().as_str()), (Some("tick"), "7"));
}

#[tokio::test]
async fn json_is_one_line_of_raw_data() {
    let block = block_for("raw", Request::post_json("/channels/room", "{\n  \"a\": \"x\\ny\"\n}")).await;
    assert_eq!(block.data, [r#"{"a":"x\ny"}"#]);
}

#[tokio::test]
async fn bytes_are_base64_under_the_event_binary() {
    let block = block_for("raw", post(b"\xff\x00\xfe").header("Content-Type", "application/octet-stream")).await;
    assert_eq!((block.event.as_deref(), block.text().as_str()), (Some("binary"), "/wD+"));
}

#[tokio::test]
async fn a_json_message_is_named_and_carries_the_inner_object() {
    let block = block_for("json", Request::post_json("/channels/room?type=tick", r#"{"a":1}"#)).await;
    assert_eq!(block.event.as_deref(), Some("message"), "the label is a field of the object");
    let object: serde_json::Value = serde_json::from_str(&block.text()).expect("the data is JSON");
    assert_eq!((&object["type"], &object["data"]["a"]), (&"tick".into(), &1.into()));
    assert_eq!(object["id"], block.id.expect("a message has an id"));
}

/// CR, LF and CRLF are line ends to a receiver, and all arrive as LF.
#[tokio::test]
async fn every_line_end_of_a_raw_text_arrives_as_a_line_feed() {
    let block = block_for("raw", post("a\nb\rc\r\nd\n\re\n")).await;
    assert_eq!(block.data, ["a", "b", "c", "d", "", "e", ""]);
    assert!(!block.wire.contains('\r'));
}

/// A receiver drops one space after the colon, so a text that begins with one needs another.
#[tokio::test]
async fn leading_spaces_colons_and_empty_texts_survive() {
    for text in [" one space", "  two", ": a colon", "data: x", "", " ", "\u{feff}mark"] {
        assert_eq!(block_for("raw", post(text)).await.text(), text);
    }
}

/// What would become an event, an id or a retry time of the publisher's own if it were written out as it came.
const INJECTIONS: [&str; 8] = [
    "x\n\nevent: goodbye\ndata: {}\n\n",
    "x\r\revent: goodbye\rdata: {}\r\r",
    "x\r\n\r\nid: epoch.999\r\n\r\n",
    "x\nid: epoch.999",
    "x\nretry: 1",
    "x\n: comment\nevent: gap",
    "\n\ndata: y\n\n",
    "x\u{2028}\u{2029}\u{85}\u{b}\u{c}\n\nevent: gap\n\n",
];

#[tokio::test]
async fn no_raw_text_becomes_a_field_or_an_event_of_its_own() {
    let server = TestServer::spawn(&[]);
    let mut source = subscribe(&server, "/channels/room/sse").await;

    for text in INJECTIONS {
        let id = server.request(post(text)).await.published_id();
        let block = block(&mut source).await;
        let expected = text.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!((block.id, block.event, block.retry), (Some(id), None, None), "{text:?}");
        assert_eq!(block.data.join("\n"), expected);
    }
}

#[tokio::test]
async fn no_json_text_becomes_a_field_or_an_event_of_its_own() {
    let server = TestServer::spawn(&[]);
    let mut source = subscribe(&server, "/channels/room/sse?format=json").await;

    for text in INJECTIONS {
        server.request(post(text)).await.published_id();
        let block = block(&mut source).await;
        assert_eq!((block.event.as_deref(), block.data.len()), (Some("message"), 1), "{text:?}");
        let object: serde_json::Value = serde_json::from_str(&block.text()).expect("the data is JSON");
        assert_eq!(object["data"], text, "JSON keeps every byte");
    }
}

#[tokio::test]
async fn no_label_and_no_name_can_inject_anything() {
    let server = TestServer::spawn(&[]);

    for label in ["a%0Adata:%20x", "a%0D%0A%0D%0Adata:%20x", "a%00b", "a:b", "%20a", "a%20b", "%C3%A4"] {
        server.request(Request::post(&format!("/channels/room?type={label}"), "x")).await.assert_problem(400);
    }
    for name in ["m%0A%0Aevent:%20gap%0Adata:%20x", "m%0Dx", "m%00", "m%7F", "m%C2%85x"] {
        server.get(&format!("/channels/room/sse?as={name}")).await.assert_problem(400);
    }
    // Any other name is free text, so it must be quoted wherever it is shown.
    let watcher = Subscription::to("room").client(&secret_of("watcher")).with_presence();
    let mut watcher = Reader::open(&server, Transport::SseRaw, &watcher).await;
    watcher.presence().await;
    let mallory = Subscription::to("room").named("%22%7D,%20data:%20%E2%80%A8%5C%22");
    let _mallory = Reader::open(&server, Transport::Sse, &mallory).await;
    assert_eq!(watcher.presence().await.name.as_deref(), Some("\"}, data: \u{2028}\\\""));
}

#[tokio::test]
async fn last_event_id_wins_over_after() {
    let server = TestServer::spawn(&[]);
    let ids = PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    let by_header = Request::get("/channels/room/sse?after=start").header("Last-Event-ID", &ids[1]);
    let by_alias = Request::get(&format!("/channels/room/sse?after=start&lastEventId={}", ids[1]));
    let both = Request::get(&format!("/channels/room/sse?lastEventId={}", ids[0])).header("Last-Event-ID", &ids[1]);

    for request in [by_header, by_alias, both] {
        assert_eq!(first_after_hello(&server, &request).await.text(), "3");
    }
}

/// The block that follows hello in the answer to a request.
async fn first_after_hello(server: &TestServer, request: &Request) -> Block {
    let mut connection = Connection::open(server.address()).await;
    connection.send(request).await;
    let head = connection.head().await;
    assert_eq!(head.status, 200);
    let mut source = SseSource::continued(connection, Transport::SseRaw, &head);
    source.block().await.expect("hello comes first");
    block(&mut source).await
}

/// A status would kill a native `EventSource` for good, so whatever a proxy or a polyfill has made of the id is a gap.
#[tokio::test]
async fn an_unreadable_last_event_id_is_answered_with_a_gap() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    for id in ["garbage", "17", "%6b.1", "epoch:1", "undefined", "epoch.99999999999999999999"] {
        let gap = first_after_hello(&server, &Request::get("/channels/room/sse").header("Last-Event-ID", id)).await;
        assert_eq!(gap.event.as_deref(), Some("gap"), "{id}");
        let object: serde_json::Value = serde_json::from_str(&gap.text()).expect("a gap is JSON");
        assert_eq!((&object["missed"], &object["reason"]), (&serde_json::Value::Null, &"epoch".into()), "{id}");
        assert_eq!(object["resume"], gap.id.expect("a gap has the id to resume from"));
    }
}

/// An `EventSource` that never got an id sends an empty one, or none.
#[tokio::test]
async fn an_empty_last_event_id_is_none() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=3).await;

    let request = Request::get("/channels/room/sse?after=start").header("Last-Event-ID", "");

    assert_eq!(first_after_hello(&server, &request).await.text(), "1");
}

#[tokio::test]
async fn every_block_ends_with_a_blank_line_even_the_last() {
    let server = TestServer::spawn(&["--drain-time", "2s"]);
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/channels/room/sse")).await;
    let head = connection.head().await;
    server.request(post("text")).await.published_id();

    server.terminate();

    let body = connection.body(&head).await;
    assert!(body.ends_with(b"\n\n"), "{}", String::from_utf8_lossy(&body));
}
