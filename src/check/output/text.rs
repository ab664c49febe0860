//! The report for people: a line for each property, and for a broken one what was promised, what was seen, and the bytes.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use crate::check::{
    trace::{Entry, Who},
    verdict::{CheckReport, Outcome, Report, Verdict},
};

/// Whether the text goes to something that shows colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A terminal.
    Colors,
    /// A file, a pipe, or somebody who wants none.
    Plain,
}

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const FAINT: &str = "\u{1b}[2m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

/// How wide the column of ids is; a longer id moves its line only.
const ID_WIDTH: usize = 28;

/// Of a line of a trace, so many letters are shown.
const LONGEST: usize = 180;

impl Paint {
    fn paint(self, color: &str, text: &str) -> String {
        match self {
            Self::Colors => format!("{color}{text}{RESET}"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Writes the report.
///
/// # Errors
/// Fails if `out` does.
pub fn write(report: &Report, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    report.checks.iter().try_for_each(|found| check(found, paint, out))?;
    let count = |name: &str| report.count(name);
    let counts = format!("{} passed, {} failed, {} skipped", count("passed"), count("failed"), count("skipped"));
    let color = if count("failed") > 0 { RED } else { GREEN };
    let took: Duration = report.checks.iter().map(|check| check.took).sum();
    writeln!(
        out,
        "{} in {}: {}, profile {}, seed {}",
        paint.paint(color, &counts),
        seconds(took),
        report.url,
        report.profile,
        report.seed
    )
}

fn check(check: &CheckReport, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    // Where nothing of a check applies, one sentence is enough.
    if let [first, _, ..] = &check.outcomes[..]
        && let Verdict::Skipped { reason } = &first.verdict
        && check.outcomes.iter().all(|outcome| is_same_line(&outcome.verdict, &first.verdict))
    {
        return writeln!(out, "{}\n", paint.paint(FAINT, &format!("{}: {}", check.name, visible(reason))));
    }
    writeln!(out, "{} {}", paint.paint(BOLD, check.name), paint.paint(FAINT, &seconds(check.took)))?;
    for group in alike(&check.outcomes) {
        outcome(&group, paint, out)?;
    }
    writeln!(out)
}

/// Outcomes of one property with one verdict, which differ in the transport alone: they share a line.
fn alike(outcomes: &[Outcome]) -> Vec<Vec<&Outcome>> {
    let mut groups: Vec<Vec<&Outcome>> = Vec::new();
    for outcome in outcomes {
        let is_alike =
            |other: &Outcome| other.property == outcome.property && is_same_line(&other.verdict, &outcome.verdict);
        match groups.iter_mut().find(|group| is_alike(group[0])) {
            Some(group) => group.push(outcome),
            None => groups.push(vec![outcome]),
        }
    }
    groups
}

/// Each violation has a trace of its own, and so a line of its own.
fn is_same_line(one: &Verdict, other: &Verdict) -> bool {
    match (one, other) {
        (Verdict::Passed, Verdict::Passed) => true,
        (Verdict::Skipped { reason }, Verdict::Skipped { reason: other }) => reason == other,
        _ => false,
    }
}

fn outcome(group: &[&Outcome], paint: Paint, out: &mut impl Write) -> io::Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    let transports: Vec<&str> = group.iter().filter_map(|outcome| Some(outcome.transport?.name())).collect();
    let what = format!("{:ID_WIDTH$} {}", first.property.id, transports.join(", "));
    let what = what.trim_end();
    match &first.verdict {
        Verdict::Passed => writeln!(out, "  {} {what}", paint.paint(GREEN, "✓")),
        Verdict::Skipped { reason } => {
            writeln!(out, "  {}", paint.paint(FAINT, &format!("– {what}: {}", visible(reason))))
        }
        Verdict::Failed { says, trace } => {
            writeln!(out, "  {} {}", paint.paint(RED, "✗"), paint.paint(BOLD, what))?;
            writeln!(out, "      promised  {}", first.property.promise)?;
            writeln!(out, "      seen      {}", paint.paint(RED, &visible(says)))?;
            for line in trace.iter().flat_map(step) {
                writeln!(out, "        {line}")?;
            }
            writeln!(out, "      read      {}", first.property.chapter)
        }
    }
}

/// An entry of a trace as lines: time, connection, direction, bytes. Bytes that hold line ends are shown line by line, each
/// with its end.
pub fn step(entry: &Entry) -> Vec<String> {
    let arrow = match entry.who {
        Who::Client => "→",
        Who::Server => "←",
        Who::Note => "·",
    };
    let head = format!("{:>6} ms  #{:<3} {arrow} ", entry.at.as_millis(), entry.line);
    let margin = " ".repeat(head.chars().count());
    let parts = if entry.who == Who::Note { vec![entry.text.as_str()] } else { by_line_ends(&entry.text) };
    let shown =
        |(number, part): (usize, &str)| format!("{}{}", if number == 0 { &head } else { &margin }, shortened(part));
    parts.into_iter().enumerate().map(shown).collect()
}

/// A long line without its middle; JSON has more of it.
fn shortened(line: &str) -> Cow<'_, str> {
    let count = line.chars().count();
    if count <= LONGEST {
        return line.into();
    }
    let place = |number: usize| line.char_indices().nth(number).map_or(line.len(), |(place, _)| place);
    format!("{} … {}", &line[..place(LONGEST * 2 / 3)], &line[place(count - LONGEST / 3)..]).into()
}

/// Cuts escaped bytes behind each `\n` that stands for a line end, and not for a backslash followed by an n.
fn by_line_ends(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut is_escaped) = (Vec::new(), 0, false);
    for (position, letter) in text.char_indices() {
        if is_escaped && letter == 'n' {
            parts.push(&text[begin..=position]);
            begin = position + 1;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    if begin < text.len() || parts.is_empty() {
        parts.push(&text[begin..]);
    }
    parts
}

/// Text that a terminal does not obey. Checks escape what a server has said; this is for what they forget.
fn visible(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn text(paint: Paint) -> String {
        let mut bytes = Vec::new();
        write(&example::report(), paint, &mut bytes).expect("memory can be written to");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_violation_is_told_with_its_promise_its_bytes_and_its_chapter() {
        assert_eq!(
            text(Paint::Plain),
            "\
ws 1.2 s
  ✗ ws.pong-payload              websocket
      promised  A ping is answered with its own payload (RFC 6455 §5.5.3).
      seen      the pong held \"<&\" where \"hi\" was expected
             0 ms  #7   → GET /ws HTTP/1.1\\r\\n
                          Host: x\\r\\n
                          \\r\\n
             3 ms  #7   ← \\x8a\\x02<&
             4 ms  #7   · the ping said \"hi\"
      read      /book/protocol.html#websocket

resume 0.0 s
  ✓ resume.no-loss               sse, long-poll
  – resume.no-loss               websocket: the profile names no cursor for it

2 passed, 1 failed, 1 skipped in 1.3 s: http://localhost:8080, profile fallcast, seed 1
"
        );
    }

    #[test]
    fn a_check_that_does_not_apply_is_one_line() {
        let mut report = example::report();
        let skipped = report.checks[1].outcomes.remove(1);
        report.checks[1].outcomes = vec![skipped.clone(), skipped];
        let mut bytes = Vec::new();
        write(&report, Paint::Plain, &mut bytes).expect("memory can be written to");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("\n\nresume: the profile names no cursor for it\n\n"), "{text}");
    }

    #[test]
    fn only_a_terminal_gets_colors() {
        assert!(!text(Paint::Plain).contains('\u{1b}'));
        assert!(text(Paint::Colors).contains("\u{1b}[31m✗\u{1b}[0m"));
    }

    #[test]
    fn a_long_line_loses_its_middle() {
        let line = shortened(&format!("begin{}end", "é".repeat(1000))).into_owned();
        assert!(line.starts_with("beginé") && line.contains("é … é") && line.ends_with("éend"), "{line}");
        assert_eq!(line.chars().count(), LONGEST + 3);
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn an_escaped_backslash_is_no_line_end() {
        assert_eq!(by_line_ends("a\\\\nb\\nc"), ["a\\\\nb\\n", "c"]);
        assert_eq!(by_line_ends(""), [""]);
        assert_eq!(by_line_ends("a\\r\\n"), ["a\\r\\n"]);
    }
}
