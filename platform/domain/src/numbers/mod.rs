//! Telephone numbers: our own grammar for mainland China, and their forms towards trunks.
//!
//! Source: RESOLUTIONS, "Numbers". libphonenumber calls the published interface's own line
//! 01080001001 invalid and drops its zero, so it is not asked.

mod error;
mod grammar;
mod masked;
mod normal;
mod prefix;
mod trunk_form;

pub use error::NumberError;
pub use masked::masked;
pub use prefix::{BadPrefix, Prefix};
pub use trunk_form::{BadNumberFormat, NumberFormat, for_trunk, for_trunk_with_area, from_trunk};

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of number it is; the gate opens destinations by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberClass {
    /// A mainland mobile: `1[3-9]` and 9 digits.
    Mobile,
    /// A mainland landline with its area code.
    Landline,
    /// `400` and 7 digits: the caller pays the local part.
    TollFree400,
    /// `800` and 7 digits: the called party pays.
    TollFree800,
    /// A service number: 95xxx(xxx), 96xxx, 1010xxxx, 10xxx, 12xxx.
    Short,
    /// 110, 119, 120, 122: never called by a machine.
    Emergency,
    /// Outside mainland China (Hong Kong, Macao and Taiwan too: they have country codes of their
    /// own).
    Foreign,
}

impl NumberClass {
    /// Its stable name in documents and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Landline => "landline",
            Self::TollFree400 => "toll_free400",
            Self::TollFree800 => "toll_free800",
            Self::Short => "short",
            Self::Emergency => "emergency",
            Self::Foreign => "foreign",
        }
    }
}

/// A well-formed number. Two spellings of the same number are equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Number {
    /// As dialled within mainland China: `13800100001`, `01080001001`, `4008001234`, `95588`,
    /// `0085221234567`.
    national: String,
    class: NumberClass,
}

impl Number {
    /// Reads a destination of a voice notice or captcha: a mobile or landline, or a well-formed
    /// foreign number (which the gate then refuses unless opened).
    ///
    /// # Errors
    /// [`NumberError`] for everything else, service and emergency numbers too: fault of the client.
    pub fn parse_voice(text: &str) -> Result<Self, NumberError> {
        let number = Self::parse_dialable(text)?;
        match number.class {
            NumberClass::Mobile | NumberClass::Landline | NumberClass::Foreign => Ok(number),
            NumberClass::Emergency => Err(NumberError::Emergency),
            NumberClass::TollFree400 | NumberClass::TollFree800 | NumberClass::Short => {
                Err(NumberError::ServiceNumber)
            }
        }
    }

    /// Reads any number of the grammar: click-to-call's and callOut's destinations, caller IDs, and
    /// who calls us. Emergency numbers are recognised, so that the gate can refuse them by name.
    ///
    /// # Errors
    /// [`NumberError`] where the text is no number of the grammar: fault of the client.
    pub fn parse_dialable(text: &str) -> Result<Self, NumberError> {
        grammar::parse(&normal::normalise(text)?)
    }

    /// The form in which callbacks and consoles show it, and plain trunks dial it.
    pub fn national(&self) -> &str {
        &self.national
    }

    /// `+8613800100001`, where the number has such a form: mobiles, landlines and foreign numbers.
    pub fn e164(&self) -> Option<String> {
        match self.class {
            NumberClass::Mobile => Some(format!("+86{}", self.national)),
            NumberClass::Landline => Some(format!("+86{}", &self.national[1..])),
            NumberClass::Foreign => Some(format!("+{}", &self.national[2..])),
            NumberClass::TollFree400
            | NumberClass::TollFree800
            | NumberClass::Short
            | NumberClass::Emergency => None,
        }
    }

    /// The form in which it is stored and compared: E.164 where one exists, else national.
    pub fn stored(&self) -> String {
        self.e164().unwrap_or_else(|| self.national.clone())
    }

    /// What kind of number it is.
    pub const fn class(&self) -> NumberClass {
        self.class
    }

    /// Whether it lies outside mainland China.
    pub const fn is_foreign(&self) -> bool {
        matches!(self.class, NumberClass::Foreign)
    }
}

/// What a callback's `to` says for an entry of a request: the national form, or an invalid entry as
/// trimmed.
pub fn echo(entry: &str) -> String {
    match Number::parse_voice(entry) {
        Ok(number) => number.national,
        Err(_) => entry.trim().to_owned(),
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.national)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.national, self.class.name())
    }
}

impl TryFrom<String> for Number {
    type Error = NumberError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse_dialable(&text)
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.national
    }
}

#[cfg(test)]
mod tests;
