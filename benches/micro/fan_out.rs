//! One publication for many subscribers on one worker, without their sockets.

use criterion::{BenchmarkId, Criterion, Throughput};

use super::{
    Topic,
    audience::Audience,
    fixture::{FRAMINGS, Room, publication},
};

pub const TOPIC: Topic = Topic {
    group: "fan-out",
    question: "What does a publication of 64 bytes cost until each of so many subscribers of one worker has the bytes in \
               hand, and waits again? What a socket costs comes on top.",
    run,
};

const AUDIENCES: [usize; 3] = [1, 100, 1000];
const RETAINED: usize = 1000;
const SIZE: usize = 64;

fn run(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(TOPIC.group);
    let (name, framing) = FRAMINGS[0];
    let system = actix_rt::System::new();
    for count in AUDIENCES {
        group.throughput(Throughput::Elements(count as u64));
        let id = BenchmarkId::new(format!("{name}, subscribers"), count);
        group.bench_function(id, |bencher| {
            let room = Room::full(RETAINED, SIZE);
            let mut audience = system.block_on(async { Audience::of(&room, framing, count) });
            bencher.iter(|| {
                system.block_on(async {
                    room.publish(publication(SIZE, None));
                    assert_eq!(audience.hear().await, count, "everybody hears of it once");
                });
            });
        });
    }
    group.finish();
}
