//! Bad frames, each with its close code, and good frames of every shape (RFC 6455 §5).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    Frame, Reader, Request, Subscription, TestServer, Transport,
    publisher::WebSocketPublisher,
    websocket::{BINARY, CLOSE, CONTINUATION, PING, PONG, RawWebSocket, TEXT},
};

const RAW: &str = "/channels/room/ws";
const JSON: &str = "/channels/room/ws?format=json";

/// Sends each of the faults after a good handshake and asserts the close code, on both formats, while others go on
/// undisturbed.
///
/// All at once: the server leaves each socket open for a moment, for a code to arrive before the end.
async fn assert_each_closes(faults: impl IntoIterator<Item = Vec<u8>>, code: u16) {
    let server = &TestServer::spawn(&[]);
    let mut bystander = Reader::open(server, Transport::WebSocket, &Subscription::to("room")).await;

    let closes =
        faults.into_iter().flat_map(|fault| [(RAW, fault.clone()), (JSON, fault)]).map(async |(address, fault)| {
            let mut socket = RawWebSocket::open(server, address).await;
            socket.send_bytes(&fault).await;
            assert_eq!(socket.close_code().await, code, "{address} {fault:x?}");
        });
    join_all(closes).await;

    server.request(Request::post("/channels/room", "undisturbed")).await.published_id();
    assert_eq!(bystander.texts(1).await, ["undisturbed"]);
}

async fn assert_frames_close(frames: impl IntoIterator<Item = Frame>, code: u16) {
    assert_each_closes(frames.into_iter().map(|frame| frame.to_bytes()), code).await;
}

#[tokio::test]
async fn an_unmasked_frame_is_a_protocol_error() {
    assert_frames_close([Frame::new(TEXT, "text").unmasked()], 1002).await;
}

#[tokio::test]
async fn a_reserved_bit_is_a_protocol_error() {
    assert_frames_close([0x40, 0x20, 0x10].map(|bit| Frame::new(TEXT, "text").with_reserved(bit)), 1002).await;
}

#[tokio::test]
async fn a_reserved_opcode_is_a_protocol_error() {
    assert_frames_close([0x3, 0x7, 0xB, 0xF].map(|opcode| Frame::new(opcode, "text")), 1002).await;
}

#[tokio::test]
async fn an_oversize_control_frame_is_a_protocol_error() {
    assert_frames_close([PING, PONG, CLOSE].map(|opcode| Frame::new(opcode, [0; 126])), 1002).await;
}

#[tokio::test]
async fn a_fragmented_control_frame_is_a_protocol_error() {
    assert_frames_close([Frame::new(PING, "ping").unfinished()], 1002).await;
}

#[tokio::test]
async fn a_continuation_of_nothing_is_a_protocol_error() {
    assert_frames_close([Frame::new(CONTINUATION, "text")], 1002).await;
}

#[tokio::test]
async fn a_new_message_within_a_message_is_a_protocol_error() {
    let first = Frame::new(TEXT, "one").unfinished().to_bytes();
    assert_each_closes([[first, Frame::new(TEXT, "two").to_bytes()].concat()], 1002).await;
}

#[tokio::test]
async fn a_close_frame_with_half_a_code_is_a_protocol_error() {
    assert_frames_close([Frame::new(CLOSE, [3])], 1002).await;
}

#[tokio::test]
async fn a_close_code_that_must_not_be_sent_is_a_protocol_error() {
    let codes = [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000];
    assert_frames_close(codes.map(|code| Frame::new(CLOSE, code.to_be_bytes())), 1002).await;
}

