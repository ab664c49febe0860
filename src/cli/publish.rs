//! `fallcast publish`: sends one message, or one per line, and prints the cursors under which they were appended.
//!
//! A publication is repeated until the server has answered it. Its idempotency key makes that safe: a server that
//! appended the message but could not say so returns the first result.

mod input;
mod progress;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, de::IgnoredAny};
use tokio::time::{Instant, sleep};

use self::progress::Progress;
use super::{
    argument::valid,
    backoff::{Backoff, when},
    error::CliError,
    notice::notice,
    remote::{ChannelAddress, Fault, Query, Remote, TlsArgs},
};
use crate::channel::{ClientName, IdempotencyKey, Label};

/// How long the server may take for one publication, upload included, before it is repeated.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many random characters a key has: as hard to meet by chance as a UUID.
const KEY_CHARACTERS: usize = 22;

const EXAMPLES: &str = "\
Examples:
  echo hello | fallcast publish chat
  fallcast publish chat picture.png --content-type image/png
  echo '{\"price\":42}' | fallcast publish http://localhost:8080/channels/prices --json --type price
  tail -f access.log | fallcast publish --lines https://example.org/channels/log

Every message is printed as the cursor under which it was appended; `fallcast tail --after CURSOR` goes on after it.";

/// Publish a message, or every line as one
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct PublishArgs {
    /// The channel's URL, or the bare name of a channel on localhost:8080
    #[arg(value_name = "URL")]
    channel: ChannelAddress,
    /// The message; `-` or nothing is standard input
    #[arg(value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// Publish every line as a message of its own, one after the other
    #[arg(long)]
    lines: bool,
    /// Label the message; SSE in raw format sends it as the event type
    #[arg(long = "type", value_name = "LABEL", value_parser = valid::<Label>)]
    label: Option<String>,
    /// Publish JSON instead of text
    #[arg(long, conflicts_with = "content_type")]
    json: bool,
    /// Media type of the message [default: text/plain, or application/octet-stream if it is not UTF-8]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Idempotency key, under which a repetition is recognized; --lines appends the line's number [default: random]
    #[arg(long, value_parser = valid::<IdempotencyKey>)]
    key: Option<String>,
    /// Secret name of this client, so that its own subscriptions can leave the message out
    #[arg(long, value_name = "NAME", value_parser = valid::<ClientName>)]
    client: Option<String>,
    /// How long to repeat a publication that fails for a passing reason
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    retry_for: Duration,
    /// Print no cursors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs `fallcast publish` until everything is published.
///
/// # Errors
/// The input cannot be read, or the server refuses a message or cannot be reached for too long.
pub async fn run(args: PublishArgs) -> Result<(), CliError> {
    let mut publisher = Publisher::new(&args)?;
    let mut bodies = input::bodies(args.file.clone(), args.lines);
    let mut progress = Progress::new(args.lines && !args.quiet);
    let mut number = 0;
    while let Some(body) = bodies.recv().await {
        number += 1;
        let outcome = publisher.publish(body?.into(), number).await;
        let id = outcome.map_err(|error| if args.lines { at_line(number, error) } else { error })?;
        if !args.quiet {
            writeln!(io::stdout(), "{id}").map_err(CliError::Output)?;
        }
        progress.show(number);
    }
    Ok(())
}

fn at_line(number: u64, error: CliError) -> CliError {
    CliError::Line { number, source: Box::new(error) }
}

/// What all messages of one run have in common.
struct Publisher<'a> {
    args: &'a PublishArgs,
    remote: Remote,
    url: String,
    key: String,
    backoff: Backoff,
}

impl<'a> Publisher<'a> {
    fn new(args: &'a PublishArgs) -> Result<Self, CliError> {
        let remote = Remote::new(&args.channel, &args.tls)?;
        let query: Query = args.label.iter().map(|label| ("type", label.clone())).collect();
        let url = remote.url("", &query);
        let key = args.key.clone().unwrap_or_else(random_key);
        Ok(Self { args, remote, url, key, backoff: Backoff::default() })
    }

