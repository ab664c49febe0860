//! Publishes numbered messages, in the way that the server understands.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use super::{
    Result, bare_sender,
    dialect::Publishing,
    framing::{Decoder, Framing, Received, nchan, socket_io, websocket},
    options::Transport,
    payload::Payload,
    server::PATIENCE,
    workload::Workload,
};

/// One connection that publishes.
pub struct Publisher {
    stream: TcpStream,
    publishing: Publishing,
    payload: Payload,
    outbox: Vec<u8>,
}

impl Publisher {
    /// Connects, and returns when the server is ready for messages.
    pub fn connect(workload: &Workload, address: SocketAddr, publishing: Publishing) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        match &publishing {
            Publishing::ReadyFrames(_) => stream.write_all(bare_sender::CONTROL)?,
            Publishing::WebSocket { request, framing, .. } => open(&mut stream, request, *framing)?,
        }
        let payload = Payload::of_length(workload.payload);
        Ok(Self { stream, publishing, payload, outbox: Vec::new() })
    }

    /// Publishes the message that Nchan wants to have before it answers a first poll.
    pub fn open_channel(&mut self) -> Result<()> {
        self.outbox.extend(websocket::client_text(nchan::OPENING));
        self.send()
    }

    /// Adds message number `sequence` to what the next [`send`](Self::send) takes along.
    pub fn queue(&mut self, sequence: usize) {
        let payload = self.payload.make(sequence);
        self.outbox.extend(match &self.publishing {
            Publishing::ReadyFrames(transport) => {
                bare_sender::control_record(&ready_frame(*transport, sequence, &payload))
            }
            Publishing::WebSocket { framing: Framing::SocketIo, .. } => {
                websocket::client_text(&socket_io::event(&payload))
            }
            Publishing::WebSocket { .. } => websocket::client_text(&payload),
        });
    }

    /// Sends everything queued, in one `send` if there is room.
    pub fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.outbox)?;
        self.outbox.clear();
        let talkative = matches!(self.publishing, Publishing::WebSocket { answers: true, .. });
        if talkative { self.check() } else { Ok(()) }
    }

    /// Makes sure that the server has had nothing to say to the publisher, in particular no goodbye. What a server says
    /// to each message is skipped.
    pub fn check(&mut self) -> Result<()> {
        self.stream.set_nonblocking(true)?;
        let outcome = self.skip_answers();
        self.stream.set_nonblocking(false)?;
        outcome
    }

    fn skip_answers(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let received = match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
                Ok(length) => &buffer[..length],
            };
            let expected = matches!(self.publishing, Publishing::WebSocket { answers: true, .. });
            if received.is_empty() || !expected {
                return Err(format!("the publisher was answered: {:?}", received.escape_ascii().to_string()).into());
            }
        }
    }
}

/// Opens a WebSocket and, for Socket.IO, joins the namespace.
fn open(stream: &mut TcpStream, request: &str, framing: Framing) -> Result<()> {
    stream.write_all(request.as_bytes())?;
    let mut ready = false;
    let mut decoder = Decoder::new(framing);
    while !ready {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err("the server has closed the publisher's connection".into());
        }
        decoder.feed(&buffer[..length], |received| {
            match received {
                Received::Owed(bytes) => stream.write_all(bytes)?,
                _ => ready = true,
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// A message as it goes over the wire: the same framing, and nearly the same length, as fallcast's.
fn ready_frame(transport: Transport, sequence: usize, payload: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(payload);
    match transport {
        Transport::WebSocket => websocket::server_text(payload),
        Transport::Sse => {
            let block = format!("id: barely.{sequence}\ndata: {text}\n\n");
            format!("{:x}\r\n{block}\r\n", block.len()).into_bytes()
        }
        Transport::LongPoll => {
            let cursor = format!("barely.{sequence}");
            let body = format!(
                r#"{{"cursor":"{cursor}","events":[{{"message":{{"id":"{cursor}","at":1700000000000000,"content_type":"text/plain","data":"{text}"}}}}],"more":false}}"#
            );
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribers_understand_the_ready_frames() {
        let heads = [
            (Transport::WebSocket, Framing::WebSocket, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            (Transport::Sse, Framing::EventStream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (Transport::LongPoll, Framing::JsonPoll, ""),
        ];
        for (transport, framing, head) in heads {
            let payload = Payload::of_length(300).make(5);
            let stream = [head.as_bytes(), &ready_frame(transport, 5, &payload)].concat();
            let mut messages = Vec::new();
            let outcome = Decoder::new(framing).feed(&stream, |received| {
                if let Received::Message(payload) = received {
                    messages.push(payload.to_vec());
                }
                Ok(())
            });
            outcome.expect("a well-formed stream");
            assert_eq!(messages, [payload], "{transport}");
        }
    }
}
