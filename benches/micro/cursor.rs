//! Cursors as text.

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, Throughput};
use fallcast::channel::Cursor;

use super::Topic;

pub const TOPIC: Topic = Topic {
    group: "cursor",
    question: "What does it cost to read and to write a position? A long-poll does both once for each request.",
    run,
};

const TEXT: &str = "k3f9z1c8qd.123456";

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse", |bencher| bencher.iter(|| black_box(TEXT).parse::<Cursor>()));
    group.bench_function("print", |bencher| {
        let cursor: Cursor = TEXT.parse().expect("a good cursor");
        let mut out = String::new();
        bencher.iter(|| {
            out.clear();
            write!(out, "{}", black_box(&cursor)).expect("a string takes everything");
            out.len()
        });
    });
    group.finish();
}
