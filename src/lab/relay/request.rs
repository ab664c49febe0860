//! Requests: the head, as far as a relay has to understand it. The fields pass as they were written.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};
use httparse::{EMPTY_HEADER, Header, Status};
use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::{body::Body, words};
use crate::{
    channel::TAP_PREFIX,
    lab::{
        faults::ExchangeKind,
        links::{BadLinkName, LinkName},
    },
};

/// The longest head.
pub const MAX_HEAD: usize = 64 * 1024;

/// How many fields a head has at most.
pub(super) const MAX_FIELDS: usize = 128;

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first line, from which the link has been taken off.
    line: String,
    /// The fields, as they were written, with the empty line behind them.
    fields: Bytes,
    kind: ExchangeKind,
    link: Option<LinkName>,
    /// How many bytes the head had.
    size: usize,
    is_about_recording: bool,
    /// The body that follows.
    pub body: Body,
    key: Option<String>,
    is_head: bool,
    is_persistent: bool,
}

/// Why a request is answered by the lab itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// The head is too long, or has too many fields.
    #[error("the head of a request has at most {MAX_HEAD} bytes and {MAX_FIELDS} fields")]
    TooLong,
    /// The head is not HTTP/1.1.
    #[error("this is no request of HTTP/1.1: {0}")]
    NotHttp(httparse::Error),
    /// It is not clear where the body ends.
    #[error("the length of the body is not clear; send one `Content-Length`, or `Transfer-Encoding: chunked`")]
    Length,
    /// The link has no good name.
    #[error("`link`: {0}")]
    Link(#[from] BadLinkName),
    /// There are two links.
    #[error("`link` is given twice; a request travels over one link")]
    TwoLinks,
    /// The head does not come to its end.
    #[error("the head of the request took too long")]
    TooSlow,
}

impl BadRequest {
    /// The answer.
    #[must_use]
    pub fn answer(self) -> Bytes {
        let (status, kind) = match self {
            Self::TooLong => (431, "head-too-long"),
            Self::TooSlow => (408, "head-too-slow"),
            Self::NotHttp(_) | Self::Length => (400, "bad-request"),
            Self::Link(_) | Self::TwoLinks => (400, "bad-link-name"),
        };
        words::problem(status, kind, "The lab cannot pass this request on", &self.to_string())
    }
}

impl Request {
    /// Takes a request's head off the input; `None` if more has to come first.
    ///
    /// # Errors
    /// Tells why this is no request that can be passed on.
    pub fn read(input: &mut BytesMut) -> Result<Option<Self>, BadRequest> {
        let mut headers = [EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut headers);
        let size = match parsed.parse(input) {
            Ok(Status::Complete(size)) if size <= MAX_HEAD => size,
            Ok(Status::Partial) if input.len() < MAX_HEAD => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::TooLong),
            Err(fault) => return Err(BadRequest::NotHttp(fault)),
        };
        let (method, version) = (parsed.method.unwrap_or_default(), parsed.version.unwrap_or_default());
        let fields = Fields(parsed.headers);
        let (target, link) = take_link(parsed.path.unwrap_or_default())?;
        let mut request = Self {
            line: format!("{method} {target} HTTP/1.{version}\r\n"),
            fields: Bytes::new(),
            kind: kind(method, &target, &fields),
            link,
            size,
            is_about_recording: is_about_recording(&target),
            body: fields.body(Body::Empty).ok_or(BadRequest::Length)?,
            key: fields.is_handshake().then(|| fields.text("Sec-WebSocket-Key").into_owned()),
            is_head: method == "HEAD",
            is_persistent: fields.is_persistent(version),
        };
        let mut head = input.split_to(size);
        head.advance(end_of_first_line(&head));
        request.fields = head.freeze();
        Ok(Some(request))
    }

    /// The head as it is passed on.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.line.len() + self.fields.len());
        bytes.extend_from_slice(self.line.as_bytes());
        bytes.extend_from_slice(&self.fields);
        bytes.freeze()
    }

    /// Takes fields off.
    pub fn strip(&mut self, names: &[&str]) {
        let is_named = |line: &&[u8]| {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default().trim_ascii();
            names.iter().any(|unwanted| name.eq_ignore_ascii_case(unwanted.as_bytes()))
        };
        let lines = self.fields.split_inclusive(|&byte| byte == b'\n');
        let left: BytesMut = lines.filter(|line| !is_named(line)).flatten().collect();
        self.fields = left.freeze();
    }

    /// How many bytes it has at least: its head, and its body if that says how long it is.
    #[must_use]
    pub fn known_length(&self) -> u64 {
        (self.size as u64).saturating_add(self.body.length().unwrap_or(0))
    }

    /// Whether it asks for what was recorded, stored or live.
    #[must_use]
    pub const fn is_about_recording(&self) -> bool {
        self.is_about_recording
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// The path that it asks for, as it was written.
    #[must_use]
    pub fn path(&self) -> &str {
        path(self.target())
    }

    /// What stands behind the path, without the link.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a field, if it is there.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let mut headers = [EMPTY_HEADER; MAX_FIELDS];
        // They were read before, with the first line.
        let parsed = httparse::parse_headers(&self.fields, &mut headers).ok()?;
        let fields = parsed.is_complete().then_some(Fields(&headers))?;
        fields.all(name).next().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// What kind of exchange it opens.
    #[must_use]
    pub const fn kind(&self) -> ExchangeKind {
        self.kind
    }

    /// The link over which it travels.
    #[must_use]
    pub const fn link(&self) -> Option<&LinkName> {
        self.link.as_ref()
    }

    /// Whether it asks for a WebSocket.
    #[must_use]
    pub const fn is_handshake(&self) -> bool {
        self.key.is_some()
    }

    /// The key of the handshake, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether the answer has no body, whatever its head says.
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether the client may send another request behind it.
    #[must_use]
    pub const fn is_persistent(&self) -> bool {
        self.is_persistent
    }
}

