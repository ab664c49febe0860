//! Which processor cores the server has to itself, and which the load generator.
//!
//! On one core they would push each other aside, and the scheduler would decide who looks fast. Only Linux can be told;
//! elsewhere, and on a single core, nobody is pinned.

/// The shares of server and generator.
#[derive(Debug)]
pub struct Cores {
    #[cfg(target_os = "linux")]
    server: rustix::thread::CpuSet,
    #[cfg(target_os = "linux")]
    generator: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::Cores;

    impl Cores {
        /// Gives the last core that this process may use to the generator and all others to the server; `None` if there
        /// is only one.
        #[must_use]
        pub fn choose() -> Option<Self> {
            let mut server = sched_getaffinity(None).ok()?;
            let last = (0..CpuSet::MAX_CPU).rev().find(|&core| server.is_set(core))?;
            server.unset(last);
            let mut generator = CpuSet::new();
            generator.set(last);
            (server.count() > 0).then_some(Self { server, generator })
        }

        /// Moves the calling thread to the generator's core.
        #[must_use]
        pub fn pin_generator(&self) -> bool {
            sched_setaffinity(None, &self.generator).is_ok()
        }

        /// Calls `start` on the server's cores. A child that it starts inherits them, with every thread it will have.
        pub fn on_server_cores<T>(&self, start: impl FnOnce() -> T) -> T {
            // If a thread cannot be moved, it stays where it may be, which is no reason not to measure.
            let _ = sched_setaffinity(None, &self.server);
            let started = start();
            let _ = sched_setaffinity(None, &self.generator);
            started
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Cores {
    /// Nobody is pinned here.
    #[must_use]
    pub fn choose() -> Option<Self> {
        None
    }

    /// Does nothing.
    #[must_use]
    pub fn pin_generator(&self) -> bool {
        false
    }

    /// Calls `start`.
    pub fn on_server_cores<T>(&self, start: impl FnOnce() -> T) -> T {
        start()
    }
}
