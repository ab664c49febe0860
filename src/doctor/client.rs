//! The client: HTTP/1.1 over a socket of its own, so that every byte, its time and the end of each connection are seen.
//!
//! No library does this job: those that hide chunks and keep connections also hide who ended one and how, and the body of
//! a handshake that was refused.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use rustls::{ClientConfig, pki_types::ServerName};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{observations::End, target::Target};

/// How long a connection may take to open, and an answer to begin.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How large an answer may be that is read as a whole.
const LARGEST_ANSWER: usize = 256 * 1024;

/// How long the head of an answer may be.
const LARGEST_HEAD: usize = 64 * 1024;

/// How many fields a head may have.
const MOST_FIELDS: usize = 128;

/// How much is read at once.
const BLOCK: usize = 16 * 1024;

/// Why there is no answer, or not all of one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// There is nobody at the address, or no way to it.
    #[error("cannot connect to {0}: {1}; is it running, and is the address right?")]
    Unreachable(String, String),
    /// There is no TLS to be had.
    #[error(
        "no secure connection to {0}: {1}; if you trust this server, pass the fingerprint that it printed at its start \
         with --fingerprint, or the certificate's PEM file with --ca"
    )]
    Untrusted(String, String),
    /// The connection ended by FIN.
    #[error("the connection was closed")]
    Fin,
    /// The connection ended by RST.
    #[error("the connection was reset")]
    Reset,
    /// Nothing came.
    #[error("nothing came for {0:.1?}")]
    Silence(Duration),
    /// The server, or its lab, does not want to be asked, and says why.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// What came is not HTTP/1.
    #[error("the answer is none: {0}")]
    NotHttp(String),
}

impl Fault {
    /// How the connection ended.
    #[must_use]
    pub const fn end(&self) -> End {
        match self {
            Self::Unreachable(..) | Self::Untrusted(..) => End::NotOpened,
            Self::Fin => End::Fin,
            Self::Reset => End::Reset,
            Self::Silence(_) => End::Silence,
            Self::Refused(_) | Self::NotHttp(_) => End::Answered,
        }
    }
}

/// A request. `Host` is added when it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The address on the server, without what the target adds.
    pub address: String,
    /// The fields.
    pub fields: Vec<(String, String)>,
    /// The body, of a request that has one.
    pub body: Option<String>,
}

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(address: impl Into<String>) -> Self {
        let fields = vec![("User-Agent".to_owned(), "fallcast-doctor".to_owned())];
        Self { method: "GET", address: address.into(), fields, body: None }
    }

    /// A POST.
    #[must_use]
    pub fn post(address: impl Into<String>, body: impl Into<String>) -> Self {
        Self { method: "POST", body: Some(body.into()), ..Self::get(address) }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn to_bytes(&self, target: &Target) -> Vec<u8> {
        let mut lines = vec![
            format!("{} {} HTTP/1.1", self.method, target.path(&self.address)),
            format!("Host: {}", target.authority()),
        ];
        lines.extend(self.fields.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.extend(self.body.as_ref().map(|body| format!("Content-Length: {}", body.len())));
        (lines.join("\r\n") + "\r\n\r\n" + self.body.as_deref().unwrap_or_default()).into_bytes()
    }
}

/// The head of an answer.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The minor version: HTTP/1.0 or HTTP/1.1.
    pub version: u8,
    /// The status.
    pub status: u16,
    /// The fields, in their order.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, item: &str) -> bool {
        let items = self.field(name).into_iter().flat_map(|value| value.split(','));
        items.map(str::trim).any(|given| given.eq_ignore_ascii_case(item))
    }

    fn rest(&self) -> Rest {
        if matches!(self.status, 101 | 204 | 304) {
            return Rest::Done;
        }
        if self.has("Transfer-Encoding", "chunked") {
            return Rest::Size;
        }
        match self.field("Content-Length").and_then(|length| length.parse().ok()) {
            Some(0) => Rest::Done,
            Some(length) => Rest::Length(length),
            None => Rest::UntilEnd,
        }
    }
}

