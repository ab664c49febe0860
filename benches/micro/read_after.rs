//! What lies after a position: the ring and its segments.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use fallcast::{
    delivery::{Ring, Rings, Slice},
    wire::Framing,
};

use super::{
    Topic,
    fixture::{Room, publication},
};

pub const TOPIC: Topic = Topic {
    group: "read after",
    question: "What does it cost to take what lies after a position out of the ring? Messages have 64 bytes, in raw \
               WebSocket frames. Subscribers of one worker at one position share what the first of them takes.",
    run,
};

/// So many messages fill ten segments of 64 KiB.
const MESSAGES: u64 = 10_000;

const SIZE: usize = 64;

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    let (room, ring) = ring_of_all();
    let head = room.channel.head();
    group.throughput(Throughput::Elements(1));
    group.bench_function("at the head: nothing", |bencher| bencher.iter(|| ring.take(head, None)));
    group.bench_function("one message behind", |bencher| bencher.iter(|| ring.take(head - 1, None)));
    group.bench_function("publish one, take it", |bencher| {
        let (room, ring) = ring_of_all();
        bencher.iter(|| ring.take(room.publish(publication(SIZE, None)).id.offset - 1, None));
    });
    let position = head / 2;
    group.throughput(Throughput::Elements(position_after(&ring, position) - position));
    group.bench_function("one slice of a full segment", |bencher| bencher.iter(|| ring.take(position, None)));
    group.throughput(Throughput::Elements(MESSAGES));
    let start = room.channel.start();
    group.bench_function("all of them, from the ring", |bencher| bencher.iter(|| read_all(&ring, start, head)));
    let late = Rings::default().of(&room.channel, Framing::WebSocketRaw);
    group.bench_function("all of them, from before the ring", |bencher| {
        bencher.iter(|| read_all(&late, start, head));
    });
    group.finish();
}

/// A channel, and a ring that has been there since before its first message.
fn ring_of_all() -> (Room, Arc<Ring>) {
    let room = Room::retaining(usize::try_from(MESSAGES).expect("a small number"));
    let ring = Rings::default().of(&room.channel, Framing::WebSocketRaw);
    for position in 0..MESSAGES {
        // The ring begins with its first reader.
        position_after(&ring, position);
        room.publish(publication(SIZE, None));
    }
    position_after(&ring, MESSAGES - 1);
    (room, ring)
}

fn read_all(ring: &Ring, mut position: u64, head: u64) {
    while position < head {
        position = position_after(ring, position);
    }
}

/// Takes one slice, and returns where its reader stands then.
fn position_after(ring: &Ring, position: u64) -> u64 {
    match ring.take(position, None).0 {
        Slice::Events(taken) => std::hint::black_box(taken).up_to,
        Slice::Nothing(position) => position,
        Slice::Gap => panic!("nothing was evicted, but {position} is gone"),
    }
}