/// How many bytes the first line has, with the empty lines that may come before it (RFC 9112 §2.2).
fn end_of_first_line(head: &[u8]) -> usize {
    let start = head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    head[start..].iter().position(|&byte| byte == b'\n').map_or(head.len(), |at| start + at + 1)
}

/// Takes the parameter `link` off a target.
fn take_link(target: &str) -> Result<(Cow<'_, str>, Option<LinkName>), BadRequest> {
    let Some((path, query)) = target.split_once('?') else { return Ok((target.into(), None)) };
    let value_of_link = |pair: &&str| match pair.split_once('=') {
        Some(("link", value)) => Some(value.to_owned()),
        _ => (*pair == "link").then(String::new),
    };
    let mut links = query.split('&').filter_map(|pair| value_of_link(&pair));
    let Some(link) = links.next() else { return Ok((target.into(), None)) };
    if links.next().is_some() {
        return Err(BadRequest::TwoLinks);
    }
    let others: Vec<_> = query.split('&').filter(|pair| value_of_link(pair).is_none()).collect();
    let target = if others.is_empty() { path.to_owned() } else { format!("{path}?{}", others.join("&")) };
    Ok((target.into(), Some(link.parse()?)))
}

/// Whether a target is a tap's channel, or a recording that is stored.
fn is_about_recording(target: &str) -> bool {
    let path = percent_decode_str(path(target)).decode_utf8_lossy();
    let is_tap = |channel: &str| channel.starts_with(TAP_PREFIX);
    let is_file = |path: &str| ["recording.json", "recording.pcapng"].iter().any(|name| path.ends_with(name));
    path.strip_prefix("/channels/").is_some_and(is_tap) || path.strip_prefix("/lab/").is_some_and(is_file)
}

/// The path of a target, which may be a whole address (RFC 9112 §3.2.2).
fn path(target: &str) -> &str {
    let after_scheme = target.split_once("://").filter(|(scheme, _)| !scheme.starts_with('/'));
    let path = after_scheme.map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    path.split('?').next().unwrap_or_default()
}

/// What kind of exchange a request opens. It is the server's own rule (`transport::negotiate`), except that weights in
/// `Accept` do not count.
fn kind(method: &str, target: &str, fields: &Fields<'_, '_>) -> ExchangeKind {
    if fields.is_handshake() {
        return ExchangeKind::WebSocket;
    }
    // A preflight counts as what it asks for.
    let asked = fields.text("Access-Control-Request-Method");
    let method = if method == "OPTIONS" { asked.as_ref() } else { method };
    let path = target.split('?').next().unwrap_or_default();
    let Some(address) = path.strip_prefix("/channels/") else { return ExchangeKind::Other };
    match (method, address.split_once('/')) {
        ("POST", None) => ExchangeKind::Publish,
        (_, Some((_, "sse"))) => ExchangeKind::Sse,
        (_, Some((_, "stream"))) => ExchangeKind::Stream,
        (_, Some((_, "poll"))) => ExchangeKind::Poll,
        ("GET" | "HEAD", None) => kind_by_accept(&fields.text("Accept")),
        _ => ExchangeKind::Other,
    }
}

fn kind_by_accept(accept: &str) -> ExchangeKind {
    let kind = |range: &str| match range.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => Some(ExchangeKind::Sse),
        "application/x-ndjson" => Some(ExchangeKind::Stream),
        "application/json" => Some(ExchangeKind::Poll),
        "text/html" => Some(ExchangeKind::Other),
        _ => None,
    };
    accept.split(',').find_map(kind).unwrap_or(ExchangeKind::Poll)
}

