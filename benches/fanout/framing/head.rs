//! The head of an HTTP/1.1 response.

use crate::fanout::Result;

/// A complete response head.
pub struct Head<'a> {
    text: &'a str,
    /// Length in bytes, with the empty line at the end.
    pub length: usize,
}

impl<'a> Head<'a> {
    /// The head at the front of `bytes`, or `None` if it isn't complete yet.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = bytes.windows(END.len()).position(|window| window == END) else { return Ok(None) };
        Ok(Some(Self { text: std::str::from_utf8(&bytes[..end])?, length: end + END.len() }))
    }

    /// Insists on a status.
    pub fn expect(&self, status: u16) -> Result<()> {
        let actual = self.text.split(' ').nth(1).and_then(|code| code.parse().ok());
        if actual == Some(status) {
            return Ok(());
        }
        Err(format!("expected the status {status}, but the server answered: {}", self.text).into())
    }

    /// The value of the first field of this name.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn field(&self, name: &str) -> Result<&'a str> {
        let value = self.text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        value.map(str::trim).ok_or_else(|| format!("the server answered without a {name}: {}", self.text).into())
    }

    /// The declared length of the body.
    pub fn content_length(&self) -> Result<usize> {
        Ok(self.field("Content-Length")?.parse()?)
    }

    /// Whether the body comes in chunks (RFC 9112 §7.1).
    pub fn is_chunked(&self) -> bool {
        self.field("Transfer-Encoding").is_ok_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}
