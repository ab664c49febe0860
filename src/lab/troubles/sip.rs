//! A slow reader: takes so many bytes a second from a socket, and leaves the rest to the sender.
//!
//! A bandwidth looks similar and is something else. There the network is slow and its queue fills; here nobody reads, and
//! the sender's own system has to keep what it sends.

use std::time::Duration;

use tokio::time::Instant;

/// How often a second a sip is taken, unless the rate is lower.
const SIPS_A_SECOND: u64 = 10;

/// How fast one socket is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sip {
    rate: Option<u64>,
    next: Option<Instant>,
}

impl Sip {
    /// Reads at most so many bytes a second; 0 is none, `None` as many as there are.
    #[must_use]
    pub const fn new(rate: Option<u64>) -> Self {
        Self { rate, next: None }
    }

    /// How many bytes may be read now.
    #[must_use]
    pub fn allows(&self, now: Instant) -> usize {
        match self.rate {
            None => usize::MAX,
            Some(0) => 0,
            Some(_) if self.next.is_some_and(|next| next > now) => 0,
            Some(rate) => usize::try_from((rate / SIPS_A_SECOND).max(1)).unwrap_or(usize::MAX),
        }
    }

    /// Notes that bytes have been read.
    pub fn took(&mut self, bytes: usize, now: Instant) {
        if let Some(rate) = self.rate.filter(|&rate| rate > 0) {
            let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(rate);
            let rest = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
            self.next = Some(now + rest);
        }
    }

    /// When to read again.
    #[must_use]
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|&next| next > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rate_everything_is_taken() {
        let (mut sip, now) = (Sip::new(None), Instant::now());
        sip.took(1_000_000, now);
        assert_eq!((sip.allows(now), sip.wakes(now)), (usize::MAX, None));
    }

    #[test]
    fn a_rate_of_zero_takes_nothing_ever() {
        let (sip, now) = (Sip::new(Some(0)), Instant::now());
        assert_eq!((sip.allows(now), sip.wakes(now)), (0, None));
    }

    #[test]
    fn as_many_bytes_are_taken_as_the_rate_says() {
        for rate in [1, 7, 1000, 123_456] {
            let (mut sip, began) = (Sip::new(Some(rate)), Instant::now());
            let (mut now, mut taken) = (began, 0);
            while now < began + Duration::from_secs(10) {
                let bytes = sip.allows(now);
                assert!(bytes > 0);
                taken += bytes as u64;
                sip.took(bytes, now);
                assert_eq!(sip.allows(now), 0, "not twice at once");
                now = sip.wakes(now).expect("it goes on");
            }
            assert!((rate * 10..=rate * 11).contains(&taken), "{taken} bytes in 10 s at {rate} a second");
        }
    }
}
