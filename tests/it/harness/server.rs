//! A fallcast process: started on a free port, asked to drain by SIGTERM, killed when dropped.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;
use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{
    Connection, Request, Response,
    process::{command, end_of, signal},
    within_guard,
};

/// A running server of its own for one test.
pub struct TestServer {
    process: Child,
    address: SocketAddr,
    printed: Text,
    log: Text,
}

/// What a process has written so far.
type Text = Arc<Mutex<String>>;

impl TestServer {
    /// Starts a server with two workers on a free port of the loopback interface, and waits until it listens.
    ///
    /// Two workers, so that what belongs together meets on different threads.
    pub fn spawn(arguments: &[&str]) -> Self {
        Self::spawn_on("127.0.0.1", arguments)
    }

    /// Like `spawn`, on another interface.
    pub fn spawn_on(host: &str, arguments: &[&str]) -> Self {
        Self::spawn_at(host, 0, arguments)
    }

    /// Like `spawn`, with a lab on a free port.
    pub fn spawn_with_lab(arguments: &[&str]) -> Self {
        Self::spawn(&[&["--lab-port", "auto"], arguments].concat())
    }

    /// Starts a server where an earlier one was, which has ended.
    pub fn spawn_in_place_of(former: SocketAddr, arguments: &[&str]) -> Self {
        Self::spawn_at(&former.ip().to_string(), former.port(), arguments)
    }

    fn spawn_at(host: &str, port: u16, arguments: &[&str]) -> Self {
        let mut process = command()
            .args(["serve", "--host", host, "--port", &port.to_string(), "--workers", "2"])
            .args(arguments)
            .spawn()
            .expect("the server's binary starts");
        let log = collected(process.stderr.take().expect("stderr is piped"));
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).expect("stdout can be read");
        let Some(address) = address_in(&first_line) else {
            let _ = process.kill();
            panic!("no address in the first line {first_line:?}; the log: {}", read(&log));
        };
        Self { process, address, printed: collected(stdout), log }
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

    /// The fingerprint of the certificate that the server made for itself.
    pub async fn fingerprint(&self) -> String {
        let line = self.line_with("fingerprint").await;
        line.rsplit_once(' ').expect("the fingerprint is the last word").1.to_owned()
    }

    /// Where the lab of a server listens that has one.
    pub async fn lab(&self) -> SocketAddr {
        let line = self.line_with("  lab: ").await;
        let port = line.split([':', ' ']).find_map(|part| part.parse().ok()).expect("the line names the lab's port");
        SocketAddr::new(self.address.ip(), port)
    }

    /// The line behind the first that contains `part`, when the server has printed it.
    async fn line_with(&self, part: &str) -> String {
        within_guard(part, async {
            loop {
                let printed = read(&self.printed);
                let complete = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
                match complete.map(str::trim_end).find(|line| line.contains(part)) {
                    Some(line) => break line.to_owned(),
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        })
        .await
    }

    /// The number of the server's process.
    #[cfg(target_os = "linux")]
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Kills the server, and waits for its end.
    #[cfg(target_os = "linux")]
    pub async fn kill(&mut self) {
        self.process.kill().expect("the process can be killed");
        end_of(&mut self.process).await;
    }

    /// Asks the server to drain.
    pub fn terminate(&self) {
        signal(&self.process, "TERM");
    }

    /// Waits until the process has ended by itself.
    pub async fn exit_status(&mut self) -> ExitStatus {
        end_of(&mut self.process).await
    }

    /// The ports on which the process listens, by what the kernel knows of its sockets.
    #[cfg(target_os = "linux")]
    pub fn listening_ports(&self) -> BTreeSet<u16> {
        let process = format!("/proc/{}", self.process.id());
        let descriptors = std::fs::read_dir(format!("{process}/fd")).expect("the process lives");
        let sockets: BTreeSet<String> = descriptors
            .filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok())
            .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let table = std::fs::read_to_string(format!("{process}/net/tcp")).expect("the kernel lists its connections");
        let listeners = table.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let listens = *state == "0A" && sockets.contains(*inode);
            listens.then(|| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok())?
        });
        listeners.collect()
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
            eprintln!("--- the server's log\n{}---", read(&self.log));
        }
    }
}

/// A server on all interfaces calls itself `localhost`; it is reached there without asking a resolver.
fn address_in(first_line: &str) -> Option<SocketAddr> {
    let url = first_line.trim().strip_prefix("listening on ")?;
    url.split_once("://")?.1.replace("localhost", "127.0.0.1").parse().ok()
}

/// Collects what comes through a pipe, on a thread of its own: a pipe that is full would stop the server.
fn collected(mut pipe: impl Read + Send + 'static) -> Text {
    let text = Text::default();
    let collecting = Arc::clone(&text);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let mut text = collecting.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    text
}

fn read(text: &Text) -> String {
    text.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