/// What is left of a body (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Done,
    Length(usize),
    /// A chunk's size comes next.
    Size,
    /// So many bytes of a chunk, and then its line end.
    Chunk(usize),
    /// The lines behind the last chunk.
    Trailer,
    UntilEnd,
}

/// An answer as a whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON, if it is some.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The beginning of the body, as text.
    #[must_use]
    pub fn excerpt(&self) -> String {
        excerpt(&self.body)
    }
}

/// As much of a body as is needed to recognize whose page it is.
fn excerpt(body: &[u8]) -> String {
    const ENOUGH: usize = 400;
    String::from_utf8_lossy(&body[..body.len().min(ENOUGH)]).into_owned()
}

/// Something that bytes go over, with TLS or without.
trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct Client {
    /// The server.
    pub target: Target,
    /// How certificates are judged, if the server is reached over TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Client {
    /// Opens a connection.
    ///
    /// # Errors
    /// Nobody accepts it.
    pub async fn connect(&self) -> Result<Connection, Fault> {
        self.connect_offering(&[b"http/1.1"]).await
    }

    /// Opens a connection and offers these protocols, if it is one over TLS.
    async fn connect_offering(&self, protocols: &[&[u8]]) -> Result<Connection, Fault> {
        let authority = self.target.authority();
        let unreachable = |cause: String| Fault::Unreachable(authority.clone(), cause);
        let connecting = TcpStream::connect((self.target.host.as_str(), self.target.port));
        let socket =
            timeout(PATIENCE, connecting).await.map_err(|_| unreachable(format!("no answer for {PATIENCE:?}")))?;
        let socket = socket.map_err(|fault| unreachable(fault.to_string()))?;
        // Without it small writes wait for the peer's delayed acknowledgment. The connection works without, too.
        let _ = socket.set_nodelay(true);
        let here = socket.local_addr().ok();
        let (socket, negotiated): (Box<dyn Socket>, _) = match &self.tls {
            None => (Box::new(socket), None),
            Some(config) => {
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                let untrusted = |cause: String| Fault::Untrusted(authority.clone(), cause);
                let name = ServerName::try_from(self.target.host.clone());
                let name = name.map_err(|fault| untrusted(fault.to_string()))?;
                let shaking = TlsConnector::from(Arc::new(config)).connect(name, socket);
                let socket = timeout(PATIENCE, shaking).await.map_err(|_| Fault::Silence(PATIENCE))?;
                let socket = socket.map_err(|fault| untrusted(fault.to_string()))?;
                let negotiated =
                    socket.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
                (Box::new(socket), negotiated)
            }
        };
        Ok(Connection { socket, here, negotiated, input: BytesMut::new(), rest: Rest::Done })
    }

    /// Finds out which protocol the server prefers when it is offered HTTP/2, too.
    ///
    /// # Errors
    /// Nobody accepts the connection.
    pub async fn negotiate(&self) -> Result<Option<String>, Fault> {
        Ok(self.connect_offering(&[b"h2", b"http/1.1"]).await?.negotiated)
    }

    /// Sends a request over a connection of its own, and returns the whole answer.
    ///
    /// # Errors
    /// There is none, or not all of it.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Fault> {
        self.connect().await?.ask(&self.target, request, PATIENCE).await
    }
}

/// Requests one after the other over one connection, for as long as the other end keeps it.
pub struct Kept<'c> {
    client: &'c Client,
    connection: Option<Connection>,
}

impl<'c> Kept<'c> {
    /// Opens the connection.
    ///
    /// # Errors
    /// Nobody accepts it.
    pub async fn open(client: &'c Client) -> Result<Self, Fault> {
        Ok(Self { client, connection: Some(client.connect().await?) })
    }

