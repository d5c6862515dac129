//! The forms in which numbers go to trunks and come from them (RESOLUTIONS, Numbers: `number_format`).

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Number, NumberClass, NumberError};

const MAX_PREFIX_CHARS: usize = 16;

/// How a trunk wants numbers. In documents: `national`, `e164` or `{prefix: "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum NumberFormat {
    /// As dialled within mainland China: `13800100001`, `01080001001`.
    #[default]
    National,
    /// `+8613800100001`; numbers that have no such form stay national.
    E164,
    /// These digits, then the national form.
    Prefix(String),
}

impl NumberFormat {
    /// A prefix of 1 to 16 characters of `0-9*#+`.
    ///
    /// # Errors
    /// [`BadNumberFormat`] otherwise: fault of the trunk's configuration.
    pub fn prefix(prefix: &str) -> Result<Self, BadNumberFormat> {
        let dialable = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+');
        if prefix.is_empty() || prefix.len() > MAX_PREFIX_CHARS || !prefix.chars().all(dialable) {
            return Err(BadNumberFormat(prefix.chars().take(32).collect()));
        }
        Ok(Self::Prefix(prefix.to_owned()))
    }
}

/// Not a `number_format`: fault of the trunk's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a number format: expected national, e164 or {{prefix: \"…\"}} with 1 to 16 of 0-9 * # +"
)]
pub struct BadNumberFormat(pub String);

/// The user part under which a trunk is to be asked for a number, where it is not known to which
/// area mobiles belong: with a `home_area` every mobile then counts as out of area.
pub fn for_trunk(number: &Number, format: &NumberFormat, home_area: Option<&str>) -> String {
    for_trunk_with_area(number, format, home_area, None)
}

/// The same where the mobile's area code may be known. A trunk with a `home_area` (`010`) wants a 0
/// before mobiles of other areas, and of unknown ones. E.164 has no such zero.
pub fn for_trunk_with_area(
    number: &Number,
    format: &NumberFormat,
    home_area: Option<&str>,
    mobile_area: Option<&str>,
) -> String {
    let out_of_area = number.class() == NumberClass::Mobile
        && home_area.is_some_and(|home| mobile_area != Some(home));
    let zero = if out_of_area { "0" } else { "" };
    match format {
        NumberFormat::National => format!("{zero}{}", number.national()),
        NumberFormat::E164 => number.stored(),
        NumberFormat::Prefix(prefix) => format!("{prefix}{zero}{}", number.national()),
    }
}

/// The reverse on the way in, before any matching: what a trunk calls a number becomes ours. A
/// trunk that leaves its prefix or its + away is understood too.
///
/// # Errors
/// [`NumberError`] where it is no number of the grammar (`anonymous`): then the caller is unknown.
pub fn from_trunk(user_part: &str, format: &NumberFormat) -> Result<Number, NumberError> {
    match format {
        NumberFormat::National => Number::parse_dialable(user_part),
        NumberFormat::E164 => Number::parse_dialable(user_part)
            .or_else(|error| Number::parse_dialable(&format!("+{user_part}")).map_err(|_| error)),
        NumberFormat::Prefix(prefix) => match user_part.strip_prefix(prefix.as_str()) {
            Some(rest) => {
                Number::parse_dialable(rest).or_else(|_| Number::parse_dialable(user_part))
            }
            None => Number::parse_dialable(user_part),
        },
    }
}

// By hand: YAML libraries read enums with data as tags (`!prefix "9"`), which is not our form.
impl Serialize for NumberFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::National => serializer.serialize_str("national"),
            Self::E164 => serializer.serialize_str("e164"),
            Self::Prefix(prefix) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("prefix", prefix)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for NumberFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormatVisitor)
    }
}

struct FormatVisitor;

impl<'de> Visitor<'de> for FormatVisitor {
    type Value = NumberFormat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("national, e164 or {prefix: \"…\"}")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match name {
            "national" => Ok(NumberFormat::National),
            "e164" => Ok(NumberFormat::E164),
            other => Err(E::custom(BadNumberFormat(other.chars().take(32).collect()))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((key, prefix)) = map.next_entry::<String, String>()? else {
            return Err(de::Error::missing_field("prefix"));
        };
        if key != "prefix" {
            return Err(de::Error::unknown_field(&key, &["prefix"]));
        }
        if let Some(second) = map.next_key::<String>()? {
            return Err(de::Error::unknown_field(&second, &["prefix"]));
        }
        NumberFormat::prefix(&prefix).map_err(de::Error::custom)
    }
}
