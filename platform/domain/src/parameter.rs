//! Rules of single request fields of the voice surface. What comes in is the field's text (a JSON
//! string or number as written); absent, `""` and `null` are the caller's to tell apart from it.

use crate::ErrorCode;
use crate::error_code::BAD_PARAMETER;

/// `times` where the request does not say (RESOLUTIONS, times).
pub const DEFAULT_TIMES: u8 = 2;
/// The longest `userdata` of the voice surface, in bytes of UTF-8 (RESOLUTIONS, userData).
pub const MAX_USERDATA_BYTES: usize = 4 * 1_024;

/// A field that is not taken: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct ParameterError {
    /// The field as the interface writes it.
    pub field: &'static str,
    /// What would have been taken.
    pub expected: &'static str,
    /// The row of the table that it is answered with.
    pub code: ErrorCode,
}

impl ParameterError {
    pub(crate) const fn bad(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected, code: BAD_PARAMETER }
    }
}

/// `times`: how often a notice is played, 1 to 3 (RESOLUTIONS, times).
///
/// # Errors
/// [`ParameterError`], `-4`.
pub fn times(text: Option<&str>) -> Result<u8, ParameterError> {
    match text.map(str::trim) {
        None => Ok(DEFAULT_TIMES),
        Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some("3") => Ok(3),
        Some(_) => Err(ParameterError::bad("times", "1, 2 or 3")),
    }
}

/// `userdata`: given back in the callback as it came.
///
/// # Errors
/// [`ParameterError`], `-4`, beyond [`MAX_USERDATA_BYTES`].
pub fn userdata(text: &str) -> Result<&str, ParameterError> {
    if text.len() > MAX_USERDATA_BYTES {
        return Err(ParameterError::bad("userdata", "at most 4096 bytes of UTF-8"));
    }
    Ok(text)
}

/// `code` of a captcha: 4 to 8 digits and letters (RESOLUTIONS, captcha).
///
/// # Errors
/// [`ParameterError`], `-4`.
pub fn captcha_code(text: &str) -> Result<&str, ParameterError> {
    let fits = (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits { Ok(text) } else { Err(ParameterError::bad("code", "4 to 8 of 0-9, A-Z, a-z")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_1_to_3_and_2_where_absent() {
        for (text, expected) in
            [(None, 2), (Some("1"), 1), (Some("2"), 2), (Some("3"), 3), (Some(" 3 "), 3)]
        {
            assert_eq!(times(text), Ok(expected));
        }
        for bad in ["0", "4", "-1", "1.0", "two", "01", "10"] {
            let error = times(Some(bad)).expect_err("out of range");
            assert_eq!((error.field, error.code.surface), ("times", -4));
            assert_eq!(error.to_string(), "times: expected 1, 2 or 3");
        }
    }

    #[test]
    fn userdata_ends_at_4_kib_of_utf_8() {
        assert!(userdata(&"x".repeat(4_096)).is_ok());
        assert!(userdata(&"x".repeat(4_097)).is_err());
        assert!(userdata(&"长".repeat(1_365)).is_ok());
        assert!(userdata(&"长".repeat(1_366)).is_err());
    }

    #[test]
    fn captcha_codes_are_4_to_8_digits_and_letters() {
        for good in ["1234", "123235", "aB3dE6g8", "0000"] {
            assert_eq!(captcha_code(good), Ok(good));
        }
        for bad in ["", "123", "123456789", "12 34", "12-34", "一二三四", "１２３４"] {
            assert_eq!(captcha_code(bad).map_err(|error| error.field), Err("code"), "{bad}");
        }
    }
}
