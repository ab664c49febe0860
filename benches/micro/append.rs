//! Numbering a message and keeping it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use fallcast::channel::{Budget, Log, Retention, now_us};

use super::{
    Topic,
    fixture::{Room, key, publication, size_name},
};

pub const TOPIC: Topic = Topic {
    group: "append",
    question: "What does it cost to number a message and to keep it, before anybody reads it? The log is full, so each \
               message evicts one.",
    run,
};

const SIZES: [usize; 2] = [64, 1024];

/// How many messages the log retains.
const RETAINED: usize = 1000;

/// How many keys a window holds when it begins anew.
const KEYS: usize = 10_000;

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        group.bench_function(BenchmarkId::new("log alone", size_name(size)), |bencher| {
            let mut log = full_log(size);
            let append = |publication| log.append(publication, now_us(), None);
            bencher.iter_batched(|| publication(size, None), append, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("hub", size_name(size)), |bencher| {
            let room = Room::full(RETAINED, size);
            bencher.iter_batched(|| publication(size, None), |of| room.publish(of), BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("hub, with a new key", size_name(size)), |bencher| {
            bencher.iter_custom(|iterations| publish_with_keys(iterations, size));
        });
        group.bench_function(BenchmarkId::new("hub, with a known key", size_name(size)), |bencher| {
            let room = Room::full(RETAINED, size);
            room.publish(publication(size, Some(key(0))));
            let again = || publication(size, Some(key(0)));
            bencher.iter_batched(again, |of| room.publish(of), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn full_log(size: usize) -> Log {
    let retention = Retention { messages: RETAINED, bytes: usize::MAX, age: Duration::from_hours(1) };
    let mut log = Log::new(retention, Arc::new(Budget::new(usize::MAX)));
    for _ in 0..RETAINED {
        log.append(publication(size, None), now_us(), None);
    }
    log
}

/// Fills one window of keys after the other. Making windows and publications is not timed.
fn publish_with_keys(iterations: u64, size: usize) -> Duration {
    let mut left = usize::try_from(iterations).expect("a count of iterations fits");
    let mut elapsed = Duration::ZERO;
    while left > 0 {
        let count = left.min(KEYS);
        let room = Room::full(RETAINED, size);
        let publications: Vec<_> = (0..count).map(|number| publication(size, Some(key(number)))).collect();
        let start = Instant::now();
        for publication in publications {
            std::hint::black_box(room.publish(publication));
        }
        elapsed += start.elapsed();
        left -= count;
    }
    elapsed
}
