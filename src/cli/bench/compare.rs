//! `fallcast bench compare`: several reports side by side.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Args;
use thiserror::Error;

use crate::bench::{
    compare::{self, Comparison},
    html,
    output::{self, OutputError},
    verify::Verification,
};

const EXAMPLES: &str = "\
Examples:
  fallcast bench compare anna/report.json ben/report.json
  fallcast bench compare class/*/ --html class.html       folders will do, too
  fallcast bench compare before after --json | jq .findings
";

/// The options of `fallcast bench compare`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// Reports: the files report.json, or the folders that hold them.
    #[arg(required = true, num_args = 2.., value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Write a page with charts to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the comparison as JSON.
    #[arg(long)]
    json: bool,
}

/// Why reports could not be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A report cannot be read, or the page cannot be written.
    #[error(transparent)]
    File(#[from] OutputError),
    /// They have nothing in common.
    #[error(
        "these reports have no cell in common; measure with the same --transports, --subscribers, --rate, --size and --via"
    )]
    NothingInCommon,
    /// Standard output broke.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

/// Puts reports side by side.
///
/// # Errors
/// Fails if one of them cannot be read, or if they have nothing in common.
pub fn run(args: CompareArgs) -> Result<(), CompareError> {
    let mut reports = Vec::new();
    for path in &args.reports {
        let report = output::read(path)?;
        if !Verification::of(&output::read_text(path)?).is_sound() {
            eprintln!("note: {0} does not hold; see: fallcast bench verify {0}", path.display());
        }
        let name = compare::name_of(path);
        let namesakes =
            args.reports.iter().take(reports.len()).filter(|before| compare::name_of(before) == name).count();
        reports.push((if namesakes > 0 { format!("{name} ({})", namesakes + 1) } else { name }, report));
    }
    let comparison = Comparison::of(&reports);
    if comparison.cells.is_empty() {
        return Err(CompareError::NothingInCommon);
    }
    if let Some(path) = &args.html {
        output::file(path, |out| out.write_all(html::render_comparison(&comparison).as_bytes()))?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &comparison).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", compare::render(&comparison))?;
    }
    Ok(())
}
