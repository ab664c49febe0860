//! `fallcast bench`: compares transports on this machine, and leaves a report.

mod compare;
mod verify;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use clap::{Args, Subcommand, ValueEnum};
use thiserror::Error;

use crate::{
    bench::{
        live::{Detail, LiveView},
        load::Transport,
        output::{self, OutputError},
        plan::{Plan, Via},
        rate::Bound,
        report::{Loop, Publish, Report},
        run::{Outcome, Run, RunError},
        table,
        target::{Target, TargetError},
    },
    config::Size,
};

const EXAMPLES: &str = "\
Examples:
  fallcast bench                              all transports, in about two minutes
  fallcast bench --transports sse,short-poll=500ms --subscribers 100,1000 --size 64,1KiB
  fallcast bench --via direct,lab:25ms,lab:mobile-3g          the same over slow networks
  fallcast bench --server-args '--heartbeat 1s'               another configuration
  fallcast bench --find-rate 'p99<50ms'       the highest rate that each transport carries
  fallcast bench --freeze 1s                  a server that stops for a second …
  fallcast bench --freeze 1s --loop closed    … and how a careless benchmark misses it
  fallcast bench verify report.json           whether a report can be believed
  fallcast bench compare anna/ ben/ --html both.html          machines side by side

Other servers:
  fallcast bench --target own --target nchan=http://localhost:8082
  fallcast bench --target mine=mine.toml

NAME=URL takes the built-in template NAME: fallcast, fallcast-json, or nchan, which
expects nginx with
  location ~ ^/pub/(.+)$ { nchan_publisher;  nchan_channel_id $1; }
  location ~ ^/sub/(.+)$ { nchan_subscriber; nchan_channel_id $1; }

NAME=TEMPLATE@URL takes a built-in template under a name of your own.

NAME=FILE.toml describes any server that forwards what is published:
  url = \"http://localhost:8082\"
  [publish]               # also: method, content-type, headers, body = \"…{data}…\"
  path = \"/pub/{channel}\"
  [websocket]             # also: greetings = [\"…\"], replies = { \"2\" = \"3\" }
  path = \"/sub/{channel}\"
  [sse]                   # the same for [long-poll], [short-poll] and [stream]
  path = \"/sub/{channel}?last_event_id={after}\"
  headers = [\"Accept: text/event-stream\"]
  cursor = \"event-id\"     # or json:MEMBER, or validators (ETag, Last-Modified)
  start = \"\"              # the {after} of who wants what is there already

Every message carries its number and the time when it was due, and its latency counts from
then. What is measured, and what it does not show, is in the book.";

/// Compare transports on this machine, honestly
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct BenchArgs {
    #[command(subcommand)]
    reports: Option<OfReports>,
    /// Measure these transports: websocket, sse, long-poll, stream, short-poll=TIME [default: all but short-poll]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "What is measured")]
    transports: Vec<Transport>,
    /// With so many subscribers
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "100", help_heading = "What is measured")]
    subscribers: Vec<u32>,
    /// At so many messages a second, all together
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "50", help_heading = "What is measured")]
    rate: Vec<f64>,
    /// With messages of this size, at least 34 bytes
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_value = "64", help_heading = "What is measured")]
    size: Vec<Size>,
    /// Over these ways: direct, lab:PRESET such as lab:mobile-3g, lab:TIME such as lab:25ms for each direction
    #[arg(
        long,
        value_name = "WAYS",
        value_delimiter = ',',
        default_value = "direct",
        help_heading = "What is measured"
    )]
    via: Vec<Via>,
    /// Measure this server; may be given several times; `own` is fallcast in a process of its own [default: own]
    #[arg(long, value_name = "NAME=…", help_heading = "What is measured")]
    target: Vec<String>,
    /// The process of the target, if it runs here and its cost is wanted
    #[arg(long, value_name = "N", requires = "target", help_heading = "What is measured")]
    pid: Option<u32>,
    /// Pass these options on to the own server, separated by spaces
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, help_heading = "What is measured")]
    server_args: Option<String>,
    /// How the own server writes messages: raw where a transport can, or json, in which every transport has a cursor
    #[arg(long, value_name = "FORMAT", default_value = "raw", help_heading = "What is measured")]
    format: Format,
    /// Send this field with every request of a subscriber, as browsers send cookies; may be given several times
    #[arg(long, value_name = "NAME: VALUE", help_heading = "What is measured")]
    header: Vec<String>,

    /// Search for the highest rate at which this holds, such as p99<50ms, instead of measuring at one rate
    #[arg(long, value_name = "BOUND", help_heading = "How it is measured")]
    find_rate: Option<Bound>,
    /// Measure each cell so often, in turns
    #[arg(long, value_name = "N", default_value = "5", help_heading = "How it is measured")]
    rounds: u32,
    /// Publish for so long before it counts
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration, help_heading = "How it is measured")]
    warm_up: Duration,
    /// Publish for so long in each round
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = humantime::parse_duration, help_heading = "How it is measured")]
    duration: Duration,
    /// Stop the own server for so long in the middle of each round
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "How it is measured")]
    freeze: Option<Duration>,
    /// open publishes by a fixed schedule; closed waits until a message has arrived, which hides what is slow
    #[arg(long = "loop", value_name = "KIND", default_value = "open", help_heading = "How it is measured")]
    kind: LoopKind,
    /// Publish by requests over kept connections, or over one WebSocket
    #[arg(long, value_name = "WAY", default_value = "post", help_heading = "How it is measured")]
    publish: PublishWay,
    /// Don't cut a tenth of the subscribers off after each round
    #[arg(long, help_heading = "How it is measured")]
    no_recovery: bool,
    /// Don't give server and generator cores of their own (Linux)
    #[arg(long, help_heading = "How it is measured")]
    no_pin: bool,
    /// Begin chance here, which decides who begins and when short-polls ask [default: by chance]
    #[arg(long, value_name = "N", help_heading = "How it is measured")]
    seed: Option<u32>,

    /// What the run is to find out; the report keeps it
    #[arg(long, value_name = "TEXT", help_heading = "The report")]
    question: Option<String>,
    /// What you expect; the report keeps it
    #[arg(long, value_name = "TEXT", help_heading = "The report")]
    prediction: Option<String>,
    /// Leave report.json, report.html and histograms here [default: ./fallcast-bench-TIME]
    #[arg(long, value_name = "DIR", help_heading = "The report")]
    out: Option<PathBuf>,
    /// Print the report as JSON instead of a table; without --out nothing else is left
    #[arg(long, help_heading = "The report")]
    json: bool,
    /// Show no progress
    #[arg(long, short, help_heading = "The report")]
    quiet: bool,
}

