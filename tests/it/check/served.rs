//! The server of these tests, seen by the clients of all other tests: it is what it claims to be.

use super::reference::{Limits, ReferenceServer};
use crate::{
    harness::{
        Connection, Frame, Gap, Reader, Request, Response, Subscription, Transport,
        websocket::{BINARY, CLOSE, PING, PONG, RawWebSocket, ServerFrame, TEXT},
    },
    on_transports,
};

on_transports! {
    history_and_what_follows_arrive_once_and_in_order on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    a_position_that_was_evicted_is_answered_with_a_gap on [websocket, sse, sse_raw, poll, stream];
}

fn faultless() -> ReferenceServer {
    ReferenceServer::start(None, Limits::default())
}

async fn post(server: &ReferenceServer, request: Request) -> Response {
    Connection::open(server.address()).await.request(&request).await
}

async fn publish(server: &ReferenceServer, text: &str) -> String {
    post(server, Request::post("/channels/tea", text)).await.published_id()
}

async fn history_and_what_follows_arrive_once_and_in_order(transport: Transport) {
    let server = faultless();
    for text in ["one", "two\nlines", ""] {
        publish(&server, text).await;
    }
    let mut reader = Reader::open_at(server.address(), transport, &Subscription::to("tea").after("start")).await;
    assert_eq!(reader.texts(3).await, ["one", "two\nlines", ""]);
    publish(&server, "fünf").await;
    assert_eq!(reader.texts(1).await, ["fünf"]);
}

async fn a_position_that_was_evicted_is_answered_with_a_gap(transport: Transport) {
    let server = ReferenceServer::start(None, Limits { log_messages: 2, ..Limits::default() });
    let first = publish(&server, "1").await;
    for text in ["2", "3", "4"] {
        publish(&server, text).await;
    }
    let subscription = Subscription::to("tea").after(&first);
    let mut reader = Reader::open_at(server.address(), transport, &subscription).await;
    let Gap { missed, reason, .. } = reader.gap().await;
    assert_eq!((missed, reason.as_str()), (Some(1), "evicted"));
    assert_eq!(reader.texts(2).await, ["3", "4"]);
}

#[tokio::test]
async fn a_cursor_of_one_transport_is_one_on_all() {
    let server = faultless();
    for text in ["1", "2", "3", "4", "5"] {
        publish(&server, text).await;
    }
    let mut cursor = "start".to_owned();
    for (transport, text) in Transport::WITH_CURSOR.into_iter().zip(["1", "2", "3", "4", "5"]) {
        // A poll brings everything at once, so its reader is not where its cursor is.
        let subscription = Subscription::to("tea").after(&cursor);
        let mut reader = Reader::open_at(server.address(), transport, &subscription).await;
        let message = reader.message().await;
        assert_eq!(message.text(), text, "{transport:?}");
        cursor = message.id;
    }
}

#[tokio::test]
async fn a_raw_websocket_is_closed_at_a_gap_with_the_position_to_go_on_from() {
    let server = faultless();
    let target = "/channels/tea/ws?after=elsewhere.7";
    let mut socket = websocket(&server, target).await;
    let frame = socket.frame().await.expect("a close frame");
    assert_eq!(frame.close_code(), 4101);
    assert!(frame.payload[2..].starts_with(b"gap "), "{frame:?}");
}

#[tokio::test]
async fn publications_are_checked_before_they_are_appended() {
    let server = ReferenceServer::start(None, Limits { max_message: 8, ..Limits::default() });
    let tea = |body: &str| Request::post("/channels/tea", body);
    let key = |body: &str| tea(body).header("Idempotency-Key", "k1");
    let id = post(&server, key("one")).await.published_id();
    assert_eq!(post(&server, key("one")).await.published_id(), id);
    post(&server, key("two")).await.assert_problem(422);
    post(&server, tea("nine bytes")).await.assert_problem(413);
    post(&server, tea("x").header("Origin", "http://elsewhere.example")).await.assert_problem(403);
    post(&server, Request::post("/channels/tea", [0xFF])).await.assert_problem(400);
    post(&server, Request::post_json("/channels/tea", "{")).await.assert_problem(400);
    assert_eq!(post(&server, tea("two")).await.published_id(), crate::harness::event::moved(&id, 1));
}

#[tokio::test]
async fn a_poll_waits_only_with_a_cursor() {
    let server = faultless();
    let mut connection = Connection::open(server.address()).await;
    let first = connection.request(&Request::get("/channels/tea/poll")).await.json();
    assert!(first["events"][0]["hello"].is_object(), "{first}");
    let cursor = first["cursor"].as_str().expect("a cursor");
    let next = Request::get(&format!("/channels/tea/poll?after={cursor}"));
    connection.send(&next).await;
    publish(&server, "now").await;
    let head = connection.head().await;
    let body = connection.body(&head).await;
    assert!(String::from_utf8_lossy(&body).contains("\"data\":\"now\""));
    let empty = Request::get(&format!("/channels/cup/poll?after={cursor}&wait=0"));
    assert_eq!(connection.request(&empty).await.json()["events"][0]["gap"]["reason"], "epoch");
    connection.request(&Request::get("/channels/tea/poll?after=abc")).await.assert_problem(400);
}

#[tokio::test]
async fn a_broken_rule_of_websocket_has_its_close_code() {
    let server = ReferenceServer::start(None, Limits { max_message: 1000, ..Limits::default() });
    for (frame, code) in [
        (Frame::new(TEXT, "x").unmasked(), 1002),
        (Frame::new(TEXT, "x").with_reserved(0x40), 1002),
        (Frame::new(0x3, "x"), 1002),
        (Frame::new(PING, "x").unfinished(), 1002),
        (Frame::new(CLOSE, [0x03]), 1002),
        (Frame::new(CLOSE, 1005_u16.to_be_bytes()), 1002),
        (Frame::new(TEXT, [0xFF]), 1007),
        (Frame::new(BINARY, "x").announcing(1001), 1009),
        (Frame::new(BINARY, "x").announcing(u64::MAX), 1009),
    ] {
        let mut socket = websocket(&server, "/channels/tea/ws?echo=0").await;
        socket.send(&frame).await;
        assert_eq!(socket.close_code().await, code, "{:02x?}", frame.to_bytes());
    }
}

#[tokio::test]
async fn a_websocket_is_pinged_closed_and_written_to_as_the_standard_says() {
    let server = faultless();
    let mut socket = websocket(&server, "/channels/tea/ws?after=end").await;
    socket.send(&Frame::new(PING, "are you there?")).await;
    let frame = socket.frame_but_pings().await;
    assert_eq!(frame, Some(ServerFrame { is_final: true, opcode: PONG, payload: b"are you there?".to_vec() }));
    socket.send(&Frame::new(TEXT, "in two ").unfinished()).await;
    socket.send(&Frame::new(PING, "")).await;
    socket.send(&Frame::new(0x0, "parts")).await;
    assert_eq!(socket.frame_but_pings().await.map(|frame| frame.opcode), Some(PONG));
    assert_eq!(socket.frame_but_pings().await.map(|frame| frame.payload), Some(b"in two parts".to_vec()));
    socket.send(&Frame::new(CLOSE, [3000_u16.to_be_bytes().as_slice(), b"bye"].concat())).await;
    assert_eq!(socket.close_code().await, 3000);
}

async fn websocket(server: &ReferenceServer, target: &str) -> RawWebSocket {
    RawWebSocket::open_on(Connection::open(server.address()).await, Request::websocket(target)).await
}
