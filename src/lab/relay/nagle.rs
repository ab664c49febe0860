//! Nagle: an answer that the lab itself gives, in so many writes as it is asked for.
//!
//! A small write waits until what was written before has been acknowledged (RFC 896), and the other side's system waits
//! before it acknowledges (RFC 1122 §4.2.3.2). Where both meet, an answer in two writes comes late, unless `TCP_NODELAY`
//! is set. `GET /lab/nagle?writes=2&nodelay=0` shows it.

use std::io;

use serde_json::json;

use super::{
    After, Visit,
    client::{Client, Line},
    request::Request,
};
use crate::{
    guard::{Guard, Standing},
    transport::{Problem, Query},
};

/// Where it is asked for.
const PATH: &str = "/lab/nagle";

/// What the address takes.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// In how many writes an answer goes at most: the head, and three parts of the body.
const MAX_WRITES: usize = 4;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    writes: usize,
    nodelay: bool,
}

/// An answer, write by write.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    writes: Vec<String>,
    nodelay: bool,
}

/// Whether a request is for the lab itself to answer.
pub(super) fn is_asked(request: &Request) -> bool {
    request.path() == PATH
}

impl<L: Line> Visit<L> {
    /// Answers a request for [`PATH`].
    pub(super) async fn answer_in_writes(&mut self, request: &Request) -> After {
        let answer = answer(request, &self.context.guard);
        // Setting the option again at once would send what waits. It is put back when the next request has come.
        self.waits_for_acknowledgments = !answer.nodelay;
        match write(&mut self.client, answer).await {
            Ok(()) if is_last(request) => After::Close,
            Ok(()) => After::Next,
            Err(_) => After::Gone,
        }
    }
}

async fn write<L: Line>(client: &mut Client<L>, answer: Answer) -> io::Result<()> {
    client.set_nodelay(answer.nodelay);
    for write in answer.writes {
        client.answer(write.as_bytes()).await?;
    }
    Ok(())
}

/// Nobody reads a body here, so behind one nothing can follow.
fn is_last(request: &Request) -> bool {
    !request.is_persistent() || request.body.length() != Some(0)
}

fn answer(request: &Request, guard: &Guard) -> Answer {
    let in_one = |head: String| Answer { writes: vec![head], nodelay: true };
    match (request.method(), Wish::read(request.query())) {
        ("OPTIONS", _) => in_one(head(request, guard, "204 No Content", &preflight_fields())),
        ("GET", Ok(wish)) => wish.grant(&head(request, guard, "200 OK", &wish.fields())),
        ("HEAD", Ok(wish)) => in_one(head(request, guard, "200 OK", &wish.fields())),
        ("GET" | "HEAD", Err(problem)) => in_one(refusal(request, guard, "400 Bad Request", "", &problem)),
        _ => {
            let problem = Problem::bad_request("method-not-allowed", format_args!("this address takes {METHODS}"));
            in_one(refusal(request, guard, "405 Method Not Allowed", &format!("Allow: {METHODS}\r\n"), &problem))
        }
    }
}

impl Wish {
    fn read(query: &str) -> Result<Self, Problem> {
        let query = Query::read(query, &["writes", "nodelay"])?;
        let wrong = |detail: &str| Problem::bad_request("bad-parameter", detail);
        let Ok(writes @ 1..=MAX_WRITES) = query.get("writes").unwrap_or("1").parse() else {
            return Err(wrong("`writes` is a number from 1 to 4"));
        };
        match query.get("nodelay").unwrap_or("1") {
            "0" => Ok(Self { writes, nodelay: false }),
            "1" => Ok(Self { writes, nodelay: true }),
            _ => Err(wrong("`nodelay` is 0 or 1")),
        }
    }

    fn body(self) -> String {
        format!("{}\n", json!({ "writes": self.writes, "nodelay": self.nodelay }))
    }

    fn fields(self) -> String {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", self.body().len())
    }

