//! The report as `JUnit` XML, which systems for continuous integration show: one test case for each property and transport.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use crate::check::{
    trace::Entry,
    verdict::{CheckReport, Outcome, Report, Verdict},
};

use super::text;

/// Writes the report.
///
/// # Errors
/// Fails if `out` does.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let seconds: f64 = report.checks.iter().map(|check| check.took.as_secs_f64()).sum();
    let cases: usize = report.checks.iter().map(|check| check.outcomes.len()).sum();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites name="fallcast check {}" tests="{cases}" failures="{}" errors="0" skipped="{}" time="{seconds:.3}">"#,
        escaped(&report.url),
        report.count("failed"),
        report.count("skipped"),
    )?;
    report.checks.iter().try_for_each(|check| suite(report, check, out))?;
    writeln!(out, "</testsuites>")
}

fn suite(report: &Report, check: &CheckReport, out: &mut impl Write) -> io::Result<()> {
    let count = |name: &str| check.outcomes.iter().filter(|outcome| outcome.verdict.name() == name).count();
    writeln!(
        out,
        r#"  <testsuite name="{}" tests="{}" failures="{}" errors="0" skipped="{}" time="{:.3}">"#,
        escaped(check.name),
        check.outcomes.len(),
        count("failed"),
        count("skipped"),
        check.took.as_secs_f64(),
    )?;
    writeln!(out, "    <properties>")?;
    for (name, value) in [("url", &report.url), ("profile", &report.profile), ("seed", &report.seed.to_string())] {
        writeln!(out, r#"      <property name="{name}" value="{}"/>"#, escaped(value))?;
    }
    writeln!(out, "    </properties>")?;
    check.outcomes.iter().try_for_each(|outcome| case(check.name, outcome, out))?;
    writeln!(out, "  </testsuite>")
}

fn case(check: &str, outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let id = outcome.property.id;
    let name = outcome.transport.map_or_else(|| id.to_owned(), |transport| format!("{id} ({transport})"));
    write!(out, r#"    <testcase classname="fallcast.{}" name="{}""#, escaped(check), escaped(&name))?;
    match &outcome.verdict {
        Verdict::Passed => writeln!(out, "/>"),
        Verdict::Skipped { reason } => {
            writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(reason))
        }
        Verdict::Failed { says, trace } => writeln!(
            out,
            ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
            escaped(id),
            escaped(says),
            escaped(&details(outcome, trace)),
        ),
    }
}

/// What stands below a failure: the promise, the trace, where to read about it.
fn details(outcome: &Outcome, trace: &[Entry]) -> String {
    let mut details = format!("{}\n", outcome.property.promise);
    for line in trace.iter().flat_map(text::step) {
        // Writing to a string does not fail.
        let _ = writeln!(details, "{line}");
    }
    details + "Read " + outcome.property.chapter
}

/// Text for an attribute or an element. What XML 1.0 has no room for (§2.2), such as a bare escape, is shown as U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_would_break_xml_is_escaped() {
        assert_eq!(escaped("a<b & \"c\" \u{1b}é"), "a&lt;b &amp; &quot;c&quot; \u{FFFD}é");
    }

    #[test]
    fn there_is_one_case_for_each_property_and_transport() {
        let mut bytes = Vec::new();
        write(&example::report(), &mut bytes).expect("memory can be written to");
        let xml = String::from_utf8(bytes).expect("text");
        assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "), "{xml}");
        assert!(xml.contains(r#"tests="4" failures="1" errors="0" skipped="1" time="1.290""#), "{xml}");
        assert_eq!(xml.matches("<testcase ").count(), 4);
        assert!(xml.contains(r#"<testcase classname="fallcast.resume" name="resume.no-loss (sse)"/>"#), "{xml}");
        assert!(xml.contains(r#"message="the pong held &quot;&lt;&amp;&quot; where"#), "{xml}");
        assert!(xml.contains(r#"<skipped message="the profile names no cursor for it"/>"#), "{xml}");
    }
}
