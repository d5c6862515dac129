//! The beginnings of numbers, by which routes choose trunks. Written as people write numbers; kept
//! in one form, so that `0086139`, `+86139` and `139` are the same prefix.

use std::fmt;
use std::str::FromStr;

use super::Number;

/// E.164 §6.2.1.
const MAX_DIGITS: usize = 15;
/// Mainland China.
const COUNTRY_CODE: &str = "86";

/// The beginning of numbers. Prints `+86139` for numbers that have an E.164 form (mobiles, landlines,
/// foreign numbers), and `400`, `95` for those that have none (toll-free and service numbers): the
/// two kinds are told apart, because `+8695588…` is a landline of the area 0955.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    kind: Kind,
    digits: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Of the E.164 form, without its +.
    E164,
    /// Of the national form of a number that has no E.164 form.
    Service,
}

/// Not a prefix: fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the beginning of numbers, such as +86139, 0086139, 139, 010, +852 or 400, found {found:?}{hint}"
)]
pub struct BadPrefix {
    found: String,
    hint: &'static str,
}

impl Prefix {
    /// Every prefix of a number, the longest first.
    pub(crate) fn all_of(number: &Number) -> impl Iterator<Item = Self> {
        let (kind, digits) = match number.e164() {
            Some(e164) => (Kind::E164, e164.trim_start_matches('+').to_owned()),
            None => (Kind::Service, number.national().to_owned()),
        };
        (1..=digits.len()).rev().map(move |len| Self { kind, digits: digits[..len].to_owned() })
    }

    fn e164(digits: String) -> Self {
        Self { kind: Kind::E164, digits }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = match self.kind {
            Kind::E164 => "+",
            Kind::Service => "",
        };
        write!(f, "{plus}{}", self.digits)
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    /// With `+` or `00` the rest is a country code and what follows it; so it is behind a bare `86`.
    /// Else it is the beginning of a number as dialled within mainland China. What could be the
    /// beginning of numbers of different kinds (`0`, `01`, `1`) is refused.
    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = |hint| BadPrefix { found: text.chars().take(32).collect(), hint };
        let written: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let (abroad, digits) = match (written.strip_prefix('+'), written.strip_prefix("00")) {
            (Some(rest), _) | (None, Some(rest)) => (true, rest),
            (None, None) => (false, written.as_str()),
        };
        if digits.is_empty() || digits.len() > MAX_DIGITS {
            return Err(bad(": 1 to 15 digits"));
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(": digits, and a + in front at most"));
        }
        if abroad {
            return match digits.strip_prefix('0') {
                Some(_) => Err(bad(": no country code begins with 0")),
                None => Ok(Self::e164(digits.to_owned())),
            };
        }
        let mainland = |rest: &str| Self::e164(format!("{COUNTRY_CODE}{rest}"));
        match digits.as_bytes() {
            [b'8', b'6', ..] => Ok(Self::e164(digits.to_owned())),
            // A mobile with the zero of an out-of-area call, or without it.
            [b'0', b'1', b'3'..=b'9', ..] => Ok(mainland(&digits[1..])),
            [b'1', b'3'..=b'9', ..] => Ok(mainland(digits)),
            [b'0', b'1', b'0', ..] | [b'0', b'2'..=b'9', ..] => Ok(mainland(&digits[1..])),
            [b'0'] | [b'0', b'1', ..] | [b'1'] => {
                Err(bad(": it begins numbers of different kinds, so write more of it"))
            }
            [b'1', b'1', ..] => Err(bad(": emergency numbers are never called")),
            [b'4' | b'8' | b'9', ..] | [b'1', b'0' | b'2', ..] => {
                Ok(Self { kind: Kind::Service, digits: digits.to_owned() })
            }
            _ => Err(bad(": no number that is dialled begins so; landlines need their area code")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_spelling_has_one_form() {
        let cases = [
            ("+86139", "+86139"),
            ("0086139", "+86139"),
            ("86139", "+86139"),
            ("139", "+86139"),
            ("0139", "+86139"),
            ("+86 139-0013", "+861390013"),
            ("010", "+8610"),
            ("0571", "+86571"),
            ("02", "+862"),
            ("+86", "+86"),
            ("86", "+86"),
            ("+852", "+852"),
            ("00852", "+852"),
            ("+1", "+1"),
            ("400", "400"),
            ("800", "800"),
            ("95588", "95588"),
            ("1010", "1010"),
            ("12", "12"),
        ];
        for (text, form) in cases {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!(prefix.to_string(), form, "{text:?}");
            assert_eq!(form.parse::<Prefix>().unwrap(), prefix, "{text:?} again");
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_the_reason() {
        let cases = [
            ("", "1 to 15 digits"),
            ("+", "1 to 15 digits"),
            ("00", "1 to 15 digits"),
            ("1234567890123456", "1 to 15 digits"),
            ("+0", "no country code"),
            ("0", "different kinds"),
            ("01", "different kinds"),
            ("011", "different kinds"),
            ("1", "different kinds"),
            ("110", "emergency"),
            ("5", "area code"),
            ("139*", "digits, and"),
            ("+86+139", "digits, and"),
        ];
        for (text, said) in cases {
            let problem = text.parse::<Prefix>().unwrap_err().to_string();
            assert!(problem.contains(said), "{text:?} gave {problem:?}");
        }
    }

    #[test]
    fn a_number_has_its_prefixes_and_no_others() {
        let cases = [
            ("13900000001", "139", true),
            ("13900000001", "+86", true),
            ("13900000001", "+8613900000001", true),
            ("13900000001", "138", false),
            ("01080001001", "010", true),
            ("01080001001", "139", false),
            ("+85221234567", "+852", true),
            ("+85221234567", "+8", true),
            ("4008001234", "400", true),
            ("4008001234", "+86", false),
            ("95588", "95", true),
            ("95588", "+86955", false),
            ("09558812345", "0955", true),
            ("09558812345", "95588", false),
        ];
        for (number, prefix, begins) in cases {
            let (found, wanted) =
                (Number::parse_dialable(number).unwrap(), prefix.parse::<Prefix>().unwrap());
            assert_eq!(
                Prefix::all_of(&found).any(|one| one == wanted),
                begins,
                "{number} {prefix}"
            );
        }
    }
}
