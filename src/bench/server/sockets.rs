//! What the kernel knows about this machine's TCP sockets: packets, and memory for buffers.
//!
//! Linux tells it in one dump (`sock_diag(7)`), as `ss` shows it. Elsewhere nothing is told.

use std::collections::HashSet;

/// How often the kernel is asked for a dump in which nothing is missing.
const ATTEMPTS: usize = 5;

/// All established TCP sockets of this machine at one time.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Vec<Socket>);

/// One of them.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody makes one"))]
struct Socket {
    local_port: u16,
    segments_in: u64,
    segments_out: u64,
    bytes_received: u64,
    /// Bytes in its queues and set aside for them.
    memory_bytes: u64,
}

/// What the kernel has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// TCP segments received, those without data included.
    pub down: u64,
    /// TCP segments sent, likewise.
    pub up: u64,
    /// Bytes received in order. A generator that has read everything has counted the same.
    pub down_bytes: u64,
}

impl Segments {
    /// What was counted between an earlier look and this one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            down: self.down.saturating_sub(earlier.down),
            up: self.up.saturating_sub(earlier.up),
            down_bytes: self.down_bytes.saturating_sub(earlier.down_bytes),
        }
    }
}

impl Sockets {
    /// What went through the connections with these local ports so far; `None` if the kernel does not tell it of all.
    ///
    /// A dump may miss sockets while others come and go, so it is asked for again.
    #[must_use]
    pub fn count(local_ports: &HashSet<u16>) -> Option<Segments> {
        (0..ATTEMPTS).find_map(|_| Self::look()?.segments_at(local_ports))
    }

    /// What went through the sockets with these local ports; `None` if one of them is missing.
    fn segments_at(&self, local_ports: &HashSet<u16>) -> Option<Segments> {
        let at = || self.0.iter().filter(|socket| local_ports.contains(&socket.local_port));
        let found: HashSet<u16> = at().map(|socket| socket.local_port).collect();
        (found.len() == local_ports.len()).then(|| {
            at().fold(Segments::default(), |sum, socket| Segments {
                down: sum.down + socket.segments_in,
                up: sum.up + socket.segments_out,
                down_bytes: sum.down_bytes + socket.bytes_received,
            })
        })
    }

    /// The memory of all sockets with this local port: a server's connections.
    #[must_use]
    pub fn memory_at(&self, local_port: u16) -> u64 {
        self.0.iter().filter(|socket| socket.local_port == local_port).map(|socket| socket.memory_bytes).sum()
    }
}

#[cfg(not(target_os = "linux"))]
impl Sockets {
    /// Not told here.
    #[must_use]
    pub fn look() -> Option<Self> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::{
        SockDiagMessage,
        constants::{AF_INET, AF_INET6, IPPROTO_TCP},
        inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla},
    };
    use netlink_sys::{SocketAddr, protocols::NETLINK_SOCK_DIAG};

    use super::{Socket, Sockets};

    /// Where `tcpi_bytes_received`, `tcpi_segs_out` and `tcpi_segs_in` stand in `struct tcp_info` (linux/tcp.h); later
    /// kernels only append.
    const BYTES_RECEIVED: usize = 128;
    const SEGMENTS_OUT: usize = 136;
    const SEGMENTS_IN: usize = 140;

    /// No datagram of a dump is longer.
    const DATAGRAM: usize = 1 << 16;

    impl Sockets {
        /// Asks the kernel; `None` if it does not answer.
        #[must_use]
        pub fn look() -> Option<Self> {
            let mut all = Vec::new();
            dump(AF_INET, SocketId::new_v4(), &mut all).ok()?;
            dump(AF_INET6, SocketId::new_v6(), &mut all).ok()?;
            Some(Self(all))
        }
    }

    fn dump(family: u8, socket_id: SocketId, all: &mut Vec<Socket>) -> io::Result<()> {
        let mut socket = netlink_sys::Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(&request(family, socket_id), 0)?;
        let mut datagram = Vec::with_capacity(DATAGRAM);
        loop {
            datagram.clear();
            socket.recv(&mut datagram, 0)?;
            if read(&datagram, all)? {
                return Ok(());
            }
        }
    }

    fn request(family: u8, socket_id: SocketId) -> Vec<u8> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::INFO | ExtensionFlags::SKMEMINFO,
            states: StateFlags::ESTABLISHED,
            socket_id,
        };
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    /// Reads the messages of a datagram, and tells whether the dump is over.
    fn read(mut bytes: &[u8], all: &mut Vec<Socket>) -> io::Result<bool> {
        while !bytes.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(bytes).map_err(io::Error::other)?;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    all.push(Socket::from(&*response));
                }
                _ => {}
            }
            // Messages are aligned to four bytes.
            let length = usize::try_from(message.header.length).unwrap_or(0).next_multiple_of(4);
            bytes = bytes.get(length.max(4)..).unwrap_or_default();
        }
        Ok(false)
    }

    impl From<&InetResponse> for Socket {
        fn from(response: &InetResponse) -> Self {
            let mut socket = Self {
                local_port: response.header.socket_id.source_port,
                segments_in: 0,
                segments_out: 0,
                bytes_received: 0,
                memory_bytes: 0,
            };
            for attribute in &response.nlas {
                match attribute {
                    Nla::TcpInfo(info) => {
                        socket.segments_in = at(info, SEGMENTS_IN).map_or(0, u32::from_ne_bytes).into();
                        socket.segments_out = at(info, SEGMENTS_OUT).map_or(0, u32::from_ne_bytes).into();
                        socket.bytes_received = at(info, BYTES_RECEIVED).map_or(0, u64::from_ne_bytes);
                    }
                    Nla::MemInfo(memory) => {
                        let parts = [memory.receive_queue, memory.send_queue, memory.cache, memory.options];
                        socket.memory_bytes = parts.map(u64::from).iter().sum();
                    }
                    _ => {}
                }
            }
            socket
        }
    }

    fn at<const N: usize>(info: &[u8], offset: usize) -> Option<[u8; N]> {
        info.get(offset..)?.first_chunk().copied()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn the_segments_of_a_connection_are_counted_at_its_own_end() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
        let mut client = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        let (mut server, _) = listener.accept().expect("the other end");
        let ports = HashSet::from([client.local_addr().expect("an address").port()]);
        let before = Sockets::count(&ports).expect("the kernel answers");
        for _ in 0..10 {
            server.write_all(b"x").expect("a byte is sent");
            client.read_exact(&mut [0]).expect("it arrives");
        }
        let after = Sockets::count(&ports).expect("the kernel answers");
        let counted = after.since(before);
        assert!((10..=20).contains(&counted.down), "{counted:?}");
        assert_eq!(counted.down_bytes, 10);
        assert!(counted.up <= 11, "nothing but acknowledgments: {counted:?}");
    }
}
