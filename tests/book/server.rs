//! A server of a test's own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

/// A running server on free ports. It ends with this value.
pub struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    /// The lines that name the ports, its own and the lab's.
    greeting: [String; 2],
}

impl Server {
    /// Starts the server with `arguments` and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fallcast"))
            .args(arguments)
            .args(["--port", "0", "--lab-port", "auto"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server can be started");
        let mut output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let greeting = [line(&mut output), line(&mut output)];
        Self { process, output, greeting }
    }

    /// The first lines of its output, at least two.
    pub fn first_lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = self.greeting.to_vec();
        while lines.len() < count {
            lines.push(line(&mut self.output));
        }
        lines
    }

    /// The port that it has been given.
    pub fn port(&self) -> u16 {
        port_in(&self.greeting[0])
    }

    /// The port that its lab has been given.
    pub fn lab_port(&self) -> u16 {
        port_in(&self.greeting[1])
    }

    /// The status of `GET path`.
    #[cfg(feature = "book")]
    pub fn status_of(&self, path: &str) -> u16 {
        let response = self.get(path);
        response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{response}"))
    }

    /// How many subscribers all channels have together.
    pub fn subscribers(&self) -> u64 {
        let response = self.get("/channels");
        let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let list: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {response}"));
        let channels = list["channels"].as_array().expect("a list of channels");
        let by_transport = channels.iter().filter_map(|channel| channel["subscribers"].as_object());
        by_transport.flat_map(|counts| counts.values()).filter_map(Value::as_u64).sum()
    }

    /// The answer to `GET path`, head and body.
    pub fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(("localhost", self.port())).expect("the server listens");
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut response = Vec::new();
        socket.read_to_end(&mut response).expect("it answers");
        String::from_utf8_lossy(&response).into_owned()
    }
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("the server's output can be read");
    line
}

/// The port of the address in a line such as `  lab: http://localhost:8081 (…)`.
fn port_in(line: &str) -> u16 {
    let address = line.split_once("://").and_then(|(_, rest)| rest.split_whitespace().next());
    let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
    port.unwrap_or_else(|| panic!("no port in {line:?}"))
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
