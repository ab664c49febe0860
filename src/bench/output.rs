//! The folder in which a run leaves what it has measured.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    histogram, html,
    metric::merged,
    report::{Cell, Report},
};

/// Why a report was not written or read.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The folder is there already, with something in it.
    #[error("{} is there already; name another folder with --out, or move it away", .0.display())]
    Exists(PathBuf),
    /// The operating system says no.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Makes the folder for a report, before anything is measured.
///
/// # Errors
/// Fails if it holds something already, or cannot be made.
pub fn prepare(folder: &Path) -> Result<(), OutputError> {
    let is_full = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_full {
        return Err(OutputError::Exists(folder.to_owned()));
    }
    fs::create_dir_all(folder).map_err(|source| OutputError::Write { path: folder.to_owned(), source })
}

/// Writes `report.json`, `report.html`, and for each cell the table of its percentiles.
///
/// # Errors
/// Fails at the first file that cannot be written.
pub fn write(report: &Report, folder: &Path) -> Result<(), OutputError> {
    file(&folder.join("report.json"), |out| json(report, out))?;
    file(&folder.join("report.html"), |out| out.write_all(html::render(report).as_bytes()))?;
    for cell in report.cells.iter().filter(|cell| cell.summary.is_some()) {
        file(&folder.join(format!("{}.hgrm", file_name(cell))), |out| {
            let merged = merged(cell.valid_rounds().map(|round| &round.latency));
            histogram::write_percentiles(&merged, out)
        })?;
    }
    Ok(())
}

/// Writes `report.json`.
///
/// # Errors
/// Fails if `out` does.
pub fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Calls `write` with a new file.
///
/// # Errors
/// Fails if the file cannot be made, or `write` fails.
pub fn file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), OutputError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|source| OutputError::Write { path: path.to_owned(), source })
}

/// The cell's id without what a file system may object to.
fn file_name(cell: &Cell) -> String {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || ".-_=".contains(letter);
    cell.id.chars().map(|letter| if is_good(letter) { letter } else { '_' }).collect()
}
