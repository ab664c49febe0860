//! The binary as a shell runs it: started with arguments, spoken to through pipes, ended by a signal or by itself.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::within_guard;

/// The binary's command without arguments, free of the settings of whoever runs the tests.
///
/// A server has no lab unless its test asks for one with `--lab-port`: of many servers, only one can have the lab's
/// default port. It delivers as `TEST_DELIVERY` says, unless its test asks for one way with `--delivery`.
pub fn command() -> Command {
    let binary = env::var_os("FALLCAST_BIN").unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_fallcast")));
    let mut command = Command::new(binary);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("FALLCAST_") {
            command.env_remove(name);
        }
    }
    command.env("FALLCAST_LAB_PORT", "0");
    if let Some(way) = env::var_os("TEST_DELIVERY") {
        command.env("FALLCAST_DELIVERY", way);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Sends a signal, such as `TERM`.
pub fn signal(process: &Child, name: &str) {
    // A shell has `kill` built in, on every system on which this suite runs.
    let killed = Command::new("sh").args(["-c", &format!("kill -{name} {}", process.id())]).status();
    assert!(killed.is_ok_and(|status| status.success()), "the process can be signaled");
}

/// Waits until a process has ended by itself.
pub async fn end_of(process: &mut Child) -> ExitStatus {
    within_guard("the end of the process", async {
        loop {
            match process.try_wait().expect("the process can be waited for") {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// A command that runs, and is killed when it is dropped.
pub struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: UnboundedReceiver<String>,
    notices: UnboundedReceiver<String>,
}

/// What a command has left behind that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// The lines on standard output.
    pub output: Vec<String>,
    /// The lines on standard error.
    pub notices: Vec<String>,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = command().args(arguments).stdin(Stdio::piped()).spawn().expect("the binary starts");
        let input = process.stdin.take();
        let output = lines(process.stdout.take().expect("stdout is piped"));
        let notices = lines(process.stderr.take().expect("stderr is piped"));
        Self { process, input, output, notices }
    }

    /// Writes to standard input. A command that has ended already does not read it.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.input.as_mut().expect("the input is open").write_all(bytes);
    }

    /// Says by the end of standard input that there is nothing more to come.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line on standard output.
    pub async fn line(&mut self) -> String {
        match within_guard("a line", self.output.recv()).await {
            Some(line) => line,
            None => panic!("the output has ended: {:?}", rest(&mut self.notices).await),
        }
    }

    /// The next line on standard error that contains `part`.
    pub async fn notice(&mut self, part: &str) -> String {
        within_guard(part, async {
            loop {
                let notice = self.notices.recv().await.unwrap_or_else(|| panic!("no notice contains {part:?}"));
                if notice.contains(part) {
                    break notice;
                }
            }
        })
        .await
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        signal(&self.process, "INT");
    }

    /// Ends the input and waits until the command ends by itself.
    pub async fn end(mut self) -> Ended {
        self.end_input();
        let code = end_of(&mut self.process).await.code();
        Ended { code, output: rest(&mut self.output).await, notices: rest(&mut self.notices).await }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a command to its end with something on standard input.
pub async fn run(arguments: &[&str], input: &[u8]) -> Ended {
    let mut running = Running::start(arguments);
    running.write(input);
    running.end().await
}

/// Runs a command, which must succeed, and returns the lines on standard output.
pub async fn lines_of(arguments: &[&str], input: &[u8]) -> Vec<String> {
    let ended = run(arguments, input).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {:?}", ended.notices);
    ended.output
}

/// Reads lines on a thread of its own, for a pipe that nobody reads would stop the process sooner or later.
fn lines(pipe: impl Read + Send + 'static) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        // Reads on when nobody listens any more.
        BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    receiver
}

async fn rest(lines: &mut UnboundedReceiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    while let Some(line) = within_guard("the end of a pipe", lines.recv()).await {
        rest.push(line);
    }
    rest
}