    /// Opens another connection if the last one was not kept.
    ///
    /// # Errors
    /// Nobody accepts it.
    pub async fn ready(&mut self) -> Result<(), Fault> {
        if self.connection.is_none() {
            self.connection = Some(self.client.connect().await?);
        }
        Ok(())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// There is none, or not all of it.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer, Fault> {
        self.ready().await?;
        // It is put back only if it can be used again.
        let Some(mut connection) = self.connection.take() else { return Err(Fault::Fin) };
        let answer = connection.ask(&self.client.target, request, PATIENCE).await?;
        if answer.head.version > 0 && !answer.head.has("Connection", "close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// A connection to the server, or to whatever stands in front of it.
pub struct Connection {
    socket: Box<dyn Socket>,
    /// Its own end.
    pub here: Option<SocketAddr>,
    negotiated: Option<String>,
    input: BytesMut,
    rest: Rest,
}

impl Connection {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// There is none, or not all of it.
    pub async fn ask(&mut self, target: &Target, request: &Request, patience: Duration) -> Result<Answer, Fault> {
        self.send(target, request).await?;
        let head = self.head(patience).await?;
        let body = self.whole(patience).await?;
        Ok(Answer { head, body })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, target: &Target, request: &Request) -> Result<(), Fault> {
        self.write(&request.to_bytes(target)).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is gone, or takes nothing.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let writing = async {
            self.socket.write_all(bytes).await?;
            self.socket.flush().await
        };
        timeout(PATIENCE, writing).await.map_err(|_| Fault::Silence(PATIENCE))?.map_err(|fault| of(&fault))
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// None comes.
    pub async fn head(&mut self, patience: Duration) -> Result<Head, Fault> {
        loop {
            if let Some((head, length)) = parse(&self.input)? {
                self.input.advance(length);
                // An interim answer is followed by another (RFC 9110 §15.2).
                if matches!(head.status, 100 | 102..=199) {
                    continue;
                }
                self.rest = head.rest();
                return Ok(head);
            }
            if self.input.len() > LARGEST_HEAD {
                return Err(Fault::NotHttp(format!("its head has more than {LARGEST_HEAD} bytes")));
            }
            self.fill(patience).await?;
        }
    }

    /// The next bytes of the body as they come, without its framing; `None` at its end.
    ///
    /// # Errors
    /// The connection ended before the body did, or nothing came.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.take()? {
                Taken::Data(bytes) => return Ok(Some(bytes)),
                Taken::End => return Ok(None),
                Taken::Nothing => match self.fill(patience).await {
                    Err(Fault::Fin) if self.rest == Rest::UntilEnd => self.rest = Rest::Done,
                    outcome => outcome?,
                },
            }
        }
    }

    /// Bytes as they come, after an upgrade.
    ///
    /// # Errors
    /// The connection ended, or nothing came.
    pub async fn bytes(&mut self, patience: Duration) -> Result<Bytes, Fault> {
        if self.input.is_empty() {
            self.fill(patience).await?;
        }
        Ok(self.input.split().freeze())
    }

    async fn whole(&mut self, patience: Duration) -> Result<Bytes, Fault> {
        let mut body = BytesMut::new();
        while let Some(bytes) = self.next(patience).await? {
            body.extend_from_slice(&bytes);
            if body.len() > LARGEST_ANSWER {
                return Err(Fault::NotHttp(format!("its body has more than {LARGEST_ANSWER} bytes")));
            }
        }
        Ok(body.freeze())
    }

    async fn fill(&mut self, patience: Duration) -> Result<(), Fault> {
        self.input.reserve(BLOCK);
        match timeout(patience, self.socket.read_buf(&mut self.input)).await {
            Err(_) => Err(Fault::Silence(patience)),
            Ok(Ok(0)) => Err(Fault::Fin),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(fault)) => Err(of(&fault)),
        }
    }

