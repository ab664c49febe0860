//! What nobody can push: memory and counts, by sockets that are outside of the framework.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Poller, direct, metric, texts, wait_for_outside};
use crate::harness::{
    Connection, Frame, Reader, Request, Subscription, TestServer, Transport,
    publisher::PostPublisher,
    secret_of,
    websocket::{PING, PONG, RawWebSocket},
    within_guard,
};

const ENDLESS: [Transport; 5] =
    [Transport::WebSocket, Transport::WebSocketRaw, Transport::Sse, Transport::SseRaw, Transport::Stream];

/// Far more than the buffers between two sockets hold.
const FLOOD: usize = 64 << 20;

/// Writes until the flood is over, the peer has hung up, or it has taken nothing for a while. Returns how much it took.
async fn flood(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while taken < FLOOD {
        match tokio::time::timeout(Duration::from_secs(2), stream.write(&bytes[taken % bytes.len()..])).await {
            Ok(Ok(count)) => taken += count,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    taken
}

#[tokio::test]
async fn who_sends_on_and_on_to_an_endless_answer_is_cut_off() {
    let server = direct(&[]);
    let mut connection = Connection::open(server.address()).await;
    connection.send(&Request::get("/channels/room/sse")).await;
    connection.text_through("event: hello").await;
    wait_for_outside(&server, 1).await;

    let taken = flood(&mut connection.into_bare_stream(), &[b'x'; 4096]).await;

    assert!(taken < FLOOD);
    wait_for_outside(&server, 0).await;
}

#[tokio::test]
async fn who_sends_on_and_on_while_a_poll_is_held_is_cut_off() {
    let server = direct(&[]);
    let mut poller = Poller::open(&server).await;
    poller.hold(&server).await;

    let taken = flood(&mut poller.connection.into_stream(), &[b'x'; 4096]).await;

    assert!(taken < FLOOD);
    wait_for_outside(&server, 0).await;
}

/// The answer fills the socket, so the connection is neither given back nor closed; and what comes stays with the system.
#[tokio::test]
async fn who_sends_on_and_on_without_taking_an_answer_is_not_listened_to() {
    let server = direct(&[]);
    let mut poller = Poller::begin(Connection::open_narrow(server.address()).await).await;
    poller.hold(&server).await;
    PostPublisher::open(&server, "room").await.publish("", &"x".repeat(1_000_000)).await.published_id();
    poller.connection.take_in(1).await;

    let mut stream = poller.connection.into_bare_stream();
    let taken = flood(&mut stream, &[b'x'; 4096]).await;

    assert!(taken < FLOOD, "the server took {taken} bytes");
    drop(stream);
    wait_for_outside(&server, 0).await;
}

#[tokio::test]
async fn who_sends_pings_and_takes_no_pongs_is_not_listened_to_and_gets_each_pong_when_it_reads_on() {
    let server = direct(&[]);
    let connection = Connection::open_narrow(server.address()).await;
    let mut socket = RawWebSocket::open_on(connection, Request::websocket("/channels/room/ws?format=raw")).await;
    wait_for_outside(&server, 1).await;
    let whole = Frame::new(PING, [b'x'; 125]).to_bytes();

    let mut stream = socket.into_connection().into_stream();
    let taken = flood(&mut stream, &whole).await;

    assert!(taken < FLOOD, "the server took {taken} bytes");
    let (read, mut write) = stream.into_split();
    // The rest of the frame that was cut off, if one was.
    let begun = taken % whole.len();
    let rest = if begun == 0 { Vec::new() } else { whole[begun..].to_vec() };
    let writing = tokio::spawn(async move {
        write.write_all(&rest).await.expect("the connection is open");
        write
    });
    let count = taken.div_ceil(whole.len());
    let mut pongs = PongReader(read);
    for _ in 0..count {
        pongs.expect_one().await;
    }
    let write = writing.await.expect("the rest is written");
    socket = RawWebSocket::of(Connection::of(pongs.0.reunite(write).expect("two halves")));
    assert!(socket.send(&Frame::new(PING, "last")).await);
    assert_eq!(socket.frame().await.expect("a pong").payload, b"last");
}

struct PongReader(tokio::net::tcp::OwnedReadHalf);

impl PongReader {
    async fn expect_one(&mut self) {
        use tokio::io::AsyncReadExt as _;
        let mut frame = [0; 2 + 125];
        within_guard("a pong", self.0.read_exact(&mut frame)).await.expect("a whole frame");
        assert_eq!(frame[..2], [0x80 | PONG, 125]);
    }
}

#[tokio::test]
async fn places_of_an_address_are_taken_outside_as_inside_and_come_back() {
    let server = direct(&["--max-connections-per-address", "4"]);
    let mut poller = Poller::open(&server).await;
    poller.hold(&server).await;
    let mut readers = Vec::new();
    for transport in [Transport::WebSocket, Transport::Stream] {
        readers.push(Reader::open(&server, transport, &Subscription::to("room")).await);
    }
    wait_for_outside(&server, 3).await;
    let mut last = admitted(&server).await;

    server.get("/channels/room/poll").await.assert_problem(429);

    // Given back and taken again, a connection keeps its one place.
    for round in 0..20 {
        let number = round.to_string();
        assert_eq!(last.request(&Request::post("/channels/room", &number)).await.status(), 201);
        assert_eq!(texts(&poller.answer().await), [number]);
        assert_eq!(poller.connection.request(&Request::get("/healthz")).await.status(), 200);
        poller.connection.send(&poller.request()).await;
        within_guard("the poll to be held", async {
            while last.request(&Request::get("/channels")).await.json()["channels"][0]["subscribers"]["long-poll"] != 1
            {
            }
        })
        .await;
    }
    server.get("/channels/room/poll").await.assert_problem(429);

    drop(readers);
    within_guard("a place", async {
        while server.try_get("/channels/room/poll").await.is_none_or(|answer| answer.status() != 200) {}
    })
    .await;
}

/// A connection for which there is room, once those that have asked before are counted out.
async fn admitted(server: &TestServer) -> Connection {
    within_guard("room for one more", async {
        loop {
            let mut connection = Connection::open(server.address()).await;
            if connection.request(&Request::get("/channels")).await.status() == 200 {
                break connection;
            }
        }
    })
    .await
}

#[tokio::test]
async fn the_count_of_all_connections_holds_outside_as_inside() {
    let server = direct(&["--max-connections", "6"]);
    let mut readers = Vec::new();
    for transport in ENDLESS {
        readers.push(Reader::open(&server, transport, &Subscription::to("room")).await);
    }
    wait_for_outside(&server, 5).await;
    let last = admitted(&server).await;

    let refused = Connection::open(server.address()).await.try_request(&Request::get("/channels/room/stream")).await;

    if let Some(refused) = refused {
        refused.assert_problem(503);
    }
    drop((readers, last));
    wait_for_outside(&server, 0).await;
}

/// However they go, in order, by a reset, or by a request that the framework has to answer: nothing is left of them.
#[tokio::test]
async fn of_those_who_have_come_and_gone_nothing_remains() {
    let server = direct(&["--presence-grace", "0s"]);
    crowd(&server).await;
    let before = server.resident_bytes();

    for _ in 0..10 {
        crowd(&server).await;
    }

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < ALLOWED_GROWTH, "memory grew by {} KiB", grown >> 10);
}

/// What the allocator may take and not give back. Of each of the two thousand less than half a kilobyte.
const ALLOWED_GROWTH: u64 = 1 << 20;

/// Each has a name of its own, so that no two answers are alike.
#[tokio::test]
async fn pollers_that_rest_hold_nothing_of_the_answers_that_they_got() {
    let server = direct(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut pollers = Vec::new();
    for number in 0..500 {
        let mut poller = Poller::open(&server).await;
        poller.name = format!("&client={}", secret_of(&format!("poller-{number}")));
        poller.connection.send(&poller.request()).await;
        pollers.push(poller);
    }
    server.wait_for_subscribers("room", "long-poll", 500).await;
    wait_for_outside(&server, 500).await;
    publisher.numbers([1]).await;
    hear_and_ask_again(&server, &mut pollers).await;
    let before = server.resident_bytes();

    publisher.publish("", &"x".repeat(30_000)).await.published_id();
    hear_and_ask_again(&server, &mut pollers).await;

    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 500 * 10_000, "memory grew by {} KiB", grown >> 10);
}

async fn hear_and_ask_again(server: &TestServer, pollers: &mut [Poller]) {
    for poller in pollers.iter_mut() {
        poller.answer().await;
        poller.connection.send(&poller.request()).await;
    }
    server.wait_for_subscribers("room", "long-poll", pollers.len() as u64).await;
}

/// Two hundred subscribers, a sixth of each kind, who go in three ways.
async fn crowd(server: &TestServer) {
    let mut staying = Vec::new();
    for number in 0..200 {
        let transport = ENDLESS.into_iter().chain([Transport::Poll]).nth(number % 6).expect("six kinds");
        let mut connection = match transport {
            Transport::Poll => {
                let poller = Poller::begin(Connection::open(server.address()).await).await;
                let request = poller.request();
                let mut connection = poller.connection;
                connection.send(&request).await;
                connection
            }
            _ => begin(server, transport).await,
        };
        match number % 3 {
            0 => connection.reset(),
            1 if transport == Transport::Poll => {
                connection.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            }
            _ => staying.push(connection),
        }
    }
    drop(staying);
    wait_for_outside(server, 0).await;
    within_guard("all to be counted out but the one that asks", async {
        while metric(server, "fallcast_connections").await != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn begin(server: &TestServer, transport: Transport) -> Connection {
    let target = Subscription::to("room").target(transport);
    let mut connection = Connection::open(server.address()).await;
    let is_websocket = matches!(transport, Transport::WebSocket | Transport::WebSocketRaw);
    connection.send(&if is_websocket { Request::websocket(&target) } else { Request::get(&target) }).await;
    connection.head().await;
    connection
}
