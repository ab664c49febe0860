//! HTTP/1.1 over a bare socket, so that every byte in both directions is the test's own business.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::within_guard;

/// A request, written exactly as it is put together here.
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target` with a body that has no content type.
    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Some(body.as_ref().to_vec()), ..Self::new("POST", target) }
    }

    /// `PUT target` with a body that has no content type.
    pub fn put(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Some(body.as_ref().to_vec()), ..Self::new("PUT", target) }
    }

    /// `POST target` with a JSON body.
    pub fn post_json(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::post(target, body).header("Content-Type", "application/json")
    }

    /// The handshake of RFC 6455 §1.3, without any fault.
    pub fn websocket(target: &str) -> Self {
        Self::get(target)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header away again.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// The bytes on the wire, with `host` as the `Host` unless one was given.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target)];
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            lines.push(format!("Host: {host}"));
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.extend(self.body.as_ref().map(|body| format!("Content-Length: {}", body.len())));
        let mut bytes = (lines.join("\r\n") + "\r\n\r\n").into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// Status and headers of a response.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header. A header that comes twice fails the test.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} comes twice in {self:?}");
        value
    }

    /// Whether a header that holds a list, such as `Vary`, names `token`.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        values.flat_map(|(_, value)| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// All fields, in the order of their names, and the names in small letters.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        fields.sort();
        fields
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status =
            status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Self {
            status: status.unwrap_or_else(|| panic!("no status line: {status_line:?}")),
            headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        }
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The id that a publication was given.
    #[track_caller]
    pub fn published_id(&self) -> String {
        assert_eq!(self.status(), 201, "{}", self.text());
        self.json()["id"].as_str().expect("a publication has an id").to_owned()
    }

    /// Asserts that this is a problem document (RFC 9457) of the given status that explains itself.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) -> Value {
        assert_eq!(self.status(), status, "{}", self.text());
        assert_eq!(self.header("Content-Type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        problem
    }
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Fin,
    /// By a reset.
    Reset,
}

/// One connection to the server.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        stream.set_nodelay(true).expect("Nagle's algorithm can be switched off");
        Self { stream, unread: Vec::new() }
    }

    /// Connects, unless the server has stopped to listen.
    pub async fn try_open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        Some(Self { stream, unread: Vec::new() })
    }

    /// Connects with a small receive buffer, so that a reader that stops is noticed after kilobytes, not megabytes.
    pub async fn open_narrow(address: SocketAddr) -> Self {
        Self { stream: narrow_stream(address).await, unread: Vec::new() }
    }

    /// Sends a request and reads the whole response.
    pub async fn request(&mut self, request: &Request) -> Response {
        self.send(request).await;
        let head = self.head().await;
        let body = if request.method == "HEAD" { Vec::new() } else { self.body(&head).await };
        Response { head, body }
    }

    /// Like `request`, but `None` if the server has hung up, as a draining one does between two requests.
    pub async fn try_request(&mut self, request: &Request) -> Option<Response> {
        let written = self.try_write(&request.to_bytes(&self.host())).await;
        let answered = written && (!self.unread.is_empty() || self.fill().await);
        if !answered {
            return None;
        }
        let head = self.head().await;
        let body = self.body(&head).await;
        Some(Response { head, body })
    }

    /// Sends a request and reads nothing.
    pub async fn send(&mut self, request: &Request) {
        self.write(&request.to_bytes(&self.host())).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within_guard("the server to read", self.stream.write_all(bytes)).await.expect("the connection is open");
    }

    /// Writes to a server that may have hung up already.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within_guard("the server to read", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Says that nothing more will be sent.
    pub async fn close_half(&mut self) {
        self.stream.shutdown().await.expect("the connection is open");
    }

    /// Ends the connection as a host does that has forgotten it.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("the socket can be set up");
    }

    /// Reads so many bytes of a larger answer. They stay unread.
    pub async fn take_in(&mut self, count: usize) {
        let already = self.unread.len();
        while self.unread.len() < already + count {
            assert!(self.fill().await, "the connection ended after {} bytes", self.unread.len());
        }
    }

    /// Whether something has come that was not read yet.
    pub async fn has_unread(&mut self) -> bool {
        let readiness = tokio::time::timeout(Duration::ZERO, self.stream.readable()).await;
        !self.unread.is_empty() || readiness.is_ok()
    }

    /// Reads the head of a response.
    pub async fn head(&mut self) -> Head {
        let text = self.read_through(b"\r\n\r\n").await;
        Head::parse(std::str::from_utf8(&text).expect("a head is ASCII").trim_end())
    }

    /// Reads a whole body.
    pub async fn body(&mut self, head: &Head) -> Vec<u8> {
        let mut reader = BodyReader::new(head);
        let mut body = Vec::new();
        while let Some(chunk) = reader.chunk(self).await {
            body.extend_from_slice(&chunk);
        }
        body
    }

    /// Reads more bytes into `unread`. False when the peer has closed.
    async fn fill(&mut self) -> bool {
        let read = within_guard("bytes from the server", self.stream.read_buf(&mut self.unread)).await;
        // A reset is an end as well: the server may close while it has bytes of ours that it never read.
        matches!(read, Ok(1..))
    }

    /// Takes bytes up to the end of the first `delimiter`.
    async fn read_through<const N: usize>(&mut self, delimiter: &[u8; N]) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.unread, delimiter) {
                return self.unread.drain(..at + N).collect();
            }
            assert!(self.fill().await, "the connection ended after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Reads text up to the end of the first `part`, whatever it is a part of.
    pub async fn text_through(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.unread.windows(part.len()).position(|window| window == part.as_bytes()) {
                let bytes: Vec<u8> = self.unread.drain(..at + part.len()).collect();
                return String::from_utf8_lossy(&bytes).into_owned();
            }
            assert!(self.fill().await, "no {part:?} in {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// Takes exactly `count` bytes, or `None` if the connection ends before.
    pub async fn read_exact(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Reads until the server closes the connection, and returns what came.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    /// Reads until the connection ends, and returns what came and how it ended.
    pub async fn read_to_ending(&mut self) -> (Vec<u8>, Ending) {
        let ending = loop {
            match within_guard("the end of the connection", self.stream.read_buf(&mut self.unread)).await {
                Ok(0) => break Ending::Fin,
                Ok(_) => {}
                Err(_) => break Ending::Reset,
            }
        };
        (std::mem::take(&mut self.unread), ending)
    }

    /// The server's address, as a client puts it into `Host`.
    pub fn host(&self) -> String {
        self.stream.peer_addr().map_or_else(|_| "localhost".to_owned(), |address| address.to_string())
    }

    /// The port of the client's side.
    pub fn local_port(&self) -> u16 {
        self.stream.local_addr().expect("the socket is connected").port()
    }

    /// Takes over a socket.
    pub fn of(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Gives the socket away, and forgets what was not read.
    pub fn into_bare_stream(self) -> TcpStream {
        self.stream
    }

    /// Gives the socket to another client. Nothing may be unread.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.unread.is_empty(), "bytes would be lost");
        self.stream
    }
}

/// Takes a body apart as it arrives.
pub struct BodyReader {
    framing: Framing,
    finished: bool,
}

impl BodyReader {
    pub fn new(head: &Head) -> Self {
        let framing = if matches!(head.status, 101 | 204 | 304) {
            Framing::Length(0)
        } else if head.lists("Transfer-Encoding", "chunked") {
            Framing::Chunked
        } else if let Some(length) = head.header("Content-Length") {
            Framing::Length(length.parse().expect("a length is a number"))
        } else {
            Framing::UntilClose
        };
        Self { framing, finished: false }
    }

    /// The next part of the body as it comes, or `None` at its end.
    ///
    /// A connection that breaks in mid-chunk ends the body as well: that is for the reader of the format to notice.
    pub async fn chunk(&mut self, connection: &mut Connection) -> Option<Vec<u8>> {
        if self.finished {
            return None;
        }
        let chunk = match self.framing {
            Framing::Length(length) => {
                self.finished = true;
                connection.read_exact(length).await
            }
            Framing::Chunked => read_chunk(connection).await,
            Framing::UntilClose => {
                let more = !connection.unread.is_empty() || connection.fill().await;
                more.then(|| std::mem::take(&mut connection.unread))
            }
        };
        self.finished |= chunk.is_none();
        chunk
    }
}

/// Reads one chunk (RFC 9112 §7.1); `None` for the last one and for a connection that ended.
async fn read_chunk(connection: &mut Connection) -> Option<Vec<u8>> {
    while find(&connection.unread, b"\r\n").is_none() {
        if !connection.fill().await {
            return None;
        }
    }
    let line = connection.read_through(b"\r\n").await;
    let size = std::str::from_utf8(&line).ok().and_then(|line| usize::from_str_radix(line.trim(), 16).ok());
    let size = size.expect("a chunk begins with its size");
    let mut chunk = connection.read_exact(size + 2).await?;
    chunk.truncate(size);
    (size > 0).then_some(chunk)
}

/// Connects with a receive buffer of some kilobytes.
pub async fn narrow_stream(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(32 * 1024).expect("the buffer can be made small");
    socket.connect(address).await.expect("the server accepts connections")
}

/// Where `needle` begins for the first time. Its length is known to the compiler, which makes the search some times as
/// fast.
pub fn find<const N: usize>(haystack: &[u8], needle: &[u8; N]) -> Option<usize> {
    haystack.windows(N).position(|window| window == needle)
}
