//! The own server, in a process of its own: `fallcast serve` as a user would start it.

use std::{
    collections::VecDeque,
    env,
    io::{self, BufRead as _, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use thiserror::Error;

use super::Cores;

/// How many of its last lines on standard error are kept, to say why it did not start.
const LINES_KEPT: usize = 8;

/// Tells a server that it belongs to whoever holds the other end of its standard input.
pub const UNTIL_INPUT_ENDS: &str = "FALLCAST_UNTIL_INPUT_ENDS";

/// Why the own server does not run.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The program cannot be started.
    #[error("cannot start the own server: {0}")]
    Start(io::Error),
    /// It has ended before it listened.
    #[error("the own server did not start: {log}; see --server-args")]
    Ended {
        /// What it said.
        log: String,
    },
}

/// A running server. It ends when this is dropped, or when this process ends. On Linux it also ends with the thread that
/// has started it, since it may be stopped and so read nothing; start it from the thread that keeps it.
#[derive(Debug)]
pub struct OwnServer {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its lab listens, if it was started with one.
    pub lab: Option<SocketAddr>,
    /// Held open, so that the server never writes into a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl OwnServer {
    /// Starts it on free ports of loopback, and waits until it listens. What it prints about itself is left at that.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(args: &[String], with_lab: bool, cores: Option<&Cores>) -> Result<Self, ServerError> {
        Self::start_at(0, args, with_lab, cores)
    }

    /// Starts it on this port of loopback; 0 is a free one.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_at(port: u16, args: &[String], with_lab: bool, cores: Option<&Cores>) -> Result<Self, ServerError> {
        let program = env::current_exe().map_err(ServerError::Start)?;
        Self::launch(&program, port, args, with_lab, cores)
    }

    /// Starts another build of it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_program(
        program: &Path,
        args: &[String],
        with_lab: bool,
        cores: Option<&Cores>,
    ) -> Result<Self, ServerError> {
        Self::launch(program, 0, args, with_lab, cores)
    }

    fn launch(
        program: &Path,
        port: u16,
        args: &[String],
        with_lab: bool,
        cores: Option<&Cores>,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new(program);
        command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "warn"]);
        command.args(["--lab-port", if with_lab { "auto" } else { "0" }]);
        command.args(args);
        // What is measured is what the report names, not what somebody's environment adds.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("FALLCAST_") {
                command.env_remove(name);
            }
        }
        keep_interrupts_from(&mut command);
        // Its input is this process: when that ends, however it ends, the server has nobody to serve any more. Another build
        // may know nothing of this, and is then no worse off than without.
        command.env(UNTIL_INPUT_ENDS, "true");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = match cores {
            Some(cores) => cores.on_server_cores(|| command.spawn()),
            None => command.spawn(),
        };
        Self::greet(spawned.map_err(ServerError::Start)?, with_lab)
    }

    fn greet(mut child: Child, with_lab: bool) -> Result<Self, ServerError> {
        let log = child.stderr.take().map(last_lines).unwrap_or_default();
        let no_pipe = || ServerError::Start(io::ErrorKind::BrokenPipe.into());
        let mut stdout = BufReader::new(child.stdout.take().ok_or_else(no_pipe)?);
        let (mut address, mut lab) = (None, None);
        while address.is_none() || (with_lab && lab.is_none()) {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap_or(0) == 0 {
                // Both fail only if it has ended before, which is what they are for.
                let _ = child.kill();
                let _ = child.wait();
                return Err(ServerError::Ended { log: joined(&log) });
            }
            if line.starts_with("listening on ") {
                address = socket_address(&line);
            } else if line.starts_with("  lab: ") {
                lab = socket_address(&line);
            }
        }
        let address = address.ok_or_else(|| ServerError::Ended { log: joined(&log) })?;
        Ok(Self { child, address, lab, _stdout: stdout })
    }

    /// The number of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

/// Ctrl-C goes to all processes of a terminal's group. It is meant for the benchmark, which then ends in order.
#[cfg(unix)]
fn keep_interrupts_from(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Ctrl-C goes to all processes of a console's group. It is meant for the benchmark, which then ends in order.
#[cfg(windows)]
fn keep_interrupts_from(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

impl Drop for OwnServer {
    /// Kills: what a server does on an orderly way down is not measured here.
    fn drop(&mut self) {
        // Both fail only if the process has ended before, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line such as `listening on http://127.0.0.1:8080`.
fn socket_address(line: &str) -> Option<SocketAddr> {
    line.split_once("://")?.1.split([' ', '\n', '\r']).next()?.parse().ok()
}

type Lines = Arc<Mutex<VecDeque<String>>>;

/// Keeps the last lines that come through a pipe, on a thread of its own: a full pipe would stop the server.
fn last_lines(pipe: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(line);
            if kept.len() > LINES_KEPT {
                kept.pop_front();
            }
        }
    });
    lines
}

fn joined(lines: &Lines) -> String {
    // Its pipe may be read a moment later than it ends.
    thread::sleep(std::time::Duration::from_millis(50));
    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.is_empty() { "it ended without a word".to_owned() } else { Vec::from(lines.clone()).join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_the_server_prints() {
        let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(socket_address("listening on http://127.0.0.1:4711\n"), at(4711));
        assert_eq!(socket_address("  lab: http://127.0.0.1:4712 (the same server over a network)\n"), at(4712));
        assert_eq!(socket_address("listening on nothing\n"), None);
    }
}
