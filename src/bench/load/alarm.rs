//! Waking up on time.
//!
//! `epoll` and its like wait in whole milliseconds, which is more than most deliveries take. On Linux a timer that is
//! exact to microseconds is one more thing that becomes ready; elsewhere the last millisecond is spent polling.

use std::io;

/// A poll's wait that ends on time.
#[derive(Debug)]
pub struct Alarm {
    #[cfg(target_os = "linux")]
    timer: std::os::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
        time::Duration,
    };

    use mio::{Events, Interest, Poll, Token, unix::SourceFd};
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

    use super::Alarm;

    impl Alarm {
        /// An alarm whose events bear this token.
        pub fn new(poll: &Poll, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
            poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { timer })
        }

        /// Waits until something is ready, at most so long.
        pub fn wait(&self, poll: &mut Poll, events: &mut Events, at_most: Duration) -> io::Result<()> {
            if at_most.is_zero() {
                return poll.poll(events, Some(Duration::ZERO));
            }
            set(&self.timer, at_most)?;
            poll.poll(events, None)
        }
    }

    /// Setting a timer anew also forgets that it has gone off, so it need not be read.
    fn set(timer: &OwnedFd, after: Duration) -> io::Result<()> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(after).map_err(|_| io::ErrorKind::InvalidInput)?;
        let once = Itimerspec { it_interval: never, it_value };
        rustix::time::timerfd_settime(timer.as_fd(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::{io, time::Duration};

    use mio::{Events, Poll, Token};

    use super::Alarm;

    /// What a system may be late by when it waits.
    const COARSE: Duration = Duration::from_millis(1);

    impl Alarm {
        /// An alarm, which needs no event of its own here.
        pub fn new(_poll: &Poll, _token: Token) -> io::Result<Self> {
            Ok(Self {})
        }

        /// Waits until something is ready, at most so long.
        pub fn wait(&self, poll: &mut Poll, events: &mut Events, at_most: Duration) -> io::Result<()> {
            poll.poll(events, Some(at_most.saturating_sub(COARSE)))
        }
    }
}

/// Calls an interrupted wait one in which nothing became ready.
pub fn unless_interrupted(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn an_alarm_ends_a_wait_in_which_nothing_becomes_ready() {
        let mut poll = Poll::new().expect("a poll");
        let mut events = Events::with_capacity(8);
        let alarm = Alarm::new(&poll, Token(0)).expect("an alarm");
        for _ in 0..3 {
            let wait = Duration::from_millis(3);
            let start = Instant::now();
            while start.elapsed() < wait {
                alarm.wait(&mut poll, &mut events, wait.saturating_sub(start.elapsed())).expect("a wait");
            }
        }
    }
}
