//! The processor time of the thread that generates the load.

use std::time::Duration;

/// What this thread has used so far, in the kernel and outside; `None` where the system does not tell.
#[cfg(unix)]
#[must_use]
pub fn of_this_thread() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).ok()
}

/// What this thread has used so far; not told here.
#[cfg(not(unix))]
#[must_use]
pub fn of_this_thread() -> Option<Duration> {
    None
}
