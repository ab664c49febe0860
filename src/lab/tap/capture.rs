//! Capture: a recording in the language of packets (pcapng), for Wireshark and its like.
//!
//! The bytes and their times are what passed at the sockets. The packets around them are made up, since the lab sees
//! none: a handshake where a connection begins, segments that fit on Ethernet, and an end. Where something was not kept
//! the packet says how long it was, and the numbers go on as if it were there.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use bytes::Bytes;
use etherparse::{
    IpHeaders, PacketBuilder, PacketBuilderStep,
    TcpOptionElement::{MaximumSegmentSize, WindowScale},
};
use pcap_file::{
    DataLink, PcapError,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::EnhancedPacketBlock,
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
        },
    },
};

use super::{
    items::{Close, Direction, How, Open, Piece},
    store::{Playback, Track},
    traffic::SEGMENT,
};

/// Ethernet addresses that nobody owns: the locally administered bit is set (IEEE 802).
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// How many routers a packet may pass.
const HOPS: u8 = 64;

/// How much each side offers to take, and the exponent by which it is larger than it looks (RFC 7323 §2). No side is
/// ever shown as waiting for the other, for about that the lab knows nothing.
const WINDOW: u16 = u16::MAX;
const WINDOW_SCALE: u8 = 14;

/// The exponent of the resolution of times: nanoseconds, in which the writer counts.
const NANOSECONDS: u8 = 9;

/// The recording as a file.
///
/// # Errors
/// Fails if the writer refuses a block, which would be a fault of its or ours.
pub fn capture(playback: &Playback) -> Result<Vec<u8>, PcapError> {
    let mut packets: Vec<Packet> = playback.tracks.iter().flat_map(packets_of).collect();
    packets.sort_by_key(|packet| packet.at);
    let mut writer = PcapNgWriter::new(Vec::new())?;
    writer.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
    })?;
    for packet in packets {
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_micros(packet.at),
            original_len: packet.length,
            data: Cow::Owned(packet.data),
            options: Vec::new(),
        })?;
    }
    Ok(writer.into_inner())
}

/// A packet as it is written.
#[derive(Debug)]
struct Packet {
    at: u64,
    data: Vec<u8>,
    /// How long it was on the wire that it never was on.
    length: u32,
}

fn packets_of(track: &Track) -> Vec<Packet> {
    let mut flow = Flow::begin(track.open);
    for piece in &track.pieces {
        flow.carry(piece);
    }
    flow.sent[Direction::Up as usize] += track.missing.up;
    flow.sent[Direction::Down as usize] += track.missing.down;
    if let Some(close) = track.close {
        flow.end(close);
    }
    flow.packets
}

/// One connection of TCP, with what both sides have sent so far. `SYN` and `FIN` count as a byte (RFC 9293 §3.4).
#[derive(Debug)]
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
    sent: [u64; 2],
    packets: Vec<Packet>,
}

/// What is special about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It opens the connection.
    Syn,
    /// It acknowledges, and may carry something.
    Ack,
    /// Nothing comes behind it.
    Fin,
    /// Nothing was ever there.
    Reset,
}

impl Flow {
    /// Begins with a handshake.
    fn begin(open: Open) -> Self {
        let mut flow = Self { client: open.client, server: open.server, sent: [0, 0], packets: Vec::new() };
        flow.mark(Direction::Up, Mark::Syn, open.at);
        flow.mark(Direction::Down, Mark::Syn, open.at);
        flow.mark(Direction::Up, Mark::Ack, open.at);
        flow
    }

    /// Sends a piece in as many segments as it needs.
    fn carry(&mut self, piece: &Piece) {
        let mut begin = 0;
        while begin < piece.length {
            let end = piece.length.min(begin + usize::from(SEGMENT));
            let kept = piece.bytes.slice(begin.min(piece.bytes.len())..end.min(piece.bytes.len()));
            self.send(piece.direction, Mark::Ack, piece.at, &kept, end - begin);
            begin = end;
        }
    }

    fn end(&mut self, Close { at, how, .. }: Close) {
        let (first, second) = match how {
            How::Fin => (Direction::Down, Direction::Up),
            How::Client => (Direction::Up, Direction::Down),
            How::Reset => return self.mark(Direction::Down, Mark::Reset, at),
        };
        self.mark(first, Mark::Fin, at);
        self.mark(second, Mark::Fin, at);
        self.mark(first, Mark::Ack, at);
    }

