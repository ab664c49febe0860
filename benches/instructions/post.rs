//! Publishing by POST, to the server itself: the one path that begins at a socket.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Result, callgrind, fixture::payload};

/// How long anything may take before the run fails rather than hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Starts a server under Callgrind, publishes, ends the server, and returns the instructions of all its threads.
pub fn run(size: usize, messages: usize, file: &Path) -> Result<u64> {
    let mut command = callgrind::command(file, Path::new(env!("CARGO_BIN_EXE_fallcast")));
    command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--lab-port", "0", "--workers", "1"]);
    command.args(["--heartbeat", "1h", "--log-level", "warn", "--drain-time", "0s"]);
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let published = publish(&mut server, size, messages);
    if published.is_err() {
        // It fails only if the server has ended before, which is what it is for.
        let _ = server.kill();
    }
    server.wait()?;
    published?;
    callgrind::total(&fs::read_to_string(file)?)
}

/// Publishes over one connection, one request after the other, and asks the server to end.
fn publish(server: &mut Child, size: usize, messages: usize) -> Result<()> {
    let mut lines = BufReader::new(server.stdout.take().ok_or("the server's standard output is not a pipe")?).lines();
    let line = lines.next().ok_or("the server ended before it listened")??;
    let address = line.strip_prefix("listening on http://").ok_or_else(|| format!("the server began with {line:?}"))?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = request(address, size);
    for _ in 0..messages {
        stream.write_all(&request)?;
        read_answer(&mut stream)?;
    }
    // Valgrind writes the profile when the server ends by itself.
    let ended = Command::new("kill").arg(server.id().to_string()).status()?;
    if !ended.success() {
        return Err("the server can't be asked to end".into());
    }
    lines.try_for_each(|line| line.map(drop))?;
    Ok(())
}

fn request(address: &str, size: usize) -> Vec<u8> {
    let head = format!(
        "POST /channels/bench HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
    );
    [head.as_bytes(), &payload(size)].concat()
}

/// Reads one answer, whose body ends with the only line feed that no carriage return precedes.
fn read_answer(stream: &mut TcpStream) -> Result<()> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"}\n") {
        match stream.read(&mut buffer)? {
            0 => return Err("the server has closed the connection".into()),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    if !answer.starts_with(b"HTTP/1.1 201 ") {
        return Err(String::from_utf8_lossy(&answer).into_owned().into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    #[track_caller]
    fn check(pieces: &'static [&[u8]], is_good: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let sender = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            for piece in pieces {
                stream.write_all(piece).expect("somebody reads");
            }
        });
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        assert_eq!(read_answer(&mut stream).is_ok(), is_good);
        sender.join().expect("it only sends");
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_must_be_201() {
        check(&[b"HTTP/1.1 201 Created\r\n\r\n", b"{\"id\":\"a.1\"", b"}\n"], true);
        check(&[b"HTTP/1.1 413 Content Too Large\r\n\r\n{}\n"], false);
        check(&[b"HTTP/1.1 201 Created\r\n\r\n{\"id\""], false);
    }
}
