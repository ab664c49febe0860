//! The limit that fan-out is measured against: for each message one `send` of a ready frame per subscriber.
//!
//! No HTTP, no channels, no cursors, no encoding: the publisher sends frames as they shall go out. A connection that
//! begins with [`CONTROL`] is the publisher's and carries frames, each after its length; every other connection is a
//! subscriber, whose request line names the transport. Sockets block, so a full one holds up everybody: no server can
//! afford that, and none can be cheaper.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
};

use super::Result;

/// The first bytes of a publisher.
pub const CONTROL: &[u8] = b"CONTROL\n";

/// Epoll's name for the listener; connections are named by their index.
const LISTENER: u64 = u64::MAX;

const WEBSOCKET_HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const SSE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const FIRST_POLL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 45\r\n\r\n\
    {\"cursor\":\"bare.0\",\"events\":[],\"more\":false}\n";

/// Serves until it is killed.
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("listening on http://{}", listener.local_addr()?);
    BareSender::new(listener)?.run()
}

enum Role {
    /// Has not said anything yet.
    Newcomer,
    Publisher,
    /// Gets every frame.
    Streaming,
    /// Gets one frame per request.
    Polling,
}

struct BareSender {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<(TcpStream, Role)>,
    /// Indices of the connections that get the next frame.
    ready: Vec<usize>,
    polling: usize,
    /// What the publisher has sent and is not delivered yet.
    inbox: Vec<u8>,
    buffer: Box<[u8]>,
}

impl BareSender {
    fn new(listener: TcpListener) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        listener.set_nonblocking(true)?;
        let buffer = vec![0; 1 << 16].into();
        Ok(Self { epoll, listener, connections: Vec::new(), ready: Vec::new(), polling: 0, inbox: Vec::new(), buffer })
    }

    fn run(mut self) -> Result<()> {
        let mut events = Vec::with_capacity(1024);
        loop {
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    connection => self.read(usize::try_from(connection)?)?,
                }
            }
            self.deliver()?;
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let data = EventData::new_u64(self.connections.len() as u64);
            epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
            self.connections.push((stream, Role::Newcomer));
        }
    }

    /// Reads once. Requests are short and sent in one piece, so over loopback each arrives in one read.
    fn read(&mut self, connection: usize) -> Result<()> {
        let (stream, role) = &mut self.connections[connection];
        let length = stream.read(&mut self.buffer)?;
        let received = &self.buffer[..length];
        match role {
            _ if received.is_empty() => epoll::delete(&self.epoll, &*stream)?,
            Role::Newcomer => self.greet(connection, length)?,
            Role::Publisher => self.inbox.extend_from_slice(received),
            Role::Polling => self.ready.push(connection),
            Role::Streaming => return Err("a subscriber of a stream has sent something".into()),
        }
        Ok(())
    }

    /// Finds out what a newcomer is, and answers accordingly.
    fn greet(&mut self, connection: usize, length: usize) -> Result<()> {
        let request = &self.buffer[..length];
        let (stream, role) = &mut self.connections[connection];
        if let Some(frames) = request.strip_prefix(CONTROL) {
            self.inbox.extend_from_slice(frames);
            *role = Role::Publisher;
            return Ok(());
        }
        let path = request.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        if path.ends_with(b"/poll") {
            stream.write_all(FIRST_POLL)?;
            *role = Role::Polling;
            self.polling += 1;
            return Ok(());
        }
        stream.write_all(if path.ends_with(b"/ws") { WEBSOCKET_HEAD } else { SSE_HEAD })?;
        // A stream's subscriber has nothing more to say: epoll needn't watch it.
        epoll::delete(&self.epoll, &*stream)?;
        *role = Role::Streaming;
        self.ready.push(connection);
        Ok(())
    }

    /// Sends every frame that is there to everybody. With long-polls a frame waits until all have asked for it.
    fn deliver(&mut self) -> Result<()> {
        let mut used = 0;
        while self.ready.len() >= self.polling
            && let Some(frame) = frame_at(&self.inbox[used..])
        {
            for &connection in &self.ready {
                self.connections[connection].0.write_all(frame)?;
            }
            used += size_of::<usize>() + frame.len();
            if self.polling > 0 {
                self.ready.clear();
            }
        }
        self.inbox.drain(..used);
        Ok(())
    }
}

/// Puts the length in front of a frame.
pub fn control_record(frame: &[u8]) -> Vec<u8> {
    [&frame.len().to_le_bytes(), frame].concat()
}

/// The frame of the control record at the front of `bytes`, if it is complete.
fn frame_at(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(..usize::from_le_bytes(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_out_of_its_control_record() {
        let mut bytes = control_record(b"one");
        bytes.extend(control_record(b""));
        assert_eq!(frame_at(&bytes), Some(&b"one"[..]));
        assert_eq!(frame_at(&bytes[11..]), Some(&b""[..]));
        assert_eq!(frame_at(&bytes[..10]), None);
        assert_eq!(frame_at(&bytes[..7]), None);
    }

    #[test]
    fn the_first_answer_to_a_poll_has_the_length_it_declares() {
        let text = std::str::from_utf8(FIRST_POLL).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head} before {} bytes", body.len());
    }
}
