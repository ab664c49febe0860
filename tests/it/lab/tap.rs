//! The tap: what the lab records of its connections, as those see it who sent and received the bytes.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{
    Connection, Link, Publisher, Reader, Request, Subscription, TestServer, Transport,
    websocket::{CLOSE, Frame, RawWebSocket, TEXT},
    within_guard,
};

use super::peers::{ask, lab_in_the_network};

crate::on_transports! {
    every_byte_is_recorded_in_both_directions on [websocket, websocket_raw, sse, sse_raw, poll, stream];
    whoever_subscribes_to_the_tap_is_told_what_is_stored on [websocket, sse, poll, stream];
}

/// A server that says nothing by itself.
fn server() -> TestServer {
    TestServer::spawn_with_lab(&["--heartbeat", "1h"])
}

/// A client that keeps what it has sent and received. It asks for everything itself.
struct Witness {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Witness {
    async fn connect(lab: SocketAddr) -> Self {
        let stream = TcpStream::connect(lab).await.expect("the lab accepts connections");
        Self { stream, sent: Vec::new(), received: Vec::new() }
    }

    fn address(&self) -> String {
        self.stream.local_addr().expect("the socket is connected").to_string()
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the connection is open");
        self.sent.extend_from_slice(bytes.as_ref());
    }

    /// Sends a request and reads until something of the answer has come.
    async fn ask(&mut self, request: &Request, until: &str) {
        self.send(request.to_bytes("localhost")).await;
        self.read_until(until).await;
    }

    /// Reads until what has come since ends with a text.
    async fn read_until(&mut self, end: &str) {
        let mut fresh = Vec::new();
        while !contains(&fresh, end.as_bytes()) {
            let read = within_guard(end, self.stream.read_buf(&mut fresh)).await.expect("the connection is open");
            assert_ne!(read, 0, "the connection ended after {:?}", String::from_utf8_lossy(&fresh));
        }
        self.received.extend_from_slice(&fresh);
    }

