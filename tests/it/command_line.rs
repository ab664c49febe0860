//! `fallcast publish` and `fallcast tail`: the channel from a shell.

use std::{env, fs, io::BufRead, io::BufReader, net::SocketAddr, path::PathBuf};

use futures_util::future::join_all;
use serde_json::Value;

use crate::harness::{
    Publisher, Reader, Subscription, TestServer, Transport,
    cutter::Cutter,
    process::{Running, command, end_of, lines_of, run},
    publisher::PostPublisher,
    secret_of,
};

crate::on_transports! {
    tail_prints_the_messages on [websocket, sse, poll, stream];
    tail_prints_what_comes_while_it_waits on [websocket, sse, poll, stream];
    tail_resumes_over_connections_that_break_in_mid_event on [websocket, sse, poll, stream];
    tail_goes_on_when_its_server_has_been_started_anew on [websocket, sse, poll, stream];
    tail_comes_back_to_a_server_that_drained on [websocket, sse, poll, stream];
    tail_can_be_told_not_to_come_back on [websocket, sse, poll, stream];
    tail_shows_why_it_is_refused on [websocket, sse, poll, stream];
    tail_with_json_prints_the_events_as_they_came on [websocket, sse, poll, stream];
    tail_that_is_interrupted_leaves_at_once_and_with_success on [websocket, sse, poll, stream];
    tail_trusts_a_certificate_by_its_fingerprint on [websocket, sse, poll, stream];
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/channels/room")
}

/// The transport under the name that `--transport` takes.
fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "websocket",
        other => other.path(),
    }
}

/// `tail` on the channel `room`.
fn tail(address: SocketAddr, transport: Transport, options: &[&str]) -> Running {
    Running::start(&[&["tail", &url(address), "--transport", name(transport)], options].concat())
}

#[tokio::test]
async fn what_publish_reads_is_published_and_its_cursor_is_printed() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    let url = url(server.address());

    for arguments in [&["publish", &url][..], &["publish", &url, "-"]] {
        let printed = lines_of(arguments, b"from a shell\n").await;
        let message = reader.message().await;
        assert_eq!(printed, [message.id.as_str()]);
        assert_eq!(message.text(), "from a shell\n", "to the byte");
    }
}

/// A file of its own for one test, which is gone afterwards.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = env::temp_dir().join(format!("fallcast-{}-{name}", std::process::id()));
        fs::write(&path, content).expect("the temporary directory can be written to");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is text")
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn publish_takes_a_file_and_says_what_kind_it_is() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;
    let text = TestFile::new("text", "Zoë".as_bytes());
    let json = TestFile::new("json", br#"{ "price": 42 }"#);
    let bytes = TestFile::new("bytes", b"\x89PNG");

    for (file, options, content_type, label, payload) in [
        (&text, &[][..], "text/plain", None, "Zoë".as_bytes()),
        (&json, &["--json", "--type", "price"], "application/json", Some("price"), br#"{"price":42}"#),
        (&bytes, &[], "application/octet-stream", None, b"\x89PNG"),
        (&bytes, &["--content-type", "image/png"], "image/png", None, b"\x89PNG"),
    ] {
        lines_of(&[&["publish", &url(server.address()), file.path()], options].concat(), b"").await;
        let message = reader.message().await;
        assert_eq!((message.content_type.as_str(), message.label.as_deref()), (content_type, label));
        assert_eq!(message.payload, payload);
    }
}

#[tokio::test]
async fn every_line_can_be_a_message_of_its_own_as_soon_as_it_is_there() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;
    let mut publish = Running::start(&["publish", "--lines", &url(server.address())]);

    for line in ["one", "two"] {
        publish.write(format!("{line}\n").as_bytes());
        let message = reader.message().await;
        assert_eq!((message.text(), publish.line().await), (line, message.id.clone()));
    }
    publish.write(b"\nwithout an end");

    let ended = publish.end().await;
    assert_eq!((ended.code, ended.output.len()), (Some(0), 2));
    assert_eq!(reader.texts(2).await, ["", "without an end"]);
}

#[tokio::test]
async fn quiet_publishing_prints_nothing() {
    let server = TestServer::spawn(&[]);

    let ended = run(&["publish", "--lines", "--quiet", &url(server.address())], b"one\ntwo\n").await;

    assert_eq!((ended.code, ended.output, ended.notices), (Some(0), vec![], vec![]));
}

