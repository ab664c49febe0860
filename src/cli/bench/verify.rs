//! `fallcast bench verify`: whether a report can be believed.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use thiserror::Error;

use crate::bench::{
    output::{self, OutputError},
    verify::Verification,
};

const EXAMPLES: &str = "\
Examples:
  fallcast bench verify report.json
  fallcast bench verify class/*/          each folder's report.json

It exits with 0 only if every check of every report holds.
";

/// The options of `fallcast bench verify`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// Reports: the files report.json, or the folders that hold them.
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
}

/// Why not every report was found to hold.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A report cannot be read.
    #[error(transparent)]
    File(#[from] OutputError),
    /// Something in a report is wrong. What it is has been printed.
    #[error("{} of {} reports do not hold; have them made again, and sent as they were written", .broken, .all)]
    Broken {
        /// How many.
        broken: usize,
        /// Of how many.
        all: usize,
    },
    /// Standard output broke.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Checks reports, and prints what was found.
///
/// # Errors
/// Fails if one of them cannot be read or does not hold.
pub fn run(args: VerifyArgs) -> Result<(), VerifyError> {
    let all = args.reports.len();
    let mut broken = 0;
    let mut out = io::stdout().lock();
    for path in &args.reports {
        let verification = Verification::of(&output::read_text(path)?);
        if all > 1 {
            writeln!(out, "{}", path.display())?;
        }
        writeln!(out, "{verification}")?;
        broken += usize::from(!verification.is_sound());
    }
    if broken > 0 { Err(VerifyError::Broken { broken, all }) } else { Ok(()) }
}
