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
    report::{Cell, FORMAT, Report, VERSION},
};

/// Why a report was not written or read.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The folder is there already, with something in it.
    #[error("{} is there already; name another folder with --out, or move it away", .0.display())]
    Exists(PathBuf),
    /// A report cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says, or what is wrong with it.
        cause: String,
    },
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

/// Reads the text of a report: a file, or a folder that a run has left.
///
/// # Errors
/// Fails if it cannot be read.
pub fn read_text(path: &Path) -> Result<String, OutputError> {
    let file = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    fs::read_to_string(&file).map_err(|fault| OutputError::Read { path: file, cause: fault.to_string() })
}

/// Reads a report: a file, or a folder that a run has left.
///
/// # Errors
/// Fails if it cannot be read, or is no report of this version.
pub fn read(path: &Path) -> Result<Report, OutputError> {
    let report: Result<Report, String> = serde_json::from_str(&read_text(path)?).map_err(|fault| fault.to_string());
    let known = report.and_then(|report| match (report.format.as_str(), report.version) {
        (FORMAT, VERSION) => Ok(report),
        (FORMAT, version) => Err(format!("it has version {version}; this program reads {VERSION}")),
        (format, _) => Err(format!("its format is {format}, but a report says {FORMAT}")),
    });
    known.map_err(|cause| OutputError::Read { path: path.to_owned(), cause })
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
