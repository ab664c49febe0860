//! The command line: `fallcast serve`, `fallcast publish`, `fallcast tail`, `fallcast bench`, `fallcast check`,
//! `fallcast doctor`.

mod argument;
mod backoff;
mod bench;
mod check;
mod doctor;
mod error;
mod ndjson;
mod notice;
mod publish;
mod remote;
mod sse_parser;
mod tail;
mod until_input_ends;

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::{Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    bench::server::UNTIL_INPUT_ENDS,
    config::{Config, LogFormat, Settings},
    server,
};

pub use remote::Fingerprint;

const EXAMPLES: &str = "\
Examples:
  fallcast                                  serve on http://localhost:8080, for this machine only
  fallcast serve --host 0.0.0.0             serve the room, and print how to get in
  echo hello | fallcast publish chat        (or: curl -d hello http://localhost:8080/channels/chat)
  fallcast tail chat --after start          read a channel from its oldest message on
  fallcast bench                            compare the transports on this machine
  fallcast check all --url http://localhost:3000            grade a server, in whatever language
  fallcast doctor http://HOST:PORT          what lies between here and there, and which transport to use
";

const SERVE_EXAMPLES: &str = "\
Examples:
  fallcast serve --port 9000
  fallcast serve --host 0.0.0.0 --tls-self-signed          a class on one Wi-Fi, with HTTP/2
  fallcast serve --allow-origin https://example.org        pages from elsewhere may connect and publish
  fallcast serve --config fallcast.toml                    the flags as keys: port = 9000, heartbeat = \"10s\"
";

/// One broadcast channel over WebSocket, server-sent events, long-polling and a stream, with one cursor on all of them.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a command, the flags of `serve` can be given directly.
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve channels, the site and the book (the default).
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Publish to a channel.
    Publish(publish::PublishArgs),
    /// Read a channel, and go on reading through every kind of failure.
    Tail(tail::TailArgs),
    /// Compare transports on this machine, honestly.
    Bench(Box<bench::BenchArgs>),
    /// Whether a server keeps what real-time servers should promise.
    Check(Box<check::CheckArgs>),
    /// Find out what lies between here and a server, and which transport to use.
    Doctor(Box<doctor::DoctorArgs>),
}

#[derive(Args, Clone, Debug, Default)]
struct ServeArgs {
    /// Read settings from this TOML file. Flags and environment win over it.
    #[arg(long, value_name = "FILE", env = "FALLCAST_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// End at once when standard input ends: for programs that start a server of their own.
    #[arg(long, hide = true, env = UNTIL_INPUT_ENDS)]
    until_input_ends: bool,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(args)) => serve(*args),
        Some(Command::Publish(args)) => block_on(publish::run(args)).map_err(|error| error.to_string()),
        Some(Command::Tail(args)) => block_on(tail::run(args)).map_err(|error| error.to_string()),
        Some(Command::Bench(args)) => block_on(bench::run(*args)).map_err(|error| error.to_string()),
        Some(Command::Check(args)) => return block_on(check::run(*args)),
        Some(Command::Doctor(args)) => return block_on(doctor::run(*args)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn block_on<T>(command: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(command)
}

fn serve(args: ServeArgs) -> Result<(), String> {
    let config = Config::new(args.settings, args.config).map_err(|error| error.to_string())?;
    start_logging(&config)?;
    if args.until_input_ends {
        until_input_ends::watch().map_err(|error| format!("cannot watch standard input: {error}"))?;
    }
    block_on(server::run(config)).map_err(|error| error.to_string())
}

fn start_logging(config: &Config) -> Result<(), String> {
    let filter: Targets =
        config.log_level.parse().map_err(|fault| format!("--log-level: {fault}; try info or fallcast=debug"))?;
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        // It would complain on standard error, and panic if nobody reads that any more: in the middle of a drain, say.
        .log_internal_errors(false);
    let logs = tracing_subscriber::registry();
    match config.log_format {
        LogFormat::Text => logs.with(lines.with_filter(filter)).init(),
        LogFormat::Json => logs.with(lines.json().with_filter(filter)).init(),
    }
    Ok(())
}
