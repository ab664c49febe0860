//! Values of options that are checked here and sent as they were typed.

use std::str::FromStr;

/// Checks that `text` is a `T` and keeps the text, so that a slip is reported before anything is sent.
///
/// # Errors
/// The text is no `T`.
pub fn valid<T: FromStr>(text: &str) -> Result<String, T::Err> {
    text.parse::<T>().map(|_| text.to_owned())
}
