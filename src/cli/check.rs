//! `fallcast check`: whether a server, in whatever language, keeps what real-time servers should promise.

mod progress;

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use thiserror::Error;

use crate::{
    bench::output::{self as file, OutputError},
    check::{
        checks::{self, Check},
        output::{json, junit, text},
        profile::{self, Profile, ProfileError},
        run::{self, Unreachable},
        subject::{Settings, Subject},
        transport::Transport,
        verdict::Report,
    },
    origin::{BadOrigin, Origin},
};

use progress::Progress;

const EXAMPLES: &str = "\
Examples:
  fallcast check all --url http://localhost:8080
  fallcast check sse resume --url http://localhost:8080 --transports sse

A server of your own, which need not know anything of fallcast:
  fallcast check echo ws --url ws://localhost:3000/chat
      a WebSocket that passes on what each client says
  fallcast check sse --profile sse --url http://localhost:3000 \\
      --set sse.path=/events --set publish.path=/say
      an event stream, and an address to which messages are posted
  fallcast check all --profile mine.toml --url http://localhost:3000
      anything else: begin with one of the built-in profiles,
      fallcast check --print-profile sse > mine.toml
      and change in it what is different; its comments say what each line means

To know more:
  fallcast check --list                     what each check proves
  fallcast check ws --list

In a test system:
  fallcast check all --url http://localhost:8080 --junit check.xml
  The exit code is 0 if nothing that was promised is broken, 1 if something is, and
  2 if nothing could be checked: no server there, or a wrong option.";

/// Whether a server keeps what real-time servers should promise
///
/// It looks from outside, at any server in any language that speaks plain WebSocket, server-sent events or long-polling. A
/// profile says which of them it has, and where. What the profile leaves out does not apply and is not held against it.
/// Each violation comes with the shortest trace that shows it, to the byte.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// What to check: echo, fan-out, resume, drop, slow-reader, storm, sse, ws, poll, hop, publish, budget, or all
    #[arg(value_name = "CHECK", required_unless_present_any = ["list", "print_profile"])]
    checks: Vec<String>,
    /// The server: http://HOST:PORT, or ws://HOST:PORT/PATH for a plain WebSocket server
    #[arg(long, value_name = "URL", required_unless_present_any = ["list", "print_profile"])]
    url: Option<String>,

    /// Where things are: fallcast, nchan, mercure, websocket, sse, long-poll, or a TOML file [default: fallcast;
    /// websocket for ws://]
    #[arg(long, value_name = "NAME|FILE", help_heading = "Where things are")]
    profile: Option<String>,
    /// Set a value of the profile, such as sse.path=/events; may be given several times
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Where things are")]
    set: Vec<String>,
    /// Send this field with every request, such as 'Authorization: Bearer …'; may be given several times
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Where things are")]
    header: Vec<String>,
    /// Look at these transports only: websocket, sse, long-poll, stream [default: all of the profile]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Where things are")]
    transports: Vec<Transport>,

    /// Decides whatever is left to chance, so that a run can be repeated
    #[arg(long, value_name = "N", default_value = "1", help_heading = "How it is checked")]
    seed: u64,
    /// How long one check may take on one transport; what fails waits for a third of it
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration, help_heading = "How it is checked")]
    time_limit: Duration,
    /// Leave a property out, such as ws.http-1.0; may be given several times
    #[arg(long, value_name = "PROPERTY", help_heading = "How it is checked")]
    skip: Vec<String>,
    /// The server's process, if it runs here: slow-reader and storm then look at its memory and descriptors (Linux)
    #[arg(long, value_name = "N", help_heading = "How it is checked")]
    pid: Option<u32>,
    /// How long the slowest hundredth of messages may take in the check `budget`
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = humantime::parse_duration, help_heading = "How it is checked")]
    p99: Duration,

    /// Print the report as JSON
    #[arg(long, help_heading = "The report")]
    json: bool,
    /// Leave the report here as `JUnit` XML
    #[arg(long, value_name = "FILE", help_heading = "The report")]
    junit: Option<PathBuf>,
    /// Show no progress
    #[arg(long, short, help_heading = "The report")]
    quiet: bool,

    /// Explain each check and each of its properties in a line, and check nothing
    #[arg(long, help_heading = "To know more")]
    list: bool,
    /// Print a built-in profile, to begin one of your own with
    #[arg(long, value_name = "NAME", help_heading = "To know more")]
    print_profile: Option<String>,
}

