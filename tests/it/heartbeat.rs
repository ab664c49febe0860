//! Proofs of life on every transport, so that both sides find a dead peer.

use crate::harness::{
    Connection, Event, Frame, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    secret_of,
    source::SseSource,
    websocket::{CLOSE, PING, PONG, RawWebSocket},
};

/// Short, but not so short that a client on a busy machine is taken for one that is gone.
const SHORT: [&str; 2] = ["--heartbeat", "300ms"];

crate::on_transports! {
    a_silent_subscription_has_heartbeats_that_name_its_position_and_the_head on [websocket, sse, stream];
    heartbeats_advance_over_excluded_publications on [websocket, sse, stream];
    hello_tells_how_long_the_server_is_silent_at_most on [websocket, sse, sse_raw, stream, poll];
}

/// The next event that is a heartbeat: its cursor and its head.
async fn heartbeat(reader: &mut Reader) -> (String, String) {
    loop {
        if let Event::Heartbeat(heartbeat) = reader.next().await.expect("the subscription goes on") {
            break (heartbeat.cursor, heartbeat.head);
        }
    }
}

async fn a_silent_subscription_has_heartbeats_that_name_its_position_and_the_head(transport: Transport) {
    let server = TestServer::spawn(&SHORT);
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);
    let mut reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    for _ in 0..3 {
        assert_eq!(heartbeat(&mut reader).await, (id.clone(), id.clone()));
    }
}

async fn heartbeats_advance_over_excluded_publications(transport: Transport) {
    let server = TestServer::spawn(&SHORT);
    let ann = Subscription::to("room").client(&secret_of("ann")).without_echo();
    let mut reader = Reader::open(&server, transport, &ann).await;

    let own = PostPublisher::open(&server, "room")
        .await
        .publish(&format!("client={}", secret_of("ann")), "my own")
        .await
        .published_id();

    // A heartbeat may have been on its way already.
    while heartbeat(&mut reader).await.0 != own {}
    assert_eq!(reader.cursor(), own);
}

async fn hello_tells_how_long_the_server_is_silent_at_most(transport: Transport) {
    let server = TestServer::spawn(&SHORT);

    let reader = Reader::open(&server, transport, &Subscription::to("room")).await;

    assert_eq!(reader.hello.expect("hello comes first").heartbeat_ms, 300);
}

/// A comment is no event: nothing reaches the script of a page that asked for raw data. It is a line without a blank one
/// after it, since some client libraries make an event of every block.
#[tokio::test]
async fn the_heartbeat_of_raw_server_sent_events_is_a_line_of_comment() {
    let server = TestServer::spawn(&SHORT);
    let connection = Connection::open(server.address()).await;
    let mut source = SseSource::request(connection, Transport::SseRaw, "/channels/room/sse").await;
    source.block().await.expect("hello comes first");

    for _ in 0..3 {
        assert_eq!(source.line().await.expect("the stream goes on"), ":\n");
    }
    let id = PostPublisher::open(&server, "room").await.numbers([1]).await.remove(0);
    let block = source.block().await.expect("the stream goes on");
    assert_eq!((block.id, block.data), (Some(id), vec!["1".to_owned()]), "a message after comments is whole");
}

/// An id would be remembered by the `EventSource`, which tells its position by messages alone.
#[tokio::test]
async fn the_heartbeat_of_json_server_sent_events_has_no_id() {
    let server = TestServer::spawn(&SHORT);
    let connection = Connection::open(server.address()).await;
    let mut source = SseSource::request(connection, Transport::Sse, "/channels/room/sse?format=json").await;
    source.block().await.expect("hello comes first");

    let block = source.block().await.expect("the stream goes on");

    assert_eq!((block.event.as_deref(), block.id), (Some("heartbeat"), None));
}

#[tokio::test]
async fn a_websocket_is_pinged() {
    let server = TestServer::spawn(&SHORT);

    for address in ["/channels/room/ws", "/channels/room/ws?format=json"] {
        let mut socket = RawWebSocket::open(&server, address).await;
        for _ in 0..3 {
            let payload = ping(&mut socket).await;
            socket.send(&Frame::new(PONG, payload)).await;
        }
    }
}

/// The payload of the next ping.
async fn ping(socket: &mut RawWebSocket) -> Vec<u8> {
    loop {
        let frame = socket.frame().await.expect("the socket stays open");
        if frame.opcode == PING {
            break frame.payload;
        }
    }
}

/// `raw` has no events; even its heartbeats are invisible to a script.
#[tokio::test]
async fn a_raw_websocket_gets_no_frames_but_pings() {
    let server = TestServer::spawn(&SHORT);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;

    for _ in 0..5 {
        let frame = socket.frame().await.expect("the socket stays open");
        assert_eq!(frame.opcode, PING);
        socket.send(&Frame::new(PONG, frame.payload)).await;
    }
}

#[tokio::test]
async fn a_websocket_client_that_answers_no_ping_is_found_and_let_go() {
    let server = TestServer::spawn(&SHORT);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;

    while let Some(frame) = socket.frame().await {
        assert!(matches!(frame.opcode, PING | CLOSE), "{frame:?}");
    }
    server.wait_for_subscribers("room", "websocket", 0).await;
}

/// The other direction counts as a proof of life too: who sends data is alive.
#[tokio::test]
async fn a_websocket_client_that_sends_data_in_place_of_pongs_is_alive() {
    let server = TestServer::spawn(&["--heartbeat", "500ms"]);
    let mut socket = RawWebSocket::open(&server, "/channels/room/ws").await;

    // Far beyond two heartbeats, counted by the server's own pings.
    let mut pings = 0;
    while pings < 6 {
        assert!(socket.send(&Frame::new(crate::harness::websocket::TEXT, "alive")).await);
        match socket.frame().await.expect("the socket stays open").opcode {
            PING => pings += 1,
            CLOSE => panic!("the client sends all the time"),
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_client_that_hung_up_is_forgotten_on_every_transport() {
    let server = TestServer::spawn(&SHORT);

    for (transport, name) in
        [(Transport::WebSocket, "websocket"), (Transport::Sse, "sse"), (Transport::Stream, "stream")]
    {
        let reader = Reader::open(&server, transport, &Subscription::to("room")).await;
        server.wait_for_subscribers("room", name, 1).await;
        drop(reader);
        server.wait_for_subscribers("room", name, 0).await;
    }
    assert_eq!(server.request(Request::post("/channels/room", "text")).await.json()["subscribers"], 0);
}