    /// Publishes one message and returns its cursor, however often that takes.
    async fn publish(&mut self, body: Bytes, number: u64) -> Result<String, CliError> {
        let content_type = self.content_type(&body)?;
        let key = if self.args.lines { format!("{}-{number}", self.key) } else { self.key.clone() };
        let started = Instant::now();
        loop {
            let (cause, advice) = match self.post(&body, content_type, &key).await {
                Ok(id) => {
                    self.backoff.succeeded();
                    return Ok(id);
                }
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing { cause, advice }) => (cause, advice),
            };
            let wait = self.backoff.failed(advice, fastrand::f64());
            if started.elapsed().saturating_add(wait) > self.args.retry_for {
                return Err(CliError::GaveUp { cause, patience: self.args.retry_for, key: self.key.clone() });
            }
            notice(&format!("{cause}; trying again {}", when(wait)));
            sleep(wait).await;
        }
    }

    async fn post(&self, body: &Bytes, content_type: &str, key: &str) -> Result<String, Fault> {
        let mut headers = vec![("content-type", content_type), ("idempotency-key", key)];
        // In a header and not in the URL, because the name is a secret and URLs end up in logs.
        headers.extend(self.args.client.iter().map(|client| ("x-fallcast-client", client.as_str())));
        let answer = self.remote.post(&self.url, &headers, body.clone(), PATIENCE).await?;
        self.parse_answer(&answer)
    }

    fn parse_answer(&self, answer: &[u8]) -> Result<String, Fault> {
        let published: Result<Published, _> = serde_json::from_slice(answer);
        published.map(|published| published.id).map_err(|error| {
            if error.is_eof() {
                Fault::passing("the server's answer broke off")
            } else {
                self.remote.not_fallcast(format!("its answer is not that of a publication ({error})"))
            }
        })
    }

    fn content_type(&self, body: &[u8]) -> Result<&'a str, CliError> {
        if let Some(content_type) = &self.args.content_type {
            return Ok(content_type);
        }
        if self.args.json {
            return match serde_json::from_slice::<IgnoredAny>(body) {
                Ok(_) => Ok("application/json"),
                Err(error) => Err(CliError::NotJson(error)),
            };
        }
        let is_text = std::str::from_utf8(body).is_ok();
        Ok(if is_text { "text/plain" } else { "application/octet-stream" })
    }
}

/// The answer to a publication. It has more fields, which nobody here needs.
#[derive(Deserialize)]
struct Published {
    id: String,
}

fn random_key() -> String {
    (0..KEY_CHARACTERS).map(|_| fastrand::alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: PublishArgs,
    }

    fn parse(options: &[&str]) -> PublishArgs {
        let command = ["publish", "chat"].iter().chain(options);
        Command::try_parse_from(command).expect("good options").args
    }

    #[track_caller]
    fn check(options: &[&str], body: &[u8], expected: &str) {
        let args = parse(options);
        let publisher = Publisher::new(&args).expect("no TLS is needed");
        assert_eq!(publisher.content_type(body).expect("a content type"), expected);
    }

    #[test]
    fn the_content_type_follows_the_options_and_then_the_bytes() {
        check(&[], b"hello", "text/plain");
        check(&[], b"", "text/plain");
        check(&[], b"\xff\x00", "application/octet-stream");
        check(&[], b"{}", "text/plain");
        check(&["--json"], b"{}", "application/json");
        check(&["--content-type", "image/png"], b"hello", "image/png");
    }

    #[test]
    fn what_is_not_json_is_not_published_as_json() {
        let args = parse(&["--json"]);
        let publisher = Publisher::new(&args).expect("no TLS is needed");
        assert!(matches!(publisher.content_type(b"{"), Err(CliError::NotJson(_))));
    }

    #[test]
    fn the_label_is_a_parameter_of_the_address() {
        let args = parse(&["--type", "price"]);
        let publisher = Publisher::new(&args).expect("no TLS is needed");
        assert_eq!(publisher.url, "http://localhost:8080/channels/chat?type=price");
    }

    #[test]
    fn every_run_has_a_key_of_its_own_that_the_server_accepts() {
        let (one, another) = (random_key(), random_key());
        assert_ne!(one, another);
        assert!(one.parse::<IdempotencyKey>().is_ok());
    }

    #[test]
    fn an_answer_that_broke_off_is_worth_another_try_and_a_strange_one_is_not() {
        let args = parse(&[]);
        let publisher = Publisher::new(&args).expect("no TLS is needed");
        let answer = |text: &str| publisher.parse_answer(text.as_bytes());
        assert_eq!(answer(r#"{"id":"k3f9z1.42","subscribers":3}"#).ok().as_deref(), Some("k3f9z1.42"));
        assert!(matches!(answer(r#"{"id":"k3f"#), Err(Fault::Passing { .. })));
        assert!(matches!(answer("<!doctype html>"), Err(Fault::Final(_))));
    }

    #[test]
    fn options_that_contradict_each_other_or_the_protocol_are_refused() {
        for options in [
            &["--json", "--content-type", "text/plain"][..],
            &["--type", "gap"],
            &["--key", "a b"],
            &["--client", "short"],
            &["--insecure", "--fingerprint", &"00".repeat(32)],
        ] {
            let command = ["publish", "chat"].iter().chain(options);
            assert!(Command::try_parse_from(command).is_err(), "{options:?}");
        }
    }
}
