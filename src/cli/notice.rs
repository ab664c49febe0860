//! What the commands tell the person at the terminal, beside the data: on standard error, one line each.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Prints one line to standard error.
pub fn notice(text: &str) {
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(io::stderr().lock(), "fallcast: {}", harmless(text));
}

/// Makes control characters visible, except line breaks and tabs.
///
/// Messages come from strangers, and a terminal obeys what it is sent: an escape sequence can move the cursor, rename
/// the window, or make text invisible.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let show = |character: char| {
        if is_harmful(character) { character.escape_default().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(show).collect())
}

/// Control characters, and those that turn the direction of writing around and so hide what follows.
fn is_harmful(character: char) -> bool {
    let is_direction = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    is_direction || (character.is_control() && !matches!(character, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_passes_as_it_is() {
        for text in ["", "hello\tworld\n", "Zoë 🦀 שלום"] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_becomes_visible() {
        assert_eq!(harmless("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(harmless("a\rb\u{7}\u{9b}1m"), "a\\rb\\u{7}\\u{9b}1m");
        assert_eq!(harmless("abc\u{202E}fed"), "abc\\u{202e}fed");
    }
}
