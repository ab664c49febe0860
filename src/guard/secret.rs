//! Secrets: what nobody can guess.

/// 128 bits from the system, in hexadecimal. A system without randomness gets the second best rather than nothing.
#[must_use]
pub fn random_secret() -> String {
    let bits = getrandom::u64().ok().zip(getrandom::u64().ok());
    let (high, low) = bits.unwrap_or_else(|| (fastrand::u64(..), fastrand::u64(..)));
    format!("{high:016x}{low:016x}")
}
