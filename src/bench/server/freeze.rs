//! Stops a server for a while, as a long garbage collection, a slow disk or a paused virtual machine would.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Stops a process at its time and lets it go on after a while, from a thread of its own.
#[derive(Debug)]
pub struct Freezer {
    thread: Option<JoinHandle<()>>,
}

impl Freezer {
    /// Will stop `process` in so long, for so long.
    #[must_use]
    pub fn start(process: u32, after: Duration, length: Duration) -> Self {
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
        let thread = pid.map(|pid| {
            thread::spawn(move || {
                thread::sleep(after);
                // Both fail only if the process is gone, and then there is nobody to stop.
                let _ = kill_process(pid, Signal::STOP);
                thread::sleep(length);
                let _ = kill_process(pid, Signal::CONT);
            })
        });
        Self { thread }
    }
}

impl Drop for Freezer {
    /// Waits until the process goes on: nobody may find it stopped for ever.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}
