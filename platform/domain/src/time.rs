//! Instants and how they are printed. The only clock is the caller's: an instant is an argument.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const MICROS_PER_MS: i64 = 1_000;
const MICROS_PER_S: i64 = 1_000_000;
/// 0001-01-02T00:00:00Z and 9999-12-30T00:00:00Z: inside them every zone prints a year of four
/// digits, so that a stamp has always 14.
const PRINTABLE_S: std::ops::RangeInclusive<i64> = -62_135_510_400..=253_402_128_000;

/// An instant: microseconds since 1970-01-01T00:00:00Z, the same in memory and in both databases.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// The instant so many milliseconds later (earlier where negative); stops at the ends of time.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(MICROS_PER_MS)))
    }

    /// Whole milliseconds from `earlier` to this instant; negative where it is the later one.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0) / MICROS_PER_MS
    }

    /// The whole second in which this instant lies, as every zone's stamp shows it.
    pub const fn second(self) -> i64 {
        self.0.div_euclid(MICROS_PER_S)
    }

    /// Microseconds within the second, 0 to 999,999.
    pub const fn micros_of_second(self) -> u32 {
        self.0.rem_euclid(MICROS_PER_S) as u32
    }

    /// `YYYYMMDDHHmmss` in a zone: the published interface's only form of time (RESOLUTIONS, time
    /// zone: 14 digits always).
    pub fn stamp14(&self, zone: Tz) -> String {
        self.local(zone).format("%Y%m%d%H%M%S").to_string()
    }

    /// RFC 3339 with microseconds and the zone's offset: the form of our own interfaces.
    pub fn rfc3339(&self, zone: Tz) -> String {
        self.local(zone).to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    fn local(self, zone: Tz) -> DateTime<Tz> {
        let second = self.second().clamp(*PRINTABLE_S.start(), *PRINTABLE_S.end());
        let utc = DateTime::<Utc>::from_timestamp(second, self.micros_of_second() * 1_000)
            .expect("a second within PRINTABLE_S is within chrono's range");
        zone.from_utc_datetime(&utc.naive_utc())
    }
}

/// Reads the name of an IANA zone (`Asia/Shanghai`).
///
/// # Errors
/// [`UnknownZone`] where the name is not in the embedded table.
pub fn parse_zone(name: &str) -> Result<Tz, UnknownZone> {
    name.parse().map_err(|_| UnknownZone(name.chars().take(64).collect()))
}

/// A zone that the IANA table does not have: fault of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0:?}: expected an IANA name such as Asia/Shanghai")]
pub struct UnknownZone(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_in_zones() {
        // (instant, zone, stamp, RFC 3339)
        let cases = [
            (0, "UTC", "19700101000000", "1970-01-01T00:00:00.000000Z"),
            (
                1_546_311_661_999_999,
                "Asia/Shanghai",
                "20190101110101",
                "2019-01-01T11:01:01.999999+08:00",
            ),
            (
                1_793_491_200_000_000,
                "America/New_York",
                "20261031200000",
                "2026-10-31T20:00:00.000000-04:00",
            ),
            (-1, "UTC", "19691231235959", "1969-12-31T23:59:59.999999Z"),
        ];
        for (micros, zone, stamp, rfc) in cases {
            let zone = parse_zone(zone).expect("a known zone");
            assert_eq!(Micros(micros).stamp14(zone), stamp);
            assert_eq!(Micros(micros).rfc3339(zone), rfc);
        }
    }

    #[test]
    fn the_ends_of_time_still_print_14_digits() {
        for micros in [i64::MIN, i64::MAX] {
            for zone in [Tz::UTC, Tz::Asia__Shanghai, Tz::Pacific__Honolulu] {
                assert_eq!(Micros(micros).stamp14(zone).len(), 14);
            }
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Micros(1_500).plus_ms(2), Micros(3_500));
        assert_eq!(Micros(i64::MAX).plus_ms(1), Micros(i64::MAX));
        assert_eq!(Micros(3_500).ms_since(Micros(1_500)), 2);
        assert_eq!(Micros(0).ms_since(Micros(2_999)), -2);
        assert_eq!(Micros(-1).second(), -1);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = parse_zone("Asia/Beijing").expect_err("not an IANA name");
        assert!(error.to_string().contains("Asia/Beijing"));
    }
}
