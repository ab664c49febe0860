//! HTTP/1.1 (RFC 9112): requests as they are written, answers as they come.

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::line::{Line, Stop};
use crate::{
    bench::load::decode::{
        FIELDS_AT_MOST,
        body::{Body, Piece},
    },
    check::{
        subject::Subject,
        trace::{LineNumber, Trace},
        verdict::Fault,
    },
};

/// No head is longer.
const LONGEST_HEAD: usize = 64 << 10;

/// No body that is read as a whole is longer.
const LONGEST_BODY: usize = 64 << 20;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    version: &'static str,
    fields: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request for this path and query.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, version: "HTTP/1.1", fields: Vec::new(), body: None }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a field, as a line: `Accept: text/event-stream`.
    #[must_use]
    pub fn field(mut self, line: impl Into<String>) -> Self {
        self.fields.push(line.into());
        self
    }

    /// Adds fields.
    #[must_use]
    pub fn fields(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.fields.extend(lines);
        self
    }

    /// Sets the body, whose length is declared.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Asks as another version of HTTP: `HTTP/1.0`.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Its method and target, for sentences: `GET /channels/c/sse`.
    #[must_use]
    pub fn says(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Its path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The fault that it has no answer that can be read.
    #[must_use]
    pub fn unanswered(&self, unread: &Unread, line: LineNumber) -> Fault {
        Fault::violated(format!("{} has no answer: {}", self.says(), unread.says()), [line])
    }

    /// Its bytes, with `Host` and the fields of the command line.
    #[must_use]
    pub fn bytes(&self, subject: &Subject) -> Vec<u8> {
        let Self { method, target, version, fields, body } = self;
        let mut head = format!("{method} {target} {version}\r\nHost: {}\r\n", subject.origin.host);
        for field in subject.settings.headers.iter().chain(fields) {
            head.push_str(field);
            head.push_str("\r\n");
        }
        if let Some(body) = body {
            head = head + "Content-Length: " + &body.len().to_string() + "\r\n";
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body.as_deref().unwrap_or_default());
        bytes
    }
}

/// Why an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It does not come, or not all of it.
    Stopped(Stop),
    /// It is not HTTP/1; this is why.
    Broken(&'static str),
}

impl Unread {
    /// What is wrong, for the end of a sentence.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::Stopped(stop) => stop.says().to_owned(),
            Self::Broken(why) => format!("what came is not HTTP/1.1: {why}"),
        }
    }
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// The words behind the status.
    pub reason: String,
    /// The minor version of HTTP/1: 0 or 1.
    pub version: u8,
    /// Its fields, in order, with their names as they came.
    pub fields: Vec<(String, String)>,
    /// Its bytes, with the empty line at the end.
    pub raw: Bytes,
}

impl Head {
    /// The value of the first field of this name, in whatever case.
    #[must_use]
    pub fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The values of all fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a field that is a list has this token, in whatever case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(token))
    }

    /// Whether it has a field that is given as a line, in whatever case. Of a list, every token must be there.
    #[must_use]
    pub fn has_line(&self, line: &str) -> bool {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        value.split(',').all(|token| self.has_token(name.trim(), token.trim()))
    }

    /// Its status and the words behind it: `404 Not Found`.
    #[must_use]
    pub fn says(&self) -> String {
        format!("{} {}", self.status, self.reason).trim_end().to_owned()
    }

    /// Whether the server ends the connection behind the answer.
    #[must_use]
    pub fn closes(&self) -> bool {
        let keeps = self.has_token("connection", "keep-alive");
        self.has_token("connection", "close") || (self.version == 0 && !keeps)
    }

    /// What follows it (RFC 9112 §6.3).
    ///
    /// # Errors
    /// Its length is not told as it must be.
    pub fn body(&self) -> Result<BodyReader, Unread> {
        let body = if matches!(self.status, 100..=199 | 204 | 304) {
            Body::of_length(0)
        } else if self.has_token("transfer-encoding", "chunked") {
            Body::chunked()
        } else if let Some(length) = self.field("content-length") {
            let length = length.parse().map_err(|_| Unread::Broken("its Content-Length is no number"))?;
            Body::of_length(length)
        } else {
            Body::to_end()
        };
        Ok(BodyReader { body, ended: false })
    }
}

/// Reads the head of an answer. Interim answers such as `100 Continue` are passed over.
///
/// # Errors
/// There is none.
pub async fn read_head(line: &mut Line, until: Instant) -> Result<Head, Unread> {
    loop {
        let head = read_any_head(line, until).await?;
        if head.status == 101 || !(100..200).contains(&head.status) {
            return Ok(head);
        }
    }
}

async fn read_any_head(line: &mut Line, until: Instant) -> Result<Head, Unread> {
    loop {
        if let Some(head) = parse_head(line.peek())? {
            line.take(head.raw.len());
            return Ok(head);
        }
        if line.peek().len() > LONGEST_HEAD {
            return Err(Unread::Broken("its head does not end"));
        }
        line.fill(until).await.map_err(Unread::Stopped)?;
    }
}