    /// The head and the body in so many writes. In more than one, the head goes alone.
    fn grant(self, head: &str) -> Answer {
        let body = self.body();
        if self.writes == 1 {
            return Answer { writes: vec![head.to_owned() + &body], nodelay: self.nodelay };
        }
        let parts = self.writes - 1;
        let part = |index: usize| body[index * body.len() / parts..(index + 1) * body.len() / parts].to_owned();
        Answer { writes: std::iter::once(head.to_owned()).chain((0..parts).map(part)).collect(), nodelay: self.nodelay }
    }
}

/// The head of an answer, as its siblings on the main port have it.
fn head(request: &Request, guard: &Guard, status: &str, fields: &str) -> String {
    let connection = if is_last(request) { "Connection: close\r\n" } else { "" };
    let cors = cors_fields(request, guard);
    format!("HTTP/1.1 {status}\r\n{fields}Cache-Control: no-store\r\n{cors}{connection}\r\n")
}

/// What lets a page of the main port read the answer.
fn cors_fields(request: &Request, guard: &Guard) -> String {
    let Some(origin) = request.field("Origin") else { return String::new() };
    let allowed = match guard.origins().judge(Some(origin.as_bytes()), request.field("Host").as_deref()) {
        Standing::Listed(origin) => format!("Access-Control-Allow-Origin: {origin}\r\n"),
        Standing::NoBrowser | Standing::Own | Standing::Foreign => String::new(),
    };
    format!("Vary: Origin\r\n{allowed}")
}

fn preflight_fields() -> String {
    format!("Allow: {METHODS}\r\nAccess-Control-Allow-Methods: {METHODS}\r\nAccess-Control-Max-Age: 7200\r\n")
}

fn refusal(request: &Request, guard: &Guard, status: &str, fields: &str, problem: &Problem) -> String {
    let mut document = problem.document();
    document["status"] = status.split(' ').next().and_then(|code| code.parse::<u16>().ok()).into();
    let body = if request.is_head() { String::new() } else { format!("{document}\n") };
    let length = format!("{document}\n").len();
    let fields = format!("{fields}Content-Type: application/problem+json\r\nContent-Length: {length}\r\n");
    head(request, guard, status, &fields) + &body
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn the_socket_has_the_option_as_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (reader, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut reader, (socket, _)) = (reader.expect("it listens"), accepted.expect("somebody connects"));
        let handle = SockRef::from(&socket).try_clone().expect("a second handle");
        let mut client = Client::new(socket, None);

        for nodelay in [false, true] {
            let answer = Answer { writes: vec!["a".to_owned(), "b".to_owned()], nodelay };
            write(&mut client, answer).await.expect("the connection is open");
            assert_eq!(handle.tcp_nodelay().expect("an open socket"), nodelay);
            let mut read = [0; 2];
            reader.read_exact(&mut read).await.expect("the connection is open");
            assert_eq!(&read, b"ab");
        }
    }

    #[test]
    fn an_answer_goes_in_so_many_writes() {
        for (query, nodelay) in [("writes=1", true), ("writes=2&nodelay=0", false), ("writes=4&nodelay=1", true)] {
            let wish = Wish::read(query).unwrap_or_else(|problem| panic!("{query}: {problem}"));
            let answer = wish.grant("head\r\n\r\n");
            assert_eq!((answer.writes.len(), answer.nodelay), (wish.writes, nodelay), "{query}");
            assert_eq!(answer.writes.concat(), format!("head\r\n\r\n{}", wish.body()));
            assert!(answer.writes.iter().all(|write| !write.is_empty()), "{answer:?}");
        }
    }

    #[test]
    fn what_is_no_number_of_writes_is_refused() {
        for bad in ["writes=0", "writes=5", "writes=", "nodelay=2", "nodelay=true", "write=1", "writes=1&writes=1"] {
            assert!(Wish::read(bad).is_err(), "{bad}");
        }
    }
}
