//! From a message to the bytes on the wire.

use criterion::{BenchmarkId, Criterion, Throughput};
use fallcast::{
    channel::{ContentType, Data, Epoch, Message},
    wire::encode_message,
};

use super::{
    Topic,
    fixture::{FRAMINGS, payload, size_name},
};

pub const TOPIC: Topic = Topic {
    group: "encode",
    question: "What does it cost to bring a text message into each framing? It happens once for each framing in use, \
               however many subscribers there are.",
    run,
};

const SIZES: [usize; 3] = [64, 1024, 16 * 1024];

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    let epoch = Epoch::random();
    for (name, framing) in FRAMINGS {
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new(name, size_name(size)), |bencher| {
                let message = message(size);
                let mut out = Vec::new();
                bencher.iter(|| {
                    out.clear();
                    encode_message(framing, &epoch, std::hint::black_box(&message), &mut out);
                    out.len()
                });
            });
        }
    }
    group.finish();
}

/// A message as a log in use holds it: the number and the time have as many digits as they have after a while.
fn message(size: usize) -> Message {
    Message {
        offset: 123_456,
        at_us: 1_795_248_000_000_001,
        label: None,
        content_type: ContentType::Text,
        data: Data::text(payload(size)).expect("the payload is ASCII"),
        publisher: None,
    }
}