#[tokio::test]
async fn a_length_with_the_highest_bit_is_a_protocol_error() {
    assert_frames_close([Frame::new(BINARY, "").announcing(1 << 63)], 1002).await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_told_by_1007() {
    let payloads = [&b"\xff"[..], b"caf\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"cut \xe2\x82"];
    assert_frames_close(payloads.map(|payload| Frame::new(TEXT, payload)), 1007).await;
}

#[tokio::test]
async fn fragments_that_are_not_utf_8_together_are_told_by_1007() {
    let start = Frame::new(TEXT, b"\xe2\x82").unfinished().to_bytes();
    assert_each_closes([[start, Frame::new(CONTINUATION, "x").to_bytes()].concat()], 1007).await;
}

#[tokio::test]
async fn a_close_reason_that_is_not_utf_8_is_told_by_1007() {
    assert_frames_close([Frame::new(CLOSE, b"\x03\xe8\xff")], 1007).await;
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_told_by_1009() {
    // The transport's own limit leaves room for escapes and base64, so this is far beyond the 1 KiB of data.
    let server = TestServer::spawn(&["--max-message-size", "1KiB"]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    socket.send(&Frame::new(TEXT, vec![b'x'; 64 * 1024])).await;

    assert_eq!(socket.close_code().await, 1009);
}

#[tokio::test]
async fn fragments_beyond_the_limit_together_are_told_by_1009() {
    let server = TestServer::spawn(&["--max-message-size", "1KiB"]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    socket.send(&Frame::new(TEXT, [b'x'; 512]).unfinished()).await;
    let mut sent = 1;
    while sent < 128 && socket.send(&Frame::new(CONTINUATION, [b'x'; 512]).unfinished()).await {
        sent += 1;
    }

    assert_eq!(socket.close_code().await, 1009);
}

/// The header alone is reason enough: the body is neither awaited nor kept.
#[tokio::test]
async fn a_header_that_announces_a_tebibyte_is_told_by_1009() {
    assert_frames_close([Frame::new(BINARY, "").announcing(1 << 40)], 1009).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_body_of_a_frame_of_a_tebibyte_takes_no_memory() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;
    let before = server.resident_bytes();

    let megabyte = vec![0; 1 << 20];
    socket.send(&Frame::new(BINARY, "").announcing(1 << 40)).await;
    let mut sent = 0;
    while sent < 200 && socket.send_bytes(&megabyte).await {
        sent += 1;
    }

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{sent} MiB were sent, memory grew by {grown} bytes");
}

#[tokio::test]
async fn what_follows_a_bad_frame_is_not_published() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;
    let mut socket = RawWebSocket::open(&server, RAW).await;

    let frames = [Frame::new(TEXT, "good"), Frame::new(TEXT, "bad").unmasked(), Frame::new(TEXT, "too late")];
    socket.send_bytes(&frames.map(|frame| frame.to_bytes()).concat()).await;

    assert_eq!(socket.close_code().await, 1002);
    RawWebSocket::open(&server, RAW).await.send(&Frame::new(TEXT, "from another")).await;
    assert_eq!(reader.texts(2).await, ["good", "from another"]);
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code_and_the_server_hangs_up_first() {
    let server = TestServer::spawn(&[]);

    let closes = [1000_u16, 1001, 3000, 4999].map(async |code| {
        let mut socket = RawWebSocket::open(&server, RAW).await;
        socket.send(&Frame::new(CLOSE, [&code.to_be_bytes()[..], b"bye"].concat())).await;
        assert_eq!(socket.close_code().await, code);
    });
    join_all(closes).await;
}

/// An empty close frame is answered with an empty one: 1005 stands for it, and is never sent (RFC 6455 §7.4.1).
#[tokio::test]
async fn an_empty_close_frame_is_answered() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    socket.send(&Frame::new(CLOSE, "")).await;

    let answer = socket.frame_but_pings().await.expect("a close frame comes");
    assert_eq!(answer.opcode, CLOSE);
    assert!(answer.payload.is_empty() || answer.close_code() == 1000, "{answer:?}");
    assert_eq!(socket.frame().await, None, "the server hangs up first");
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    for payload in [&b""[..], b"are you there?", &[0xff; 125]] {
        socket.send(&Frame::new(PING, payload)).await;
        let pong = socket.frame_but_pings().await.expect("the socket stays open");
        assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, payload));
    }
}

#[tokio::test]
async fn a_pong_that_nobody_asked_for_is_fine() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    socket.send(&Frame::new(PONG, "unasked")).await;
    socket.send(&Frame::new(TEXT, "still here")).await;

    assert_eq!(socket.frame_but_pings().await.expect("the socket stays open").payload, b"still here");
}

#[tokio::test]
async fn fragments_are_one_message_and_a_ping_may_come_between_them() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    // The euro sign is cut in two.
    let frames = [
        Frame::new(TEXT, b"costs 5 \xe2").unfinished(),
        Frame::new(PING, "between"),
        Frame::new(CONTINUATION, b"\x82\xac").unfinished(),
        Frame::new(CONTINUATION, ""),
    ];
    socket.send_bytes(&frames.map(|frame| frame.to_bytes()).concat()).await;

    let pong = socket.frame_but_pings().await.expect("the socket stays open");
    assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, &b"between"[..]));
    let echo = socket.frame_but_pings().await.expect("the socket stays open");
    assert_eq!((echo.opcode, echo.payload.as_slice()), (TEXT, "costs 5 €".as_bytes()));
}

#[tokio::test]
async fn text_comes_back_as_text_and_bytes_as_bytes_of_any_length() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    // Both sides of the borders between the three forms of the length (RFC 6455 §5.2).
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
        for opcode in [TEXT, BINARY] {
            socket.send(&Frame::new(opcode, vec![b'x'; length])).await;
            let echo = socket.frame_but_pings().await.expect("the socket stays open");
            assert_eq!((echo.opcode, echo.payload.len()), (opcode, length));
        }
    }
}

