//! A server under measurement: a child process with a core to itself.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Result,
    machine::Cores,
    process::{self, CpuTime},
};

/// How often a server is asked whether it has come to rest.
const SETTLE_STEP: Duration = Duration::from_millis(10);

/// The share of a core that a server at rest may use, for its own timers.
const AT_REST: f64 = 0.05;

/// How long anything may take before the run fails rather than hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The two sides of every comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    Bare,
    Fallcast,
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Bare => "bare",
            Self::Fallcast => "fallcast",
        })
    }
}

/// A running server. It ends when this is dropped.
pub struct Server {
    child: Child,
    /// Held open, so that the server never writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts fallcast as a user would, with one worker. Heartbeats and poll timeouts are longer than any sample, so
    /// that they happen in none instead of in some. `program` is another binary than the one that cargo has built.
    pub fn fallcast(program: Option<&Path>, options: &[&str], cores: &Cores) -> Result<Self> {
        let mut command = Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_fallcast").as_ref()));
        command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--lab-port", "0", "--workers", "1"]);
        command.args(["--heartbeat", "1h", "--poll-hold", "1h", "--presence-grace", "2h", "--log-level", "warn"]);
        Self::start(command.args(options), cores, address_in)
    }

    /// Starts one of the servers that are part of this program.
    pub fn bare(role: &str, cores: &Cores) -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg(role), cores, address_in)
    }

    /// Starts a server of somebody else: a script that is told the port, and how many workers there shall be.
    pub fn peer(script: &Path, cores: &Cores) -> Result<Self> {
        // The port is free now, and nobody is in a hurry to take it.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(script);
        command.args([&address.port().to_string(), "1"]);
        Self::start(&mut command, cores, |line| (line == "ready").then_some(address))
    }

    /// Starts a process, which says in its first line that it is ready.
    fn start(command: &mut Command, cores: &Cores, ready: impl FnOnce(&str) -> Option<SocketAddr>) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned = cores.on_server_core(|| command.spawn())?;
        let mut child = spawned.map_err(|error| format!("can't start {}: {error}", command.get_program().display()))?;
        let stdout = child.stdout.take().ok_or("the server's standard output is not a pipe")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = ready(line.trim()) else {
            child.kill()?;
            child.wait()?;
            return Err(format!(
                "{} began with {line:?} instead of saying that it is ready",
                command.get_program().display()
            )
            .into());
        };
        Ok(Self { child, _stdout: stdout, address })
    }

    pub fn cpu(&self) -> Result<CpuTime> {
        CpuTime::of(self.child.id())
    }

    pub fn memory(&self) -> Result<f64> {
        process::memory(self.child.id())
    }

    /// Waits until the server has done all it had to do, and returns its CPU time by then.
    pub fn settle(&self) -> Result<CpuTime> {
        let start = Instant::now();
        let mut last = self.cpu()?;
        while start.elapsed() < PATIENCE {
            thread::sleep(SETTLE_STEP);
            let now = self.cpu()?;
            if now.since(&last) < SETTLE_STEP.mul_f64(AT_REST) {
                return Ok(now);
            }
            last = now;
        }
        Err("the server doesn't come to rest".into())
    }
}

impl Drop for Server {
    /// Kills: what a server does on an orderly way down is not measured here.
    fn drop(&mut self) {
        process::kill(self.child.id());
        // It fails only if the process has been waited for before.
        let _ = self.child.wait();
    }
}

/// The address in fallcast's first line, which the bare servers say in the same way.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on http://")?.parse().ok()
}
