//! How a stopped server looks to two senders that differ in one thing: whether they wait for it.
//!
//! Both send at the same rate to the same server in the same seconds, each to listeners of its own. One sends by its
//! schedule and counts latency from there. The other waits until its last message has arrived, and counts from when it has
//! sent. While the server is stopped, the second has one message on its way, and sends none of those that were due: what
//! they would have waited for is not in its figures (coordinated omission).

#[cfg(not(unix))]
pub use elsewhere::run;
#[cfg(unix)]
pub use unix::run;

#[cfg(not(unix))]
mod elsewhere {
    use super::super::{
        arena::{Arena, Broken},
        leash::Leash,
        news::News,
        order::Freezing,
    };

    /// No order comes this far where no process can be stopped.
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    pub fn run(_: &Freezing, _: &Arena, _: &Leash, _: &News) -> Result<(), Broken> {
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::{ops::ControlFlow, sync::Barrier, thread, time::Duration};

    use hdrhistogram::Histogram;
    use serde::Serialize;

    use crate::bench::{
        load::{Crowd, LoadError, Pace, Phase, Tally, Transport},
        server::Freezer,
    };

    use super::super::{
        arena::{Arena, Broken, Generator, milliseconds, percentile},
        leash::Leash,
        news::News,
        order::Freezing,
    };

    /// How long is measured, and when in it the server is stopped.
    const DURATION: Duration = Duration::from_secs(8);
    const STOPPED_AFTER: Duration = Duration::from_secs(3);

    /// The first messages find everything cold.
    const WARM_UP: Duration = Duration::from_millis(500);

    /// How long to wait for what does not come, beyond the time for which the server is stopped.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// Steps of a percentile curve between one percentile and that which leaves half as much beyond it.
    const STEPS_PER_HALVING: u32 = 4;

    /// How often those who watch are told.
    const TELL_EVERY: Duration = Duration::from_millis(500);

    /// The two senders.
    #[derive(Clone, Copy, Debug, Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Loop {
        /// Sends by its schedule.
        Open,
        /// Waits for what it has sent.
        Closed,
    }

    /// What one of them has measured.
    #[derive(Debug, Serialize)]
    struct Measured {
        r#loop: Loop,
        rate: u32,
        subscribers: usize,
        stopped_after_ms: u128,
        freeze_ms: u64,
        /// How many messages its rate asked for, and how many it has sent.
        planned: u64,
        sent: u64,
        n: u64,
        lost: u64,
        p50_ms: Option<f64>,
        p90_ms: Option<f64>,
        p99_ms: Option<f64>,
        p999_ms: Option<f64>,
        max_ms: f64,
        /// Latencies by the time at which their messages were sent, or due: the end of the step, median, and largest.
        timeline: Vec<Step>,
        /// Shares of all deliveries, and the latency that so many do not exceed.
        curve: Vec<(f64, f64)>,
        generator: Generator,
    }

    #[derive(Debug, Serialize)]
    struct Step {
        until_ms: u128,
        n: u64,
        p50_ms: f64,
        max_ms: f64,
    }

    /// What is told meanwhile.
    #[derive(Serialize)]
    struct Running {
        r#loop: Loop,
        elapsed_ms: u128,
        n: u64,
        p50_ms: Option<f64>,
        p99_ms: Option<f64>,
        max_ms: f64,
    }

    /// Lets both send, and stops the server meanwhile.
    ///
    /// # Errors
    /// Tells why it has no end.
    pub fn run(order: &Freezing, arena: &Arena, leash: &Leash, news: &News) -> Result<(), Broken> {
        let freeze = Duration::from_millis(order.freeze_ms);
        let mut closed = arena.crowd(Transport::WebSocket, "closed", true)?;
        let mut open = arena.crowd(Transport::WebSocket, "open", true)?;
        closed.connect(order.subscribers)?;
        open.connect(order.subscribers)?;
        let crowds = [(Loop::Closed, closed), (Loop::Open, open)];
        news.say("both send");
        let begin = Barrier::new(crowds.len());
        let outcomes = thread::scope(|scope| {
            let senders = crowds.map(|(kind, crowd)| {
                let begin = &begin;
                scope.spawn(move || {
                    arena.pin_generator();
                    send(kind, crowd, order, begin, leash, news)
                })
            });
            let _freezer = arena
                .process()
                .filter(|_| !freeze.is_zero())
                .map(|process| Freezer::start(process, WARM_UP + STOPPED_AFTER, freeze));
            senders.map(|sender| sender.join().unwrap_or(Err(Broken::Thread)))
        });
        for outcome in outcomes {
            news.tell("loop", outcome?);
        }
        Ok(())
    }