/// TCP knows no frames: a header may arrive byte by byte.
#[tokio::test]
async fn a_frame_may_arrive_in_any_pieces() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    for byte in Frame::new(TEXT, [b'x'; 300]).to_bytes() {
        socket.send_bytes(&[byte]).await;
    }

    assert_eq!(socket.frame_but_pings().await.expect("the socket stays open").payload, [b'x'; 300]);
}

#[tokio::test]
async fn many_frames_may_arrive_in_one_piece() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, RAW).await;

    let bytes: Vec<u8> = (0..500).flat_map(|number| Frame::new(TEXT, format!("{number}")).to_bytes()).collect();
    socket.send_bytes(&bytes).await;

    for number in 0..500 {
        let echo = socket.frame_but_pings().await.expect("the socket stays open");
        assert_eq!(echo.payload, number.to_string().as_bytes());
    }
}

#[tokio::test]
async fn a_binary_frame_in_the_format_json_is_the_wrong_kind_of_data() {
    let server = TestServer::spawn(&[]);
    let mut socket = RawWebSocket::open(&server, JSON).await;

    socket.send(&Frame::new(BINARY, "{}")).await;

    assert_eq!(socket.close_code().await, 1003);
}

#[tokio::test]
async fn a_frame_of_json_that_is_no_publication_is_answered_with_a_problem_and_the_connection_goes_on() {
    let server = TestServer::spawn(&[]);
    let mut socket = WebSocketPublisher::open(&server, &Subscription::to("room")).await;

    for frame in [
        "",
        "no json",
        "[]",
        "{}",
        r#"{"publish":{}}"#,
        r#"{"publish":7}"#,
        r#"{"subscribe":"other"}"#,
        r#"{"publish":{"data":1},"more":1}"#,
        r#"{"publish":{"data":1,"data":2}}"#,
        r#"{"publish":{"data":{"a":1,"a":2}}}"#,
    ] {
        let answer = socket.send_text(frame).await;
        assert_eq!(answer["error"]["status"], 400, "{frame:?}: {answer}");
    }
    socket.published(json!({ "data": "still here" })).await;
}

#[tokio::test]
async fn a_publication_over_websocket_obeys_the_rules_of_a_post() {
    let server = TestServer::spawn(&["--max-message-size", "1KiB"]);
    let mut socket = WebSocketPublisher::open(&server, &Subscription::to("room")).await;

    let refusals: [(Value, u16); 9] = [
        (json!({ "data": "x".repeat(1025) }), 413),
        (json!({ "data": "text", "type": "gap" }), 400),
        (json!({ "data": "text", "key": "not a key" }), 400),
        (json!({ "data": "text", "unknown": 1 }), 400),
        (json!({ "data": "not base64!", "encoding": "base64" }), 400),
        (json!({ "data": 7, "encoding": "base64" }), 400),
        (json!({ "data": "e2JhZA==", "encoding": "base64", "content_type": "application/json" }), 400),
        (json!({ "data": { "not": "text" }, "content_type": "text/plain" }), 400),
        (json!({ "data": "text", "content_type": "text/plain; charset=iso-8859-1" }), 415),
    ];
    for (publication, status) in refusals {
        let answer = socket.publish(publication.clone()).await;
        assert_eq!(answer["error"]["status"], status, "{publication}: {answer}");
    }
    socket.published(json!({ "data": "x".repeat(1024) })).await;
}

#[tokio::test]
async fn what_a_websocket_publishes_arrives_as_what_it_said_it_was() {
    let server = TestServer::spawn(&[]);
    let mut socket = WebSocketPublisher::open(&server, &Subscription::to("room")).await;
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;

    let publications = [
        (json!({ "data": "text" }), "text/plain", &b"text"[..]),
        (json!({ "data": { "a": [1, null] } }), "application/json", br#"{"a":[1,null]}"#),
        (json!({ "data": 7 }), "application/json", b"7"),
        (json!({ "data": "x", "content_type": "application/json" }), "application/json", br#""x""#),
        (json!({ "data": "{bad", "content_type": "application/geo+json" }), "application/geo+json", br#""{bad""#),
        (json!({ "data": "# title", "content_type": "text/markdown" }), "text/markdown", b"# title"),
        (json!({ "data": "/wD+", "encoding": "base64" }), "application/octet-stream", b"\xff\x00\xfe"),
        (json!({ "data": "iVBORw==", "encoding": "base64", "content_type": "image/png" }), "image/png", b"\x89PNG"),
    ];
    for (publication, content_type, payload) in publications {
        let id = socket.published(publication.clone()).await;
        let message = reader.message().await;
        assert_eq!(
            (message.id, message.content_type.as_str(), message.payload.as_slice()),
            (id, content_type, payload),
            "{publication}"
        );
    }
}
