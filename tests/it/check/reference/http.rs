//! HTTP/1.1 as far as this server needs it: requests come in, answers go out.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// A connection that takes nothing for so long is given up.
const STALL: Duration = Duration::from_secs(15);

/// The largest head of a request.
const LARGEST_HEAD: usize = 16 * 1024;

/// The head of a request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    /// The minor version of HTTP/1.
    pub version: u8,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads a head from the first bytes, and returns how many it took; nothing while it is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, httparse::Error> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(size) = head.parse(bytes)? else { return Ok(None) };
        let (path, query) =
            head.path.and_then(|target| target.split_once('?')).unwrap_or((head.path.unwrap_or(""), ""));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let text = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())
        };
        let request = Self {
            method: head.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query,
            version: head.version.unwrap_or(0),
            headers: head.headers.iter().map(text).collect(),
        };
        Ok(Some((request, size)))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a header that is a list names this.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let value = self.header(name).unwrap_or_default();
        value.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client asks for nothing more on this connection.
    pub fn is_last(&self) -> bool {
        self.version == 0 || self.lists("Connection", "close")
    }

    /// Whether a page of another origin asks; only browsers tell which page it is.
    pub fn is_foreign(&self) -> bool {
        let own = |origin: &str| origin.split_once("://").map(|(_, authority)| authority) == self.header("Host");
        self.header("Origin").is_some_and(|origin| !own(origin))
    }
}

/// Both directions of a connection.
pub struct Connection {
    pub reader: Reader,
    pub writer: Writer,
    /// Which connection of the server it is.
    pub number: usize,
}

impl Connection {
    pub fn new(stream: TcpStream, number: usize) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: Reader { half: reader, unread: Vec::new(), is_broken: false },
            writer: Writer { half: writer },
            number,
        }
    }

    /// The next request, or nothing at the end of the connection and for what is no request.
    pub async fn request(&mut self) -> Option<Request> {
        loop {
            if let Some((request, size)) = Request::parse(&self.reader.unread).ok()? {
                self.reader.unread.drain(..size);
                return Some(request);
            }
            if self.reader.unread.len() > LARGEST_HEAD || !self.reader.fill().await {
                return None;
            }
        }
    }
}

/// What the client sends.
pub struct Reader {
    half: OwnedReadHalf,
    pub unread: Vec<u8>,
    /// Whether the connection has ended otherwise than in order.
    pub is_broken: bool,
}

impl Reader {
    /// Reads more. False at the end of the connection. Nothing is lost if it is given up before it is done.
    pub async fn fill(&mut self) -> bool {
        self.unread.reserve(16 * 1024);
        let read = self.half.read_buf(&mut self.unread).await;
        self.is_broken |= read.is_err();
        matches!(read, Ok(1..))
    }

    /// Reads exactly so many bytes.
    pub async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Reads bytes that nobody wants. False if the connection ends before.
    pub async fn skip(&mut self, mut count: usize) -> bool {
        loop {
            let here = self.unread.len().min(count);
            self.unread.drain(..here);
            count -= here;
            if count == 0 || !self.fill().await {
                return count == 0;
            }
        }
    }

    /// Waits until the client has gone. What it says before that is kept, but for one who talks on and on.
    pub async fn gone(&mut self) {
        while self.unread.len() <= LARGEST_HEAD && self.fill().await {}
    }

    /// Reads on to the end, for a moment: to close while bytes are unread would be a reset, which may overtake the last
    /// answer.
    pub async fn drain(&mut self) {
        let to_the_end = async {
            while self.fill().await {
                self.unread.clear();
            }
        };
        let _ = timeout(Duration::from_secs(1), to_the_end).await;
    }
}

/// What the client is sent.
pub struct Writer {
    half: OwnedWriteHalf,
}

impl Writer {
    /// Writes everything. False if the client has gone, or does not read.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(STALL, self.half.write_all(bytes)).await, Ok(Ok(())))
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        let _ = self.half.shutdown().await;
    }
}

/// A whole answer.
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned()), ("Cache-Control", "no-store".to_owned())];
        Self { status, headers, body: body.into() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        self
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = ("Content-Length", self.body.len().to_string());
        let headers: Vec<_> = self.headers.iter().cloned().chain([length]).collect();
        let mut bytes = head(self.status, &headers);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The bytes of a head.
pub fn head(status: u16, headers: &[(&'static str, String)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        head.extend([*name, ": ", value.as_str(), "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        _ => "Service Unavailable",
    }
}

/// Why something is refused.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub detail: &'static str,
}

impl Refusal {
    pub const fn new(status: u16, detail: &'static str) -> Self {
        Self { status, detail }
    }

    /// The problem document (RFC 9457).
    pub fn document(&self) -> serde_json::Value {
        json!({ "type": "about:blank", "title": reason(self.status), "status": self.status, "detail": self.detail })
    }

    pub fn answer(&self) -> Answer {
        let mut answer = Answer::json(self.status, self.document().to_string());
        "application/problem+json".clone_into(&mut answer.headers[0].1);
        if self.status == 426 { answer.header("Sec-WebSocket-Version", "13") } else { answer }
    }
}