#[tokio::test]
async fn a_publication_under_the_same_key_is_the_same_publication() {
    let server = TestServer::spawn(&[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;
    let arguments = ["publish", "--key", "k1", &url(server.address())];

    let first = lines_of(&arguments, b"once").await;
    let again = lines_of(&arguments, b"once").await;
    let other = run(&arguments, b"another").await;

    assert_eq!(first, again);
    assert_eq!((other.code, other.output), (Some(1), vec![]));
    assert!(other.notices.concat().contains("422"), "{:?}", other.notices);
    lines_of(&["publish", &url(server.address())], b"the end").await;
    assert_eq!(reader.texts(2).await, ["once", "the end"]);
}

#[tokio::test]
async fn own_publications_are_left_out_on_request() {
    let server = TestServer::spawn(&[]);
    let (url, ann) = (url(server.address()), secret_of("ann"));
    let own = lines_of(&["publish", "--client", &ann, &url], b"my own").await.remove(0);
    lines_of(&["publish", &url], b"another's").await;
    assert!(own.ends_with(".1"));

    let arguments = ["tail", "--client", &ann, "--no-echo", "--after", "start", "--count", "1", &url];

    assert_eq!(lines_of(&arguments, b"").await, ["another's"]);
}

#[tokio::test]
async fn a_refused_publication_is_an_error_and_the_servers_reason_is_shown() {
    let server = TestServer::spawn(&["--max-message-size", "1KiB"]);

    let ended = run(&["publish", &url(server.address())], &[b'x'; 2000]).await;

    assert_eq!((ended.code, ended.output), (Some(1), vec![]));
    let complaint = ended.notices.concat();
    assert!(complaint.starts_with("error: ") && complaint.contains("413"), "{complaint}");
    assert!(complaint.contains("at most 1024 bytes"), "the detail of the problem document: {complaint}");
}

#[tokio::test]
async fn the_line_that_was_refused_is_named_and_those_before_it_are_published() {
    let server = TestServer::spawn(&["--max-message-size", "5B"]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room")).await;

    let ended = run(&["publish", "--lines", &url(server.address())], b"one\ntwo\ntoo long\nfour\n").await;

    assert_eq!((ended.code, ended.output.len()), (Some(1), 2));
    assert!(ended.notices.concat().contains("line 3"), "{:?}", ended.notices);
    PostPublisher::open(&server, "room").await.numbers([4]).await;
    assert_eq!(reader.texts(3).await, ["one", "two", "4"]);
}

#[tokio::test]
async fn what_is_not_the_json_that_it_claims_to_be_is_not_sent() {
    let server = TestServer::spawn(&[]);

    let ended = run(&["publish", "--json", &url(server.address())], b"{bad").await;

    assert_eq!((ended.code, ended.output), (Some(1), vec![]));
    assert!(ended.notices.concat().contains("not JSON"), "{:?}", ended.notices);
}

#[tokio::test]
async fn what_cannot_be_published_now_is_published_when_the_server_is_there() {
    let address = TestServer::spawn(&[]).address();
    let mut publish = Running::start(&["publish", &url(address)]);
    publish.write(b"patience");
    publish.end_input();
    publish.notice("trying again").await;

    let server = TestServer::spawn_in_place_of(address, &[]);
    let mut reader = Reader::open(&server, Transport::Sse, &Subscription::to("room").after("start")).await;

    assert_eq!(reader.texts(1).await, ["patience"]);
    assert_eq!(publish.end().await.code, Some(0));
}

#[tokio::test]
async fn a_publication_that_is_given_up_names_the_key_to_repeat_it_safely() {
    let address = TestServer::spawn(&[]).address();

    let ended = run(&["publish", "--retry-for", "0s", "--key", "k1", &url(address)], b"in vain").await;

    assert_eq!((ended.code, ended.output), (Some(1), vec![]));
    assert!(ended.notices.concat().contains("--key=k1"), "{:?}", ended.notices);
}

#[tokio::test]
async fn bad_options_are_told_before_anything_is_sent() {
    for (arguments, complaint) in [
        (&["tail", "room", "--transport", "pigeon"][..], "pigeon"),
        (&["tail", "room", "--after", "garbage"], "garbage"),
        (&["tail", "room", "--count", "0"], "--count"),
        (&["tail", "room", "--no-echo"], "--client"),
        (&["tail", "ftp://localhost/channels/room"], "ftp"),
        (&["tail", "http://localhost:8080"], "/channels/NAME"),
        (&["publish", "a/b/c d"], "URL"),
        (&["publish", "room", "--key", "not a key"], "--key"),
        (&["publish", "room", "--type", "gap"], "--type"),
        (&["publish", "room", "--json", "--content-type", "text/html"], "--json"),
        (&["unheard-of"], "unheard-of"),
    ] {
        let ended = run(arguments, b"").await;
        assert_eq!((ended.code, ended.output), (Some(2), vec![]), "{arguments:?}");
        assert!(ended.notices.concat().contains(complaint), "{arguments:?}: {:?}", ended.notices);
    }
}

async fn tail_prints_the_messages(transport: Transport) {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers(1..=5).await;

    let ended = tail(server.address(), transport, &["--after", "start", "--count", "4"]).end().await;

    assert_eq!((ended.code, ended.output), (Some(0), ["1", "2", "3", "4"].map(str::to_owned).to_vec()));
    assert_eq!(ended.notices, [""; 0], "standard error is for what goes wrong");
}

async fn tail_prints_what_comes_while_it_waits(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let mut publisher = PostPublisher::open(&server, "room").await;
    let mut tail = tail(server.address(), transport, &["--events"]);
    tail.notice("hello").await;

    for text in ["one", "two"] {
        publisher.publish("", text).await.published_id();
        assert_eq!(tail.line().await, text);
    }
}

#[tokio::test]
async fn tail_goes_on_after_a_cursor_that_publish_printed() {
    let server = TestServer::spawn(&[]);
    let url = url(server.address());
    let cursor = lines_of(&["publish", &url], b"before").await.remove(0);
    lines_of(&["publish", &url], b"after").await;

    let printed = lines_of(&["tail", &url, "--after", &cursor, "--count", "1"], b"").await;

    assert_eq!(printed, ["after"]);
}

const MESSAGES: usize = 300;

/// Connections that break in the middle of an event are the ordinary case on a bad network.
async fn tail_resumes_over_connections_that_break_in_mid_event(transport: Transport) {
    let server = TestServer::spawn(&["--sse-retry", "100ms"]);
    PostPublisher::open(&server, "room").await.numbers(1..=MESSAGES).await;
    let expected: Vec<_> = (1..=MESSAGES).map(|number| number.to_string()).collect();
    // The shortest connection breaks within the head. The longest carries a third of everything or, since a poll is
    // answered as a whole or not at all, a little more than everything.
    let most = if transport == Transport::Poll { 64 * 1024 } else { 16 * 1024 };

    // Several at once, for most of the time they wait for their next attempt.
    let tails = (0..4).map(async |seed| {
        let cutter = Cutter::in_front_of(server.address(), most, seed).await;
        let count = MESSAGES.to_string();
        tail(cutter.address(), transport, &["--after", "start", "--count", &count]).end().await
    });

    let mut breaks = 0;
    for ended in join_all(tails).await {
        assert_eq!((ended.code, &ended.output), (Some(0), &expected), "{:?}", ended.notices);
        breaks += ended.notices.len();
    }
    assert!(breaks > 0, "the connections do break");
}

/// A log that begins anew is a gap, which is told, and then the channel goes on.
async fn tail_goes_on_when_its_server_has_been_started_anew(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let address = server.address();
    Publisher::post(&server, "room").await.text("before").await;
    let mut tail = tail(address, transport, &["--after", "start"]);
    assert_eq!(tail.line().await, "before");

    drop(server);
    let server = TestServer::spawn_in_place_of(address, &[]);
    Publisher::post(&server, "room").await.text("after").await;

    let gap = tail.notice("GAP").await;
    assert!(gap.contains("reason: epoch"), "{gap}");
    assert_eq!(tail.line().await, "after");
}

/// The server says goodbye, and the channel has moved to another server when the subscriber comes back.
async fn tail_comes_back_to_a_server_that_drained(transport: Transport) {
    let mut server = TestServer::spawn(&["--drain-time", "1s", "--poll-hold", "10m"]);
    let address = server.address();
    Publisher::post(&server, "room").await.text("before").await;
    let mut tail = tail(address, transport, &["--after", "start"]);
    assert_eq!(tail.line().await, "before");

    server.terminate();
    tail.notice("connecting again").await;
    assert_eq!(server.exit_status().await.code(), Some(0));
    let server = TestServer::spawn_in_place_of(address, &[]);
    Publisher::post(&server, "room").await.text("after").await;

    assert_eq!(tail.line().await, "after");
}

async fn tail_can_be_told_not_to_come_back(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let id = Publisher::post(&server, "room").await.text("the only one").await;
    let mut tail = tail(server.address(), transport, &["--after", "start", "--reconnect", "never"]);
    assert_eq!(tail.line().await, "the only one");

    drop(server);

    let ended = tail.end().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.notices.concat().contains(&format!("--after={id}")), "{:?}", ended.notices);
}

/// Another attempt would be refused as well, so there is none.
async fn tail_shows_why_it_is_refused(transport: Transport) {
    let server = TestServer::spawn(&[]);
    let url = format!("http://{}/elsewhere/channels/room", server.address());

    let ended = run(&["tail", &url, "--transport", name(transport)], b"").await;

    assert_eq!((ended.code, ended.output), (Some(1), vec![]));
    let complaint = ended.notices.concat();
    assert!(complaint.starts_with("error: ") && complaint.contains("404"), "{complaint}");
    assert!(complaint.contains("leads nowhere"), "the detail of the problem document: {complaint}");
}

async fn tail_with_json_prints_the_events_as_they_came(transport: Transport) {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.publish("type=tick", "a\nb").await.published_id();
    let mut reader = Reader::open(&server, Transport::Stream, &Subscription::to("room").after("start")).await;
    let message = reader.receive().await.expect("the stream goes on").wire;

    let options = ["--after", "start", "--format", "json", "--count", "1"];
    let printed = tail(server.address(), transport, &options).end().await.output;
    assert_eq!(printed, [message.as_str()]);

    let printed = tail(server.address(), transport, &[&options[..], &["--events"]].concat()).end().await.output;
    let hello: Value = serde_json::from_str(&printed[0]).expect("events are JSON");
    assert_eq!(hello["hello"]["protocol"], 1);
    assert_eq!(printed[1..], [message]);
}

/// Whoever was told of the subscriber is told of its end, and not only when a grace is over.
async fn tail_that_is_interrupted_leaves_at_once_and_with_success(transport: Transport) {
    let server = TestServer::spawn(&["--presence-grace", "10m"]);
    let watcher = Subscription::to("room").client(&secret_of("watcher")).with_presence();
    let mut watcher = Reader::open(&server, Transport::Stream, &watcher).await;
    assert_eq!(watcher.presence().await.action, "here");
    let mut tail = tail(server.address(), transport, &["--as", "Ann", "--presence"]);
    let join = watcher.presence().await;
    assert_eq!((join.action.as_str(), join.name.as_deref()), ("join", Some("Ann")));
    assert!(tail.notice("presence").await.contains("here"));

    tail.interrupt();

    assert_eq!(watcher.presence().await.action, "leave");
    assert_eq!(tail.end().await.code, Some(0));
}

/// As in `fallcast tail room | head -1`: the command does not wait for another message to learn that nobody listens.
#[tokio::test]
async fn tail_ends_with_success_when_nobody_reads_its_output() {
    let server = TestServer::spawn(&[]);
    PostPublisher::open(&server, "room").await.numbers([1]).await;
    let mut tail = command().args(["tail", &url(server.address()), "--after", "start"]).spawn().expect("it starts");
    let mut output = BufReader::new(tail.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("the output can be read");
    assert_eq!(line, "1\n");

    drop(output);

    assert_eq!(end_of(&mut tail).await.code(), Some(0));
}

async fn tail_trusts_a_certificate_by_its_fingerprint(transport: Transport) {
    let server = TestServer::spawn(&["--tls-self-signed"]);
    let fingerprint = server.fingerprint().await;
    let url = url(server.address()).replace("http:", "https:");
    lines_of(&["publish", &url, "--fingerprint", &fingerprint], b"in secret").await;
    let tail = ["tail", &url, "--transport", name(transport), "--after", "start", "--count", "1"];

    let printed = lines_of(&[&tail[..], &["--fingerprint", &fingerprint]].concat(), b"").await;
    let stranger = fingerprint.replace(|digit: char| digit.is_ascii_digit(), "A");
    let refused = run(&[&tail[..], &["--fingerprint", &stranger]].concat(), b"").await;
    let unknown = run(&tail, b"").await;

    assert_eq!(printed, ["in secret"]);
    for ended in [refused, unknown] {
        assert_eq!((ended.code, ended.output), (Some(1), vec![]));
        assert!(ended.notices.concat().contains("no secure connection"), "{:?}", ended.notices);
    }
}
