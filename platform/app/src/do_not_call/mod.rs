//! An account's do-not-call list: its notices, batches and campaigns call nobody on it.

pub mod add;
pub mod list;
pub mod remove;
pub mod upload;

use crate::Refusal;
use crate::field_text::number;

/// The longest note, characters.
const NOTE_CHARS: usize = 200;

/// A number as the list holds it.
///
/// # Errors
/// `BAD_NUMBER`.
fn stored(field: &str, text: &str) -> Result<String, Refusal> {
    Ok(number(field, text)?.stored())
}

/// The beginning of a note.
fn note(text: &str) -> String {
    text.trim().chars().filter(|c| *c != '\0').take(NOTE_CHARS).collect()
}

#[cfg(test)]
mod tests;
