//! `fallcast tail`: prints a channel's messages as they come, and resumes by itself.
//!
//! The client holds the cursor. Whenever a connection ends, the next one begins after the last message that was
//! printed, on whatever node and transport; what can't be continued is told as a gap, loudly.

mod connection;
mod event;
mod output;
mod poll;
mod position;
mod streaming;
mod subscriber;
mod websocket;

use std::num::NonZeroU64;

use clap::{Args, ValueEnum};

use self::{connection::Transport, output::Format, subscriber::Subscriber};
use super::{
    argument::valid,
    error::CliError,
    remote::{ChannelAddress, Remote, TlsArgs},
};
use crate::channel::{After, ClientName, DisplayName};

const EXAMPLES: &str = "\
Examples:
  fallcast tail chat
  fallcast tail chat --after start --count 10 --format json | jq .message.data
  fallcast tail http://localhost:8080/channels/prices --transport sse --events
  fallcast tail https://192.168.1.7:8080/channels/chat --fingerprint BA:78:16:BF:…

Messages go to standard output, everything else to standard error. Ctrl-C ends it, and so does a closed pipe.";

/// Print a channel's messages as they come; reconnects and resumes by itself
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TailArgs {
    /// The channel's URL, or the bare name of a channel on localhost:8080
    #[arg(value_name = "URL")]
    channel: ChannelAddress,
    /// How to subscribe
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    transport: Transport,
    /// Where to begin: after this cursor, before the oldest message kept (start), or with the next one (end)
    #[arg(long, value_name = "CURSOR|start|end", default_value = "end", value_parser = valid::<After>)]
    after: String,
    /// What to print of a message: its data, or its whole event as one line of JSON
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show hello, gap, presence, heartbeat and goodbye too: among the messages with --format json, else on standard
    /// error
    #[arg(long)]
    events: bool,
    /// Announce this subscriber to the others under a name
    #[arg(long = "as", value_name = "NAME", value_parser = valid::<DisplayName>)]
    name: Option<String>,
    /// Show who is here, who comes and who goes
    #[arg(long)]
    presence: bool,
    /// Secret name of this client, the same as in `fallcast publish --client` [default: random]
    #[arg(long, value_name = "NAME", value_parser = valid::<ClientName>)]
    client: Option<String>,
    /// Leave out what was published under the same --client
    #[arg(long, requires = "client")]
    no_echo: bool,
    /// End after this many messages
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// Whether to reconnect when a connection fails
    #[arg(long, value_enum, default_value_t = Reconnect::Always)]
    reconnect: Reconnect,
    #[command(flatten)]
    tls: TlsArgs,
}

/// What to do when a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reconnect {
    /// Try again until it works
    Always,
    /// End with an error
    Never,
}

/// Runs `fallcast tail` until it is interrupted, nobody reads its output, or the wanted number of messages has come.
///
/// # Errors
/// The server refuses the subscription for good, or a connection fails and `--reconnect` is `never`.
pub async fn run(args: TailArgs) -> Result<(), CliError> {
    let remote = Remote::new(&args.channel, &args.tls)?;
    let mut subscriber = Subscriber::new(&args, &remote);
    let outcome = tokio::select! {
        outcome = subscriber.follow() => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = output::closed() => Ok(()),
    };
    subscriber.leave().await;
    outcome
}
