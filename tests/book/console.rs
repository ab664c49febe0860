//! The consoles of a chapter: commands, and what they print.
//!
//! A block of the language `console` holds commands, each behind a `$`, and their output. A word behind the language
//! says more about it:
//!
//! * `server`: the command starts the server, and everything that follows in the chapter talks to it;
//! * `listening`: the command goes on, in a terminal of its own, while the other commands run;
//! * `heard`: what that command has printed since.
//!
//! A last line `^C` ends a listening command, as Ctrl-C does.

use std::ops::Range;

use crate::markdown::Chapter;

/// What a terminal shows where somebody pressed Ctrl-C.
pub const INTERRUPT: &str = "^C";

/// What a part of a block is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// A command that ends.
    Command,
    /// The command that starts the server.
    Server,
    /// A command that goes on.
    Listening,
    /// More output of that command.
    Heard,
}

/// A command and its output, or output alone.
#[derive(Debug)]
pub struct Step {
    pub role: Role,
    pub command: String,
    pub output: Vec<String>,
    /// Whether the command is interrupted in the end.
    pub is_interrupted: bool,
    /// Where the output stands in the chapter, an interrupt included.
    pub lines: Range<usize>,
}

impl Step {
    fn new(role: Role, command: &str, line: usize) -> Self {
        Self { role, command: command.to_owned(), output: Vec::new(), is_interrupted: false, lines: line..line }
    }

    /// Adds the chapter's line `number`, which belongs to this step: to the command, as long as that goes on.
    fn add(&mut self, line: &str, number: usize) {
        self.lines.end = number + 1;
        if self.output.is_empty() && self.command.ends_with('\\') {
            self.lines.start = number + 1;
            self.command += "\n";
            self.command += line;
        } else if line == INTERRUPT {
            self.is_interrupted = true;
        } else {
            self.output.push(line.to_owned());
        }
    }
}

/// The steps of a chapter, in order.
pub fn steps(chapter: &Chapter) -> Vec<Step> {
    let mut steps = Vec::new();
    for block in chapter.blocks() {
        let Some(role) = role(&block.info) else { continue };
        if role == Role::Heard {
            steps.push(Step::new(role, "", block.first));
        }
        for (number, line) in (block.first..).zip(chapter.lines(&block)) {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step::new(role, command, number + 1)),
                None => steps.last_mut().expect("a block begins with a command").add(line, number),
            }
        }
    }
    steps
}

/// The role of a block, if it is a console.
fn role(info: &str) -> Option<Role> {
    match info {
        "console" => Some(Role::Command),
        "console,server" => Some(Role::Server),
        "console,listening" => Some(Role::Listening),
        "console,heard" => Some(Role::Heard),
        _ => {
            assert!(!info.starts_with("console"), "there is no `{info}`");
            None
        }
    }
}

#[test]
fn a_block_is_cut_into_commands_and_their_output() {
    let text = "```console,listening\n$ one \\\n    more\nout\n\n^C\n```\n```console,heard\nlate\n```\n".to_owned();
    let steps = steps(&Chapter { path: "chapter.md".into(), text });
    assert_eq!((steps[0].command.as_str(), steps[0].is_interrupted), ("one \\\n    more", true));
    assert_eq!(
        (steps[0].output.as_slice(), steps[0].lines.clone()),
        (["out".to_owned(), String::new()].as_slice(), 3..6)
    );
    assert_eq!((steps[1].output.as_slice(), steps[1].lines.clone()), (["late".to_owned()].as_slice(), 8..9));
}
