//! `cargo run EXERCISE`: the server of an exercise, with what the student has written, or with the solution.

mod starts;

use std::{env, process::ExitCode};

use fallcast_exercises::{
    event_stream, poll,
    program::{self, Fault},
    queues, solutions, websocket,
};

const USAGE: &str = "\
Usage: cargo run EXERCISE [solution] [-- --port PORT]

Serves an exercise on this machine: with the function that you have written, or with the solution.
EXERCISE is one of long-polling, sse, websocket, resume, slow-reader, origin.
PORT is 8090, unless it is given here or by the environment variable PORT.

Examples:
  cargo run sse
  cargo run sse solution
  cargo run websocket -- --port 9000

The exercises hub and back-off are no servers: cargo test --test hub";

/// Serves on a port until Ctrl-C.
type Serve = fn(u16) -> Result<(), Fault>;

/// The exercises: what the student has written, and the solution.
const EXERCISES: [(&str, Serve, Serve); 6] = [
    (
        "long-polling",
        |port| poll::serve(port, starts::long_polling::poll),
        |port| poll::serve(port, solutions::long_polling::poll),
    ),
    (
        "sse",
        |port| event_stream::serve(port, starts::sse::event, solutions::resume::position),
        |port| event_stream::serve(port, solutions::sse::event, solutions::resume::position),
    ),
    (
        "websocket",
        |port| websocket::serve(port, starts::websocket::answer, solutions::origin::is_welcome),
        |port| websocket::serve(port, solutions::websocket::answer, solutions::origin::is_welcome),
    ),
    (
        "resume",
        |port| event_stream::serve(port, solutions::sse::event, starts::resume::position),
        |port| event_stream::serve(port, solutions::sse::event, solutions::resume::position),
    ),
    (
        "slow-reader",
        |port| queues::serve(port, starts::slow_reader::deliver),
        |port| queues::serve(port, solutions::slow_reader::deliver),
    ),
    (
        "origin",
        |port| websocket::serve(port, solutions::websocket::answer, starts::origin::is_welcome),
        |port| websocket::serve(port, solutions::websocket::answer, solutions::origin::is_welcome),
    ),
];

fn main() -> ExitCode {
    let Some((serve, port)) = wish() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// What to serve, and where; `None` if the command line says nothing that makes sense.
fn wish() -> Option<(Serve, u16)> {
    let words: Vec<String> = env::args().skip(1).collect();
    let (words, port) = program::port(&words)?;
    let (name, solved) = match words {
        [name] => (name, false),
        [name, which] if which == "solution" => (name, true),
        _ => return None,
    };
    let (_, start, solution) = EXERCISES.iter().find(|(exercise, ..)| exercise == name)?;
    Some((if solved { *solution } else { *start }, port))
}
