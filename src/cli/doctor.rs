//! `fallcast doctor`: examines the way to a server, and says which transport to use there.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use thiserror::Error;

use super::{
    notice::harmless,
    remote::{BadTrust, TlsArgs},
};
use crate::doctor::{Audience, Client, Examiner, Fault, Finding, Mark, Plan, Report, Target};

const EXAMPLES: &str = "\
Examples:
  fallcast doctor http://192.168.1.20:8080     from a pupil's laptop, to the teacher's server
  fallcast doctor https://live.example.org     through whatever proxies lie between
  fallcast doctor --idle 90s http://…          wait for time limits of a minute, which are common
  fallcast doctor localhost:8080               on the server's machine: room for a class, too
  fallcast doctor 'localhost:8081/?link=x'     over a link of the server's lab

Connections are left silent for 15 s, beside everything else, so that long it takes.

Exit code: 0 nothing is in the way, 1 something is, 2 the server cannot be reached.

A browser sees its own way, with its own proxy: open /doctor on the server.";

/// Find out what lies between here and a server, and which transport to use
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// The server's URL; what stands behind `?` goes with every request
    #[arg(value_name = "URL")]
    url: Target,
    /// Leave connections silent for so long, to see whether something cuts them
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = idle)]
    idle: Duration,
    /// Wait for so long for a server that accepts connections but does not answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// Print observations and report as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tls: TlsArgs,
}

/// The longest silence that a server offers.
const LONGEST_IDLE: Duration = Duration::from_mins(10);

fn idle(text: &str) -> Result<Duration, String> {
    let idle = humantime::parse_duration(text).map_err(|fault| fault.to_string())?;
    let is_good = (Duration::from_secs(1)..=LONGEST_IDLE).contains(&idle);
    is_good.then_some(idle).ok_or_else(|| "a silence lasts from 1s to 10m".to_owned())
}

/// Why an examination did not come to its end.
#[derive(Debug, Error)]
pub enum DoctorError {
    /// The TLS options cannot be followed.
    #[error(transparent)]
    Trust(#[from] BadTrust),
    /// The server cannot be reached, or does not want to be.
    #[error("{target} cannot be examined: {fault}")]
    Unreachable {
        /// The server.
        target: Target,
        /// Why.
        fault: Fault,
    },
    /// Standard output broke.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// The exit code of an examination that found something in the way.
const IN_THE_WAY: u8 = 1;

/// The exit code if the server cannot be reached, or the command is wrong.
const UNREACHABLE: u8 = 2;

/// Runs `fallcast doctor`.
pub async fn run(args: DoctorArgs) -> ExitCode {
    match examine(&args).await {
        Ok(report) if report.has_fault() => ExitCode::from(IN_THE_WAY),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", harmless(&error.to_string()));
            ExitCode::from(UNREACHABLE)
        }
    }
}

async fn examine(args: &DoctorArgs) -> Result<Report, DoctorError> {
    let tls = if args.url.is_secure {
        Some(args.tls.client_config()?)
    } else {
        args.tls.must_be_unused()?;
        None
    };
    let client = Client { target: args.url.clone(), tls };
    let plan = Plan { idle: args.idle, patience: args.patience };
    let mut live = Live::new(args.quiet);
    let observations = Examiner::new(client, plan, &mut live).examine().await;
    live.finish();
    let unreachable = |fault| DoctorError::Unreachable { target: args.url.clone(), fault };
    let observations = observations.map_err(unreachable)?;
    let report = Report::of(&observations);
    let text = if args.json {
        format!("{:#}\n", json!({ "doctor_report": 1, "report": report, "observations": observations }))
    } else {
        written(&report, args.url.to_string())
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(DoctorError::Output)?;
    Ok(report)
}

/// The report for people.
fn written(report: &Report, url: String) -> String {
    let mut lines = vec![url, String::new()];
    for finding in &report.findings {
        lines.push(format!("{} {}: {}", sign(finding.mark), finding.title, finding.seen));
        if !finding.means.is_empty() {
            lines.push(format!("    {}", finding.means));
        }
        if !finding.remedy.is_empty() && finding.mark != Mark::Well {
            lines.push(format!("    → {}", finding.remedy));
        }
    }
    lines.extend([String::new(), report.verdict.text.clone(), String::new()]);
    // Names and pages of middleboxes are other people's words.
    harmless(&lines.join("\n")).into_owned()
}

const fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Well => "✓",
        Mark::Unknown => "?",
        Mark::Notice => "!",
        Mark::Fault => "✗",
    }
}

/// What can be seen while it lasts, on standard error: a line for each answer, and in a terminal the question that is asked.
struct Live {
    is_quiet: bool,
    bar: Option<ProgressBar>,
}

impl Live {
    fn new(is_quiet: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let bar = (is_terminal && !is_quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.enable_steady_tick(Duration::from_millis(250));
            let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { is_quiet, bar }
    }

    fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl Audience for Live {
    fn asks(&mut self, question: &str) {
        let question = harmless(question).into_owned();
        match &self.bar {
            Some(bar) => bar.set_message(question),
            None if !self.is_quiet => eprintln!("… {question}"),
            None => {}
        }
    }

    fn hears(&mut self, finding: &Finding) {
        let line = format!("{} {}: {}", sign(finding.mark), finding.title, finding.seen);
        let line = harmless(&line).into_owned();
        match &self.bar {
            // The report below says it all again, so a terminal shows only that something was found.
            Some(bar) => bar.set_message(line),
            None if !self.is_quiet => eprintln!("{line}"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: DoctorArgs,
    }

    #[test]
    fn silence_has_its_bounds() {
        let parse = |idle: &str| Command::try_parse_from(["doctor", "localhost:8080", "--idle", idle]);
        assert_eq!(parse("90s").map(|command| command.args.idle).ok(), Some(Duration::from_secs(90)));
        for bad in ["500ms", "11m", "soon"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