    /// Sends a segment without a payload.
    fn mark(&mut self, direction: Direction, mark: Mark, at: u64) {
        self.send(direction, mark, at, &Bytes::new(), 0);
    }

    /// Sends a segment, of whose payload perhaps not everything was kept.
    fn send(&mut self, direction: Direction, mark: Mark, at: u64, kept: &Bytes, length: usize) {
        let mut payload = kept.to_vec();
        payload.resize(length, 0);
        if let Some(mut data) = self.segment(direction, mark, &payload) {
            let whole = u32::try_from(data.len()).unwrap_or(u32::MAX);
            data.truncate(data.len() - (length - kept.len()));
            self.packets.push(Packet { at, data, length: whole });
        }
        self.sent[direction as usize] += length as u64 + u64::from(matches!(mark, Mark::Syn | Mark::Fin));
    }

    /// The bytes of a segment. `None` if the payload is too long for IP, or the options for TCP, which none here are.
    fn segment(&self, direction: Direction, mark: Mark, payload: &[u8]) -> Option<Vec<u8>> {
        let (from, to) = match direction {
            Direction::Up => (self.client, self.server),
            Direction::Down => (self.server, self.client),
        };
        let opposite = if direction == Direction::Up { Direction::Down } else { Direction::Up };
        let (sent, received) = (self.sent[direction as usize], self.sent[opposite as usize]);
        let tcp = internet(direction, from, to).tcp(from.port(), to.port(), number(sent), WINDOW);
        // Only the very first segment has nothing to acknowledge.
        let tcp = if received == 0 { tcp } else { tcp.ack(number(received)) };
        let tcp = match mark {
            Mark::Syn => tcp.syn().options(&[MaximumSegmentSize(SEGMENT), WindowScale(WINDOW_SCALE)]).ok()?,
            Mark::Ack if payload.is_empty() => tcp,
            Mark::Ack => tcp.psh(),
            Mark::Fin => tcp.fin(),
            Mark::Reset => tcp.rst(),
        };
        let mut data = Vec::with_capacity(tcp.size(payload.len()));
        tcp.write_to_vec(&mut data, payload).ok()?;
        Some(data)
    }
}

/// The number of a byte. Numbers begin again when there are no more (RFC 9293 §3.4).
const fn number(sent: u64) -> u32 {
    (sent & 0xffff_ffff) as u32
}

