//! Heads of WebSocket frames (RFC 6455 §5.2), and masks (§5.3).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use fallcast::wire::websocket::{FrameHead, Opcode, apply_mask, frame, masked_frame};

use super::{
    Topic,
    fixture::{payload, size_name},
};

pub const TOPIC: Topic = Topic {
    group: "WebSocket frame",
    question: "What do the head of a frame and the mask of a client's payload cost by themselves?",
    run,
};

/// One for each length of a head: 2, 4 and 10 bytes, and 4 more for a client's mask.
const SIZES: [usize; 3] = [64, 1024, 128 * 1024];

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    group.throughput(Throughput::Elements(1));
    group.bench_function("write a head", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            frame(black_box(Opcode::Text), &[], &mut out);
            out.len()
        });
    });
    for size in SIZES {
        let mut bytes = Vec::new();
        masked_frame(Opcode::Text, MASK, &payload(size), &mut bytes);
        let id = BenchmarkId::new("read a head", size_name(size));
        group.bench_function(id, |bencher| bencher.iter(|| FrameHead::read(black_box(&bytes))));
    }
    for size in SIZES {
        let mut bytes = payload(size).to_vec();
        group.throughput(Throughput::Bytes(size as u64));
        let id = BenchmarkId::new("unmask", size_name(size));
        group.bench_function(id, |bencher| bencher.iter(|| apply_mask(black_box(MASK), 0, &mut bytes)));
    }
    group.finish();
}
