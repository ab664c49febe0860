//! The server under measurement, and the two ways to it.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::{Result, process::CpuTime};

/// How often a server is asked whether it has come to rest.
const SETTLE_STEP: Duration = Duration::from_millis(10);

/// The share of a core that a server at rest may use, for its own timers.
const AT_REST: f64 = 0.05;

/// A way to the server.
#[derive(Clone, Copy, Debug)]
pub enum Route {
    Direct,
    ThroughLab,
}

/// A running server. It ends when this is dropped.
pub struct Server {
    child: Child,
    /// Held open, so that the server never writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
    addresses: [SocketAddr; 2],
}

impl Server {
    /// Starts a server as a user would, with one worker, and with heartbeats often enough that a sample has some.
    pub fn start() -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fallcast"))
            .args(["serve", "--host", "127.0.0.1", "--port", "0", "--lab-port", "auto", "--workers", "1"])
            .args(["--heartbeat", "1s", "--log-level", "warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("the server's standard output is not a pipe")?);
        let addresses = [address_in(&mut stdout), address_in(&mut stdout)];
        let [Ok(direct), Ok(lab)] = addresses else {
            child.kill()?;
            child.wait()?;
            return Err("the server does not tell its addresses".into());
        };
        Ok(Self { child, _stdout: stdout, addresses: [direct, lab] })
    }

    pub const fn address(&self, route: Route) -> SocketAddr {
        match route {
            Route::Direct => self.addresses[0],
            Route::ThroughLab => self.addresses[1],
        }
    }

    pub fn cpu(&self) -> Result<CpuTime> {
        CpuTime::of(self.child.id())
    }

    /// Waits until the server has done all it had to do, and returns its CPU time by then.
    pub async fn settle(&self) -> Result<CpuTime> {
        let mut last = self.cpu()?;
        loop {
            tokio::time::sleep(SETTLE_STEP).await;
            let now = self.cpu()?;
            if now.since(&last) < SETTLE_STEP.mul_f64(AT_REST) {
                return Ok(now);
            }
            last = now;
        }
    }
}

/// The address in a line such as `listening on http://127.0.0.1:8080`.
fn address_in(stdout: &mut BufReader<ChildStdout>) -> Result<SocketAddr> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let address = line.split_once("http://").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    address.ok_or_else(|| format!("no address in {line:?}").into())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended before, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
