//! One request, and its answer as text: for what is asked of a server beside the measurement.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::origin::Origin;

const PATIENCE: Duration = Duration::from_secs(5);

/// No answer that is asked for here is larger.
const LARGEST_ANSWER: u64 = 1 << 20;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head and body.
    pub text: String,
}

impl Answer {
    /// The value of a header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).take_while(|line| !line.is_empty());
        let mut fields = lines.filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Sends a request on a connection of its own.
///
/// # Errors
/// There is no answer.
pub fn request(origin: &Origin, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&origin.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (host, length) = (&origin.host, body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(LARGEST_ANSWER).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the server does not answer in HTTP/1"))?;
    Ok(Answer { status, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_field_is_found_whatever_its_case() {
        let text = "HTTP/1.1 200 OK\r\nserver: nginx/1.26\r\n\r\nServer: nobody".to_owned();
        let answer = Answer { status: 200, text };
        assert_eq!(answer.header("Server"), Some("nginx/1.26"));
        assert_eq!(answer.header("Date"), None);
    }
}
