//! The events' fields, and that every framing carries the same ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::harness::{
    Frame, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    secret_of,
    source::Block,
    websocket::{BINARY, RawWebSocket, TEXT},
};

crate::on_transports! {
    a_message_has_these_fields_in_this_order on [websocket, sse, poll, stream];
    bytes_are_marked_as_base64 on [websocket, sse, poll, stream];
    hello_has_these_fields on [websocket, sse, sse_raw, poll, stream];
    a_gap_at_the_start_follows_hello on [websocket, sse, sse_raw, stream];
}

/// The object inside an event, from whatever is around it on the wire.
fn inner(transport: Transport, name: &str, wire: &str) -> String {
    match transport {
        Transport::Sse | Transport::SseRaw => {
            let block = Block::parse(wire);
            assert_eq!(block.event.as_deref(), Some(name));
            block.text()
        }
        _ => {
            let inner = wire.strip_prefix(&format!("{{\"{name}\":")).and_then(|rest| rest.strip_suffix('}'));
            inner.unwrap_or_else(|| panic!("{wire} is no {name}")).to_owned()
        }
    }
}

/// Publishes and returns the message's object as a subscriber gets it.
async fn message_object(transport: Transport, request: Request) -> (String, String) {
    let server = TestServer::spawn(&[]);
    let id = server.request(request).await.published_id();
    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after("start")).await;
    let received = reader.receive().await.expect("the subscription goes on");
    (id, inner(transport, "message", &received.wire))
}

fn field(object: &str, name: &str) -> Value {
    serde_json::from_str::<Value>(object).expect("an object")[name].take()
}

async fn a_message_has_these_fields_in_this_order(transport: Transport) {
    let before = microseconds(SystemTime::now());
    let request = Request::post_json("/channels/room?type=tick", r#"{"b": 1, "a": [ ]}"#);

    let (id, object) = message_object(transport, request).await;

    let at = field(&object, "at").as_u64().expect("a time is a number");
    assert!((before..=microseconds(SystemTime::now())).contains(&at), "microseconds since 1970: {at}");
    let expected =
        format!(r#"{{"id":"{id}","at":{at},"type":"tick","content_type":"application/json","data":{{"b":1,"a":[]}}}}"#);
    assert_eq!(object, expected);
}

fn microseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since_1970.as_micros()).expect("the clock is sane")
}

async fn bytes_are_marked_as_base64(transport: Transport) {
    let request = Request::post("/channels/room", b"\xff\x00\xfe").header("Content-Type", "image/png");

    let (id, object) = message_object(transport, request).await;

    let at = field(&object, "at");
    assert_eq!(
        object,
        format!(r#"{{"id":"{id}","at":{at},"content_type":"image/png","data":"/wD+","encoding":"base64"}}"#)
    );
}

async fn hello_has_these_fields(transport: Transport) {
    let server = TestServer::spawn(&["--heartbeat", "7s", "--key-window", "90s"]);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);
    let client = secret_of("ann");

    let reader = Reader::open(&server, transport, &Subscription::to("room").client(&client)).await;

    let hello = reader.hello.expect("hello comes first");
    assert_eq!((hello.protocol, hello.cursor, hello.client), (1, Some(id), client.clone()));
    assert_eq!((hello.heartbeat_ms, hello.key_window_ms), (7_000, 90_000));
    let transport = match transport {
        Transport::WebSocket | Transport::WebSocketRaw => "websocket",
        Transport::Sse | Transport::SseRaw => "sse",
        Transport::Poll => "long-poll",
        Transport::Stream => "stream",
    };
    assert_eq!(hello.transport, transport);
    assert!(!hello.member.is_empty() && !client.contains(&hello.member), "the public name gives nothing away");
}

/// A client that knows the position before the gap can say what it lost.
async fn a_gap_at_the_start_follows_hello(transport: Transport) {
    let server = TestServer::spawn(&[]);

    let mut reader = Reader::open(&server, transport, &Subscription::to("room").after("another-epoch.7")).await;

    let hello = reader.hello.take().expect("hello comes first");
    assert_eq!(hello.cursor.as_deref(), Some("another-epoch.7"), "the position asked for");
    let gap = reader.gap().await;
    assert_eq!(gap.after, hello.cursor);
}

#[tokio::test]
async fn a_name_of_its_own_is_made_for_every_subscriber_that_brings_none() {
    let server = TestServer::spawn(&[]);
    let first =
        Reader::open(&server, Transport::Sse, &Subscription::to("room")).await.hello.expect("hello comes first");
    let second =
        Reader::open(&server, Transport::Sse, &Subscription::to("room")).await.hello.expect("hello comes first");

    assert_ne!(first.client, second.client);
    assert_ne!(first.member, second.member);
    assert!((16..=64).contains(&first.client.len()), "{}", first.client);
}

#[tokio::test]
async fn the_public_name_follows_from_the_secret_one_on_every_transport() {
    let server = TestServer::spawn(&[]);
    let ann = Subscription::to("room").client(&secret_of("ann"));

    let mut members = Vec::new();
    for transport in Transport::WITH_CURSOR {
        members.push(Reader::open(&server, transport, &ann).await.hello.expect("hello comes first").member);
    }

    assert!(members.iter().all(|member| member == &members[0]), "{members:?}");
}

#[tokio::test]
async fn raw_over_websocket_is_the_payload_alone_as_text_or_as_bytes() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;
    let json = Request::post_json("/channels/room?type=tick", r#"{ "a": 1 }"#);
    let text = Request::post("/channels/room", "a\r\nb");
    let bytes = Request::post("/channels/room", b"\xff\x00").header("Content-Type", "image/png");

    for (request, opcode, payload) in
        [(json, TEXT, &br#"{"a":1}"#[..]), (text, TEXT, b"a\r\nb"), (bytes, BINARY, b"\xff\x00")]
    {
        server.request(request).await.published_id();
        let frame = socket.frame_but_pings().await.expect("the socket stays open");
        assert_eq!((frame.opcode, frame.payload.as_slice(), frame.is_final), (opcode, payload, true));
    }
}

#[tokio::test]
async fn what_a_raw_websocket_sends_is_text_or_bytes_to_everybody_else() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;

    socket.send(&Frame::new(TEXT, r#"{"not":"json"}"#)).await;
    socket.send(&Frame::new(BINARY, b"\xff\x00")).await;

    let (text, bytes) = (reader.message().await, reader.message().await);
    assert_eq!((text.content_type.as_str(), text.text()), ("text/plain", r#"{"not":"json"}"#));
    assert_eq!((bytes.content_type.as_str(), bytes.payload.as_slice()), ("application/octet-stream", &b"\xff\x00"[..]));
}
