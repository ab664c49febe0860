//! Whether what was heard is what was published: nothing missing, nothing twice, in order.

use std::collections::HashSet;

/// In which way a sequence is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something is missing.
    Lost,
    /// Something is there twice.
    Twice,
    /// The order is another.
    Order,
}

/// How a sequence differs from what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In which way.
    pub kind: Kind,
    /// In words.
    pub says: String,
    /// The places in what was heard that show it.
    pub at: Vec<usize>,
}

/// Compares what was published with what was heard of it.
///
/// # Errors
/// Says the first difference: what is missing before what is there twice, and this before a wrong order.
pub fn compare(published: &[String], heard: &[String]) -> Result<(), Difference> {
    if published == heard {
        return Ok(());
    }
    Err(lost(published, heard).or_else(|| twice(heard)).unwrap_or_else(|| order(published, heard)))
}

fn lost(published: &[String], heard: &[String]) -> Option<Difference> {
    let known: HashSet<&String> = heard.iter().collect();
    let missing: Vec<&str> = published.iter().filter(|message| !known.contains(message)).map(String::as_str).collect();
    let first = *missing.first()?;
    let says = match missing.len() {
        1 => format!("{first} was never heard"),
        2..=4 => format!("{} were never heard", missing.join(", ")),
        count => format!("{count} messages were never heard, {first} the first of them"),
    };
    // Where it should have been: between what was heard before it and what was heard behind it.
    let place = published.iter().zip(heard).take_while(|(published, heard)| published == heard).count();
    Some(Difference { kind: Kind::Lost, says, at: around(place, heard) })
}

fn twice(heard: &[String]) -> Option<Difference> {
    let again = (0..heard.len()).find(|place| heard[..*place].contains(&heard[*place]))?;
    let first = heard.iter().position(|message| *message == heard[again])?;
    Some(Difference { kind: Kind::Twice, says: format!("{} was heard twice", heard[again]), at: vec![first, again] })
}

fn order(published: &[String], heard: &[String]) -> Difference {
    let place = published.iter().zip(heard).position(|(published, heard)| published != heard);
    let says = match place {
        Some(place) => format!("{} was heard before {}", heard[place], published[place]),
        None => "more was heard than was published".to_owned(),
    };
    Difference { kind: Kind::Order, says, at: around(place.unwrap_or(heard.len()), heard) }
}

/// This place and the one before it, as far as they exist.
fn around(place: usize, heard: &[String]) -> Vec<usize> {
    [place.checked_sub(1), Some(place)].into_iter().flatten().filter(|place| *place < heard.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(published: &str, heard: &str) -> Option<Difference> {
        let list = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        compare(&list(published), &list(heard)).err()
    }

    fn kind(published: &str, heard: &str) -> Option<Kind> {
        judged(published, heard).map(|difference| difference.kind)
    }

    #[test]
    fn each_difference_has_its_name() {
        assert_eq!(kind("a b c", "a b c"), None);
        assert_eq!(kind("a b c", "a c"), Some(Kind::Lost));
        assert_eq!(kind("a b c", "a b b c"), Some(Kind::Twice));
        assert_eq!(kind("a b c", "b a c"), Some(Kind::Order));
        assert_eq!(kind("a b c", "a a c"), Some(Kind::Lost));
    }

    #[test]
    fn the_sentence_names_the_message() {
        let says = |published, heard| judged(published, heard).expect("a difference").says;
        assert!(says("a b c", "a c").starts_with("b was never heard"));
        assert_eq!(says("a b c", "a b b c"), "b was heard twice");
        assert_eq!(says("a b c", "b a c"), "b was heard before a");
        assert!(says("a b c d e f", "f").starts_with("5 messages were never heard, a the first"));
    }

    #[test]
    fn the_places_show_the_difference() {
        let at = |published, heard| judged(published, heard).expect("a difference").at;
        assert_eq!(at("a b c", "a c"), [0, 1]);
        assert_eq!(at("a b c", "a b"), [1]);
        assert_eq!(at("a b c", "a b c a"), [0, 3]);
        assert_eq!(at("a b c", "a c b"), [0, 1]);
    }
}
