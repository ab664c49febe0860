//! Instruction counts, from the command line to the table.
//!
//! Suggested reading order: [`path`] (what is counted), [`callgrind`] (how), [`post`] (the one path that needs a server),
//! [`report`].

#[path = "../micro/audience.rs"]
mod audience;
mod callgrind;
#[path = "../micro/fixture.rs"]
#[allow(dead_code, reason = "`micro` works on more of it")]
mod fixture;
#[path = "../fanout/machine.rs"]
#[allow(dead_code, reason = "cores are chosen, and the parts are tested, by `fanout` alone")]
mod machine;
mod path;
mod post;
mod report;

use std::{env, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use self::{
    path::{Count, Path},
    report::Report,
};

/// The benchmark only reports its errors, so one opaque type is enough.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const EXAMPLES: &str = "\
Examples:
  cargo bench --bench instructions                                   the table, in about two minutes
  FALLCAST_MEASUREMENTS=write cargo bench --bench instructions       the same, kept in measurements/instructions.json
  cargo bench --bench instructions -- post                           one path
  callgrind_annotate target/tmp/instructions/post-64.out             where its instructions are

The table goes to standard output, progress to standard error.";

/// Counts the instructions that one publication takes, on each path through the server.
#[derive(Parser)]
#[command(name = "instructions", bin_name = "cargo bench --bench instructions --", after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Paths to count [default: all]
    #[arg(value_enum)]
    paths: Vec<Path>,
    /// Cargo passes this to every benchmark.
    #[arg(long = "bench", hide = true, global = true)]
    _bench: bool,
}

/// What this program does when it starts itself under Valgrind.
#[derive(Subcommand)]
enum Role {
    /// Publish along a path, without counting anything
    Drive {
        path: Path,
        size: usize,
        /// How many messages to publish beyond the warm-up
        messages: usize,
    },
}

/// Counts, and prints a table as Markdown; or drives.
pub fn main() -> ExitCode {
    let result = match Arguments::parse() {
        Arguments { role: Some(Role::Drive { path, size, messages }), .. } => path.drive(size, messages),
        Arguments { paths, .. } => count(&paths),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(paths: &[Path]) -> Result<()> {
    let mut report = Report::begin(callgrind::version()?);
    let chosen = if paths.is_empty() { Path::ALL } else { paths };
    for &path in chosen {
        for &size in path.sizes() {
            let count = Count::take(path, size, &profiles())?;
            eprintln!("{count}");
            report.counts.push(count);
        }
    }
    print!("{}", report.table());
    if env::var("FALLCAST_MEASUREMENTS").as_deref() == Ok("write") {
        if !paths.is_empty() {
            return Err("only a run of everything is kept; name no paths".into());
        }
        report.save()?;
    }
    Ok(())
}

/// Where the profiles are left.
fn profiles() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("instructions")
}
