//! Runs the commands of the book and compares what they print with what the book says that they print.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    console::{INTERRUPT, Role, Step, steps},
    markdown::chapters,
    names::Names,
    project,
    server::Server,
    terminal::{HANG, Terminal},
    writes_the_book,
};

/// How the book starts the server, and where the server and its lab are then.
const START: &str = "cargo run --release";
const PORT: u16 = 8080;
const LAB_PORT: u16 = 8081;

/// How long to wait for more output when the output is being written into the book, and nothing says how much to expect.
const SILENCE: Duration = Duration::from_secs(1);

#[test]
fn every_command_of_the_book_prints_what_the_book_says() {
    let chapters = chapters().into_iter().map(|chapter| (steps(&chapter), chapter));
    let chapters: Vec<_> = chapters.filter(|(steps, _)| !steps.is_empty()).collect();
    assert!(!chapters.is_empty(), "the book shows no command at all");
    for (steps, chapter) in chapters {
        let mut session = Session::new(&chapter.path);
        let printed: Vec<Vec<String>> = steps.iter().map(|step| session.run(step)).collect();
        session.close();
        if writes_the_book() {
            let text = with_output(&chapter.text, &steps, &printed);
            fs::write(project().join(&chapter.path), text).expect("the chapter can be written");
        }
    }
}

/// A chapter while it is being tried out.
struct Session {
    chapter: PathBuf,
    names: Names,
    listening: Option<Terminal>,
    server: Server,
}

impl Session {
    fn new(chapter: &Path) -> Self {
        Self { chapter: chapter.to_owned(), names: Names::default(), listening: None, server: Server::start(&[]) }
    }

    /// Runs one step and returns what it printed, in the book's names.
    fn run(&mut self, step: &Step) -> Vec<String> {
        let printed = match step.role {
            Role::Command => self.run_to_the_end(step),
            Role::Server => self.start_server(step),
            Role::Listening => self.listen(step),
            Role::Heard => self.hear(step),
        };
        let mut shown = self.compare(step, &trimmed(&printed));
        if step.is_interrupted {
            self.hang_up();
            shown.extend([String::new(), INTERRUPT.to_owned()]);
        }
        shown
    }

    /// The step's command with the names and the addresses of this run.
    fn command(&self, step: &Step) -> String {
        let address = |port: u16| format!("localhost:{port}");
        self.names
            .of_this_run(&step.command)
            .replace(&address(PORT), &address(self.server.port()))
            .replace(&address(LAB_PORT), &address(self.server.lab_port()))
    }

    fn run_to_the_end(&mut self, step: &Step) -> Vec<String> {
        self.settle();
        Terminal::run(&self.command(step)).all_lines()
    }

    /// Waits until the server has noticed who listens and who has gone, as every reader is slow enough to do.
    fn settle(&mut self) {
        let listeners = self.listening.as_mut().map_or(0, |terminal| u64::from(terminal.is_running()));
        let began = Instant::now();
        while self.server.subscribers() != listeners {
            assert!(began.elapsed() < HANG, "the server does not count {listeners} subscribers");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn start_server(&mut self, step: &Step) -> Vec<String> {
        let arguments = step.command.strip_prefix(START).expect("the book starts the server in one way");
        let arguments: Vec<&str> = arguments.trim_start_matches(" --").split_whitespace().collect();
        self.server = Server::start(&arguments);
        let ports = [(self.server.port(), PORT), (self.server.lab_port(), LAB_PORT)];
        let printed = self.server.first_lines(trimmed(&step.output).len());
        let in_the_book = |line: &String| {
            let line = line.trim_end().to_owned();
            ports.iter().fold(line, |line, (port, shown)| line.replace(&port.to_string(), &shown.to_string()))
        };
        printed.iter().map(in_the_book).collect()
    }

    fn listen(&mut self, step: &Step) -> Vec<String> {
        self.hang_up();
        // `exec` makes the shell become the command, so that ending the one ends the other.
        self.listening = Some(Terminal::run(&format!("exec {}", self.command(step))));
        self.hear(step)
    }

    /// Reads as much as the book shows, blank lines in front of it included, since those end the event before.
    fn hear(&self, step: &Step) -> Vec<String> {
        let terminal = self.listening.as_ref().expect("somebody listens");
        if writes_the_book() {
            return terminal.lines_until_silence(SILENCE);
        }
        let expected = trimmed(&step.output).len();
        let mut printed = terminal.next_lines(expected);
        while printed.len() >= expected && trimmed(&printed).len() < expected {
            printed.extend(terminal.next_lines(1));
        }
        printed
    }

    /// Ends the listening command, which must not have printed more than the book shows.
    fn hang_up(&mut self) {
        let rest = self.listening.take().map(Terminal::close).unwrap_or_default();
        let rest = trimmed(&rest);
        assert!(writes_the_book() || rest.is_empty(), "{}: was printed too: {rest:?}", self.chapter.display());
    }

    /// Compares line by line and returns the lines as the book would print them.
    fn compare(&mut self, step: &Step, printed: &[String]) -> Vec<String> {
        let expected = trimmed(&step.output);
        let in_the_book = |(line, run): (usize, &String)| match expected.get(line) {
            Some(book) if self.names.agree(book, run) => book.clone(),
            _ => self.names.of_the_book(run),
        };
        let shown: Vec<String> = printed.iter().enumerate().map(in_the_book).collect();
        assert!(
            writes_the_book() || shown == expected,
            "{}:{}: $ {}\nprints\n{}\nbut the book says\n{}",
            self.chapter.display(),
            step.lines.start,
            step.command,
            shown.join("\n"),
            expected.join("\n"),
        );
        shown
    }

    fn close(mut self) {
        self.hang_up();
    }
}

/// `lines` without blank ones at both ends and without white space at the lines' ends.
fn trimmed(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n");
    let text = text.trim_matches('\n');
    if text.is_empty() { Vec::new() } else { text.lines().map(|line| line.trim_end().to_owned()).collect() }
}

/// The chapter's `text` with `printed` in place of the steps' output.
fn with_output(text: &str, steps: &[Step], printed: &[Vec<String>]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (step, printed) in steps.iter().zip(printed).rev() {
        lines.splice(step.lines.clone(), printed.iter().cloned());
    }
    lines.join("\n") + "\n"
}
