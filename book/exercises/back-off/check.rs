//! What a good back-off promises. Each test is named by one promise, and says what it has seen instead.

use std::time::Duration;

use super::{FIRST_WINDOW, LAST_WINDOW, delay};

/// As near to the end of the window as a random number comes.
const ALMOST_ONE: f64 = 0.999_999_999;

/// The seconds of a delay, to the millisecond.
fn seconds(delay: Duration) -> f64 {
    (delay.as_secs_f64() * 1000.0).round() / 1000.0
}

#[test]
fn the_jitter_is_full() {
    for (random, expected) in [(0.0, 0.0), (0.25, 0.25), (0.5, 0.5)] {
        let waited = seconds(delay(1, None, random));
        assert!(
            (waited - expected).abs() < 0.001,
            "after one failure, the random number {random} made {waited} s of a window of one second, not {expected} s"
        );
    }
}

#[test]
fn the_window_doubles_with_each_failure_up_to_the_last() {
    let windows: Vec<f64> = (1..=7).map(|failures| seconds(delay(failures, None, ALMOST_ONE))).collect();
    assert_eq!(windows, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0], "the longest delays after 1 to 7 failures, in seconds");
}

#[test]
fn nobody_comes_before_retry_after_and_not_all_at_its_end() {
    let asked = Duration::from_secs(5);
    let waited = seconds(delay(1, Some(asked), 0.0));
    assert!(waited >= 5.0, "the server asked for 5 s, and a client came after {waited} s");
    let other = seconds(delay(1, Some(asked), 0.5));
    assert!(
        (other - 5.5).abs() < 0.001,
        "everybody was asked for the same 5 s, so the jitter comes on top: 5.5 s, and not {other} s"
    );
}

#[test]
fn no_number_of_failures_breaks_it() {
    assert_eq!(delay(u32::MAX, None, 0.0), Duration::ZERO);
    assert!(delay(u32::MAX, None, 1.0) <= LAST_WINDOW, "no window is longer than {LAST_WINDOW:?}");
    assert!(delay(1, Some(Duration::MAX), 1.0) >= Duration::from_secs(1), "a huge Retry-After is no reason to panic");
}

/// A thousand clients lose their server at once, and it stays away for a minute. How many knock within the worst tenth
/// of a second?
#[test]
fn a_thousand_clients_do_not_knock_all_at_once() {
    const CLIENTS: usize = 1000;
    let mut random = Random(1);
    let mut knocks = [0_usize; 600];
    for _ in 0..CLIENTS {
        let mut time = Duration::ZERO;
        for failures in 1.. {
            time += delay(failures, None, random.fraction()).max(Duration::from_millis(1));
            let Some(slot) = knocks.get_mut((time.as_millis() / 100) as usize) else { break };
            *slot += 1;
        }
    }
    let worst = knocks.iter().copied().max().unwrap_or_default();
    assert!(
        worst <= CLIENTS / 5,
        "of {CLIENTS} clients, {worst} came within one tenth of a second; {FIRST_WINDOW:?} of full jitter makes that \
         about {}",
        CLIENTS / 10
    );
}

/// Numbers that look random and are the same in every run (a linear congruential generator).
struct Random(u64);

impl Random {
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 32) as u32) / f64::from(u32::MAX)
    }
}
