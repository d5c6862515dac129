/// Why a text is not a number that may be given: always the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing there.
    #[error("the number is empty: expected a mobile, or a landline with its area code")]
    Empty,
    /// More characters than any spelling of a number has.
    #[error("the number is too long: expected at most {limit} characters")]
    TooLong {
        /// Characters.
        limit: usize,
    },
    /// An extension: it would have to be dialled after the answer, which is not offered.
    #[error(
        "extensions (转, ext, a third hyphen group) are not taken: expected a number that can be dialled directly"
    )]
    Extension,
    /// Something that is no part of a number.
    #[error(
        "unexpected character {found:?}: expected digits, spaces, hyphens, parentheses or a leading +"
    )]
    Character {
        /// The first of them.
        found: char,
    },
    /// Parentheses elsewhere than round a prefix or area code.
    #[error("unexpected parentheses: expected them round the area code only, as in (010)80001001")]
    Parentheses,
    /// Digits that fit no rule.
    #[error(
        "not a telephone number: expected a mobile (1[3-9] and 9 digits) or a landline with its area code"
    )]
    Unknown,
    /// 110, 119, 120 or 122.
    #[error("emergency numbers are never called: expected another number")]
    Emergency,
    /// A 400, 800, 95, 96, 10 or 12 number where only mobiles and landlines are taken.
    #[error(
        "service numbers are not taken here: expected a mobile, or a landline with its area code"
    )]
    ServiceNumber,
}
