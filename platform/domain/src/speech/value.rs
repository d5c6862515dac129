//! Strict parsing of the values, shared by both languages.

use chrono::{Datelike, NaiveDate};

use super::SpeechError;

/// 10^16, the largest magnitude that is read (docs/spec/RESOLUTIONS.md, row `contents`).
pub(super) const LARGEST: u64 = 10_000_000_000_000_000;
const MOST_DECIMALS: usize = 16;
const MOST_DIGITS: usize = 100;

/// A decimal number as given, without a meaningless sign or fraction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// False for a zero.
    pub(super) negative: bool,
    /// At most [`LARGEST`].
    pub(super) integer: u64,
    /// The decimals as given, `50` for `0.50`; none if all of them are zero.
    pub(super) decimals: Vec<u8>,
}

impl Decimal {
    pub(super) fn parse(value: &str) -> Result<Self, SpeechError> {
        let (sign, unsigned) = match value.trim().as_bytes() {
            [sign @ (b'-' | b'+'), rest @ ..] => (*sign, rest),
            all => (b'+', all),
        };
        let mut halves = unsigned.splitn(2, |&byte| byte == b'.');
        let integer = halves.next().unwrap_or_default();
        let decimals = halves.next();
        let all_digits = |half: &[u8]| !half.is_empty() && half.iter().all(u8::is_ascii_digit);
        if !all_digits(integer) || !decimals.is_none_or(all_digits) {
            return Err(SpeechError::NotANumber);
        }

        let decimals = decimals.unwrap_or_default();
        if decimals.len() > MOST_DECIMALS {
            return Err(SpeechError::TooManyDecimals { limit: MOST_DECIMALS });
        }
        let decimals: Vec<u8> = decimals.iter().map(|digit| digit - b'0').collect();
        let decimals = if decimals.iter().all(|&digit| digit == 0) { Vec::new() } else { decimals };

        let integer = integer.iter().try_fold(0_u64, |sum, digit| {
            // Stopping at the limit keeps the sum far from overflow, however many digits follow.
            let sum = sum * 10 + u64::from(digit - b'0');
            (sum <= LARGEST).then_some(sum)
        });
        match integer {
            Some(LARGEST) if !decimals.is_empty() => Err(SpeechError::NumberTooLarge),
            None => Err(SpeechError::NumberTooLarge),
            Some(integer) => Ok(Decimal {
                negative: sign == b'-' && (integer > 0 || !decimals.is_empty()),
                integer,
                decimals,
            }),
        }
    }
}

/// An amount of CNY.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Amount {
    /// False for a zero.
    pub(super) negative: bool,
    /// At most [`LARGEST`].
    pub(super) yuan: u64,
    /// Hundredths of a yuan, below 100: the digit before is the 角, the last one the 分.
    pub(super) fen: u64,
}

impl Amount {
    pub(super) fn parse(value: &str) -> Result<Self, SpeechError> {
        // The written decimals count, so that "2.140" is refused like "2.141".
        let written = value.trim().split_once('.').map_or(0, |(_, rest)| rest.len());
        if written > 2 {
            return Err(SpeechError::NotMoney);
        }
        let number = Decimal::parse(value).map_err(|error| match error {
            SpeechError::NumberTooLarge => error,
            _ => SpeechError::NotMoney,
        })?;
        let digit = |place: usize| u64::from(number.decimals.get(place).copied().unwrap_or(0));
        Ok(Amount {
            negative: number.negative,
            yuan: number.integer,
            fen: digit(0) * 10 + digit(1),
        })
    }
}

/// A calendar day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// 1 to 9999.
    pub(super) year: u32,
    /// 1 to 12.
    pub(super) month: u32,
    /// 1 to 31.
    pub(super) day: u32,
}

/// A time of day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// 0 to 23.
    pub(super) hour: u32,
    /// 0 to 59.
    pub(super) minute: u32,
    /// 0 to 59; 0 is not read out.
    pub(super) second: u32,
}

/// The value of a `time` item: at least one of the two is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) day: Option<Day>,
    pub(super) clock: Option<Clock>,
}

impl Time {
    pub(super) fn parse(value: &str) -> Result<Self, SpeechError> {
        let value = value.trim();
        let (day, clock) = match value.split_once([' ', 'T']) {
            Some((day, clock)) => (Some(day), Some(clock)),
            None if value.contains(':') => (None, Some(value)),
            None => (Some(value), None),
        };
        // Seconds belong to a date only: `HH:mm:ss` alone is not one of the forms.
        let seconds_allowed = day.is_some();
        Ok(Time {
            day: day.map(parse_day).transpose()?,
            clock: clock.map(|clock| parse_clock(clock, seconds_allowed)).transpose()?,
        })
    }
}

fn parse_day(text: &str) -> Result<Day, SpeechError> {
    let [year, month, day] = fields(text, '-', [4, 2, 2]).ok_or(SpeechError::NotATime)?;
    let exists = i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .is_some_and(|date| date.year() >= 1);
    if exists { Ok(Day { year, month, day }) } else { Err(SpeechError::NoSuchDate) }
}

fn parse_clock(text: &str, seconds_allowed: bool) -> Result<Clock, SpeechError> {
    let with_seconds = || {
        let [hour, minute, second] = fields(text, ':', [2, 2, 2]).filter(|_| seconds_allowed)?;
        Some((hour, minute, second))
    };
    let (hour, minute, second) = fields(text, ':', [2, 2])
        .map(|[hour, minute]| (hour, minute, 0))
        .or_else(with_seconds)
        .ok_or(SpeechError::NotATime)?;
    if hour > 23 || minute > 59 || second > 59 {
        return Err(SpeechError::NoSuchTimeOfDay);
    }
    Ok(Clock { hour, minute, second })
}

/// Splits into exactly N numbers of exactly the given widths.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// One character of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// 0 to 9.
    Digit(usize),
    /// The place in the alphabet, 0 to 25; upper and lower case are the same letter.
    Letter(usize),
}

pub(super) fn parse_code(value: &str) -> Result<Vec<Sign>, SpeechError> {
    let value = value.trim();
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(SpeechError::NotDigits);
    }
    if value.len() > MOST_DIGITS {
        return Err(SpeechError::TooManyDigits { limit: MOST_DIGITS });
    }
    let sign = |byte: u8| match byte {
        b'0'..=b'9' => Sign::Digit(usize::from(byte - b'0')),
        letter => Sign::Letter(usize::from(letter.to_ascii_lowercase() - b'a')),
    };
    Ok(value.bytes().map(sign).collect())
}
