//! `fallcast publish` and `fallcast tail`: the channel from a shell.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use crate::harness::{
    Reader, Subscription, TestServer, Transport, cutter::Cutter, publisher::PostPublisher, server::command,
    within_guard,
};

/// Runs the command to its end with something on standard input.
async fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut process = command().args(arguments).stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = process.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let finished = tokio::task::spawn_blocking(move || {
        stdin.write_all(&input)?;
        drop(stdin);
        process.wait_with_output()
    });
    within_guard("the command to end", finished).await.expect("no panic").expect("the command can be waited for")
}

/// Runs the command, which must succeed, and returns the lines that it prints.
async fn lines_of(arguments: &[&str], input: &[u8]) -> Vec<String> {
    let output = run(arguments, input).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

fn url(server: &TestServer) -> String {
    format!("http://{}/channels/room", server.address())
}

#[tokio::test]
async fn what_publish_reads_is_published_and_its_cursor_is_printed() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    let printed = lines_of(&["publish", &url(&server)], b"from a shell").await;

    let message = reader.message().await;
    assert_eq!(printed, [message.id.as_str()]);
    assert_eq!(message.text(), "from a shell");
}

#[tokio::test]
async fn every_line_can_be_a_message_of_its_own() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    let printed = lines_of(&["publish", "--lines", &url(&server)], b"one\ntwo\nthree\n").await;

    assert_eq!(printed.len(), 3);
    assert_eq!(reader.texts(3).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_refused_publication_is_an_error_with_a_reason() {
    let server = TestServer::spawn(&["--max-message-size", "1KiB"]);

    let output = run(&["publish", &url(&server)], &[b'x'; 2000]).await;

    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    assert!(!output.stderr.is_empty());
}

#[tokio::test]
async fn tail_prints_the_messages_on_every_transport() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=5).await;

    for transport in ["websocket", "sse", "poll", "stream"] {
        let arguments = ["tail", &url(&server), "--transport", transport, "--after", "start", "--count", "5"];
        assert_eq!(lines_of(&arguments, b"").await, ["1", "2", "3", "4", "5"], "{transport}");
    }
}

#[tokio::test]
async fn tail_goes_on_after_a_cursor_that_publish_printed() {
    let server = TestServer::spawn(&[]);
    let cursor = lines_of(&["publish", &url(&server)], b"before").await.remove(0);
    lines_of(&["publish", &url(&server)], b"after").await;

    let printed = lines_of(&["tail", &url(&server), "--after", &cursor, "--count", "1"], b"").await;

    assert_eq!(printed, ["after"]);
}

const MESSAGES: usize = 300;

/// Connections that break in the middle of an event are the ordinary case on a bad network.
#[tokio::test]
async fn tail_resumes_by_itself_and_loses_and_repeats_nothing() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=MESSAGES).await;
    let expected: Vec<_> = (1..=MESSAGES).map(|number| number.to_string()).collect();

    for (transport, seed) in [("websocket", 6), ("sse", 7), ("stream", 8)] {
        // The shortest run is some hundred bytes longer than a head and `hello`, the longest is a third of all.
        let cutter = Cutter::in_front_of(server.address(), 16 * 1024, seed).await;
        let url = format!("http://{}/channels/room", cutter.address());
        let count = MESSAGES.to_string();
        let arguments = ["tail", &url, "--transport", transport, "--after", "start", "--count", &count];
        assert_eq!(lines_of(&arguments, b"").await, expected, "{transport}");
    }
}
