//! Paths into JSON: `events[].message.data`.
//!
//! What a path leads to is a piece of the very text that came, so its bytes can be compared.

use std::{collections::HashMap, fmt, str::FromStr};

use serde_json::value::RawValue;

/// A path: names of members with dots between them. `[]` behind a name goes into each item of a list, once at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The way to the list, if there is one.
    list: Option<Vec<String>>,
    /// The way from there.
    item: Vec<String>,
}

/// It is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path into JSON; write names with dots between them, and [] behind one list: events[].message.data"
)]
pub struct BadPath(String);

impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadPath(text.to_owned());
        let (list, item) = match text.split_once("[]") {
            Some((list, item)) => (Some(list), item.strip_prefix('.').unwrap_or(item)),
            None => (None, text),
        };
        // `[].text` is a list that is the whole; `messages[]` has items that are the messages themselves.
        let list = list.map(|list| if list.is_empty() { Some(Vec::new()) } else { names(list) });
        let list = list.map(|list| list.ok_or_else(bad)).transpose()?;
        let item = if item.is_empty() && list.is_some() { Vec::new() } else { names(item).ok_or_else(bad)? };
        Ok(Self { list, item })
    }
}

/// The names of a way, unless one is empty or holds brackets.
fn names(text: &str) -> Option<Vec<String>> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['[', ']', ' ']);
    text.split('.').map(|name| is_name(name).then(|| name.to_owned())).collect()
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = self.item.join(".");
        match &self.list {
            None => formatter.write_str(&item),
            Some(list) if item.is_empty() => write!(formatter, "{}[]", list.join(".")),
            Some(list) => write!(formatter, "{}[].{item}", list.join(".")),
        }
    }
}

impl Path {
    /// The items of the list that it goes through; the whole, if it goes through none. `None` if there is no such list.
    #[must_use]
    pub fn items<'a>(&self, whole: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        let Some(list) = &self.list else { return Some(vec![whole]) };
        serde_json::from_str(follow(whole, list)?.get()).ok()
    }

    /// What is at its end in one item.
    #[must_use]
    pub fn in_item<'a>(&self, item: &'a RawValue) -> Option<&'a RawValue> {
        follow(item, &self.item)
    }

    /// Whether it goes through the same list as `other`, so that both speak of the same items.
    #[must_use]
    pub fn shares_items_with(&self, other: &Self) -> bool {
        self.list == other.list
    }

    /// What is at its end, if it goes through no list.
    #[must_use]
    pub fn find<'a>(&self, whole: &'a RawValue) -> Option<&'a RawValue> {
        if self.list.is_some() { None } else { follow(whole, &self.item) }
    }
}

fn follow<'a>(from: &'a RawValue, names: &[String]) -> Option<&'a RawValue> {
    names.iter().try_fold(from, |value, name| {
        let members: HashMap<String, &'a RawValue> = serde_json::from_str(value.get()).ok()?;
        members.get(name).copied()
    })
}

/// The JSON text in some bytes, or why there is none.
///
/// # Errors
/// They are not JSON.
pub fn parse(bytes: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// A string's own text; any other value as it is written.
#[must_use]
pub fn text_of(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().expect("a path")
    }

    fn texts(of: &str, json: &str) -> Option<Vec<Option<String>>> {
        let whole = parse(json.as_bytes()).expect("JSON");
        let items = path(of).items(whole)?;
        Some(items.into_iter().map(|item| path(of).in_item(item).map(text_of)).collect())
    }

    fn list(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn a_path_leads_to_what_it_names() {
        assert_eq!(texts("a.b", r#"{"a":{"b":"x\n"}}"#), Some(list(&["x\n"])));
        assert_eq!(texts("a", r#"{"a":{"b" : 1}}"#), Some(list(&[r#"{"b" : 1}"#])));
        assert_eq!(texts("e[].m.d", r#"{"e":[{"m":{"d":"1"}},{"m":{"d":2}}]}"#), Some(list(&["1", "2"])));
        assert_eq!(texts("e[]", r#"{"e":["a","b"]}"#), Some(list(&["a", "b"])));
        assert_eq!(texts("[].t", r#"[{"t":"a"}]"#), Some(list(&["a"])));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(texts("a.b", r#"{"a":1}"#), Some(vec![None]));
        assert_eq!(texts("e[].m", r#"{"e":[{"gap":1}]}"#), Some(vec![None]));
        assert_eq!(texts("e[].m", r#"{"f":[]}"#), None);
        assert_eq!(texts("e[].m", r#"{"e":{}}"#), None);
    }

    #[test]
    fn paths_are_written_as_they_are_read() {
        for text in ["a.b", "a[].b", "a[]", "[].b"] {
            assert_eq!(path(text).to_string(), text);
        }
        for bad in ["", "a..b", ".a", "a[].b[]", "a[0]", "a."] {
            assert!(bad.parse::<Path>().is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_know_whether_they_speak_of_the_same_items() {
        assert!(path("e[].a").shares_items_with(&path("e[].b")));
        assert!(!path("e[].a").shares_items_with(&path("b")));
    }
}
