//! Renders `book/` with mdBook, if anything that it is made of has changed.

use std::{
    collections::BTreeSet,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use mdbook_driver::{MDBook, book::Chapter, config::Config};

use crate::directive;

pub use mdbook_driver::errors::Error;

/// What the book is made of. The exercises beside it are a package of their own, and change while somebody solves them.
const PARTS: [&str; 4] = ["book.toml", "figures", "src", "theme"];

/// Leaves the rendered book in `out/book`.
///
/// Cargo runs a build script for more reasons than a change of the book, and a change of an included source concerns
/// the book only where it touches the included region. So the book is rendered only if the fingerprint of all that it
/// is made of differs from the one kept beside it.
pub fn provide(project: &Path, out: &Path) -> Result<(), Error> {
    for part in PARTS {
        println!("cargo::rerun-if-changed=book/{part}");
    }
    let mut book = load(project)?;
    let chapters = expand_chapters(project, &mut book)?;

    let rendered = out.join("book");
    let kept = out.join("book.fingerprint");
    let fingerprint = fingerprint(&project.join("book"), &chapters)?;
    if rendered.join("index.html").exists() && fs::read_to_string(&kept).is_ok_and(|kept| kept == fingerprint) {
        return Ok(());
    }

    book.config.set("build.build-dir", &rendered)?;
    book.build()?;
    Ok(fs::write(kept, fingerprint)?)
}

/// Reads the book from its folder alone: `MDBook::load` would also listen to `MDBOOK_…` in the environment.
fn load(project: &Path) -> Result<MDBook, Error> {
    let folder = project.join("book");
    let config = Config::from_disk(folder.join("book.toml"))?;
    MDBook::load_with_config(folder, config)
}

/// Replaces the directives in all chapters, and returns the chapters' texts.
fn expand_chapters(project: &Path, book: &mut MDBook) -> Result<Vec<String>, Error> {
    let mut included = BTreeSet::new();
    let mut texts = Vec::new();
    let mut fault = None;
    book.book.for_each_chapter_mut(|chapter| match expand_chapter(project, chapter, &mut included) {
        Ok(text) => texts.push(text),
        Err(error) => fault = fault.take().or(Some(error)),
    });
    for path in included {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    fault.map_or(Ok(texts), |fault| Err(fault.into()))
}

fn expand_chapter(
    project: &Path,
    chapter: &mut Chapter,
    included: &mut BTreeSet<PathBuf>,
) -> Result<String, directive::Fault> {
    let source = chapter.source_path.as_deref().unwrap_or(Path::new("SUMMARY.md"));
    let mut read = |path: &Path| {
        included.insert(path.to_owned());
        fs::read_to_string(project.join(path)).map_err(|error| format!("can't read {}: {error}", path.display()))
    };
    chapter.content = directive::expand(&Path::new("book/src").join(source), &chapter.content, &mut read)?;
    Ok(chapter.content.clone())
}

/// One value for all that decides how the book looks: its files, its chapters with the included regions, and this program.
fn fingerprint(folder: &Path, chapters: &[String]) -> Result<String, Error> {
    let mut hasher = DefaultHasher::new();
    for part in PARTS {
        for file in files(&folder.join(part))? {
            fs::read(&file)?.hash(&mut hasher);
            file.hash(&mut hasher);
        }
    }
    chapters.hash(&mut hasher);
    fs::metadata(env::current_exe()?)?.modified()?.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// All files at or below `path`, in a fixed order.
fn files(path: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(BTreeSet::from([path.to_owned()]));
    }
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(path)? {
        found.extend(files(&entry?.path())?);
    }
    Ok(found)
}