/// The fields of a head.
pub(super) struct Fields<'h, 'b>(pub(super) &'h [Header<'b>]);

impl Fields<'_, '_> {
    fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The first value of a field; empty if there is none.
    pub(super) fn text(&self, name: &str) -> Cow<'_, str> {
        self.all(name).next().map(String::from_utf8_lossy).unwrap_or_default()
    }

    /// Whether a field that holds a list names something.
    pub(super) fn lists(&self, name: &str, item: &str) -> bool {
        let items = self.all(name).flat_map(|value| value.split(|&byte| byte == b','));
        items.map(<[u8]>::trim_ascii).any(|given| given.eq_ignore_ascii_case(item.as_bytes()))
    }

    fn is_handshake(&self) -> bool {
        self.text("Upgrade").trim().eq_ignore_ascii_case("websocket")
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    pub(super) fn is_persistent(&self, version: u8) -> bool {
        let closes = self.lists("Connection", "close");
        let is_kept = version > 0 || self.lists("Connection", "keep-alive");
        is_kept && !closes
    }

    /// The body that follows (RFC 9112 §6.3), or what it is without any word about it. `None` if the fields contradict
    /// each other: two relays that understand them in two ways can be made to disagree where the next message begins.
    pub(super) fn body(&self, unless_said: Body) -> Option<Body> {
        let mut codings = self.all("Transfer-Encoding");
        let mut lengths = self.all("Content-Length");
        match (codings.next(), lengths.next()) {
            (None, None) => Some(unless_said),
            (Some(coding), None)
                if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") && codings.next().is_none() =>
            {
                Some(Body::CHUNKED)
            }
            (None, Some(length)) if lengths.next().is_none() && length.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(length).ok()?.parse().ok().map(Body::Length)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<Request>, BadRequest> {
        Request::read(&mut BytesMut::from(text))
    }

    #[track_caller]
    fn request(text: &str) -> Request {
        read(text).unwrap_or_else(|fault| panic!("{text}: {fault}")).expect("a whole request")
    }

    #[track_caller]
    fn check_target(target: &str, passed_on: &str, link: Option<&str>) {
        let request = request(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(request.line, format!("GET {passed_on} HTTP/1.1\r\n"));
        assert_eq!(request.link().map(LinkName::as_str), link, "{target}");
    }

    #[test]
    fn the_link_is_taken_off_and_nothing_else() {
        check_target("/a", "/a", None);
        check_target("/a?b=1", "/a?b=1", None);
        check_target("/a?link=x", "/a", Some("x"));
        check_target("/a?link=x&b=1", "/a?b=1", Some("x"));
        check_target("/a?b=1&link=x-Y_9&c=%26link=z", "/a?b=1&c=%26link=z", Some("x-Y_9"));
        check_target("/a?links=x&", "/a?links=x&", None);
        check_target("http://h:1/a?link=x", "http://h:1/a", Some("x"));
    }

    #[test]
    fn a_bad_link_is_refused() {
        for (target, fault) in [
            ("/?link=", BadRequest::Link(BadLinkName)),
            ("/?link", BadRequest::Link(BadLinkName)),
            ("/?link=a%20b", BadRequest::Link(BadLinkName)),
            ("/?link=a&link=a", BadRequest::TwoLinks),
        ] {
            assert_eq!(read(&format!("GET {target} HTTP/1.1\r\n\r\n")), Err(fault), "{target}");
        }
    }

    #[test]
    fn fields_pass_as_they_were_written() {
        let fields = "hOsT: h\r\nX-Odd:  two  spaces \r\nX-Odd: again\r\nCookie: a=b\r\n\r\n";
        let request = request(&format!("\r\nGET /?link=a HTTP/1.1\r\n{fields}"));
        assert_eq!(request.to_bytes(), format!("GET / HTTP/1.1\r\n{fields}"));
    }

    #[test]
    fn what_follows_the_head_stays_in_the_input() {
        let mut input = BytesMut::from("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
        let request = Request::read(&mut input).expect("a good head").expect("a whole head");
        assert_eq!((request.body, input.as_ref()), (Body::Length(4), &b"body"[..]));
    }

    #[test]
    fn an_unfinished_head_is_waited_for() {
        let head = "GET /?link=a HTTP/1.1\r\nHost: h\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(read(&head[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_refused() {
        let field = format!("X: {}\r\n", "x".repeat(MAX_HEAD));
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{field}")), Err(BadRequest::TooLong));
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{field}\r\n")), Err(BadRequest::TooLong));
        let fields = "X: x\r\n".repeat(MAX_FIELDS + 1);
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), Err(BadRequest::TooLong));
    }

    #[test]
    fn the_end_of_the_body_must_be_clear() {
        let body = |fields: &str| read(&format!("POST / HTTP/1.1\r\n{fields}\r\n")).map(|read| read.map(|it| it.body));
        assert_eq!(body(""), Ok(Some(Body::Empty)));
        assert_eq!(body("Content-Length: 12\r\n"), Ok(Some(Body::Length(12))));
        assert_eq!(body("Transfer-Encoding: Chunked\r\n"), Ok(Some(Body::CHUNKED)));
        for bad in [
            "Content-Length: +1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
        ] {
            assert_eq!(body(bad), Err(BadRequest::Length), "{bad}");
        }
    }

    #[track_caller]
    fn check_kind(line: &str, fields: &str, expected: ExchangeKind) {
        assert_eq!(request(&format!("{line} HTTP/1.1\r\n{fields}\r\n")).kind(), expected, "{line} {fields}");
    }

    #[test]
    fn the_kind_of_exchange_is_told_by_the_request() {
        use ExchangeKind::{Other, Poll, Publish, Sse, Stream, WebSocket};
        check_kind("GET /channels/a/ws", "Upgrade: WebSocket\r\n", WebSocket);
        check_kind("GET /", "Upgrade: websocket\r\n", WebSocket);
        check_kind("GET /channels/a/ws", "", Other);
        check_kind("GET /channels/a/sse?after=end", "", Sse);
        check_kind("HEAD /channels/a/stream", "", Stream);
        check_kind("GET /channels/a/poll", "", Poll);
        check_kind("GET /channels/a/presence", "", Other);
        check_kind("POST /channels/a?link=x", "", Publish);
        check_kind("POST /channels/a/leave", "", Other);
        check_kind("GET /", "", Other);
    }

    #[test]
    fn at_a_channels_own_address_the_client_says_what_it_wants() {
        use ExchangeKind::{Other, Poll, Sse, Stream};
        check_kind("GET /channels/a", "", Poll);
        check_kind("GET /channels/a", "Accept: */*\r\n", Poll);
        check_kind("GET /channels/a", "Accept: text/event-stream\r\n", Sse);
        check_kind("GET /channels/a", "Accept: application/x-ndjson;q=1, */*\r\n", Stream);
        check_kind("GET /channels/a", "Accept: text/html,application/xml;q=0.9\r\n", Other);
    }

    #[test]
    fn a_preflight_counts_as_what_it_asks_for() {
        let post = "Access-Control-Request-Method: POST\r\n";
        check_kind("OPTIONS /channels/a", post, ExchangeKind::Publish);
        check_kind("OPTIONS /channels/a/sse", "Access-Control-Request-Method: GET\r\n", ExchangeKind::Sse);
        check_kind("OPTIONS /", post, ExchangeKind::Other);
    }

    #[test]
    fn what_looks_at_the_recording_is_known_however_it_is_written() {
        let is_about_recording = |target: &str| request(&format!("GET {target} HTTP/1.1\r\n\r\n")).is_about_recording();
        for target in [
            "/channels/tap.a/sse?link=a",
            "/channels/%74ap%2Ea",
            "http://h:1/channels/tap.a/ws",
            "/lab/links/a/recording.json?link=a",
            "/lab/recording.pcapng",
        ] {
            assert!(is_about_recording(target), "{target}");
        }
        for target in ["/channels/tapas/sse", "/channels/a/sse?x=/channels/tap.", "/lab/links/a", "/tap.a", "*"] {
            assert!(!is_about_recording(target), "{target}");
        }
    }

    #[test]
    fn a_request_knows_its_length_and_its_fields() {
        let head = "POST /lab/nagle?writes=2&link=a HTTP/1.1\r\nOrigin: o\r\nContent-Length: 4\r\n\r\n";
        let post = request(head);
        assert_eq!((post.method(), post.path(), post.query()), ("POST", "/lab/nagle", "writes=2"));
        assert_eq!((post.field("origin").as_deref(), post.field("Host")), (Some("o"), None));
        assert_eq!(post.known_length(), head.len() as u64 + 4);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(request(chunked).known_length(), chunked.len() as u64);
    }

    #[test]
    fn a_connection_is_kept_unless_somebody_says_otherwise() {
        let is_persistent =
            |version: &str, fields: &str| request(&format!("GET / {version}\r\n{fields}\r\n")).is_persistent();
        assert!(is_persistent("HTTP/1.1", ""));
        assert!(is_persistent("HTTP/1.1", "Connection: keep-alive\r\n"));
        assert!(!is_persistent("HTTP/1.1", "Connection: x, Close\r\n"));
        assert!(!is_persistent("HTTP/1.0", ""));
        assert!(is_persistent("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Request::read(&mut BytesMut::from(bytes.as_slice()));
        }
    }
}
