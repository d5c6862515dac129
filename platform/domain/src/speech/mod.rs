//! The speech grammar: what is said, word for word, when a notice reads out a value.
//!
//! A value (`"2.14"` as money) becomes a list of [`Token`]s. A token names one recording of a prompt
//! pack and the pause that follows it; it carries no audio. Whoever holds a pack turns the list into
//! sound. Nothing here reads a clock, a file or a setting of its own.
//!
//! # Tokens
//!
//! Token names are lower-case ASCII, and they are the packs' file names. A pack of a language must
//! hold every token that [`lexicon`] lists for it:
//!
//! | tokens | zh | en |
//! |---|---|---|
//! | `n0` … `n99` | 零 … 九十九 (`n10` is 十, `n12` 十二) | zero … ninety nine |
//! | `i10` … `i19` | 一十 … 一十九, inside a longer number (112 is 一百 一十二) | |
//! | `h1` … `h9`, `k1` … `k9` | 一百 … 九百, 一千 … 九千 | |
//! | `wan`, `yi` | 万, 亿 | |
//! | `hundred`, `thousand` … `quadrillion`, `and` | | as they read |
//! | `minus`, `point` | 负, 点 | minus, point |
//! | `liang` | 两, before 元 and 点 | |
//! | `yao` | 幺, the other way to read 1 in a code | |
//! | `yuan`, `jiao1` … `jiao9`, `fen1` … `fen9` | 元, 一角 …, 一分 … | `yuan`, `fen` |
//! | `year`, `month1` … `month12`, `day1` … `day31` | 年, 一月 …, 一日 … | January …, first … |
//! | `hour`, `sharp`, `minute`, `second` | 点, 整, 分, 秒 | |
//! | `oh`, `oclock`, `am`, `pm`, `noon`, `midnight`, `second`, `seconds` | | as they read |
//! | `letter`, `letter-a` … `letter-z` | 字母, A … Z | `letter-a` … only |
//!
//! # Sources
//!
//! Which values there are: docs/spec/RESOLUTIONS.md, row `contents`. Chinese cardinals follow the
//! school rule of four-digit sections; English ones CLDR's `%spellout-cardinal-verbose`, without its
//! commas and hyphens. The tests hold both against CLDR's own rules.

#[cfg(test)]
mod agreement;
mod en;
mod error;
mod lexicon;
mod names;
#[cfg(test)]
mod oracle;
mod token;
mod value;
mod zh;

pub use error::SpeechError;
pub use lexicon::{Word, lexicon, required_tokens};
pub use token::{Gap, Token, written};

use serde::{Deserialize, Serialize};

/// A language that values can be read out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Mandarin Chinese as spoken in mainland China.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// All languages, in the order in which they are listed to people.
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];

    /// The code of requests and of pack manifests: `zh` or `en`.
    pub const fn code(self) -> &'static str {
        match self {
            Lang::Zh => "zh",
            Lang::En => "en",
        }
    }

    /// The language of a code; none for any other string.
    pub fn from_code(code: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| lang.code() == code)
    }
}

impl std::fmt::Display for Lang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// How a tenant likes its values read; everything else is fixed by the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// In `digits` in Chinese, say 幺 for 1 instead of 一 (clearer on the telephone: 一 and 七 rhyme).
    pub yao_for_one: bool,
}

/// The kind of a value: the `type` of a content item that is read out
/// (docs/spec/RESOLUTIONS.md, row `contents`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A cardinal number.
    Number,
    /// An amount of CNY.
    Money,
    /// A date, a date with a time of day, or a time of day.
    Time,
    /// Digits and letters, one by one.
    Digits,
}

/// Reads a value of any kind.
///
/// # Errors
///
/// As the function of that kind: [`say_number`], [`say_money`], [`say_time`], [`say_digits`].
pub fn say(
    kind: Kind,
    value: &str,
    lang: Lang,
    settings: &Settings,
) -> Result<Vec<Token>, SpeechError> {
    match kind {
        Kind::Number => say_number(value, lang),
        Kind::Money => say_money(value, lang),
        Kind::Time => say_time(value, lang),
        Kind::Digits => say_digits(value, lang, settings),
    }
}

/// Reads a cardinal number within ±10^16: `112`, `-5`, `0.50`.
///
/// Decimals are read one by one as they are given, but a fraction of zeros only is not read at all.
///
/// # Errors
///
/// [`SpeechError::NotANumber`], [`SpeechError::NumberTooLarge`], [`SpeechError::TooManyDecimals`].
pub fn say_number(value: &str, lang: Lang) -> Result<Vec<Token>, SpeechError> {
    let number = value::Decimal::parse(value)?;
    Ok(match lang {
        Lang::Zh => zh::number(&number),
        Lang::En => en::number(&number),
    })
}

/// Reads an amount of CNY in yuan with at most two decimals: `2.14` is 两元一角四分, "two yuan and
/// fourteen fen".
///
/// # Errors
///
/// [`SpeechError::NotMoney`], and [`SpeechError::NumberTooLarge`] beyond ±10^16 yuan.
pub fn say_money(value: &str, lang: Lang) -> Result<Vec<Token>, SpeechError> {
    let amount = value::Amount::parse(value)?;
    Ok(match lang {
        Lang::Zh => zh::money(&amount),
        Lang::En => en::money(&amount),
    })
}

/// Reads `YYYY-MM-DD`, `YYYY-MM-DD HH:mm[:ss]` (also with a `T` between) or `HH:mm`.
///
/// Seconds of zero are not read. The clock is the 24-hour one in Chinese and the 12-hour one in
/// English.
///
/// # Errors
///
/// [`SpeechError::NotATime`], [`SpeechError::NoSuchDate`], [`SpeechError::NoSuchTimeOfDay`].
pub fn say_time(value: &str, lang: Lang) -> Result<Vec<Token>, SpeechError> {
    let time = value::Time::parse(value)?;
    Ok(match lang {
        Lang::Zh => zh::time(&time),
        Lang::En => en::time(&time),
    })
}

/// Reads digits and letters one by one: a code, a flight, the end of a card number.
///
/// In Chinese 字母 is said before each letter, because on the telephone Q sounds like 九 and B like
/// 八.
///
/// # Errors
///
/// [`SpeechError::NotDigits`], [`SpeechError::TooManyDigits`].
pub fn say_digits(value: &str, lang: Lang, settings: &Settings) -> Result<Vec<Token>, SpeechError> {
    let code = value::parse_code(value)?;
    Ok(match lang {
        Lang::Zh => zh::digits(code, settings.yao_for_one),
        Lang::En => en::digits(code),
    })
}

#[cfg(test)]
mod tests;
