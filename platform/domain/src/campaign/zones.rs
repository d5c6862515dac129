//! In which zone somebody lives, by the beginning of the number.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Number;
use crate::numbers::Prefix;
use crate::time::parse_zone;

/// Countries that are one zone, by country code (E.164 assignments, IANA zones). A country of several
/// zones is not here: a campaign that calls there names its prefixes itself.
const COUNTRIES: &[(&str, Tz)] = &[
    ("86", Tz::Asia__Shanghai),
    ("852", Tz::Asia__Hong_Kong),
    ("853", Tz::Asia__Macau),
    ("886", Tz::Asia__Taipei),
    ("20", Tz::Africa__Cairo),
    ("27", Tz::Africa__Johannesburg),
    ("30", Tz::Europe__Athens),
    ("31", Tz::Europe__Amsterdam),
    ("32", Tz::Europe__Brussels),
    ("33", Tz::Europe__Paris),
    ("353", Tz::Europe__Dublin),
    ("358", Tz::Europe__Helsinki),
    ("39", Tz::Europe__Rome),
    ("40", Tz::Europe__Bucharest),
    ("41", Tz::Europe__Zurich),
    ("420", Tz::Europe__Prague),
    ("43", Tz::Europe__Vienna),
    ("44", Tz::Europe__London),
    ("45", Tz::Europe__Copenhagen),
    ("46", Tz::Europe__Stockholm),
    ("47", Tz::Europe__Oslo),
    ("48", Tz::Europe__Warsaw),
    ("49", Tz::Europe__Berlin),
    ("60", Tz::Asia__Kuala_Lumpur),
    ("63", Tz::Asia__Manila),
    ("65", Tz::Asia__Singapore),
    ("66", Tz::Asia__Bangkok),
    ("81", Tz::Asia__Tokyo),
    ("82", Tz::Asia__Seoul),
    ("84", Tz::Asia__Ho_Chi_Minh),
    ("855", Tz::Asia__Phnom_Penh),
    ("856", Tz::Asia__Vientiane),
    ("880", Tz::Asia__Dhaka),
    ("90", Tz::Europe__Istanbul),
    ("91", Tz::Asia__Kolkata),
    ("92", Tz::Asia__Karachi),
    ("94", Tz::Asia__Colombo),
    ("95", Tz::Asia__Yangon),
    ("966", Tz::Asia__Riyadh),
    ("971", Tz::Asia__Dubai),
    ("972", Tz::Asia__Jerusalem),
    ("977", Tz::Asia__Kathmandu),
];

/// The zones of a campaign's callees: its own prefixes first, the longest one wins; then the table of
/// countries; then the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Zones {
    default: Tz,
    by_prefix: Vec<(Prefix, Tz)>,
}

/// As it is kept: by names.
#[derive(Serialize, Deserialize)]
struct Stored {
    default: String,
    #[serde(default)]
    by_prefix: Vec<(String, String)>,
}

impl Zones {
    /// The tables' zones, and `default` for whom they do not know.
    pub const fn with_default(default: Tz) -> Self {
        Self { default, by_prefix: Vec::new() }
    }

    /// The same with a zone for numbers of a prefix. Of two for the same the later one counts.
    #[must_use]
    pub fn and(mut self, prefix: Prefix, zone: Tz) -> Self {
        self.by_prefix.retain(|(known, _)| *known != prefix);
        self.by_prefix.push((prefix, zone));
        self
    }

    /// Where nothing else is known.
    pub const fn default_zone(&self) -> Tz {
        self.default
    }

    /// The campaign's own prefixes.
    pub fn by_prefix(&self) -> impl Iterator<Item = (&Prefix, Tz)> {
        self.by_prefix.iter().map(|(prefix, zone)| (prefix, *zone))
    }

    /// The zone of whoever has this number.
    pub fn of(&self, number: &Number) -> Tz {
        let own = |prefix: &Prefix| self.by_prefix.iter().find(|(known, _)| known == prefix);
        if !self.by_prefix.is_empty()
            && let Some((_, zone)) = Prefix::all_of(number).find_map(|prefix| own(&prefix))
        {
            return *zone;
        }
        country(number).unwrap_or(self.default)
    }
}

/// Service numbers have no E.164 form, and belong to mainland China as all of the grammar does.
fn country(number: &Number) -> Option<Tz> {
    let Some(e164) = number.e164() else { return Some(Tz::Asia__Shanghai) };
    let digits = e164.trim_start_matches('+');
    COUNTRIES.iter().find(|(code, _)| digits.starts_with(code)).map(|(_, zone)| *zone)
}

impl From<Zones> for Stored {
    fn from(zones: Zones) -> Self {
        let by_prefix = zones.by_prefix.iter();
        Self {
            default: zones.default.name().to_owned(),
            by_prefix: by_prefix
                .map(|(prefix, zone)| (prefix.to_string(), zone.name().to_owned()))
                .collect(),
        }
    }
}

impl TryFrom<Stored> for Zones {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let zone = |name: &str| parse_zone(name).map_err(|error| error.to_string());
        let mut zones = Self::with_default(zone(&stored.default)?);
        for (prefix, name) in stored.by_prefix {
            let prefix: Prefix =
                prefix.parse().map_err(|error: crate::numbers::BadPrefix| error.to_string())?;
            zones = zones.and(prefix, zone(&name)?);
        }
        Ok(zones)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_number_tells_where_its_owner_lives() {
        let zones = Zones::with_default(Tz::UTC)
            .and("+1".parse().unwrap(), Tz::America__Chicago)
            .and("+1212".parse().unwrap(), Tz::America__New_York)
            .and("0991".parse().unwrap(), Tz::Asia__Urumqi);
        let cases = [
            ("13800100001", Tz::Asia__Shanghai),
            ("01080001001", Tz::Asia__Shanghai),
            ("09911234567", Tz::Asia__Urumqi),
            ("95588", Tz::Asia__Shanghai),
            ("+85221234567", Tz::Asia__Hong_Kong),
            ("+442071234567", Tz::Europe__London),
            ("+12125550123", Tz::America__New_York),
            ("+13125550123", Tz::America__Chicago),
            ("+61291234567", Tz::UTC),
        ];
        for (number, zone) in cases {
            assert_eq!(zones.of(&Number::parse_dialable(number).unwrap()), zone, "{number}");
        }
    }

    #[test]
    fn no_country_code_of_the_table_begins_another() {
        // E.164: country codes are a prefix code; a wrong row would hide others.
        for (code, _) in COUNTRIES {
            let others = COUNTRIES.iter().filter(|(other, _)| other.starts_with(code));
            assert_eq!(others.count(), 1, "{code}");
        }
    }

    #[test]
    fn zones_are_kept_by_name() {
        let zones = Zones::with_default(Tz::Asia__Shanghai)
            .and("+1212".parse().unwrap(), Tz::America__New_York);
        let stored = serde_json::to_string(&zones).unwrap();
        assert_eq!(
            stored,
            r#"{"default":"Asia/Shanghai","by_prefix":[["+1212","America/New_York"]]}"#
        );
        assert_eq!(serde_json::from_str::<Zones>(&stored).unwrap(), zones);
        assert!(serde_json::from_str::<Zones>(r#"{"default":"Mars/Base"}"#).is_err());
    }
}
