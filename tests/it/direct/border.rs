//! The border: who leaves the framework, who stays, what is on its way meanwhile, and how a socket comes back.

use std::time::Duration;

use super::{Poller, direct, outside, streaming, texts, wait_for_outside};
use crate::harness::{
    Connection, Ending, Frame, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    secret_of,
    websocket::{CLOSE, PING, PONG, RawWebSocket, TEXT},
    within_guard,
};

crate::on_transports! {
    the_socket_of_an_idle_subscriber_is_outside_of_the_framework on [websocket, websocket_raw, sse, sse_raw, stream];
    with_streaming_delivery_every_socket_stays on [websocket, websocket_raw, sse, sse_raw, stream];
    a_subscriber_that_hangs_up_is_gone_at_once on [websocket, websocket_raw, sse, sse_raw, stream];
    a_subscriber_whose_host_has_forgotten_it_is_gone_at_once on [websocket, websocket_raw, sse, sse_raw, stream];
}

async fn the_socket_of_an_idle_subscriber_is_outside_of_the_framework(transport: Transport) {
    let server = direct(&[]);

    let _reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    wait_for_outside(&server, 1).await;
}

async fn with_streaming_delivery_every_socket_stays(transport: Transport) {
    let server = streaming(&[]);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    PostPublisher::open(&server, "room").await.numbers([1]).await;

    assert_eq!(reader.texts(1).await, ["1"]);
    assert_eq!(outside(&server).await, 0);
}

async fn a_subscriber_that_hangs_up_is_gone_at_once(transport: Transport) {
    let server = direct(&["--presence-grace", "0s"]);
    let reader = Reader::open(&server, transport, &Subscription::to("room")).await;
    wait_for_outside(&server, 1).await;

    drop(reader);

    wait_for_outside(&server, 0).await;
    server.wait_for_subscribers("room", name(transport), 0).await;
}

/// A reset instead of an end.
async fn a_subscriber_whose_host_has_forgotten_it_is_gone_at_once(transport: Transport) {
    let server = direct(&[]);
    let target = Subscription::to("room").target(transport);
    let request = if name(transport) == "websocket" { Request::websocket(&target) } else { Request::get(&target) };
    let mut connection = Connection::open(server.address()).await;
    connection.send(&request).await;
    connection.head().await;
    wait_for_outside(&server, 1).await;

    connection.reset();

    wait_for_outside(&server, 0).await;
    server.wait_for_subscribers("room", name(transport), 0).await;
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket | Transport::WebSocketRaw => "websocket",
        Transport::Sse | Transport::SseRaw => "sse",
        Transport::Poll => "long-poll",
        Transport::Stream => "stream",
    }
}

#[tokio::test]
async fn a_poll_that_is_held_is_outside_and_so_is_its_connection_until_another_request_comes() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    assert_eq!(outside(&server).await, 0);

    poller.rest(&server).await;
    assert_eq!(outside(&server).await, 1, "the connection rests outside");
    assert_eq!(server.subscribers("room", "long-poll").await, 0, "between two polls nobody is there");

    assert_eq!(poller.connection.request(&Request::get("/healthz")).await.text(), "ok\n");
    assert_eq!(outside(&server).await, 0);
}

#[tokio::test]
async fn polls_that_the_stage_cannot_serve_are_held_by_the_framework() {
    let server = direct(&["--heartbeat", "1m"]);
    let cursor = Poller::open(&server).await.cursor;
    let ann = secret_of("ann");
    let poll = |parameters: &str| Request::get(&format!("/channels/room/poll?after={cursor}{parameters}"));
    // Whoever asks who is here is told so at once; then there is nothing new.
    let curious = poll(&format!("&presence=1&client={ann}"));
    server.request(curious.clone()).await;
    let requests = [
        curious,
        poll(&format!("&as=ann&client={ann}")),
        // Shorter than the stage can tell the time.
        poll("&wait=5"),
        poll("").header("Connection", "close"),
        poll("").header("Content-Length", "0"),
    ];

    for request in requests {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&request).await;
        server.wait_for_subscribers("room", "long-poll", 1).await;
        assert_eq!(outside(&server).await, 0);
        drop(connection);
        server.wait_for_subscribers("room", "long-poll", 0).await;
    }
}

