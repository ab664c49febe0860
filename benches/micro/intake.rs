//! What a client sends over a WebSocket: from masked bytes to a checked message.

use criterion::{BenchmarkId, Criterion, Throughput};
use fallcast::{
    transport::Intake,
    wire::websocket::{Opcode, masked_frame},
};

use super::{
    Topic,
    fixture::{payload, size_name},
};

pub const TOPIC: Topic = Topic {
    group: "intake",
    question: "What does a text message of a client cost until it is unmasked and known to be UTF-8?",
    run,
};

const SIZES: [usize; 3] = [64, 1024, 16 * 1024];

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    for size in SIZES {
        let texts = [("ASCII", payload(size).to_vec()), ("two bytes a character", "é".repeat(size / 2).into_bytes())];
        for (name, text) in texts {
            let mut bytes = Vec::new();
            masked_frame(Opcode::Text, MASK, &text, &mut bytes);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(name, size_name(size)), |bencher| {
                let mut intake = Intake::new(size);
                bencher.iter(|| {
                    intake.push(&bytes);
                    let arrived = intake.pop().expect("no rule is broken").expect("the frame is whole");
                    assert_eq!(arrived.payload.len(), size);
                });
            });
        }
    }
    group.finish();
}
