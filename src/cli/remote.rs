//! The far end: one channel on one server, reached over HTTP or WebSocket, with or without TLS.
//!
//! This module sends requests, and sorts every way in which they fail into what may work next time and what never will.
//! It does not wait and repeats nothing.

mod address;
mod fault;
mod trust;

use std::{future::Future, time::Duration};

use actix_codec::Framed;
use awc::{
    BoxedSocket, ClientResponse, Connector, SendClientRequest,
    error::WsClientError,
    http::{StatusCode, header},
    ws,
};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::{
    address::{BadAddress, ChannelAddress},
    fault::{Fault, Refusal},
    trust::{BadTrust, Fingerprint, TlsArgs},
};
use super::error::CliError;

/// How long a server may take to accept a connection, to finish the TLS handshake, and to begin its answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The largest event, or batch of events, that a client holds in memory.
///
/// Far above every sensible limit on messages, since JSON escapes and base64 make an event larger than its message.
pub const MAX_EVENT_BYTES: usize = 64 << 20;

/// What needs an escape in the value of a query parameter: all but the unreserved characters (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A WebSocket after its handshake.
pub type Socket = Framed<BoxedSocket, ws::Codec>;

/// The parameters of a request, in order.
pub type Query = Vec<(&'static str, String)>;

/// One channel on one server.
pub struct Remote {
    address: ChannelAddress,
    http: awc::Client,
}

impl Remote {
    /// Prepares requests to a channel. Nothing is sent yet.
    ///
    /// # Errors
    /// The TLS options cannot be followed.
    pub fn new(address: &ChannelAddress, tls: &TlsArgs) -> Result<Self, BadTrust> {
        let mut connector = Connector::new().timeout(PATIENCE).handshake_timeout(PATIENCE);
        if address.is_secure() {
            connector = connector.rustls_0_23(tls.client_config()?);
        } else {
            tls.must_be_unused()?;
        }
        // A parked poll and a stream may be silent for longer than any fixed time-out: each request brings its own.
        let http = awc::Client::builder().connector(connector).disable_timeout().finish();
        Ok(Self { address: address.clone(), http })
    }

    /// The address of one of the channel's resources, such as `/sse`, or of the channel itself if `path` is empty.
    #[must_use]
    pub fn url(&self, path: &str, query: &Query) -> String {
        let parameters: Vec<String> = query.iter().map(parameter).collect();
        let separator = if parameters.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{}", self.address, parameters.join("&"))
    }

    /// Gets a resource and returns the answer as soon as its head is there.
    ///
    /// # Errors
    /// There is no answer within `patience`, or one with another status than 200.
    pub async fn get(&self, url: &str, accept: &str, patience: Duration) -> Result<ClientResponse, Fault> {
        let request = self.http.get(url).insert_header((header::ACCEPT, accept));
        self.answer(request.send(), patience).await
    }

    /// Posts a body and returns the body of the answer.
    ///
    /// # Errors
    /// There is no answer within `patience`, or one with another status than 200 or 201.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Fault> {
        let mut request = self.http.post(url);
        for &header in headers {
            request = request.insert_header(header);
        }
        let answer = self.answer(request.send_body(body), patience).await?;
        read_body(answer, patience).await
    }

    /// Opens a WebSocket to the channel.
    ///
    /// # Errors
    /// The handshake takes too long, or the server refuses it.
    pub async fn upgrade(&self, query: &Query) -> Result<Socket, Fault> {
        let request = self.http.ws(self.url("/ws", query)).max_frame_size(MAX_EVENT_BYTES);
        match within(PATIENCE, request.connect()).await? {
            Ok((_, socket)) => Ok(socket),
            Err(WsClientError::InvalidResponseStatus(status)) => Err(self.ask_why(query, status).await),
            Err(WsClientError::SendRequest(error)) => Err(fault::of_request(error, self.address.authority())),
            Err(error) => Err(self.not_fallcast(error.to_string())),
        }
    }

    /// Finds out why a handshake was refused. awc drops the body of the refusal, and with it the server's explanation;
    /// but a short poll with the same parameters is refused for the same reasons.
    async fn ask_why(&self, query: &Query, status: StatusCode) -> Fault {
        let mut query = query.clone();
        query.push(("wait", "0".to_owned()));
        match self.get(&self.url("/poll", &query), "application/json", PATIENCE).await {
            Err(fault) => fault,
            Ok(_) => fault::of_status(status),
        }
    }

    /// The fault of an answer that no fallcast server gives: asking again would lead nowhere.
    #[must_use]
    pub fn not_fallcast(&self, cause: String) -> Fault {
        Fault::Final(CliError::NotFallcast { channel: self.address.to_string(), cause })
    }

    async fn answer(&self, request: SendClientRequest, patience: Duration) -> Result<ClientResponse, Fault> {
        let answer = within(patience, request).await?;
        let answer = answer.map_err(|error| fault::of_request(error, self.address.authority()))?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(answer),
            _ => Err(fault::of_answer(answer).await),
        }
    }
}

/// Reads an answer to its end.
///
/// awc reports a body that was cut off as one that has ended, so the caller must be able to tell by its content.
///
/// # Errors
/// The body takes longer than `patience`, or is too large.
pub async fn read_body(mut answer: ClientResponse, patience: Duration) -> Result<Bytes, Fault> {
    let body = within(patience, answer.body().limit(MAX_EVENT_BYTES)).await?;
    body.map_err(|error| Fault::passing(format!("the server's answer broke off: {error}")))
}

/// Waits for `future`, but not forever: a connection whose other end is gone stays silent.
///
/// # Errors
/// The time is over.
pub async fn within<F: Future>(patience: Duration, future: F) -> Result<F::Output, Fault> {
    let waited = tokio::time::timeout(patience, future).await;
    waited.map_err(|_| Fault::passing(format!("nothing came from the server for {patience:.1?}")))
}

fn parameter((name, value): &(&'static str, String)) -> String {
    format!("{name}={}", utf8_percent_encode(value, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_joined() {
        let address = "http://localhost:8080/channels/chat".parse().expect("a good address");
        let remote = Remote::new(&address, &TlsArgs::default()).expect("no TLS is needed");
        assert_eq!(remote.url("", &vec![]), "http://localhost:8080/channels/chat");
        let query = vec![("after", "k3f9z1.42".to_owned()), ("as", "Zoë & 100%".to_owned())];
        assert_eq!(
            remote.url("/sse", &query),
            "http://localhost:8080/channels/chat/sse?after=k3f9z1.42&as=Zo%C3%AB%20%26%20100%25"
        );
    }
}
