//! How far is the server's clock ahead, and how long is the way? Four times, told by both ends, of twenty exchanges; the one
//! with the smallest round trip is believed (Cristian's method). No way there and back can be so uneven that the offset is
//! wrong by more than half of that round trip.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::doctor::{
    client::{Client, Fault, Kept, Request},
    observations::Clock,
};

/// How many exchanges there are.
const EXCHANGES: usize = 24;

/// How many have to do on a way so long that all would take longer than [`BUDGET`].
const AT_LEAST: usize = 20;

const BUDGET: Duration = Duration::from_secs(5);

/// Looks at the clocks.
///
/// # Errors
/// There is no answer, or not the one of a fallcast server.
pub async fn look(client: &Client) -> Result<Clock, Fault> {
    let began = Instant::now();
    let clock = OwnClock::now();
    let mut samples = Vec::new();
    let mut kept = Kept::open(client).await?;
    while samples.len() < EXCHANGES && (samples.len() < AT_LEAST || began.elapsed() < BUDGET) {
        kept.ready().await?;
        samples.push(exchange(&mut kept, &clock).await?);
    }
    Ok(of_samples(&mut samples))
}

/// One exchange: the offset it tells, and its round trip, both in ms.
type Sample = (f64, f64);

async fn exchange(kept: &mut Kept<'_>, clock: &OwnClock) -> Result<Sample, Fault> {
    let sent = clock.read();
    let answer = kept.ask(&Request::get("/examination/clock")).await?;
    let received = clock.read();
    let document = answer.json().unwrap_or_default();
    let (Some(arrived), Some(left)) = (document["received_us"].as_f64(), document["sent_us"].as_f64()) else {
        return Err(Fault::NotHttp(format!("no times of a clock, but {:?}", answer.excerpt())));
    };
    let (arrived, left) = (arrived / 1000.0, left / 1000.0);
    let offset = f64::midpoint(arrived - sent, left - received);
    let round_trip = (received - sent) - (left - arrived);
    Ok((offset, round_trip.max(0.0)))
}

fn of_samples(samples: &mut [Sample]) -> Clock {
    samples.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (offset_ms, round_trip_ms) = samples.first().copied().unwrap_or_default();
    let median_ms = samples.get(samples.len() / 2).map_or(0.0, |sample| sample.1);
    let exchanges = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    Clock { offset_ms, bound_ms: round_trip_ms / 2.0, round_trip_ms, median_ms, exchanges }
}

/// The own clock: the time of day once, and from then on what cannot be set back.
#[derive(Clone, Copy, Debug)]
pub struct OwnClock {
    began: Instant,
    began_ms: f64,
}

impl OwnClock {
    /// A clock that starts now.
    #[must_use]
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_ms: super::millis(since_1970) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn read(&self) -> f64 {
        self.began_ms + super::millis_since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_with_the_smallest_round_trip_is_believed() {
        let clock = of_samples(&mut [(7.0, 30.0), (5.0, 2.0), (9.0, 10.0)]);
        assert_eq!((clock.offset_ms, clock.bound_ms, clock.median_ms, clock.exchanges), (5.0, 1.0, 10.0, 3));
    }
}