/// The head at the front of `bytes`; `None` if it is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Unread> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_AT_MOST];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unread::Broken("its head has more than 64 fields")),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Unread::Broken("a header field has bytes that it must not have"));
        }
        Err(_) => return Err(Unread::Broken("it does not begin with HTTP/1.1 and a status")),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value.trim_ascii()).into_owned();
    Ok(Some(Head {
        status: response.code.unwrap_or(0),
        reason: response.reason.unwrap_or("").to_owned(),
        version: response.version.unwrap_or(0),
        fields: response.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect(),
        raw: Bytes::copy_from_slice(&bytes[..length]),
    }))
}

/// Takes data out of its framing: a length, chunks, or everything until the connection ends.
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    ended: bool,
}

impl BodyReader {
    /// The next data, or `None` at the body's end.
    ///
    /// # Errors
    /// It stops before its end, or its chunks are broken.
    pub async fn next(&mut self, line: &mut Line, until: Instant) -> Result<Option<Bytes>, Unread> {
        loop {
            if self.ended || self.body.is_empty() {
                return Ok(None);
            }
            if line.peek().is_empty() {
                match line.fill(until).await {
                    Err(Stop::End) if self.body.ends_with_connection() => {
                        self.ended = true;
                        return Ok(None);
                    }
                    filled => filled.map_err(Unread::Stopped)?,
                }
            }
            if let Some(data) = self.take(line)? {
                return Ok(Some(data));
            }
        }
    }

    /// Takes the piece at the front of what has come, and returns it if it is data.
    fn take(&mut self, line: &mut Line) -> Result<Option<Bytes>, Unread> {
        let bytes = line.peek();
        let broken = |_| Unread::Broken("its chunks are not framed as RFC 9112 §7.1 says");
        let (piece, rest) = self.body.take(bytes).map_err(broken)?;
        let used = bytes.len() - rest.len();
        // Data stands at the end of what was taken off.
        let data = if let Piece::Data(data) = piece { data.len() } else { 0 };
        self.ended = matches!(piece, Piece::End);
        let mut taken = line.take(used);
        Ok((data > 0).then(|| taken.split_off(used - data)))
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// Its body, out of its framing.
    pub body: Bytes,
    /// The connection that it came on.
    pub line: LineNumber,
}

/// Reads a complete answer.
///
/// # Errors
/// It does not come, or cannot be read.
pub async fn read_answer(line: &mut Line, until: Instant) -> Result<Answer, Unread> {
    let head = read_head(line, until).await?;
    let mut reader = head.body()?;
    let mut body = BytesMut::new();
    while let Some(data) = reader.next(line, until).await? {
        body.extend_from_slice(&data);
        if body.len() > LONGEST_BODY {
            return Err(Unread::Broken("its body does not end"));
        }
    }
    Ok(Answer { head, body: body.freeze(), line: line.number() })
}

/// Asks on a connection of its own, and reads the complete answer. If there is none, the fault names the request.
///
/// # Errors
/// There is no answer.
pub async fn exchange(subject: &Subject, trace: &Trace, request: &Request) -> Result<Answer, Fault> {
    let mut line = Line::open(subject, trace).await?;
    // A server may answer and close before it has taken everything; what it says is read below.
    let _ = line.send(&request.bytes(subject)).await;
    let answer = read_answer(&mut line, Instant::now() + subject.patience()).await;
    answer.map_err(|unread| request.unanswered(&unread, line.number()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        parse_head(text.as_bytes()).expect("HTTP").expect("a complete head")
    }

    #[test]
    fn a_head_is_read_as_it_came() {
        let head = head("HTTP/1.1 404 Not Found\r\nX-A: 1\r\nx-a:  2 \r\nConnection: Upgrade, close\r\n\r\nbody");
        assert_eq!((head.status, head.says().as_str(), head.version), (404, "404 Not Found", 1));
        assert_eq!(head.all("x-A").collect::<Vec<_>>(), ["1", "2"]);
        assert!(head.has_token("connection", "UPGRADE") && head.closes());
        assert!(head.raw.ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn what_keeps_a_connection_open_depends_on_the_version() {
        assert!(!head("HTTP/1.1 200 OK\r\n\r\n").closes());
        assert!(head("HTTP/1.0 200 OK\r\n\r\n").closes());
        assert!(!head("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n").closes());
    }

    #[test]
    fn what_is_no_head_is_said() {
        let fault = |bytes: &[u8]| parse_head(bytes).expect_err("a fault").says();
        assert!(fault(b"SSH-2.0-OpenSSH_9.2\r\n").contains("does not begin with HTTP/1.1"));
        assert!(fault(b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n").contains("header field"));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nA: b\r\n").expect("HTTP").is_none());
        assert!(head("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").body().is_err());
    }
}
