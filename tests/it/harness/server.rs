//! A fallcast process: started on a free port, asked to drain by SIGTERM, killed when dropped.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{Connection, Request, Response, within_guard};

/// A running server of its own for one test.
pub struct TestServer {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl TestServer {
    /// Starts a server with two workers on a free port of the loopback interface, and waits until it listens.
    ///
    /// Two workers, so that what belongs together meets on different threads.
    pub fn spawn(arguments: &[&str]) -> Self {
        Self::spawn_on("127.0.0.1", arguments)
    }

    /// Like `spawn`, on another interface.
    pub fn spawn_on(host: &str, arguments: &[&str]) -> Self {
        let mut process = command()
            .args(["serve", "--host", host, "--port", "0", "--workers", "2"])
            .args(arguments)
            .spawn()
            .expect("the server's binary starts");
        let log = Arc::default();
        keep_log(process.stderr.take().expect("stderr is piped"), Arc::clone(&log));
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).expect("stdout can be read");
        // The rest is read as well, or the server would block once the pipe is full.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        match address_in(&first_line) {
            Some(address) => Self { process, address, log },
            None => panic!("no address in the first line {first_line:?}; the log: {}", log.lock().expect("the log")),
        }
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's own origin, as a browser would write it.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends one request on a connection of its own and reads the whole response.
    pub async fn request(&self, request: Request) -> Response {
        Connection::open(self.address).await.request(&request).await
    }

    /// Answers `GET target`, on a connection of its own.
    pub async fn get(&self, target: &str) -> Response {
        self.request(Request::get(target)).await
    }

    /// Like `get`, but `None` if the server does not answer any more.
    pub async fn try_get(&self, target: &str) -> Option<Response> {
        Connection::try_open(self.address).await?.try_request(&Request::get(target)).await
    }

    /// How many subscribers a channel has on one transport, by the operators' list.
    pub async fn subscribers(&self, channel: &str, transport: &str) -> u64 {
        let list = self.get("/channels").await.json();
        let channels = list["channels"].as_array().expect("the list has channels");
        let found = channels.iter().find(|entry| entry["channel"] == channel);
        found
            .map_or(0, |entry| entry["subscribers"][transport].as_u64().expect("subscribers are counted per transport"))
    }

    /// Waits until a channel has so many subscribers on one transport.
    pub async fn wait_for_subscribers(&self, channel: &str, transport: &str, count: u64) {
        let what = format!("{count} subscribers of {channel} by {transport}");
        within_guard(&what, async {
            while self.subscribers(channel, transport).await != count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Asks the server to drain.
    pub fn terminate(&self) {
        // A shell has `kill` built in, on every system on which this suite runs.
        let killed = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.process.id())]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server can be signaled");
    }

    /// Waits until the process has ended by itself.
    pub async fn exit_status(&mut self) -> ExitStatus {
        within_guard("the end of the process", async {
            loop {
                match self.process.try_wait().expect("the process can be waited for") {
                    Some(status) => break status,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        })
        .await
    }

    /// How much memory of the process is resident, in bytes.
    #[cfg(target_os = "linux")]
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells VmRSS");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number");
        kibibytes * 1024
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!(
                "--- the server's log\n{}---",
                self.log.lock().map_or_else(|e| e.into_inner().clone(), |log| log.clone())
            );
        }
    }
}

/// The server's command without arguments, free of the settings of whoever runs the tests.
pub fn command() -> Command {
    let binary = env::var_os("FALLCAST_BIN").unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_fallcast")));
    let mut command = Command::new(binary);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("FALLCAST_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server on all interfaces calls itself `localhost`; it is reached there without asking a resolver.
fn address_in(first_line: &str) -> Option<SocketAddr> {
    let url = first_line.trim().strip_prefix("listening on ")?;
    url.split_once("://")?.1.replace("localhost", "127.0.0.1").parse().ok()
}

fn keep_log(mut stderr: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            if let Ok(mut log) = log.lock() {
                log.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        }
    });
}
