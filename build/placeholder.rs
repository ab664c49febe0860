//! Stands in for the book in a build without the feature `book`.

use std::{fs, io, path::Path};

pub type Error = io::Error;

const PAGE: &str = "build/placeholder.html";

/// Writes the one page that says how to get the book.
pub fn provide(project: &Path, out: &Path) -> Result<(), Error> {
    println!("cargo::rerun-if-changed={PAGE}");
    let folder = out.join("book");
    remove(&folder)?;
    fs::create_dir_all(&folder)?;
    fs::copy(project.join(PAGE), folder.join("index.html"))?;
    Ok(())
}

/// Removes what an earlier build has left, if there was one.
fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