#[tokio::test]
async fn endless_answers_over_http_1_0_or_to_requests_with_a_body_stay_inside_and_work() {
    let server = direct(&[]);
    let bare = "GET /channels/room/stream HTTP/1.0\r\nHost: localhost\r\n\r\n";
    let with_body = "GET /channels/room/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody";

    for request in [bare, with_body] {
        let mut connection = Connection::open(server.address()).await;
        connection.write(request.as_bytes()).await;
        connection.text_through(r#"{"hello":"#).await;
        PostPublisher::open(&server, "room").await.numbers([7]).await;
        connection.text_through(r#""data":"7""#).await;
        assert_eq!(outside(&server).await, 0);
    }
}

#[tokio::test]
async fn a_client_that_expects_to_be_told_to_go_on_is_told_before_anything_else() {
    let server = direct(&[]);
    let mut connection = Connection::open(server.address()).await;

    connection.send(&Request::get("/channels/room/sse").header("Expect", "100-continue")).await;

    assert_eq!(connection.head().await.status, 100);
    assert_eq!(connection.head().await.status, 200);
    connection.text_through("event: hello").await;
    wait_for_outside(&server, 1).await;
}

/// They are in the same packet, so the framework has them when the socket would leave.
#[tokio::test]
async fn frames_that_come_with_the_handshake_are_not_lost() {
    let server = direct(&[]);
    let mut connection = Connection::open(server.address()).await;
    let handshake = Request::websocket("/channels/room/ws?format=raw").to_bytes("localhost");
    let frames = [Frame::new(TEXT, "first"), Frame::new(PING, "second"), Frame::new(TEXT, "third")];

    connection.write(&[handshake, frames.iter().flat_map(Frame::to_bytes).collect()].concat()).await;

    assert_eq!(connection.head().await.status, 101);
    let mut socket = RawWebSocket::of(connection);
    let mut payloads = [socket.frame().await, socket.frame().await, socket.frame().await]
        .map(|frame| frame.expect("every frame is answered").payload);
    payloads.sort();
    assert_eq!(payloads, [b"first".to_vec(), b"second".to_vec(), b"third".to_vec()]);
    assert_eq!(outside(&server).await, 0);
}

/// These come while the socket is on its way, or later.
#[tokio::test]
async fn frames_that_come_right_behind_the_handshake_are_not_lost() {
    let server = direct(&[]);

    for pause in (0..40).map(|step| Duration::from_micros(step * 50)) {
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::websocket("/channels/room/ws?format=raw")).await;
        tokio::time::sleep(pause).await;
        connection.write(&Frame::new(PING, "hello").to_bytes()).await;
        assert_eq!(connection.head().await.status, 101);
        let pong = RawWebSocket::of(connection).frame().await.expect("a pong");
        assert_eq!((pong.opcode, pong.payload), (PONG, b"hello".to_vec()), "after {pause:?}");
    }
}

#[tokio::test]
async fn a_request_behind_an_endless_one_keeps_the_socket_inside() {
    let server = direct(&[]);
    let mut connection = Connection::open(server.address()).await;
    let stream = Request::get("/channels/room/stream").to_bytes("localhost");
    let health = Request::get("/healthz").to_bytes("localhost");

    connection.write(&[stream, health].concat()).await;

    connection.text_through(r#"{"hello":"#).await;
    PostPublisher::open(&server, "room").await.numbers([7]).await;
    connection.text_through(r#""data":"7""#).await;
    assert_eq!(outside(&server).await, 0);
}

/// A head may also end with two bare line feeds; then there are two requests here, and no CRLF between them.
#[tokio::test]
async fn a_request_behind_a_head_with_bare_line_feeds_is_answered_as_well() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    let poll = format!("GET /channels/room/poll?after={} HTTP/1.1\nHost: localhost\n\n", poller.cursor);
    let health = Request::get("/healthz").to_bytes("localhost");

    poller.connection.write(&[poll.into_bytes(), health].concat()).await;
    server.wait_for_subscribers("room", "long-poll", 1).await;
    PostPublisher::open(&server, "room").await.numbers([1]).await;

    assert_eq!(texts(&poller.answer().await), ["1"]);
    assert_eq!(poller.next_response().await.text(), "ok\n");
}

/// The framework reads ahead while it writes a large answer. However much of it the client has taken when it sends the
/// next request, none is lost.
#[tokio::test]
async fn requests_that_were_read_while_a_large_answer_was_written_are_answered() {
    let server = direct(&[]);
    let large = PostPublisher::open(&server, "large").await.publish("", &"x".repeat(1_000_000)).await;
    large.published_id();

    for taken in (0..800_000).step_by(16_000) {
        let mut poller = Poller::begin(Connection::open_narrow(server.address()).await).await;
        poller.connection.send(&Request::get("/channels/large/poll?after=start")).await;
        poller.connection.take_in(1).await;
        poller.connection.send(&poller.request()).await;
        poller.connection.take_in(taken).await;
        poller.connection.send(&Request::get("/healthz")).await;

        assert_eq!(poller.next_response().await.body.len() / 1_000_000, 1);
        server.wait_for_subscribers("room", "long-poll", 1).await;
        let number = taken.to_string();
        PostPublisher::open(&server, "room").await.publish("", &number).await.published_id();
        assert_eq!(texts(&poller.answer().await), [number], "after {taken} bytes");
        assert_eq!(poller.next_response().await.text(), "ok\n", "after {taken} bytes");
    }
}

#[tokio::test]
async fn polls_sent_ahead_of_their_turn_are_answered_one_after_the_other() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    poller.hold(&server).await;

    let ahead = poller.request().to_bytes("localhost");
    poller.connection.write(&[ahead.clone(), ahead].concat()).await;
    PostPublisher::open(&server, "room").await.numbers([1]).await;

    for _ in 0..3 {
        assert_eq!(texts(&poller.next_response().await), ["1"], "all three asked from the same cursor");
    }
}

#[tokio::test]
async fn a_poll_sent_ahead_of_its_turn_is_held_when_its_turn_comes() {
    let server = direct(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut poller = Poller::open(&server).await;
    poller.hold(&server).await;
    let (epoch, offset) = poller.cursor.rsplit_once('.').expect("a cursor has a dot");
    let next = format!("{epoch}.{}", offset.parse::<u64>().expect("an offset") + 1);

    poller.connection.send(&Request::get(&format!("/channels/room/poll?after={next}"))).await;
    publisher.numbers([1]).await;
    assert_eq!(texts(&poller.answer().await), ["1"]);
    server.wait_for_subscribers("room", "long-poll", 1).await;
    publisher.numbers([2]).await;

    assert_eq!(texts(&poller.answer().await), ["2"]);
    assert_eq!(outside(&server).await, 1, "it was out of the framework all the time");
}

/// Wherever a packet ends, the request is the same.
#[tokio::test]
async fn a_poll_that_comes_in_pieces_is_answered_as_if_it_came_at_once() {
    let server = direct(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut poller = Poller::open(&server).await;
    poller.rest(&server).await;

    let length = poller.request().to_bytes(&poller.connection.host()).len();
    for at in (1..length).step_by(7).chain([length - 3, length - 2, length - 1]) {
        let request = poller.request().to_bytes(&poller.connection.host());
        let (first, second) = request.split_at(at);
        poller.connection.write(first).await;
        wait_for_outside(&server, 0).await;
        poller.connection.write(second).await;
        server.wait_for_subscribers("room", "long-poll", 1).await;
        wait_for_outside(&server, 1).await;
        publisher.publish("", &at.to_string()).await.published_id();
        assert_eq!(texts(&poller.answer().await), [at.to_string()]);
    }
}

#[tokio::test]
async fn a_connection_that_rests_takes_any_other_request_bodies_included() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    poller.rest(&server).await;

    let posted = poller.connection.request(&Request::post("/channels/room", "x".repeat(100_000))).await;
    posted.published_id();
    let answer = poller.connection.request(&poller.request()).await;
    assert_eq!(texts(&answer), ["x".repeat(100_000)]);
    poller.go_on_from(&answer);
    poller.connection.request(&Request::get("/channels/room/poll?after=nonsense")).await.assert_problem(400);
    poller.connection.request(&poller.request().header("Host", "evil.example")).await.assert_problem(421);
    poller.rest(&server).await;

    assert_eq!(poller.connection.request(&Request::new("HEAD", "/channels/room/poll")).await.status(), 200);
    let mut socket = RawWebSocket::open_on(poller.connection, Request::websocket("/channels/room/ws")).await;
    assert!(socket.send(&Frame::new(CLOSE, [3, 232])).await);
    assert_eq!(socket.close_code().await, 1000);
}

/// Answers are shared by all who ask the same, and still each tells when it was sent.
#[tokio::test]
async fn the_same_answer_given_later_has_a_later_date() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    let request = poller.request();
    poller.rest(&server).await;

    let first = poller.connection.request(&request).await;

    within_guard("another date", async {
        while poller.connection.request(&request).await.header("Date") == first.header("Date") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(outside(&server).await, 1);
}

#[tokio::test]
async fn whoever_begins_a_request_on_a_connection_that_rests_must_end_it_in_time() {
    let server = direct(&["--request-timeout", "1s"]);
    let mut poller = Poller::open(&server).await;
    poller.rest(&server).await;

    poller.connection.write(b"GET /channels/room/poll?af").await;

    let (answer, _) = poller.connection.read_to_ending().await;
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_rests_is_closed_in_order_when_its_time_is_over() {
    let server = direct(&["--keep-alive", "1s"]);
    let mut poller = Poller::open(&server).await;
    poller.rest(&server).await;

    assert_eq!(poller.connection.read_to_ending().await, (Vec::new(), Ending::Fin));

    wait_for_outside(&server, 0).await;
}

#[tokio::test]
async fn a_connection_that_rests_is_closed_when_the_server_drains_and_a_held_poll_gets_its_goodbye() {
    let mut server = direct(&["--drain-time", "2s"]);
    let mut resting = Poller::open(&server).await;
    resting.rest(&server).await;
    let mut held = Poller::open(&server).await;
    held.connection.send(&held.request()).await;
    wait_for_outside(&server, 2).await;

    server.terminate();

    assert_eq!(resting.connection.read_to_ending().await, (Vec::new(), Ending::Fin));
    assert!(held.answer().await.text().contains(r#"{"goodbye":{"reason":"draining""#));
    assert!(server.exit_status().await.success());
}

#[tokio::test]
async fn a_second_signal_ends_the_server_whoever_is_outside() {
    let mut server = direct(&["--drain-time", "10m"]);
    let _reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;
    wait_for_outside(&server, 1).await;

    server.terminate();
    within_guard("the drain to begin", async {
        while server.try_get("/readyz").await.is_some_and(|ready| ready.status() == 200) {}
    })
    .await;
    server.terminate();

    assert!(server.exit_status().await.success());
}

/// The channel that comes after it has another epoch, and the poller must hear of it.
#[tokio::test]
async fn a_channel_that_expired_between_two_polls_is_a_gap() {
    let server = direct(&["--channel-expiry", "1s"]);
    let mut poller = Poller::open(&server).await;
    poller.rest(&server).await;
    within_guard("the channel to expire", async {
        while !server.get("/channels").await.json()["channels"].as_array().is_some_and(Vec::is_empty) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    PostPublisher::open(&server, "room").await.numbers([2]).await;

    let answer = poller.connection.request(&poller.request()).await;

    assert_eq!(answer.json()["events"][0]["gap"]["reason"], "epoch", "{}", answer.text());
}

#[tokio::test]
async fn who_comes_through_the_lab_leaves_the_framework_as_well() {
    let server = TestServer::spawn_with_lab(&["--delivery", "direct"]);
    let link = crate::harness::Link::of(&server, "mine").await;
    let mut reader = link.reader(Transport::Sse, Subscription::to("room")).await;
    wait_for_outside(&server, 1).await;

    PostPublisher::open(&server, "room").await.numbers([1]).await;
    assert_eq!(reader.texts(1).await, ["1"]);

    link.cut().await;
    wait_for_outside(&server, 0).await;
}

/// After its close frame the server ends its half, and takes what the peer still sends. Were it to close at once, the
/// peer's system would be told that the connection is broken, and the close frame might never be read.
#[tokio::test]
async fn a_connection_ends_in_order_though_the_peer_is_still_sending() {
    let server = direct(&["--max-message-size", "1KiB"]);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws?format=raw").await;
    wait_for_outside(&server, 1).await;

    let flood: Vec<u8> = (0..200).flat_map(|_| Frame::new(TEXT, "x".repeat(2_000)).to_bytes()).collect();
    socket.send_bytes(&flood).await;

    assert_eq!(socket.frame().await.expect("a goodbye").close_code(), 1009);
    assert_eq!(socket.into_connection().read_to_ending().await, (Vec::new(), Ending::Fin));
    wait_for_outside(&server, 0).await;
}

/// The dispatcher must have flushed the head before the socket goes, and must let go of everything afterwards: a byte
/// too many or too few would show here, and a descriptor that it kept would keep the connection open.
#[tokio::test]
async fn nothing_stands_between_the_head_and_the_first_bytes_of_the_stage_and_nothing_is_held_open_behind_them() {
    let server = direct(&["--log-bytes", "16MiB", "--log-messages", "10000"]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    for number in 0..300 {
        publisher.publish("", &format!("{number} {}", "x".repeat(10_000))).await.published_id();
    }

    // The history is larger than what the kernel takes at once, so the socket is full when it would leave.
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room").after("start").narrow()).await;
    for number in 0..300 {
        assert!(reader.message().await.text().starts_with(&format!("{number} ")));
    }
    wait_for_outside(&server, 1).await;
    publisher.numbers([1]).await;
    assert_eq!(reader.texts(1).await, ["1"]);

    drop(reader);
    wait_for_outside(&server, 0).await;
    within_guard("the connections to be counted out", async {
        // Its own and the publisher's remain.
        while super::metric(&server, "fallcast_connections").await != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Bytes and end may come with one event of the system.
#[tokio::test]
async fn what_is_said_in_one_breath_with_the_end_is_heard_and_so_is_the_end() {
    let server = direct(&[]);
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room")).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(RawWebSocket::open(&server, "/channels/room/ws?format=raw").await);
    }
    wait_for_outside(&server, 101).await;

    for (number, socket) in sockets.into_iter().enumerate() {
        let mut connection = socket.into_connection();
        connection.write(&Frame::new(TEXT, number.to_string()).to_bytes()).await;
        connection.close_half().await;
        assert_eq!(reader.texts(1).await, [number.to_string()]);
        connection.read_to_ending().await;
    }

    wait_for_outside(&server, 1).await;
}

/// A client that closes its half has nothing more to say, on every way of delivery.
#[tokio::test]
async fn a_client_that_ends_its_half_is_let_go() {
    let server = direct(&[]);
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/channels/room/stream")).await;
    connection.text_through("hello").await;
    wait_for_outside(&server, 1).await;

    connection.close_half().await;

    connection.read_to_ending().await;
    wait_for_outside(&server, 0).await;
}
