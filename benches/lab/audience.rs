//! The subscribers, and the publisher. Their own CPU time is not measured, so they may be simple.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinSet,
};

use super::Result;

/// Occurs once in each payload, and nowhere else in what the server sends.
const MARK: u8 = b'#';

/// A pong that nobody asked for (RFC 6455 §5.5.3) shows that a WebSocket's client is alive, as an answered ping would.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const PONG_EVERY: Duration = Duration::from_secs(1);

/// How the subscribers listen.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    WebSocket,
    Sse,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "WebSocket",
            Self::Sse => "SSE",
        })
    }
}

impl Transport {
    fn request(self) -> String {
        let (path, headers) = match self {
            Self::WebSocket => (
                "ws",
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            ),
            Self::Sse => ("sse", ""),
        };
        format!("GET /channels/bench/{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
    }

    /// How the answer begins if the subscription exists.
    const fn success(self) -> &'static [u8] {
        match self {
            Self::WebSocket => b"HTTP/1.1 101",
            Self::Sse => b"HTTP/1.1 200",
        }
    }
}

/// Subscribers that count what they receive.
pub struct Audience {
    size: usize,
    /// Messages that each of them has, or is waited for to have.
    messages: usize,
    received: Arc<Count>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Count {
    messages: AtomicUsize,
    changed: Notify,
}

impl Audience {
    /// Connects so many subscribers, and waits until each has its first bytes.
    pub async fn connect(transport: Transport, address: SocketAddr, size: u32) -> Result<Self> {
        let mut audience = Self { size: 0, messages: 0, received: Arc::default(), tasks: JoinSet::new() };
        for _ in 0..size {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(transport.request().as_bytes()).await?;
            let mut first = [0; 4096];
            let length = stream.read(&mut first).await?;
            if !first[..length].starts_with(transport.success()) {
                return Err(format!("a subscriber got {:?}", String::from_utf8_lossy(&first[..length])).into());
            }
            let (reading, writing) = stream.into_split();
            audience.tasks.spawn(count(reading, Arc::clone(&audience.received)));
            match transport {
                Transport::WebSocket => audience.tasks.spawn(stay_alive(writing)),
                Transport::Sse => audience.tasks.spawn(hold_open(writing)),
            };
            audience.size += 1;
        }
        Ok(audience)
    }

    /// Waits until every subscriber has the next message. A subscriber that is cut off is an error.
    pub async fn next_message(&mut self) -> Result<()> {
        self.messages += 1;
        while self.received.messages.load(Ordering::Relaxed) < self.messages * self.size {
            tokio::select! {
                () = self.received.changed.notified() => {}
                Some(_) = self.tasks.join_next() => return Err("a subscriber has been cut off".into()),
            }
        }
        Ok(())
    }
}

async fn count(mut stream: OwnedReadHalf, received: Arc<Count>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let messages = memchr::memchr_iter(MARK, &buffer[..length]).count();
        received.messages.fetch_add(messages, Ordering::Relaxed);
        received.changed.notify_one();
    }
}

async fn stay_alive(mut stream: OwnedWriteHalf) {
    while stream.write_all(&PONG).await.is_ok() {
        tokio::time::sleep(PONG_EVERY).await;
    }
}

/// A half that is dropped would end the connection.
async fn hold_open(stream: OwnedWriteHalf) {
    std::future::pending::<()>().await;
    drop(stream);
}

/// A publisher on a connection of its own, which never goes through the lab.
pub struct Publisher(TcpStream);

impl Publisher {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Publishes one message of 64 bytes, and reads the answer.
    pub async fn publish(&mut self) -> Result<()> {
        let payload = format!("{:-<64}", char::from(MARK));
        let head = "POST /channels/bench HTTP/1.1\r\nHost: localhost\r\nContent-Length: 64\r\n\r\n";
        self.0.write_all(format!("{head}{payload}").as_bytes()).await?;
        let mut answer = [0; 4096];
        let length = self.0.read(&mut answer).await?;
        let is_published = answer[..length].starts_with(b"HTTP/1.1 201") && answer[..length].ends_with(b"}\n");
        if is_published { Ok(()) } else { Err(String::from_utf8_lossy(&answer[..length]).into()) }
    }
}
