//! Counts the bytes that one message costs on each transport, and keeps the counts where the book reads them.
//!
//! The server speaks HTTP/1.1 without TLS, each message is published alone, and the counts are those of the sockets: heads of
//! requests, responses, chunks and frames included, TCP and IP excluded. So they are the same on every machine, and the
//! test compares them exactly.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{project, server::Server, writes_the_book};

const RESULTS: &str = "measurements/bytes.json";

/// What every message holds.
const PAYLOAD: &str = r#"{"symbol":"TEA","price":4.20,"volume":117}"#;

/// Published before anything is counted, so that all cursors that are counted have three digits.
const BEFORE: usize = 100;

/// Published and counted.
const MESSAGES: usize = 50;

/// What a WebSocket handshake adds to a request (RFC 6455 §4.1).
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_message_costs_as_many_bytes_as_the_book_says() {
    let measured = json!({
        "payload": PAYLOAD.len(),
        "messages": MESSAGES,
        "websocket_raw": on_one_connection("ws?format=raw", HANDSHAKE),
        "websocket_json": on_one_connection("ws?format=json", HANDSHAKE),
        "sse_raw": on_one_connection("sse?format=raw", ""),
        "sse_json": on_one_connection("sse?format=json", ""),
        "stream": on_one_connection("stream", ""),
        "poll": by_polling(),
    });
    if writes_the_book() {
        fs::write(project().join(RESULTS), format!("{measured:#}\n")).expect("the results can be written");
    }
    let kept = fs::read_to_string(project().join(RESULTS)).expect("the results have been written");
    assert_eq!(measured, serde_json::from_str::<Value>(&kept).expect("the results are JSON"));
}

/// The bytes of a message on a connection that carries all of them.
fn on_one_connection(address: &str, headers: &str) -> Value {
    let server = Server::start(&[]);
    (0..BEFORE).for_each(|_| publish(&server));
    let mut reader = Connection::open(&server);
    reader.ask(address, headers);
    let opening = reader.read_until_silence();
    for message in 1..=MESSAGES {
        publish(&server);
        reader.read_while(|received| received.matches(PAYLOAD).count() < message);
    }
    per_message(0, reader.read_until_silence() - opening)
}

/// The bytes of a message that is asked for and answered alone. All polls use one connection.
fn by_polling() -> Value {
    let server = Server::start(&[]);
    (0..BEFORE).for_each(|_| publish(&server));
    let mut reader = Connection::open(&server);
    reader.ask("poll", "");
    let mut cursor = cursor(&reader.read_response());
    let (mut up, mut down) = (0, 0);
    for _ in 0..MESSAGES {
        up += reader.ask(&format!("poll?after={cursor}"), "");
        publish(&server);
        let response = reader.read_response();
        down += response.len();
        cursor = self::cursor(&response);
    }
    per_message(up, down)
}

fn per_message(up: usize, down: usize) -> Value {
    assert_eq!((up % MESSAGES, down % MESSAGES), (0, 0), "every message costs the same");
    json!({
        "up": up / MESSAGES,
        "down": down / MESSAGES,
        "overhead": (up + down) / MESSAGES - PAYLOAD.len(),
    })
}

/// The cursor that a poll's answer begins with.
fn cursor(response: &str) -> String {
    let (_, rest) = response.split_once(r#"{"cursor":""#).expect("a poll is answered with a cursor");
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn publish(server: &Server) {
    let mut publisher = Connection::open(server);
    let length = PAYLOAD.len();
    publisher.send(&format!(
        "POST /channels/tea HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{PAYLOAD}"
    ));
    assert!(publisher.read_response().starts_with("HTTP/1.1 201 "));
}

/// A connection, and what it has received.
struct Connection {
    socket: TcpStream,
    received: String,
}

impl Connection {
    fn open(server: &Server) -> Self {
        let socket = TcpStream::connect(("localhost", server.port())).expect("the server listens");
        Self { socket, received: String::new() }
    }

    /// Sends a request as `curl` would, and returns its size.
    fn ask(&mut self, address: &str, headers: &str) -> usize {
        self.send(&format!(
            "GET /channels/tea/{address} HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.0.0\r\nAccept: */*\r\n\
             {headers}\r\n"
        ))
    }

    fn send(&mut self, text: &str) -> usize {
        self.socket.write_all(text.as_bytes()).expect("the server reads");
        text.len()
    }

    /// Receives what has come. Each byte becomes one character, so that lengths stay what they are.
    fn receive(&mut self, patience: Duration) -> Result<(), ErrorKind> {
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(patience)).expect("this is a good time-out");
        match self.socket.read(&mut buffer) {
            Ok(0) => panic!("the server hung up after {:?}", self.received),
            Ok(size) => self.received.extend(buffer[..size].iter().map(|&byte| char::from(byte & 0x7F))),
            Err(error) => return Err(error.kind()),
        }
        Ok(())
    }

    fn read_while(&mut self, more: impl Fn(&str) -> bool) {
        const HANG: Duration = Duration::from_mins(1);
        while more(&self.received) {
            self.receive(HANG).unwrap_or_else(|error| panic!("{error} after {:?}", self.received));
        }
    }

    /// Reads until nothing has come for a moment. Returns how much has come in all.
    fn read_until_silence(&mut self) -> usize {
        const SILENCE: Duration = Duration::from_millis(500);
        while self.receive(SILENCE).is_ok() {}
        self.received.len()
    }

    /// Reads one response with a `Content-Length` and returns it.
    fn read_response(&mut self) -> String {
        self.read_while(|received| !received.contains("\r\n\r\n"));
        let head = self.received.find("\r\n\r\n").unwrap_or_default() + 4;
        let length = head + content_length(&self.received[..head]);
        self.read_while(|received| received.len() < length);
        std::mem::take(&mut self.received)
    }
}

fn content_length(head: &str) -> usize {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    field.and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| panic!("no length in {head:?}"))
}