/// What an address begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    WebSocket,
}

/// Why nothing, or not everything, was checked.
#[derive(Debug, Error)]
enum CheckError {
    #[error("{0:?} is no check; there are {names}, and all", names = names())]
    UnknownCheck(String),
    #[error("{0:?} is no property; --list names them")]
    UnknownProperty(String),
    #[error("{0}: a path belongs into the profile; write --url {1} --set sse.path=PATH, or another transport than sse")]
    PathInUrl(String, String),
    #[error("--header is a field of a request, such as 'Authorization: Bearer x'")]
    Header,
    #[error("--time-limit must be at least 1s")]
    TimeLimit,
    #[error(transparent)]
    Origin(#[from] BadOrigin),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error(transparent)]
    File(#[from] OutputError),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn names() -> String {
    checks::ALL.map(|check| check.name).join(", ")
}

/// Nothing could be checked.
const NOT_CHECKED: u8 = 2;

/// Runs `fallcast check`, and prints what there is to say.
pub async fn run(args: CheckArgs) -> ExitCode {
    match args.run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(NOT_CHECKED)
        }
    }
}

impl CheckArgs {
    /// Whether everything holds.
    async fn run(&self) -> Result<bool, CheckError> {
        if let Some(name) = &self.print_profile {
            let text = profile::text(name).ok_or_else(|| ProfileError::Unknown(name.clone()))?;
            io::stdout().lock().write_all(text.as_bytes())?;
            return Ok(true);
        }
        let checks = self.checks()?;
        if self.list {
            list(&checks)?;
            return Ok(true);
        }
        let subject = self.subject()?;
        let progress = Progress::new(!self.quiet);
        let report = run::run(&subject, &checks, &progress).await;
        progress.end();
        let report = report?;
        self.tell(&report)?;
        Ok(report.count("failed") == 0)
    }

