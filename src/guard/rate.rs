//! Publish rates: a token bucket for each address. Off by default, since a whole class sits behind one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many addresses are remembered at most. When there are more, full buckets, which say nothing, are forgotten.
const MAX_ADDRESSES: usize = 65_536;

/// A bucket for each address: it holds one second's worth of publications and refills steadily.
#[derive(Debug)]
pub struct Rates {
    per_second: Option<f64>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    /// Returns full buckets that refill with `per_second`; `None` is no limit.
    #[must_use]
    pub fn new(per_second: Option<u32>) -> Self {
        Self { per_second: per_second.map(f64::from), buckets: Mutex::default() }
    }

    /// Takes one publication out of an address's bucket.
    ///
    /// # Errors
    /// Tells how long it takes until there is one again.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.per_second else { return Ok(()) };
        let capacity = rate.max(1.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ADDRESSES {
            buckets.retain(|_, bucket| bucket.filled(rate, capacity, now) < capacity);
        }
        let bucket = buckets.entry(address).or_insert(Bucket { tokens: capacity, at: now });
        bucket.tokens = bucket.filled(rate, capacity, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn filled(&self, rate: f64, capacity: f64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        rate.mul_add(passed, self.tokens).min(capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_one_second_and_refills_steadily() {
        let (rates, start, ada) = (Rates::new(Some(10)), Instant::now(), IpAddr::from([10, 0, 0, 1]));
        assert!((0..10).all(|_| rates.take(ada, start).is_ok()));
        assert_eq!(rates.take(ada, start), Err(Duration::from_millis(100)));
        assert!(rates.take([10, 0, 0, 2].into(), start).is_ok(), "another address has a bucket of its own");
        assert!(rates.take(ada, start + Duration::from_millis(101)).is_ok());
        assert!(rates.take(ada, start + Duration::from_millis(102)).is_err());
    }
}
