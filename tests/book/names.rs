//! What differs from run to run in the server's output, and what must not.
//!
//! Epochs, the names of clients and the secrets of links are made up anew by every server. So a line of the book and a
//! line of this run are compared word by word: a made-up name may be another one, but wherever the book repeats it, the
//! run repeats its own.

use std::collections::BTreeMap;

/// Which made-up name of the book stands for which one of this run.
#[derive(Default)]
pub struct Names {
    run_of_book: BTreeMap<String, String>,
}

impl Names {
    /// Rewrites `text` of the book with the names of this run.
    pub fn of_this_run(&self, text: &str) -> String {
        self.run_of_book.iter().fold(text.to_owned(), |text, (book, run)| text.replace(book, run))
    }

    /// Rewrites `text` of this run with the names of the book.
    pub fn of_the_book(&self, text: &str) -> String {
        self.run_of_book.iter().fold(text.to_owned(), |text, (book, run)| text.replace(run, book))
    }

    /// Whether both lines say the same, and learns which names correspond.
    pub fn agree(&mut self, book: &str, run: &str) -> bool {
        let (book, run) = (words(book), words(run));
        book.len() == run.len() && book.iter().zip(&run).all(|(book, run)| self.words_agree(book, run))
    }

    fn words_agree(&mut self, book: &Word, run: &Word) -> bool {
        match (book, run) {
            (Word::Free, Word::Free) => true,
            (Word::Name(book), Word::Name(run)) => self.correspond(book, run),
            _ => book == run,
        }
    }

    /// Whether both names stand for each other. Names that are new on both sides do from now on.
    fn correspond(&mut self, book: &str, run: &str) -> bool {
        match self.run_of_book.get(book) {
            Some(known) => known == run,
            None if self.run_of_book.values().any(|known| known == run) => false,
            None => self.run_of_book.insert(book.to_owned(), run.to_owned()).is_none(),
        }
    }
}

/// A word, or a character between words.
#[derive(Debug, PartialEq)]
enum Word<'a> {
    /// It is always the same.
    Fixed(&'a str),
    /// It is a name that the server made up.
    Name(&'a str),
    /// It is a time or a jittered duration, and nobody repeats it.
    Free,
}

fn words(line: &str) -> Vec<Word<'_>> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut words = Vec::new();
    let mut start = 0;
    while let Some(first) = line[start..].chars().next() {
        let inside = line[start..].find(|c| !is_inside(c)).unwrap_or(line.len() - start);
        let end = start + inside.max(first.len_utf8());
        words.push(word(&line[..start], &line[start..end], &line[end..]));
        start = end;
    }
    words
}

/// Tells by its surroundings what kind of word this is.
fn word<'a>(before: &str, word: &'a str, after: &str) -> Word<'a> {
    const NAMES: [&str; 3] = ["\"client\":\"", "\"member\":\"", "\"secret\":\""];
    const FREE: [&str; 6] = ["\"at\":", "\"reconnect_ms\":", "\"seed\":", "retry: ", "wait=", "took "];
    let is_date = before.to_ascii_lowercase().starts_with("date: ");
    // The second half of a number with a point belongs to what stands before the first.
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if NAMES.iter().any(|name| before.ends_with(name)) || is_epoch(word, after) {
        Word::Name(word)
    } else if is_date || FREE.iter().any(|free| before.ends_with(free)) {
        Word::Free
    } else {
        Word::Fixed(word)
    }
}

/// Whether `word` is the first half of a cursor, such as `k3f9z1c8q2` in front of `.42`.
fn is_epoch(word: &str, after: &str) -> bool {
    const EPOCH_CHARACTERS: usize = 10;
    let has_offset = after.strip_prefix('.').is_some_and(|offset| offset.starts_with(|c: char| c.is_ascii_digit()));
    has_offset && word.len() == EPOCH_CHARACTERS && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[test]
fn a_made_up_name_is_another_one_but_always_the_same() {
    let mut names = Names::default();
    assert!(names.agree(r#"{"id":"aaaaaaaaaa.1","at":17}"#, r#"{"id":"bbbbbbbbbb.1","at":99}"#));
    assert!(names.agree("id: aaaaaaaaaa.2", "id: bbbbbbbbbb.2"));
    assert!(!names.agree("id: aaaaaaaaaa.2", "id: cccccccccc.2"), "another epoch");
    assert!(!names.agree("id: dddddddddd.2", "id: bbbbbbbbbb.2"), "two names for one");
    assert!(!names.agree("id: aaaaaaaaaa.2", "id: bbbbbbbbbb.3"), "another offset");
    assert!(!names.agree("data: two words", "data: two"), "a word is missing");
    assert!(names.agree("— é", "— é"));
    assert!(names.agree("201, took 0.101873 s", "201, took 4.2 s"), "a time");
    assert!(!names.agree("201, took 0.101873 s", "200, took 4.2 s"), "another status");
    assert!(names.agree(r#"{"secret":"aa","faults":{"seed":1}}"#, r#"{"secret":"bb","faults":{"seed":2}}"#));
    assert_eq!(names.of_this_run("Bearer aa"), "Bearer bb");
    assert_eq!(names.of_this_run("after=aaaaaaaaaa.2"), "after=bbbbbbbbbb.2");
    assert_eq!(names.of_the_book("after=bbbbbbbbbb.2"), "after=aaaaaaaaaa.2");
}
