//! The book's chapters as Markdown: which there are, and the blocks of code in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::project;

/// One chapter as it is written.
pub struct Chapter {
    /// Its path in the project.
    pub path: PathBuf,
    /// Its Markdown.
    pub text: String,
}

/// A fenced block of code. Its lines are `lines[first..end]` of the chapter, fences excluded.
#[derive(Debug)]
pub struct Block {
    /// What stands behind the opening fence, such as `console,listening`.
    pub info: String,
    /// The number of its first line, counted from 0.
    pub first: usize,
    /// The number of the line with the closing fence.
    pub end: usize,
}

/// All Markdown files of the book but the summary, in a fixed order.
pub fn chapters() -> Vec<Chapter> {
    let folder = Path::new("book/src");
    let mut paths: Vec<PathBuf> = fs::read_dir(project().join(folder))
        .expect("the book has a folder")
        .map(|entry| folder.join(entry.expect("the folder can be read").file_name()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("SUMMARY.md"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Chapter { text: read(&path), path }).collect()
}

/// The file at a path relative to the project.
pub fn read(path: &Path) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Chapter {
    /// The fenced blocks of the chapter, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in self.text.lines().enumerate() {
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            match open.take() {
                None => open = Some(Block { info: info.to_owned(), first: number + 1, end: number + 1 }),
                Some(block) => blocks.push(Block { end: number, ..block }),
            }
        }
        assert!(open.is_none(), "{}: a block is never closed", self.path.display());
        blocks
    }

    /// The lines of `block`.
    pub fn lines(&self, block: &Block) -> Vec<&str> {
        self.text.lines().skip(block.first).take(block.end - block.first).collect()
    }
}