    /// Takes what can be taken of the body from what has come.
    fn take(&mut self) -> Result<Taken, Fault> {
        loop {
            let available = self.input.len();
            match self.rest {
                Rest::Done => return Ok(Taken::End),
                Rest::UntilEnd if available > 0 => return Ok(Taken::Data(self.input.split().freeze())),
                Rest::Length(left) if available > 0 => {
                    let taken = left.min(available);
                    self.rest = if taken == left { Rest::Done } else { Rest::Length(left - taken) };
                    return Ok(Taken::Data(self.input.split_to(taken).freeze()));
                }
                // The two bytes of the line end stay with the chunk.
                Rest::Chunk(left) if left > 2 && available > 0 => {
                    let taken = (left - 2).min(available);
                    self.rest = Rest::Chunk(left - taken);
                    return Ok(Taken::Data(self.input.split_to(taken).freeze()));
                }
                Rest::Chunk(left) if left <= available => {
                    self.input.advance(left);
                    self.rest = Rest::Size;
                }
                Rest::Size => match httparse::parse_chunk_size(&self.input) {
                    Ok(httparse::Status::Complete((length, size))) => {
                        self.input.advance(length);
                        let size = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(2);
                        self.rest = if size == 2 { Rest::Trailer } else { Rest::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) => return Ok(Taken::Nothing),
                    Err(_) => return Err(Fault::NotHttp("a chunk has no size".to_owned())),
                },
                Rest::Trailer => {
                    let Some(end) = self.input.iter().position(|&byte| byte == b'\n') else {
                        return Ok(Taken::Nothing);
                    };
                    let line = self.input.split_to(end + 1);
                    if line.trim_ascii().is_empty() {
                        self.rest = Rest::Done;
                    }
                }
                Rest::Length(_) | Rest::Chunk(_) | Rest::UntilEnd => return Ok(Taken::Nothing),
            }
        }
    }
}

/// What could be taken of a body.
enum Taken {
    Data(Bytes),
    End,
    Nothing,
}

fn of(fault: &io::Error) -> Fault {
    match fault.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => Fault::Reset,
        // TLS was not ended in order, which many servers don't bother with.
        io::ErrorKind::UnexpectedEof => Fault::Fin,
        _ => Fault::NotHttp(fault.to_string()),
    }
}

/// The head at the front of `bytes` and its length, if it is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(fault) => return Err(Fault::NotHttp(format!("{fault}, in {:?}", excerpt(&bytes[..bytes.len().min(40)])))),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let fields = parsed.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
    let head = Head { version: parsed.version.unwrap_or(1), status: parsed.code.unwrap_or(0), fields };
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(answer: &'static [u8]) -> Result<String, Fault> {
        let (near, mut far) = tokio::io::duplex(7);
        // Whoever has understood enough does not read on.
        tokio::spawn(async move { far.write_all(answer).await });
        let mut connection = Connection {
            socket: Box::new(near),
            here: None,
            negotiated: None,
            input: BytesMut::new(),
            rest: Rest::Done,
        };
        let reading = async {
            connection.head(PATIENCE).await?;
            connection.whole(PATIENCE).await
        };
        reading.await.map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_body_is_read_whatever_tells_its_end() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, somebody\r\n0\r\nT: t\r\n\r\n";
        assert_eq!(read(chunked).await.as_deref(), Ok("hello, somebody"));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.as_deref(), Ok("hello"));
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n\r\nhello").await.as_deref(), Ok("hello"));
        assert_eq!(read(b"HTTP/1.1 204 No Content\r\n\r\n").await.as_deref(), Ok(""));
    }

    #[tokio::test]
    async fn an_end_before_the_end_is_told() {
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello").await, Err(Fault::Fin));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel").await, Err(Fault::Fin));
        assert!(matches!(read(b"SSH-2.0-OpenSSH\r\n").await, Err(Fault::NotHttp(_))));
    }
}
