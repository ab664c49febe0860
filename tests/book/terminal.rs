//! A terminal: one command, and what it has printed so far.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

/// No command of the book takes nearly as long; a test that hangs must end all the same.
pub const HANG: Duration = Duration::from_mins(1);

/// A running command. It ends with this value.
pub struct Terminal {
    command: String,
    process: Child,
    lines: Receiver<String>,
}

impl Terminal {
    /// Runs `command` in a shell.
    pub fn run(command: &str) -> Self {
        let mut process = Command::new("sh")
            .args(["-c", command])
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            // A line that nobody waits for any more is of no use.
            lines.map(|line| send.send(line)).take_while(Result::is_ok).count()
        });
        Self { command: command.to_owned(), process, lines }
    }

    /// The next `count` lines, or fewer if the command ends before.
    pub fn next_lines(&self, count: usize) -> Vec<String> {
        (0..count).map_while(|_| self.next_line(HANG)).collect()
    }

    /// All lines until the command ends.
    pub fn all_lines(&self) -> Vec<String> {
        self.next_lines(usize::MAX)
    }

    /// What is printed until nothing has come for `silence`.
    pub fn lines_until_silence(&self, silence: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(silence) {
            lines.push(line);
        }
        lines
    }

    fn next_line(&self, patience: Duration) -> Option<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("`{}` says nothing", self.command),
        }
    }

    /// Whether the command still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Ends the command and returns what it had printed and nobody has read.
    pub fn close(mut self) -> Vec<String> {
        self.process.kill().ok();
        self.all_lines()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
