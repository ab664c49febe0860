//! WebSocket frames by hand, to send what no library sends (RFC 6455 §5.2).

use super::{Connection, Request, TestServer};

/// The mask of all frames here. That it is always the same is a sin of a client's, and makes no difference to a server.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

/// A frame that a client sends, faultless unless it is made otherwise.
#[derive(Clone)]
pub struct Frame {
    first_byte: u8,
    masked: bool,
    payload: Vec<u8>,
    announced: Option<u64>,
}

impl Frame {
    /// A final, masked frame.
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first_byte: 0x80 | opcode, masked: true, payload: payload.as_ref().to_vec(), announced: None }
    }

    /// Clears the FIN bit: more frames of this message follow.
    pub fn unfinished(mut self) -> Self {
        self.first_byte &= 0x7f;
        self
    }

    /// Sets reserved bits.
    pub fn with_reserved(mut self, bits: u8) -> Self {
        self.first_byte |= bits & 0x70;
        self
    }

    /// Leaves out the mask.
    pub fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// Announces another length than the payload's.
    pub fn announcing(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        let mut bytes = vec![self.first_byte];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => bytes.push(mask_bit | short),
            (_, Ok(medium)) => {
                bytes.push(mask_bit + 126);
                bytes.extend(medium.to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit + 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// A frame that the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFrame {
    pub is_final: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl ServerFrame {
    /// The code of a close frame.
    #[track_caller]
    pub fn close_code(&self) -> u16 {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }
}

/// A WebSocket whose client side is a test.
pub struct RawWebSocket {
    connection: Connection,
}

impl RawWebSocket {
    /// Shakes hands without any fault.
    pub async fn open(server: &TestServer, target: &str) -> Self {
        Self::open_with(server, Request::websocket(target)).await
    }

    /// Shakes hands by a request of the test's own making, which must succeed.
    pub async fn open_with(server: &TestServer, request: Request) -> Self {
        Self::open_on(Connection::open(server.address()).await, request).await
    }

    /// Shakes hands on a connection of the test's own.
    pub async fn open_on(mut connection: Connection, request: Request) -> Self {
        connection.send(&request).await;
        let head = connection.head().await;
        assert_eq!(head.status, 101, "{head:?}");
        Self { connection }
    }

    /// A connection on which hands have been shaken.
    pub fn of(connection: Connection) -> Self {
        Self { connection }
    }

    /// The port of the client's side.
    pub fn local_port(&self) -> u16 {
        self.connection.local_port()
    }

    /// The connection below, for what is no frame.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Sends a frame. False if the server has hung up.
    pub async fn send(&mut self, frame: &Frame) -> bool {
        self.send_bytes(&frame.to_bytes()).await
    }

    /// Sends any bytes. False if the server has hung up.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.connection.try_write(bytes).await
    }

    /// The next frame, or `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<ServerFrame> {
        let head = self.connection.read_exact(2).await?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask (RFC 6455 §5.1)");
        assert_eq!(head[0] & 0x70, 0, "no extension was negotiated");
        let length = match head[1] {
            126 => be_number(&self.connection.read_exact(2).await?),
            127 => be_number(&self.connection.read_exact(8).await?),
            short => usize::from(short),
        };
        let payload = self.connection.read_exact(length).await?;
        Some(ServerFrame { is_final: head[0] & 0x80 != 0, opcode: head[0] & 0x0f, payload })
    }

    /// The next frame that is no ping.
    pub async fn frame_but_pings(&mut self) -> Option<ServerFrame> {
        loop {
            match self.frame().await {
                Some(frame) if frame.opcode == PING => {}
                other => break other,
            }
        }
    }

    /// Reads on to the close frame and returns its code, then waits until the server closes TCP.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let frame = self.frame().await.expect("a close frame comes before the end");
            if frame.opcode == CLOSE {
                let rest = self.connection.read_to_end().await;
                assert!(rest.is_empty(), "nothing follows a close frame (RFC 6455 §5.5.1)");
                break frame.close_code();
            }
        }
    }
}

fn be_number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}
