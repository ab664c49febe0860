//! Whether a request is the last one again, with another cursor.
//!
//! A client that polls says the same thing over and over. What was decided about a request – who may read what, in which
//! form, for how long – holds for its repetition; only the cursor is new. So nothing has to be parsed but that.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

thread_local! {
    /// Keyed anew by each process, so that nobody can look for two requests that look alike.
    static HASHER: RandomState = RandomState::new();
}

/// Heads that differ in their cursor only.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    /// Where the cursor begins.
    cursor_at: u32,
    /// The hash of everything else.
    hash: u64,
}

/// What comes before a cursor. In the middle of a query it follows a `&`.
const PARAMETER: &[u8] = b"after=";

impl Repetition {
    /// Returns the repetition of a head whose first line holds one cursor, and nothing that looks like a second.
    pub fn of(head: &[u8]) -> Option<Self> {
        let line = head.split(|&byte| byte == b'\r').next()?;
        let begins_parameter = |at: &usize| matches!(line.get(at.wrapping_sub(1)), Some(b'?' | b'&'));
        let mut parameters = (0..line.len()).filter(|&at| line[at..].starts_with(PARAMETER));
        let parameter = parameters.next().filter(begins_parameter).filter(|_| parameters.next().is_none())?;
        let cursor_at = u32::try_from(parameter + PARAMETER.len()).ok()?;
        let mut repetition = Self { cursor_at, hash: 0 };
        let (_, hash) = repetition.read(head)?;
        repetition.hash = hash;
        Some(repetition)
    }

    /// The cursor of a head, if it is a repetition.
    pub fn cursor<'a>(&self, head: &'a [u8]) -> Option<&'a str> {
        let (cursor, hash) = self.read(head)?;
        (hash == self.hash).then_some(cursor)
    }

    fn read<'a>(&self, head: &'a [u8]) -> Option<(&'a str, u64)> {
        let (before, from_cursor) = head.split_at_checked(usize::try_from(self.cursor_at).ok()?)?;
        let end = from_cursor.iter().position(|byte| matches!(byte, b'&' | b' ' | b'\r'))?;
        let (cursor, behind) = from_cursor.split_at(end);
        let mut hasher = HASHER.with(RandomState::build_hasher);
        hasher.write(before);
        hasher.write(behind);
        Some((std::str::from_utf8(cursor).ok()?, hasher.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, field: &str) -> Vec<u8> {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n").into_bytes()
    }

    #[test]
    fn only_the_cursor_may_differ() {
        let first = head("/channels/a/poll?wait=20&after=k3.1&client=c", "Accept: */*");
        let repetition = Repetition::of(&first).expect("it has a cursor");
        assert_eq!(repetition.cursor(&first), Some("k3.1"));
        let next = head("/channels/a/poll?wait=20&after=k3.1234&client=c", "Accept: */*");
        assert_eq!(repetition.cursor(&next), Some("k3.1234"));
        for other in [
            head("/channels/b/poll?wait=20&after=k3.2&client=c", "Accept: */*"),
            head("/channels/a/poll?wait=20&after=k3.2&client=d", "Accept: */*"),
            head("/channels/a/poll?wait=20&after=k3.2", "Accept: */*"),
            head("/channels/a/poll?wait=21&after=k3.2&client=c", "Accept: */*"),
            head("/channels/a/poll?wait=20&after=k3.2&client=c", "Accept: */*\r\nOrigin: http://evil.example"),
            head("/channels/a/poll?wait=20&after=k3.2&client=c", "Accept: */*")[..40].to_vec(),
            [next.clone(), next.clone()].concat(),
            [&next[..], b"x"].concat(),
            Vec::new(),
        ] {
            assert_eq!(repetition.cursor(&other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn a_head_without_a_cursor_in_its_address_has_no_repetition() {
        for target in [
            "/channels/a/poll",
            "/channels/a/poll?hereafter=1",
            "/after=1",
            "/channels/a/poll?_=?after=k3.1&after=k3.2",
        ] {
            assert!(Repetition::of(&head(target, "Last-Event-ID: k3.1")).is_none(), "{target}");
        }
        assert!(Repetition::of(&head("/channels/a/poll", "X: ?after=k3.1")).is_none());
    }
}