/// What can be done with reports that are there.
#[derive(Clone, Debug, Subcommand)]
enum OfReports {
    /// Put several reports side by side, and say what differs
    Compare(compare::CompareArgs),
    /// Check whether a report can be believed
    Verify(verify::VerifyArgs),
}

/// How the own server writes messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Raw,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LoopKind {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PublishWay {
    Post,
    Websocket,
}

/// Why a benchmark ended without success.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A target cannot be understood.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Options contradict each other.
    #[error("{0}")]
    Options(&'static str),
    /// Nothing could be measured, or not all.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The report cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Standard output broke.
    #[error("cannot write to standard output: {0}")]
    Print(io::Error),
    /// Reports cannot be compared.
    #[error(transparent)]
    Compare(#[from] compare::CompareError),
    /// A report does not hold.
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
}

/// Runs `fallcast bench`.
///
/// # Errors
/// Nothing could be measured, or the report cannot be written.
pub async fn run(mut args: BenchArgs) -> Result<(), BenchError> {
    match args.reports.take() {
        Some(OfReports::Compare(args)) => return Ok(compare::run(args)?),
        Some(OfReports::Verify(args)) => return Ok(verify::run(args)?),
        None => {}
    }
    let plan = args.plan()?;
    // What cannot be measured is told before a folder is made.
    plan.cells().map_err(RunError::from)?;
    let folder = args.folder();
    if let Some(folder) = &folder {
        output::prepare(folder)?;
    }
    let outcome = measure(plan, args.find_rate, args.quiet).await;
    if outcome.is_err()
        && let Some(folder) = &folder
    {
        // It is there only if something was left in it by somebody else.
        let _ = std::fs::remove_dir(folder);
    }
    let Outcome { mut report, fault } = outcome?;
    (report.question, report.prediction) = (args.question.clone(), args.prediction.clone());
    report.complete();
    args.tell(&report, folder.as_deref())?;
    fault.map_or(Ok(()), |fault| Err(fault.into()))
}

/// Measures on a thread of its own, so that this one can hear Ctrl-C.
async fn measure(plan: Plan, bound: Option<Bound>, quiet: bool) -> Result<Outcome, RunError> {
    let stop = Arc::new(AtomicBool::new(false));
    let command = std::env::args().collect();
    let wish = Arc::clone(&stop);
    let mut measuring = tokio::task::spawn_blocking(move || {
        let mut view = LiveView::new(if quiet { Detail::Quiet } else { Detail::Live });
        Run { plan: &plan, bound, command, stop: &wish }.begin(&mut view)
    });
    let outcome = tokio::select! {
        outcome = &mut measuring => outcome,
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            measuring.await
        }
    };
    // A panic there goes on here.
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

impl BenchArgs {
    fn plan(&self) -> Result<Plan, BenchError> {
        let sizes = self.size.iter().map(|size| u32::try_from(size.0).unwrap_or(u32::MAX)).collect();
        Ok(Plan {
            targets: self.targets()?,
            transports: self.transports.clone(),
            subscribers: self.subscribers.clone(),
            rates: self.rate.clone(),
            sizes,
            vias: self.via.clone(),
            rounds: if self.find_rate.is_some() { 1 } else { self.rounds },
            warm_up: self.warm_up,
            duration: self.duration,
            seed: self.seed.unwrap_or_else(|| fastrand::u32(..)).into(),
            loop_: match self.kind {
                LoopKind::Open => Loop::Open,
                LoopKind::Closed => Loop::Closed,
            },
            publish: match self.publish {
                PublishWay::Post => Publish::Post,
                PublishWay::Websocket => Publish::Websocket,
            },
            freeze: self.freeze.filter(|freeze| !freeze.is_zero()),
            recovery: !self.no_recovery && self.find_rate.is_none(),
            pin: !self.no_pin,
            headers: self.headers()?,
        })
    }

    fn targets(&self) -> Result<Vec<Target>, BenchError> {
        let own = || {
            let profile = match self.format {
                Format::Raw => "fallcast",
                Format::Json => "fallcast-json",
            };
            let args = self.server_args.as_deref().unwrap_or_default();
            Target::own(profile, args.split_whitespace().map(str::to_owned).collect())
        };
        if self.pid.is_some() && self.target.len() > 1 {
            return Err(BenchError::Options("--pid belongs to one target: give only one"));
        }
        if self.target.is_empty() {
            return Ok(vec![own()?]);
        }
        let parse = |text: &String| if text == "own" { own() } else { Target::parse(text, self.pid) };
        let targets: Vec<Target> = self.target.iter().map(parse).collect::<Result<_, _>>()?;
        let is_twice = |target: &Target| targets.iter().filter(|other| other.name == target.name).count() > 1;
        if targets.iter().any(is_twice) {
            return Err(BenchError::Options("two targets have the same name: write NAME=TEMPLATE@URL for one of them"));
        }
        Ok(targets)
    }

    fn headers(&self) -> Result<Vec<String>, BenchError> {
        let is_field =
            |field: &String| field.contains(':') && !field.starts_with(':') && !field.chars().any(char::is_control);
        if self.header.iter().all(is_field) {
            Ok(self.header.clone())
        } else {
            Err(BenchError::Options("--header is a field of a request, such as 'Cookie: session=1'"))
        }
    }

    /// The folder of the report; `None` if it is printed only.
    fn folder(&self) -> Option<PathBuf> {
        let by_time = || {
            let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(':', "");
            PathBuf::from(format!("fallcast-bench-{now}"))
        };
        self.out.clone().or_else(|| (!self.json).then(by_time))
    }

    fn tell(&self, report: &Report, folder: Option<&std::path::Path>) -> Result<(), BenchError> {
        use io::Write as _;
        let mut out = io::stdout().lock();
        if let Some(folder) = folder {
            output::write(report, folder)?;
        }
        let printed = match (self.json, folder) {
            (true, _) => output::json(report, &mut out),
            (false, Some(folder)) => {
                write!(out, "{}\nreport: {}\n", table::render(report), folder.join("report.html").display())
            }
            (false, None) => write!(out, "{}", table::render(report)),
        };
        printed.map_err(BenchError::Print)
    }
}