/// Ethernet and the Internet Protocol, of the version that both ends have.
fn internet(direction: Direction, from: SocketAddr, to: SocketAddr) -> PacketBuilderStep<IpHeaders> {
    let ethernet = match direction {
        Direction::Up => PacketBuilder::ethernet2(CLIENT, SERVER),
        Direction::Down => PacketBuilder::ethernet2(SERVER, CLIENT),
    };
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => ethernet.ipv4(from.ip().octets(), to.ip().octets(), HOPS),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => ethernet.ipv6(from.ip().octets(), to.ip().octets(), HOPS),
        // No socket has two ends of two kinds.
        (SocketAddr::V4(_), SocketAddr::V6(_)) | (SocketAddr::V6(_), SocketAddr::V4(_)) => {
            ethernet.ipv4([0; 4], [0; 4], HOPS)
        }
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TcpSlice, TransportSlice};
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::lab::{faults::ExchangeKind, tap::store::Missing};

    fn piece(direction: Direction, at: u64, length: usize, kept: usize) -> Piece {
        let bytes = (0..kept).map(|index| u8::try_from(index % 251).unwrap_or(0)).collect();
        Piece { connection: 1, at, exchange: 1, kind: ExchangeKind::Other, direction, length, bytes }
    }

    fn track(client: &str, server: &str, how: How) -> Track {
        let (client, server) = (client.parse().expect("an address"), server.parse().expect("an address"));
        Track {
            open: Open { connection: 1, at: 10, client, server, tls: false },
            pieces: vec![piece(Direction::Up, 20, 3000, 3000), piece(Direction::Down, 30, 2000, 700)],
            missing: Missing { up: 0, down: 50 },
            close: Some(Close { connection: 1, at: 40, how }),
        }
    }

    /// The packets of a capture: time, length on the wire, and what was kept.
    fn packets(track: Track) -> Vec<(u64, u32, Vec<u8>)> {
        let file = capture(&Playback { tracks: vec![track], forgotten: 0 }).expect("a capture");
        let mut reader = PcapNgReader::new(file.as_slice()).expect("a capture");
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.expect("a good block") {
                let at = u64::try_from(packet.timestamp.as_micros()).expect("a time");
                packets.push((at, packet.original_len, packet.data.into_owned()));
            }
        }
        packets
    }

    #[track_caller]
    fn with_tcp<R>(packet: &[u8], read: impl FnOnce(&TcpSlice<'_>, bool) -> R) -> R {
        let packet = SlicedPacket::from_ethernet(packet).expect("a packet");
        let is_v6 = matches!(packet.net, Some(NetSlice::Ipv6(_)));
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => read(tcp, is_v6),
            other => panic!("no TCP: {other:?}"),
        }
    }

    /// What each side has sent by the numbers of its last segment, and the payload that was kept of whole packets.
    fn read(track: Track) -> (Vec<u64>, Vec<u8>) {
        let (mut next, mut payload, mut times) = ([None, None], Vec::new(), Vec::new());
        for (at, length, data) in packets(track) {
            times.push(at);
            if data.len() < usize::try_from(length).expect("a small packet") {
                continue;
            }
            with_tcp(&data, |tcp, _| {
                let side = usize::from(tcp.source_port() == 8081);
                assert!(next[side].is_none_or(|next| tcp.sequence_number() >= next), "numbers never go back");
                assert!(tcp.syn() || next[1 - side].is_some_and(|sent| tcp.acknowledgment_number() <= sent + 2000));
                let marks = u32::from(tcp.syn()) + u32::from(tcp.fin());
                let length = u32::try_from(tcp.payload().len()).expect("a small payload");
                next[side] = Some(tcp.sequence_number() + length + marks);
                if side == 0 {
                    payload.extend_from_slice(tcp.payload());
                }
            });
        }
        assert_eq!(next[0], Some(1 + 3000 + 1), "the client has sent its request and its end");
        (times, payload)
    }

    #[test]
    fn a_capture_has_the_bytes_and_the_times_of_its_pieces() {
        let (times, payload) = read(track("127.0.0.1:5000", "127.0.0.1:8081", How::Fin));
        assert_eq!(times, [10, 10, 10, 20, 20, 20, 30, 30, 40, 40, 40]);
        assert_eq!(payload, piece(Direction::Up, 0, 3000, 3000).bytes);
    }

    #[test]
    fn what_was_not_kept_has_its_length_all_the_same() {
        let packets = packets(track("127.0.0.1:5000", "127.0.0.1:8081", How::Client));
        let headers = 14 + 20 + 20;
        let down: Vec<_> = packets[6..8].iter().map(|(_, length, data)| (*length, data.len())).collect();
        assert_eq!(down, [(headers + 1460, 54 + 700), (headers + 540, 54)]);
        with_tcp(&packets[9].2, |fin, _| {
            assert_eq!((fin.sequence_number(), fin.fin()), (1 + 2000 + 50, true), "behind all that is missing");
        });
    }

    #[test]
    fn numbers_that_begin_again_are_acknowledged_like_others() {
        let mut track = track("127.0.0.1:5000", "127.0.0.1:8081", How::Fin);
        track.missing.up = (1 << 32) - 1 - 3000;
        with_tcp(&packets(track)[8].2, |fin, _| {
            assert_eq!((fin.fin(), fin.ack(), fin.acknowledgment_number()), (true, true, 0));
        });
    }

    #[test]
    fn both_versions_of_ip_have_packets() {
        for (client, server, is_v6) in [("127.0.0.1:5000", "127.0.0.1:8081", false), ("[::1]:5000", "[::1]:8081", true)]
        {
            let packets = packets(track(client, server, How::Reset));
            let (.., last) = packets.last().expect("a last packet");
            with_tcp(last, |tcp, found| {
                assert_eq!((found, tcp.rst(), tcp.source_port()), (is_v6, true, 8081));
            });
        }
    }
}
