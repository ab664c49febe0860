//! Figures in sentences.

use crate::doctor::observations::End;

/// A time: `0.25 ms`, `2.5 ms`, `12 ms`, `1.5 s`, `90 s`.
pub fn time(ms: f64) -> String {
    match ms {
        // Nothing takes no time at all.
        ..1.0 => format!("{:.2} ms", ms.max(0.01)),
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        ..20_000.0 => format!("{:.1} s", ms / 1000.0),
        _ => format!("{:.0} s", ms / 1000.0),
    }
}

/// A number of bytes: `4 KiB`, `600 bytes`.
pub fn size(bytes: f64) -> String {
    if bytes < 1024.0 { format!("{bytes:.0} bytes") } else { format!("{:.0} KiB", bytes / 1024.0) }
}

/// Parts of a sentence, one after the other: `a`, `a and b`, `a, b and c`.
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A text as the beginning of a sentence.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// How a connection ended, as the end of a sentence.
pub const fn ended(end: End) -> &'static str {
    match end {
        End::Lived => "is still there",
        End::Fin => "is closed (FIN)",
        End::Reset => "is reset (RST)",
        End::Silence => "falls silent without an end",
        End::Ended => "ends",
        End::Answered => "is answered by something else",
        End::NotOpened => "does not open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_as_exact_as_people_read_them() {
        assert_eq!(
            [0.0, 0.25, 2.51, 12.4, 1540.0, 60_000.0].map(time),
            ["0.01 ms", "0.25 ms", "2.5 ms", "12 ms", "1.5 s", "60 s"]
        );
        assert_eq!([600.0, 4096.0].map(size), ["600 bytes", "4 KiB"]);
    }

    #[test]
    fn parts_are_joined_as_people_speak() {
        let parts = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([list(&parts[..1]), list(&parts[..2]), list(&parts)], ["a", "a and b", "a, b and c"]);
    }
}