    fn checks(&self) -> Result<Vec<&'static Check>, CheckError> {
        let asked_for = |name: &str| self.checks.iter().any(|asked| asked == name);
        if let Some(unknown) = self.checks.iter().find(|name| *name != "all" && checks::find(name).is_none()) {
            return Err(CheckError::UnknownCheck(unknown.clone()));
        }
        let is_all = self.checks.is_empty() || asked_for("all");
        Ok(checks::ALL.into_iter().filter(|check| is_all || asked_for(check.name)).collect())
    }

    fn subject(&self) -> Result<Subject, CheckError> {
        let (origin, scheme, path) = self.place()?;
        let is_plain = self.profile.is_none() && scheme == Scheme::WebSocket;
        let name = self.profile.as_deref().unwrap_or(if is_plain { "websocket" } else { "fallcast" });
        // Who talks and who listens is at the same address; what --set says comes later, and wins.
        let of_url = path.iter().map(|path| format!("websocket.path={path}"));
        let of_voice = path.iter().filter(|_| is_plain).map(|path| format!("publish-websocket.path={path}"));
        let set: Vec<String> = of_url.chain(of_voice).chain(self.set.iter().cloned()).collect();
        Ok(Subject::new(origin, Profile::load(name, &set)?, self.settings()?))
    }

    /// Where the server is, what its address begins with, and the path behind it if there is one.
    fn place(&self) -> Result<(Origin, Scheme, Option<String>), CheckError> {
        let url = self.url.as_deref().unwrap_or_default();
        let start = url.find("://").map_or(0, |colon| colon + 3);
        let (server, path) = url.split_at(url[start..].find('/').map_or(url.len(), |slash| start + slash));
        let path = (path.len() > 1).then(|| path.to_owned());
        let scheme = if url.starts_with("ws") { Scheme::WebSocket } else { Scheme::Http };
        if scheme == Scheme::Http && path.is_some() {
            return Err(CheckError::PathInUrl(url.to_owned(), server.to_owned()));
        }
        Ok((Origin::of(server)?, scheme, path))
    }

    fn settings(&self) -> Result<Settings, CheckError> {
        let is_field = |field: &String| {
            field.split_once(':').is_some_and(|(name, _)| !name.is_empty()) && !field.chars().any(char::is_control)
        };
        if !self.header.iter().all(is_field) {
            return Err(CheckError::Header);
        }
        if self.time_limit < Duration::from_secs(1) {
            return Err(CheckError::TimeLimit);
        }
        let is_known = |id: &String| checks::ALL.iter().flat_map(|check| check.properties).any(|known| known.id == id);
        if let Some(unknown) = self.skip.iter().find(|id| !is_known(id)) {
            return Err(CheckError::UnknownProperty(unknown.clone()));
        }
        Ok(Settings {
            seed: self.seed,
            time_limit: self.time_limit,
            transports: self.transports.clone(),
            headers: self.header.clone(),
            skip: self.skip.clone(),
            pid: self.pid,
            p99: self.p99,
        })
    }

    fn tell(&self, report: &Report) -> Result<(), CheckError> {
        if let Some(path) = &self.junit {
            file::file(path, |out| junit::write(report, out))?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            json::write(report, &mut out)?;
        } else {
            let is_terminal = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            text::write(report, if is_terminal { text::Paint::Colors } else { text::Paint::Plain }, &mut out)?;
        }
        Ok(out.flush()?)
    }
}

fn list(checks: &[&'static Check]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for check in checks {
        writeln!(out, "{}: {}", check.name, check.about)?;
        for property in check.properties {
            writeln!(out, "  {:28} {}", property.id, property.promise)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckArgs,
    }

    fn args(line: &str) -> CheckArgs {
        Line::try_parse_from(line.split_whitespace()).expect("a command line").args
    }

    fn place(url: &str) -> Result<(u16, Option<String>), String> {
        let place = args(&format!("check all --url {url}")).place();
        place.map(|(origin, _, path)| (origin.address.port(), path)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_of_a_websocket_brings_its_path() {
        assert_eq!(place("http://127.0.0.1:3000"), Ok((3000, None)));
        assert_eq!(place("http://127.0.0.1:3000/"), Ok((3000, None)));
        assert_eq!(place("ws://127.0.0.1:3000"), Ok((3000, None)));
        assert_eq!(place("ws://127.0.0.1:3000/chat?a=b"), Ok((3000, Some("/chat?a=b".to_owned()))));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_remedy() {
        assert!(place("http://127.0.0.1:3000/events").is_err_and(|error| error.contains("--set sse.path=")));
        let unknown = args("check echoes --url http://127.0.0.1:1").checks().expect_err("no check");
        assert!(unknown.to_string().contains("fan-out"));
        let unknown = args("check all --url http://127.0.0.1:1 --skip ws.pongs").settings().expect_err("no property");
        assert!(unknown.to_string().contains("--list"));
        assert!(Line::try_parse_from(["check", "all"]).is_err(), "a server must be named");
        assert!(Line::try_parse_from(["check", "--list"]).is_ok());
    }

    #[test]
    fn all_is_every_check_and_names_choose() {
        let chosen = |line: &str| args(line).checks().map(|checks| checks.iter().map(|check| check.name).collect());
        let some: Result<Vec<&str>, CheckError> = chosen("check ws echo --url http://127.0.0.1:1");
        assert_eq!(some.expect("checks"), ["echo", "ws"], "in the order in which they run");
        let all: Result<Vec<&str>, CheckError> = chosen("check all --url http://127.0.0.1:1");
        assert_eq!(all.expect("checks").len(), checks::ALL.len());
    }
}
