//! The head of an HTTP/1.1 answer (RFC 9112 §4).

use super::{Fault, Form, Heard, body::Body};

/// How many fields a head may have.
pub const FIELDS_AT_MOST: usize = 64;

/// What a complete head says.
pub struct Head<'a> {
    /// Its length in bytes, with the empty line at the end.
    pub length: usize,
    /// Whether the connection ends with this answer.
    pub closes: bool,
    status: u16,
    reason: &'a str,
    content_length: Option<&'a [u8]>,
    is_chunked: bool,
    last_modified: Option<&'a [u8]>,
    etag: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// The head at the front of `bytes`, or `None` if it is not complete yet.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Fault> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_AT_MOST];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Fault::Broken("what is not HTTP/1")),
        };
        let mut head = Self {
            length,
            closes: response.version == Some(0),
            status: response.code.unwrap_or(0),
            reason: response.reason.unwrap_or(""),
            content_length: None,
            is_chunked: false,
            last_modified: None,
            etag: None,
        };
        response.headers.iter().for_each(|field| head.read(field));
        Ok(Some(head))
    }

    fn read(&mut self, field: &httparse::Header<'a>) {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            self.content_length = Some(field.value);
        } else if is("transfer-encoding") {
            self.is_chunked = field.value.trim_ascii().to_ascii_lowercase().ends_with(b"chunked");
        } else if is("connection") {
            self.closes = field.value.eq_ignore_ascii_case(b"close");
        } else if is("last-modified") {
            self.last_modified = Some(field.value);
        } else if is("etag") {
            self.etag = Some(field.value);
        }
    }

    /// Insists on the status that this form begins with. A poll may also be told that there is nothing: by 204, by 304
    /// where it sends validators, or by 408, as Nchan does.
    pub fn check(&self, form: Form) -> Result<(), Fault> {
        let is_good = match form {
            Form::WebSocket => self.status == 101,
            Form::EventStream | Form::Lines => self.status == 200,
            Form::Answers => matches!(self.status, 200..=299 | 304 | 408),
            Form::Receipts => matches!(self.status, 200..=299),
        };
        if is_good { Ok(()) } else { Err(Fault::Refused { status: self.status, reason: self.reason.to_owned() }) }
    }

    /// How the body ends (RFC 9112 §6.3).
    pub fn body(&self) -> Result<Body, Fault> {
        if matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(Body::of_length(0));
        }
        if self.is_chunked {
            return Ok(Body::chunked());
        }
        let Some(value) = self.content_length else { return Ok(Body::to_end()) };
        let length = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
        length.map(Body::of_length).ok_or(Fault::Broken("a Content-Length that is no number"))
    }

    /// Reports the validators as the fields of a request that send them back.
    pub fn validators(&self, sink: &mut impl FnMut(Heard<'_>)) {
        let mut fields = Vec::new();
        for (name, value) in [("If-Modified-Since: ", self.last_modified), ("If-None-Match: ", self.etag)] {
            if let Some(value) = value {
                fields.extend_from_slice(name.as_bytes());
                fields.extend_from_slice(value);
                fields.extend_from_slice(b"\r\n");
            }
        }
        if !fields.is_empty() {
            sink(Heard::Cursor(&fields));
        }
    }
}
