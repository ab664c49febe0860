//! Where the messages come from: a file or standard input, whole or line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal},
    path::PathBuf,
    thread,
};

use tokio::sync::mpsc;

use crate::cli::{error::CliError, notice::notice};

/// One message's body, or why there are no more.
type Body = Result<Vec<u8>, CliError>;

/// Starts to read and returns the bodies as they come.
///
/// Reading has a thread of its own, because a read from a terminal or a pipe can take forever: it must neither hold up
/// the connection to the server nor the end of the process. The thread ends with its input or with the receiver.
pub fn bodies(file: Option<PathBuf>, is_lines: bool) -> mpsc::Receiver<Body> {
    if file.is_none() && io::stdin().is_terminal() {
        explain(is_lines);
    }
    // One body at a time: what has not been asked for stays in the pipe.
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let input = Input::from(file);
        if let Err(error) = input.read(is_lines, |body| sender.blocking_send(Ok(body)).is_ok()) {
            // The receiver may be gone, and then nobody wants to know.
            let _ = sender.blocking_send(Err(input.error(error)));
        }
    });
    receiver
}

fn explain(is_lines: bool) {
    let end = if cfg!(windows) { "Ctrl-Z and Enter" } else { "Ctrl-D" };
    notice(&if is_lines {
        format!("each line that you type is a message; {end} ends")
    } else {
        format!("type the message and end it with {end}; see --help for files, pipes and --lines")
    });
}

enum Input {
    Standard,
    File(PathBuf),
}

impl From<Option<PathBuf>> for Input {
    fn from(file: Option<PathBuf>) -> Self {
        match file {
            Some(path) if path.as_os_str() != "-" => Self::File(path),
            _ => Self::Standard,
        }
    }
}

impl Input {
    fn read(&self, is_lines: bool, deliver: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
        match self {
            Self::Standard => read(io::stdin().lock(), is_lines, deliver),
            Self::File(path) => read(BufReader::new(File::open(path)?), is_lines, deliver),
        }
    }

    fn error(self, source: io::Error) -> CliError {
        match self {
            Self::Standard => CliError::Input(source),
            Self::File(path) => CliError::File { path, source },
        }
    }
}

/// Delivers the whole input or its lines, until `deliver` returns false.
fn read(mut input: impl BufRead, is_lines: bool, mut deliver: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
    if !is_lines {
        let mut whole = Vec::new();
        input.read_to_end(&mut whole)?;
        deliver(whole);
        return Ok(());
    }
    for line in input.split(b'\n') {
        let mut line = line?;
        if line.ends_with(b"\r") {
            line.pop();
        }
        if !deliver(line) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], is_lines: bool, expected: &[&[u8]]) {
        let mut bodies = Vec::new();
        read(input, is_lines, |body| {
            bodies.push(body);
            true
        })
        .expect("memory can be read");
        assert_eq!(bodies, expected);
    }

    #[test]
    fn the_whole_input_is_one_message_to_the_byte() {
        check(b"a\r\nb\n", false, &[b"a\r\nb\n"]);
        check(b"", false, &[b""]);
    }

    #[test]
    fn every_line_is_a_message_without_its_line_end() {
        check(b"a\nb\r\n\nc", true, &[b"a", b"b", b"", b"c"]);
        check(b"", true, &[]);
    }

    #[test]
    fn reading_stops_when_nobody_wants_more() {
        let mut count = 0;
        read(&b"a\nb\nc\n"[..], true, |_| {
            count += 1;
            count < 2
        })
        .expect("memory can be read");
        assert_eq!(count, 2);
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let mut bodies = bodies(Some("no/such/file".into()), false);
        let error = bodies.recv().await.expect("an answer").expect_err("there is no such file");
        assert!(error.to_string().starts_with("cannot read no/such/file: "), "{error}");
        assert!(bodies.recv().await.is_none());
    }
}