    fn send(
        kind: Loop,
        mut crowd: Crowd,
        order: &Freezing,
        begin: &Barrier,
        leash: &Leash,
        news: &News,
    ) -> Result<Measured, Broken> {
        begin.wait();
        let pace = match kind {
            Loop::Open => Pace::Rate(order.rate.into()),
            Loop::Closed => Pace::Closed(order.rate.into()),
        };
        phase(&mut crowd, &Phase::new(pace, WARM_UP), kind, leash, None)?;
        let patience = PATIENCE + Duration::from_millis(order.freeze_ms);
        let phase_of_run = Phase { patience, ..Phase::new(pace, DURATION) };
        let tally = phase(&mut crowd, &phase_of_run, kind, leash, Some(news))?;
        leash.check()?;
        Ok(measured(kind, order, &tally))
    }

    fn phase(
        crowd: &mut Crowd,
        phase: &Phase,
        kind: Loop,
        leash: &Leash,
        news: Option<&News>,
    ) -> Result<Tally, LoadError> {
        let mut next = TELL_EVERY;
        crowd.run(phase, &mut |glance| {
            if let Some(news) = news.filter(|_| glance.elapsed >= next) {
                next = glance.elapsed + TELL_EVERY;
                let latency = &glance.tally.latency;
                let (p50_ms, p99_ms) = (percentile(latency, 0.5), percentile(latency, 0.99));
                let (elapsed_ms, max_ms) = (glance.elapsed.as_millis(), milliseconds(latency.max()));
                news.tell("running", Running { r#loop: kind, elapsed_ms, n: latency.len(), p50_ms, p99_ms, max_ms });
            }
            if leash.pulled().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    fn measured(kind: Loop, order: &Freezing, tally: &Tally) -> Measured {
        let latency = &tally.latency;
        Measured {
            r#loop: kind,
            rate: order.rate,
            subscribers: order.subscribers,
            stopped_after_ms: STOPPED_AFTER.as_millis(),
            freeze_ms: order.freeze_ms,
            planned: u64::from(order.rate) * DURATION.as_secs(),
            sent: tally.messages,
            n: latency.len(),
            lost: tally.lost,
            p50_ms: percentile(latency, 0.5),
            p90_ms: percentile(latency, 0.9),
            p99_ms: percentile(latency, 0.99),
            p999_ms: percentile(latency, 0.999),
            max_ms: milliseconds(latency.max()),
            timeline: timeline(tally),
            curve: curve(latency),
            generator: Generator::of(tally),
        }
    }

    fn timeline(tally: &Tally) -> Vec<Step> {
        let step = tally.timeline.step();
        let ends = (1..).map(|number| (step * number).as_millis());
        let steps = tally.timeline.steps().iter().zip(ends).filter(|(latency, _)| !latency.is_empty());
        steps
            .map(|(latency, until_ms)| Step {
                until_ms,
                n: latency.len(),
                p50_ms: milliseconds(latency.value_at_quantile(0.5)),
                max_ms: milliseconds(latency.max()),
            })
            .collect()
    }

    /// The curve, as far as there are ten values beyond a point.
    fn curve(latency: &Histogram<u64>) -> Vec<(f64, f64)> {
        let points = latency.iter_quantiles(STEPS_PER_HALVING);
        let points = points.map(|point| (point.quantile_iterated_to(), point.value_iterated_to()));
        points
            .take_while(|(quantile, _)| percentile(latency, *quantile).is_some())
            .map(|(quantile, value)| (quantile, milliseconds(value)))
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::bench::histogram;

        #[test]
        fn a_curve_ends_where_fewer_than_ten_values_lie_beyond() {
            let mut latency = histogram::new();
            (1..=1000).for_each(|value| latency.saturating_record(value * 1_000_000));
            let curve = curve(&latency);
            let (last, ms) = *curve.last().expect("points");
            assert!((0.97..=0.99).contains(&last), "{last}");
            assert!((970.0..=992.0).contains(&ms), "{ms}");
            assert!(curve.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        }
    }
}