    async fn leave(mut self) -> (Vec<u8>, Vec<u8>) {
        self.stream.shutdown().await.expect("the connection is open");
        within_guard("the end", self.stream.read_to_end(&mut self.received)).await.expect("an end in order");
        (self.sent, self.received)
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What is recorded of a link.
async fn recording(server: &TestServer, link: &str) -> Value {
    server.get(&format!("/lab/links/{link}/recording.json")).await.json()
}

/// The counters of a link.
async fn traffic(server: &TestServer, link: &str) -> Value {
    server.get(&format!("/lab/links/{link}")).await.json()["traffic"].clone()
}

/// What is recorded of a link, when so many connections have ended.
pub async fn recording_after(server: &TestServer, link: &str, ends: usize) -> Vec<Value> {
    within_guard("the ends of connections", async {
        loop {
            let wire = items(&recording(server, link).await);
            if of_kind(&wire, "close").len() == ends {
                break wire;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

fn items(recording: &Value) -> Vec<Value> {
    recording["wire"].as_array().expect("a list of items").clone()
}

fn of_kind<'a>(wire: &'a [Value], kind: &str) -> Vec<&'a Value> {
    wire.iter().filter_map(|item| item.get(kind)).collect()
}

/// All bytes that went in one direction.
fn bytes(wire: &[Value], direction: &str) -> Vec<u8> {
    let pieces = of_kind(wire, "piece").into_iter().filter(|piece| piece["direction"] == direction);
    pieces.flat_map(bytes_of).collect()
}

/// What was kept of a piece.
fn bytes_of(piece: &Value) -> Vec<u8> {
    STANDARD.decode(piece["bytes"].as_str().expect("bytes in base64")).expect("good base64")
}

/// What a piece of some direction says, for what is text.
fn texts(wire: &[Value], direction: &str) -> String {
    String::from_utf8(bytes(wire, direction)).expect("text")
}

async fn every_byte_is_recorded_in_both_directions(transport: Transport) {
    let server = server();
    Publisher::post(&server, "room").await.text("before").await;
    let _link = Link::with(&server, "a", json!({})).await;
    let mut witness = Witness::connect(server.lab().await).await;
    let address = witness.address();
    let subscription = Subscription::to("room").after("start").with("link", "a");
    let target = subscription.target(transport);
    let (request, kind) = match transport {
        Transport::WebSocket | Transport::WebSocketRaw => (Request::websocket(&target), "websocket"),
        Transport::Sse | Transport::SseRaw => (Request::get(&target), "sse"),
        Transport::Stream => (Request::get(&target), "stream"),
        Transport::Poll => (Request::get(&target), "poll"),
    };

    witness.ask(&request, "before").await;
    if kind == "websocket" {
        witness.send(Frame::new(CLOSE, 1000_u16.to_be_bytes()).to_bytes()).await;
        witness.read_until("\u{3}").await;
    }
    let (sent, received) = witness.leave().await;

    let wire = recording_after(&server, "a", 1).await;
    assert_eq!(bytes(&wire, "up"), sent);
    assert_eq!(bytes(&wire, "down"), received);
    let pieces = of_kind(&wire, "piece");
    for piece in &pieces {
        assert_eq!(piece["kind"], kind);
        assert_eq!(piece["length"], bytes_of(piece).len(), "{piece}");
    }
    let open = of_kind(&wire, "open");
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0]["client"], &open[0]["tls"]), (&json!(address), &json!(false)));
    assert_eq!(open[0]["server"], server.lab().await.to_string());
    let traffic = traffic(&server, "a").await;
    assert_eq!((&traffic[kind]["exchanges"], &traffic[kind]["connections"]), (&json!(1), &json!(1)));
    assert_eq!(traffic[kind]["up"]["bytes"], sent.len());
    assert_eq!(traffic[kind]["down"]["bytes"], received.len());
}

async fn whoever_subscribes_to_the_tap_is_told_what_is_stored(transport: Transport) {
    let server = server();
    let mut tap = Reader::open(&server, transport, &Subscription::to("tap.a")).await;
    let link = Link::of(&server, "a").await;

    let mut socket = link.websocket("/channels/room/ws?format=raw").await;
    socket.send(&Frame::new(TEXT, "hello")).await;
    assert_eq!(socket.frame_but_pings().await.expect("an echo").payload, b"hello");
    drop(socket);
    let request = link.post("/channels/room", "by post").header("Connection", "close");
    link.answer_and_ending(&request).await;

    let stored = recording_after(&server, "a", 2).await;
    let mut told = Vec::new();
    while of_kind(&told, "close").len() < 2 {
        let batch: Value = serde_json::from_slice(&tap.message().await.payload).expect("a batch is JSON");
        assert_eq!(batch["skipped"], 0, "{batch}");
        told.extend(items(&batch));
    }
    told.sort_by_key(at);
    assert_eq!(told, stored);
}

/// When an item happened, in microseconds.
fn at(item: &Value) -> u64 {
    let facts = item.as_object().and_then(|item| item.values().next()).expect("an item has one field");
    facts["at"].as_u64().expect("an item has a time")
}

#[tokio::test]
async fn links_that_share_a_connection_are_kept_apart() {
    let server = server();
    let mut witness = Witness::connect(server.lab().await).await;
    let first = Request::get("/channels/room/poll?link=a");
    let second = Request::post("/channels/room?link=b", "hello");
    let third = Request::get("/healthz");
    let fourth = Request::get("/channels/room/poll?link=a&after=start");

    for (request, until) in [(&first, "}\n"), (&second, "}\n"), (&third, "ok\n"), (&fourth, "}\n")] {
        witness.ask(request, until).await;
    }
    let (sent, received) = witness.leave().await;

    let one = recording_after(&server, "a", 1).await;
    let other = recording_after(&server, "b", 1).await;
    assert_eq!(bytes(&one, "up"), [first.to_bytes("localhost"), fourth.to_bytes("localhost")].concat());
    assert_eq!(bytes(&other, "up"), second.to_bytes("localhost"));
    assert_eq!(one.first(), other.first(), "it is one connection");
    assert_eq!(one.last(), other.last(), "with one end");
    let exchanges = |wire: &[Value]| -> Vec<u64> {
        let mut numbers: Vec<_> =
            of_kind(wire, "piece").iter().filter_map(|piece| piece["exchange"].as_u64()).collect();
        numbers.dedup();
        numbers
    };
    assert_eq!((exchanges(&one).len(), exchanges(&other).len()), (2, 1));
    assert!(!exchanges(&one).contains(&exchanges(&other)[0]));
    let all = items(&server.get("/lab/recording.json").await.json());
    assert_eq!((bytes(&all, "up"), bytes(&all, "down")), (sent, received), "operators see everything");
}

/// No browser sends the next request before the answer, but what it is about must not depend on that.
#[tokio::test]
async fn requests_that_come_together_are_told_apart() {
    let server = server();
    let mut witness = Witness::connect(server.lab().await).await;
    let first = Request::post("/channels/room?link=a", "hello").to_bytes("localhost");
    let second = Request::get("/channels/room/poll?link=b&after=start").to_bytes("localhost");

    witness.send([first.clone(), second.clone()].concat()).await;
    witness.read_until("\"more\":false}\n").await;
    witness.leave().await;

    assert_eq!(bytes(&recording_after(&server, "a", 1).await, "up"), first);
    assert_eq!(bytes(&recording_after(&server, "b", 1).await, "up"), second);
}

/// Where a body of chunks ends, only its last chunk tells.
#[tokio::test]
async fn behind_a_body_of_chunks_the_next_request_is_told_apart() {
    let server = server();
    let chunked = "POST /channels/room?link=a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
    let poll = Request::get("/channels/room/poll?link=b&after=start").to_bytes("localhost");
    let poll = String::from_utf8(poll).expect("text");

    let mut in_turn = Witness::connect(server.lab().await).await;
    in_turn.send(chunked).await;
    in_turn.read_until("}\n").await;
    in_turn.send(&poll).await;
    in_turn.read_until("\"more\":false}\n").await;
    in_turn.leave().await;
    assert_eq!(texts(&recording_after(&server, "a", 1).await, "up"), chunked);
    assert_eq!(texts(&recording_after(&server, "b", 1).await, "up"), poll);

    let mut together = Witness::connect(server.lab().await).await;
    together.send(format!("{chunked}{poll}")).await;
    together.read_until("\"more\":false}\n").await;
    together.leave().await;
    assert_eq!(texts(&recording_after(&server, "a", 2).await, "up"), chunked.repeat(2));
    assert_eq!(texts(&recording_after(&server, "b", 2).await, "up"), poll.repeat(2));
}

#[tokio::test]
async fn a_body_that_nobody_reads_belongs_to_its_link_all_the_same() {
    let server = server();
    let link = Link::with(&server, "a", json!({ "refuse_ms": 60_000 })).await;
    let refused = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        link.target("/channels/room")
    );

    let mut witness = Witness::connect(server.lab().await).await;
    witness.send(&refused).await;

    let wire = recording_after(&server, "a", 1).await;
    assert_eq!(texts(&wire, "up"), refused);
}

#[tokio::test]
async fn half_a_request_is_recorded_for_operators() {
    let server = server();
    let mut witness = Witness::connect(server.lab().await).await;
    witness.send("GET /healthz HT").await;
    let (sent, _) = witness.leave().await;

    let all = within_guard("the end", async {
        loop {
            let wire = items(&server.get("/lab/recording.json").await.json());
            if !of_kind(&wire, "close").is_empty() {
                break wire;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(bytes(&all, "up"), sent);
}

/// Whoever fetches recordings and does not take them would otherwise fill the server's memory.
#[tokio::test]
async fn recordings_under_way_have_a_bound() {
    let server = server();
    let link = Link::with(&server, "a", json!({})).await;
    for _ in 0..8 {
        let request = link.post("/channels/room", "x".repeat(300_000)).header("Connection", "close");
        link.answer_and_ending(&request).await;
    }
    recording_after(&server, "a", 8).await;

    let mut idle = Vec::new();
    let refusal = loop {
        assert!(idle.len() < 100, "there is no bound");
        let mut connection = Connection::open(server.address()).await;
        connection.send(&Request::get("/lab/links/a/recording.json")).await;
        let head = connection.head().await;
        if head.status != 200 {
            break head;
        }
        idle.push(connection);
    };
    assert_eq!(refusal.status, 503);
    assert!(refusal.header("Retry-After").is_some(), "{refusal:?}");

    drop(idle);
    within_guard("room", async {
        while server.get("/lab/links/a/recording.json").await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_recorded_for_operators() {
    let server = server();
    let mut witness = Witness::connect(server.lab().await).await;

    witness.send("what is this?\r\n\r\n").await;
    witness.read_until("}\n").await;
    let (sent, received) = witness.leave().await;

    let all = items(&server.get("/lab/recording.json").await.json());
    assert_eq!((bytes(&all, "up"), bytes(&all, "down")), (sent, received));
    assert!(of_kind(&all, "piece").iter().all(|piece| piece["kind"] == "other"), "{all:?}");
}

#[tokio::test]
async fn it_is_told_who_ended_a_connection_and_how() {
    let server = server();
    for (faults, how) in [
        (json!({ "cut": { "after_bytes": 20 } }), "fin"),
        (json!({ "cut": { "after_bytes": 20, "how": "rst" } }), "reset"),
        (json!({ "refuse_ms": 60_000 }), "reset"),
        (json!({ "unavailable_ms": 60_000 }), "fin"),
    ] {
        let link = Link::with(&server, &format!("a-{how}-{}", faults.to_string().len()), faults).await;
        let (received, _) = link.answer_and_ending(&link.get("/healthz")).await;
        let wire = recording_after(&server, link.name(), 1).await;
        assert_eq!(of_kind(&wire, "close")[0]["how"], how);
        assert_eq!(texts(&wire, "down"), received);
        assert!(texts(&wire, "up").starts_with("GET /healthz?link="));
    }

    let link = Link::of(&server, "left").await;
    drop(link.reader(Transport::Sse, Subscription::to("room")).await);
    assert_eq!(of_kind(&recording_after(&server, "left", 1).await, "close")[0]["how"], "client");
}

#[tokio::test]
async fn what_is_told_of_a_link_is_not_told_again() {
    let server = server();
    let link = Link::with(&server, "a", json!({})).await;
    let mut taps = Vec::new();
    for target in ["/channels/tap.a/sse", "/channels/tap%2Ea/stream", "/channels/tap.a/ws?format=json"] {
        let target = link.target(target);
        let request = if target.contains("/ws") { Request::websocket(&target) } else { Request::get(&target) };
        let mut tap = link.ask(&request).await;
        tap.head().await;
        taps.push(tap);
    }

    let published = link.post("/channels/room", "hello").header("Connection", "close");
    let (received, _) = link.answer_and_ending(&published).await;
    for tap in &mut taps {
        tap.text_through("\"close\"").await;
    }
    link.ask(&link.get("/lab/links/a/recording.json")).await.text_through("forgotten").await;
    link.ask(&link.get("/lab/recording.pcapng")).await.head().await;

    let wire = recording_after(&server, "a", 1).await;
    assert_eq!(texts(&wire, "down"), received);
    let traffic = traffic(&server, "a").await;
    assert_eq!(traffic.as_object().map(|kinds| kinds.keys().cloned().collect()), Some(vec!["publish".to_owned()]));
}

/// A tap is for those who listen: it makes no channel, and keeps none.
#[tokio::test]
async fn where_nobody_listens_nothing_is_told() {
    let server = TestServer::spawn_with_lab(&["--channel-expiry", "100ms"]);
    let link = Link::of(&server, "a").await;

    link.answer_and_ending(&link.get("/healthz").header("Connection", "close")).await;
    recording_after(&server, "a", 1).await;

    let channels = server.get("/channels").await.json()["channels"].clone();
    assert_eq!(channels, json!([]));
}

#[tokio::test]
async fn only_the_lab_publishes_what_it_hears() {
    let server = server();
    for door in [server.address(), server.lab().await] {
        let problem = ask(door, Request::post("/channels/tap.a", "made up")).await.assert_problem(403);
        assert_eq!(problem["type"], "urn:fallcast:problem:reserved-channel");
    }

    let mut json_socket = RawWebSocket::open(&server, "/channels/tap.a/ws?format=json").await;
    assert_eq!(json_socket.frame().await.expect("a hello").opcode, TEXT);
    json_socket.send(&Frame::new(TEXT, r#"{"publish":{"data":"made up"},"ref":1}"#)).await;
    let answer: Value = serde_json::from_slice(&json_socket.frame_but_pings().await.expect("an answer").payload)
        .expect("an answer is JSON");
    assert_eq!((&answer["error"]["status"], &answer["ref"]), (&json!(403), &json!(1)), "{answer}");

    let mut raw_socket = RawWebSocket::open(&server, "/channels/tap.a/ws?format=raw").await;
    raw_socket.send(&Frame::new(TEXT, "made up")).await;
    assert_eq!(raw_socket.close_code().await, 4001);
}

#[tokio::test]
async fn of_a_long_connection_the_beginning_is_kept_and_everything_counts() {
    const SHARE: usize = 256 * 1024;
    let server = server();
    let link = Link::with(&server, "a", json!({})).await;
    let body = "x".repeat(3 * SHARE);
    let request = link.post("/channels/room", &body).header("Connection", "close");
    let mut connection = link.connect().await;
    let sent = request.to_bytes(&connection.host());

    connection.send(&request).await;
    let (received, _) = connection.read_to_ending().await;

    let wire = recording_after(&server, "a", 1).await;
    let kept = bytes(&wire, "up");
    assert!(kept.len() < SHARE && sent.starts_with(&kept), "{} bytes are kept", kept.len());
    assert!(recording(&server, "a").await["forgotten"].as_u64().is_some_and(|count| count > 0));
    let counted = traffic(&server, "a").await["publish"].clone();
    assert_eq!((&counted["up"]["bytes"], &counted["down"]["bytes"]), (&json!(sent.len()), &json!(received.len())));
    let cut = of_kind(&wire, "piece").pop().expect("a last piece");
    assert!(bytes_of(cut).len() < cut["length"].as_u64().map_or(0, |length| usize::try_from(length).unwrap_or(0)));
}

#[tokio::test]
async fn when_there_is_no_room_the_oldest_connections_are_forgotten_that_have_ended() {
    let server = TestServer::spawn_with_lab(&["--heartbeat", "1h", "--lab-recording", "6000"]);
    let link = Link::with(&server, "a", json!({})).await;
    let mut open = Witness::connect(server.lab().await).await;
    open.ask(&link.get("/healthz"), "ok\n").await;
    let opened_first = open.address();

    let mut later = Vec::new();
    for _ in 0..20 {
        let mut witness = Witness::connect(server.lab().await).await;
        witness.ask(&link.get("/healthz"), "ok\n").await;
        later.push(witness.address());
        witness.leave().await;
    }

    let recording = recording(&server, "a").await;
    let wire = items(&recording);
    let clients: Vec<_> =
        of_kind(&wire, "open").iter().filter_map(|open| open["client"].as_str()).map(str::to_owned).collect();
    assert!(clients.contains(&opened_first), "it is still open");
    assert!(clients.contains(&later[19]), "it is the newest");
    assert!(!clients.contains(&later[0]), "it is the oldest that has ended");
    let kept = of_kind(&wire, "piece").len() as u64;
    assert_eq!(recording["forgotten"], 2 * 21 - kept, "each had a request and an answer");
    assert_eq!(traffic(&server, "a").await["other"]["exchanges"], 21, "everything counts");
}

#[tokio::test]
async fn a_lab_that_records_nothing_says_so() {
    let server = TestServer::spawn_with_lab(&["--lab-recording", "0"]);
    let link = Link::with(&server, "a", json!({})).await;
    let (answer, _) = link.answer_and_ending(&link.get("/healthz").header("Connection", "close")).await;
    assert!(answer.ends_with("ok\n"), "{answer}");

    assert!(link.view().await.get("traffic").is_none());
    for target in ["/lab/links/a/recording.json", "/lab/links/a/recording.pcapng", "/lab/recording.json"] {
        let problem = server.get(target).await.assert_problem(404);
        assert_eq!(problem["type"], "urn:fallcast:problem:no-recording", "{target}");
    }
}

#[tokio::test]
async fn recordings_are_fetched_like_everything_else() {
    let server = server();
    Link::with(&server, "a", json!({})).await;
    let lab = server.lab().await;

    for target in ["/lab/links/a/recording.json", "/lab/links/a/recording.pcapng", "/lab/recording.pcapng"] {
        for door in [server.address(), lab] {
            assert_eq!(ask(door, Request::get(target)).await.status(), 200, "{target}");
            assert_eq!(ask(door, Request::new("HEAD", target)).await.status(), 200, "{target}");
            let refused = ask(door, Request::post(target, "")).await;
            refused.assert_problem(405);
            assert!(refused.head.lists("Allow", "GET"), "{:?}", refused.head);
        }
        server.get(&format!("{target}?x=1")).await.assert_problem(400);
    }
    for kind in ["json", "pcapng"] {
        server.get(&format!("/lab/links/unheard-of/recording.{kind}")).await.assert_problem(404);
        server.get(&format!("/lab/links/a.b/recording.{kind}")).await.assert_problem(400);
    }
    let capture = server.get("/lab/links/a/recording.pcapng").await;
    assert_eq!(capture.header("Content-Disposition"), Some("attachment; filename=\"a.pcapng\""));
    assert_eq!(capture.body[..4], [0x0a, 0x0d, 0x0d, 0x0a], "the beginning of every pcapng");
    assert_eq!(recording(&server, "a").await, json!({ "link": "a", "wire": [], "forgotten": 0 }));
}

#[tokio::test]
async fn only_operators_see_everything() {
    let Some((_server, address, lab)) = lab_in_the_network(&[]).await else { return };
    ask(lab, Request::get("/healthz?link=a")).await;

    for door in [address, lab] {
        ask(door, Request::get("/lab/recording.json")).await.assert_problem(403);
        ask(door, Request::get("/lab/recording.pcapng")).await.assert_problem(403);
        assert_eq!(ask(door, Request::get("/lab/links/a/recording.json")).await.status(), 200, "who knows its name");
    }
}
