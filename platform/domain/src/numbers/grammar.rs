//! Which digits are which number (RESOLUTIONS, Numbers).

use super::normal::Digits;
use super::{Number, NumberClass, NumberError};

/// Digits of a foreign number with its country code: 7 is the shortest in use, 15 the most that
/// E.164 §6.2.1 allows.
const FOREIGN_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

pub(super) fn parse(number: &Digits) -> Result<Number, NumberError> {
    let digits = number.digits.as_str();
    if number.plus {
        return international(digits);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return international(rest);
    }
    if let Some(found) = domestic(digits) {
        return Ok(found);
    }
    // Bare 86: no mainland number of ten digits or more begins so, hence it is the country code.
    digits
        .strip_prefix("86")
        .and_then(behind_country_code)
        .filter(|found| {
            found.class() != NumberClass::Short && found.class() != NumberClass::Emergency
        })
        .ok_or(NumberError::Unknown)
}

/// Behind a + or 00.
fn international(digits: &str) -> Result<Number, NumberError> {
    if let Some(rest) = digits.strip_prefix("86") {
        return behind_country_code(rest).ok_or(NumberError::Unknown);
    }
    let well_formed = FOREIGN_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
    if !well_formed {
        return Err(NumberError::Unknown);
    }
    Ok(Number { national: format!("00{digits}"), class: NumberClass::Foreign })
}

/// Behind 86: the national form, or a landline without its 0.
fn behind_country_code(digits: &str) -> Option<Number> {
    domestic(digits).or_else(|| landline(&format!("0{digits}")))
}

fn domestic(digits: &str) -> Option<Number> {
    mobile(digits).or_else(|| landline(digits)).or_else(|| service(digits))
}

fn mobile(digits: &str) -> Option<Number> {
    let digits = digits.strip_prefix('0').unwrap_or(digits);
    match digits.as_bytes() {
        [b'1', b'3'..=b'9', rest @ ..] if rest.len() == 9 => {
            Some(Number { national: digits.to_owned(), class: NumberClass::Mobile })
        }
        _ => None,
    }
}

fn landline(digits: &str) -> Option<Number> {
    let subscriber_fits = match digits.as_bytes() {
        [b'0', b'1', b'0', rest @ ..] | [b'0', b'2', _, rest @ ..] => rest.len() == 8,
        [b'0', b'3'..=b'9', _, _, rest @ ..] => matches!(rest.len(), 7 | 8),
        _ => false,
    };
    subscriber_fits.then(|| Number { national: digits.to_owned(), class: NumberClass::Landline })
}

fn service(digits: &str) -> Option<Number> {
    let class = match (digits, digits.len()) {
        ("110" | "119" | "120" | "122", _) => NumberClass::Emergency,
        (_, 10) if digits.starts_with("400") => NumberClass::TollFree400,
        (_, 10) if digits.starts_with("800") => NumberClass::TollFree800,
        (_, 5..=8) if digits.starts_with("95") => NumberClass::Short,
        (_, 5) if ["96", "10", "12"].iter().any(|head| digits.starts_with(head)) => {
            NumberClass::Short
        }
        (_, 8) if digits.starts_with("1010") => NumberClass::Short,
        _ => return None,
    };
    Some(Number { national: digits.to_owned(), class })
}
