//! The bytes of a unit that is not complete yet.

use super::Fault;

/// Keeps what a parser has not used, within a bound.
#[derive(Debug)]
pub struct Carry {
    bytes: Vec<u8>,
    most: usize,
}

impl Carry {
    pub const fn at_most(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Gives `parse` what was left over together with the new bytes, and keeps what it does not use.
    ///
    /// # Errors
    /// Those of `parse`, or that there is more to keep than may be.
    pub fn feed(&mut self, bytes: &[u8], parse: impl FnOnce(&[u8]) -> Result<usize, Fault>) -> Result<(), Fault> {
        if self.bytes.is_empty() {
            let used = parse(bytes)?;
            self.bytes.extend_from_slice(&bytes[used..]);
        } else {
            self.bytes.extend_from_slice(bytes);
            let used = parse(&self.bytes)?;
            self.bytes.drain(..used);
        }
        if self.bytes.len() > self.most {
            return Err(Fault::Broken("a unit that is larger than any that was asked for"));
        }
        Ok(())
    }
}
