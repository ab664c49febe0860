//! Publishes numbered messages, in the way that each contender understands.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use super::{
    Result, bare_sender,
    framing::{Decoder, websocket},
    options::{Plan, Transport},
    payload::Payload,
    server::{Contender, PATIENCE},
};

/// One connection that publishes.
pub struct Publisher {
    stream: TcpStream,
    contender: Contender,
    transport: Transport,
    payload: Payload,
    outbox: Vec<u8>,
}

impl Publisher {
    /// Connects to fallcast as a WebSocket client that doesn't want to hear itself, or to the bare sender's control
    /// connection. The frames for the bare sender are those of `transport`.
    pub fn connect(plan: &Plan, address: SocketAddr, contender: Contender, transport: Transport) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let payload = Payload::of_length(plan.payload);
        let mut publisher = Self { stream, contender, transport, payload, outbox: Vec::new() };
        match contender {
            Contender::Bare => publisher.stream.write_all(bare_sender::CONTROL)?,
            Contender::Fallcast => publisher.upgrade(address)?,
        }
        Ok(publisher)
    }

    fn upgrade(&mut self, address: SocketAddr) -> Result<()> {
        self.stream.write_all(upgrade_request(address, "ws?echo=0").as_bytes())?;
        let mut upgraded = false;
        let mut decoder = Decoder::new(Transport::WebSocket);
        while !upgraded {
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Err("the server has closed the publisher's connection".into());
            }
            decoder.feed(&buffer[..length], |_| {
                upgraded = true;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Adds message number `sequence` to what the next [`send`](Self::send) takes along.
    pub fn queue(&mut self, sequence: usize) {
        let payload = self.payload.make(sequence);
        self.outbox.extend(match self.contender {
            Contender::Fallcast => websocket::client_text(&payload),
            Contender::Bare => bare_sender::control_record(&ready_frame(self.transport, sequence, &payload)),
        });
    }

    /// Sends everything queued, in one `send` if there is room.
    pub fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.outbox)?;
        self.outbox.clear();
        Ok(())
    }

    /// Makes sure that the server has had nothing to say to the publisher, in particular no goodbye.
    pub fn check(&mut self) -> Result<()> {
        let mut buffer = [0; 256];
        self.stream.set_nonblocking(true)?;
        let outcome = self.stream.read(&mut buffer);
        self.stream.set_nonblocking(false)?;
        match outcome {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
            Ok(length) => {
                Err(format!("the publisher was answered: {:?}", buffer[..length].escape_ascii().to_string()).into())
            }
        }
    }
}

/// The request for a WebSocket on the benchmark's channel. The key is the one of RFC 6455 §1.3.
pub fn upgrade_request(address: SocketAddr, endpoint: &str) -> String {
    format!(
        "GET /channels/bench/{endpoint} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
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
    use crate::fanout::framing::Received;

    #[test]
    fn subscribers_understand_the_ready_frames() {
        let heads = [
            (Transport::WebSocket, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            (Transport::Sse, "HTTP/1.1 200 OK\r\n\r\n"),
            (Transport::LongPoll, ""),
        ];
        for (transport, head) in heads {
            let payload = Payload::of_length(300).make(5);
            let stream = [head.as_bytes(), &ready_frame(transport, 5, &payload)].concat();
            let mut messages = Vec::new();
            let outcome = Decoder::new(transport).feed(&stream, |received| {
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
