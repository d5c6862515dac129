//! Rules of single request fields of the click-to-call surface. What comes in is the field's text;
//! absent, `""` and `null` are the caller's to tell apart from it.

use crate::conversation::{Record, Ringback};
use crate::parameter::ParameterError;

/// The longest `userData`, in bytes of UTF-8 (RESOLUTIONS, userData on ctc).
pub const MAX_USER_DATA_BYTES: usize = 256;
/// The longest `maxDuration`: a day, in seconds.
pub const MAX_DURATION_S: u32 = 86_400;
/// How long a third party may ring where the request does not say, seconds (RESOLUTIONS, timeout).
pub const DEFAULT_TIMEOUT_S: u32 = 120;
/// The longest that a third party may ring, seconds.
pub const MAX_TIMEOUT_S: u32 = 600;

/// `ringbackMode`: 0 (where absent) or 1.
///
/// # Errors
/// [`ParameterError`].
pub fn ringback(text: Option<&str>) -> Result<Ringback, ParameterError> {
    match text.map(str::trim) {
        None | Some("0") => Ok(Ringback::PassThrough),
        Some("1") => Ok(Ringback::Custom),
        Some(_) => Err(ParameterError::bad("ringbackMode", "0 or 1")),
    }
}

/// `record` of click2call: 0 (where absent), 1, 2, or a boolean, of which `true` is 2 (RESOLUTIONS,
/// record).
///
/// # Errors
/// [`ParameterError`].
pub fn record(text: Option<&str>) -> Result<Record, ParameterError> {
    match text.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("0" | "false") => Ok(Record::Off),
        Some("1") => Ok(Record::FromRinging),
        Some("2" | "true") => Ok(Record::FromAnswer),
        Some(_) => Err(ParameterError::bad("record", "0, 1, 2, true or false")),
    }
}

/// `maxDuration` in seconds. Absent and 0 are no limit: the document's default is empty, and 0
/// could mean nothing else.
///
/// # Errors
/// [`ParameterError`].
pub fn max_duration_s(text: Option<&str>) -> Result<Option<u32>, ParameterError> {
    let Some(text) = text else { return Ok(None) };
    match whole(text) {
        Some(0) => Ok(None),
        Some(seconds @ 1..=MAX_DURATION_S) => Ok(Some(seconds)),
        _ => Err(ParameterError::bad("maxDuration", "whole seconds from 1 to 86400")),
    }
}

/// `timeout` of addCall in seconds; absent and 0 are the default (RESOLUTIONS, timeout).
///
/// # Errors
/// [`ParameterError`].
pub fn timeout_s(text: Option<&str>) -> Result<u32, ParameterError> {
    let Some(text) = text else { return Ok(DEFAULT_TIMEOUT_S) };
    match whole(text) {
        Some(0) => Ok(DEFAULT_TIMEOUT_S),
        Some(seconds @ 1..=MAX_TIMEOUT_S) => Ok(seconds),
        _ => Err(ParameterError::bad("timeout", "whole seconds from 1 to 600")),
    }
}

/// `userData`: given back in the callbacks as it came.
///
/// # Errors
/// [`ParameterError`] beyond [`MAX_USER_DATA_BYTES`].
pub fn user_data(text: &str) -> Result<&str, ParameterError> {
    if text.len() > MAX_USER_DATA_BYTES {
        return Err(ParameterError::bad("userData", "at most 256 bytes of UTF-8"));
    }
    Ok(text)
}

/// Additive `maskedCallee`: a boolean, as JSON or as text; 1 and 0 are taken too.
///
/// # Errors
/// [`ParameterError`].
pub fn masked(text: Option<&str>) -> Result<bool, ParameterError> {
    match text.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(ParameterError::bad("maskedCallee", "true or false")),
    }
}

/// Digits only: `+5` and `5.0` are no seconds.
fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_texts_numbers_and_booleans() {
        let ringbacks = [
            (None, Some(Ringback::PassThrough)),
            (Some("0"), Some(Ringback::PassThrough)),
            (Some(" 1 "), Some(Ringback::Custom)),
            (Some("2"), None),
            (Some("true"), None),
        ];
        for (text, expected) in ringbacks {
            assert_eq!(ringback(text).ok(), expected, "{text:?}");
        }
        let records = [
            (None, Some(Record::Off)),
            (Some("0"), Some(Record::Off)),
            (Some("false"), Some(Record::Off)),
            (Some("1"), Some(Record::FromRinging)),
            (Some("2"), Some(Record::FromAnswer)),
            (Some("True"), Some(Record::FromAnswer)),
            (Some("3"), None),
            (Some("yes"), None),
        ];
        for (text, expected) in records {
            assert_eq!(record(text).ok(), expected, "{text:?}");
        }
        for (text, expected) in [
            (None, Some(false)),
            (Some("true"), Some(true)),
            (Some("0"), Some(false)),
            (Some("x"), None),
        ] {
            assert_eq!(masked(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn seconds_have_their_ranges_and_0_is_the_default() {
        for (text, expected) in [
            (None, Some(None)),
            (Some("0"), Some(None)),
            (Some("1"), Some(Some(1))),
            (Some(" 86400 "), Some(Some(86_400))),
            (Some("86401"), None),
            (Some("-1"), None),
            (Some("1.5"), None),
            (Some("99999999999"), None),
            (Some("a"), None),
        ] {
            assert_eq!(max_duration_s(text).ok(), expected, "{text:?}");
        }
        for (text, expected) in [
            (None, Some(120)),
            (Some("0"), Some(120)),
            (Some("30"), Some(30)),
            (Some("600"), Some(600)),
            (Some("601"), None),
            (Some("+5"), None),
        ] {
            assert_eq!(timeout_s(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn user_data_ends_at_256_bytes() {
        assert!(user_data(&"x".repeat(256)).is_ok());
        assert!(user_data(&"x".repeat(257)).is_err());
        assert!(user_data(&"长".repeat(85)).is_ok());
        assert!(user_data(&"长".repeat(86)).is_err());
    }
}
