//! How many can listen: ten subscribers, a hundred, and so on. Each time they are idle first, and then sent to.
//!
//! What the idle cost is what their connections cost. What they cost beyond that when messages come is the fan-out.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::bench::load::{Crowd, Glance, Pace, Phase, Tally};

use super::{
    arena::{Arena, Broken, Generator, percentile, share},
    leash::Leash,
    news::News,
    order::{By, Listening},
};

/// How long the idle are watched, and how long messages are sent.
const IDLE: Duration = Duration::from_secs(2);
const ACTIVE: Duration = Duration::from_secs(3);

/// How long to wait for what was not delivered in time. What comes later belongs to nobody.
const OVERTIME: Duration = Duration::from_secs(3);

/// How long a server may rest after so many have come.
const REST: Duration = Duration::from_millis(300);

/// Nothing is ever published when nothing may be on its way.
const SILENCE: Pace = Pace::Window(0);

/// How often those who watch are told of a phase on its way.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// With fewer newcomers, the memory of one is lost in that of the process.
const ENOUGH_FOR_MEMORY: usize = 500;

/// Among so many subscribers.
const FIRST_STEP: usize = 10;

/// What so many subscribers cost. Shares are of one core; what the system does not tell is absent.
#[derive(Debug, Serialize)]
struct Point {
    transport: By,
    subscribers: usize,
    rate: u32,
    /// The share of a core that the server uses while nothing is sent.
    idle_cpu_share: Option<f64>,
    /// By how much the server's process has grown for each who came since the step before, in bytes. What the kernel keeps
    /// of a connection comes on top.
    memory_per_connection: Option<f64>,
    /// The share of a core that it uses while messages are sent.
    active_cpu_share: Option<f64>,
    messages: u64,
    deliveries: u64,
    /// Deliveries that had not taken place when the wait was over.
    late: u64,
    deliveries_per_second: f64,
    /// The server's processor time for a delivery, in microseconds.
    cpu_us_per_delivery: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    generator: Generator,
}

/// What is told while messages are sent.
#[derive(Serialize)]
struct Sending {
    words: String,
    subscribers: usize,
    deliveries: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Lets the crowd grow.
///
/// # Errors
/// Tells why it has no end.
pub fn run(order: &Listening, arena: &Arena, leash: &Leash, news: &News) -> Result<(), Broken> {
    arena.pin_generator();
    let mut memory_before = arena.memory();
    let mut crowd = arena.crowd(order.transport.into(), "crowd", true)?;
    let mut there = 0;
    for subscribers in steps(order.subscribers) {
        leash.check()?;
        news.say(format!("{subscribers} subscribers connect"));
        let newcomers = subscribers - there;
        crowd.connect(newcomers)?;
        there = subscribers;
        leash.wait(REST)?;
        news.say(format!("{subscribers} subscribers are idle"));
        let (_, idle_cpu_share) = watched(arena, || phase(&mut crowd, SILENCE, IDLE, leash, &mut |_| ()))?;
        let memory = arena.memory();
        let mut tell = teller(news, subscribers);
        let pace = Pace::Rate(order.rate.into());
        let (tally, active_cpu_share) = watched(arena, || phase(&mut crowd, pace, ACTIVE, leash, &mut tell))?;
        leash.check()?;
        let grown = memory_before.zip(memory).map(|(then, now)| now.saturating_sub(then));
        let memory_per_connection = grown.filter(|_| newcomers >= ENOUGH_FOR_MEMORY).map(|bytes| per(bytes, newcomers));
        news.tell(
            "point",
            Point {
                transport: order.transport,
                subscribers,
                rate: order.rate,
                idle_cpu_share,
                memory_per_connection,
                active_cpu_share,
                messages: tally.messages,
                deliveries: tally.deliveries,
                late: tally.lost,
                deliveries_per_second: rate_of(&tally),
                cpu_us_per_delivery: active_cpu_share.map(|share| share * 1e6 / rate_of(&tally).max(1.0)),
                p50_ms: percentile(&tally.latency, 0.5),
                p99_ms: percentile(&tally.latency, 0.99),
                generator: Generator::of(&tally),
            },
        );
        // What sending has taken is nobody's who comes next.
        memory_before = arena.memory();
    }
    Ok(())
}

/// Ten, a hundred, and so on, and in the end all.
fn steps(all: usize) -> Vec<usize> {
    let powers = std::iter::successors(Some(FIRST_STEP), |step| step.checked_mul(10));
    powers.take_while(|step| *step < all).chain([all]).collect()
}

/// Runs a phase, and returns the share of a core that the server has used meanwhile.
fn watched(arena: &Arena, phase: impl FnOnce() -> Result<Tally, Broken>) -> Result<(Tally, Option<f64>), Broken> {
    let (before, began) = (arena.cpu(), Instant::now());
    let tally = phase()?;
    let used = arena.cpu().zip(before).map(|(now, before)| share(now.since(&before), began.elapsed()));
    Ok((tally, used))
}

fn phase(
    crowd: &mut Crowd,
    pace: Pace,
    duration: Duration,
    leash: &Leash,
    tell: &mut dyn FnMut(&Glance<'_>),
) -> Result<Tally, Broken> {
    let tally = crowd.run(&Phase::new(pace, duration), &mut |glance| {
        tell(glance);
        let goes_on = leash.pulled().is_none() && glance.elapsed < duration + OVERTIME;
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    leash.check()?;
    Ok(tally)
}

fn teller(news: &News, subscribers: usize) -> impl FnMut(&Glance<'_>) {
    let mut next = Duration::ZERO;
    move |glance| {
        if glance.elapsed < next {
            return;
        }
        next = glance.elapsed + TELL_EVERY;
        let latency = &glance.tally.latency;
        news.tell(
            "progress",
            Sending {
                words: format!("{subscribers} subscribers are sent messages"),
                subscribers,
                deliveries: glance.tally.deliveries,
                p50_ms: percentile(latency, 0.5),
                p99_ms: percentile(latency, 0.99),
            },
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rate_of(tally: &Tally) -> f64 {
    if tally.took.is_zero() { 0.0 } else { tally.deliveries as f64 / tally.took.as_secs_f64() }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn per(bytes: u64, count: usize) -> f64 {
    bytes as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_grows_by_factors_of_ten_up_to_all() {
        assert_eq!(steps(10_000), [10, 100, 1000, 10_000]);
        assert_eq!(steps(250), [10, 100, 250]);
        assert_eq!(steps(10), [10]);
        assert_eq!(steps(1), [1]);
    }
}
