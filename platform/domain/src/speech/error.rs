//! Why a value cannot be read out.

/// A value that cannot be read out: always a mistake of the request. The message says what was
/// expected and never repeats the value, which may be private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// Not a plain decimal number.
    #[error("expected a decimal number such as 112, -5 or 0.50, without separators or exponent")]
    NotANumber,
    /// Beyond ±10^16.
    #[error("expected a number between -10000000000000000 and 10000000000000000")]
    NumberTooLarge,
    /// More decimals than anyone could follow.
    #[error("expected at most {limit} digits after the decimal point")]
    TooManyDecimals {
        /// The most that are read.
        limit: usize,
    },
    /// Not an amount of CNY.
    #[error("expected an amount in yuan with at most 2 decimals, such as 2.14")]
    NotMoney,
    /// None of the forms of `time`.
    #[error("expected YYYY-MM-DD, YYYY-MM-DD HH:mm, YYYY-MM-DD HH:mm:ss or HH:mm")]
    NotATime,
    /// A well-formed date that the calendar does not have.
    #[error("expected a date that exists; the calendar has no such day")]
    NoSuchDate,
    /// A well-formed time that the clock does not have.
    #[error("expected a time of day from 00:00 to 23:59 (seconds 00 to 59)")]
    NoSuchTimeOfDay,
    /// Empty, or with something else than digits and letters in it.
    #[error("expected digits and letters (0-9, A-Z, a-z) and nothing else")]
    NotDigits,
    /// A code that is too long to be read out.
    #[error("expected at most {limit} digits and letters")]
    TooManyDigits {
        /// The most that are read.
        limit: usize,
    },
}
