//! How often one callee may be called, whatever of the account calls: campaigns, batches, notices.

use chrono::{Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::schedule::{local, midnight};
use crate::Micros;

/// A call of the account to the callee that is asked about, who had not asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCall {
    /// When it was made.
    pub at: Micros,
    /// The caller ID that it showed, as stored.
    pub from: Option<String>,
}

/// How many calls of the account one callee gets at most without asking for them. Days and weeks are those of the
/// callee's zone; a week begins on Monday (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caps {
    /// On one day; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a_day: Option<u32>,
    /// In one week; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a_week: Option<u32>,
}

/// Which cap is reached, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capped {
    Day(Micros),
    Week(Micros),
}

impl Caps {
    /// Since when calls have to be known to judge at `now`, whatever the zone.
    pub fn known_since(now: Micros) -> Micros {
        const EIGHT_DAYS_MS: i64 = 8 * 24 * 3_600 * 1_000;
        now.plus_ms(-EIGHT_DAYS_MS)
    }

    /// Whether no cap is set.
    pub const fn is_none(&self) -> bool {
        self.a_day.is_none() && self.a_week.is_none()
    }

    /// The tighter of two for each stretch.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let tighter = |one: Option<u32>, two: Option<u32>| one.into_iter().chain(two).min();
        Self { a_day: tighter(self.a_day, other.a_day), a_week: tighter(self.a_week, other.a_week) }
    }

    /// Whether a callee of this zone has had the calls of the day or the week.
    pub fn are_reached(&self, zone: Tz, calls: &[PastCall], at: Micros) -> bool {
        self.reached(zone, calls, at).is_some()
    }

    /// The cap that forbids a call at `at`, the one that holds longest.
    pub(super) fn reached(&self, zone: Tz, calls: &[PastCall], at: Micros) -> Option<Capped> {
        let today = local(zone, at).date();
        let days = calls.iter().map(|call| local(zone, call.at).date());
        if let Some(cap) = self.a_week {
            let monday = monday(today);
            let next = after(monday, 7);
            let count = days.clone().filter(|day| (monday..next).contains(day)).count();
            if count >= cap as usize {
                return Some(Capped::Week(midnight(zone, next)));
            }
        }
        if let Some(cap) = self.a_day
            && days.filter(|day| *day == today).count() >= cap as usize
        {
            return Some(Capped::Day(midnight(zone, after(today, 1))));
        }
        None
    }
}

fn monday(day: NaiveDate) -> NaiveDate {
    let since = u64::from(day.weekday().num_days_from_monday());
    day.checked_sub_days(Days::new(since)).unwrap_or(day)
}

fn after(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use chrono::DateTime;

    fn at(text: &str) -> Micros {
        Micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn the_tighter_cap_holds() {
        let caps = |a_day, a_week| Caps { a_day, a_week };
        let both = caps(Some(2), None).and(caps(Some(1), Some(3)));
        assert_eq!(both, caps(Some(1), Some(3)));
        assert_eq!(both.and(caps(None, Some(2))), caps(Some(1), Some(2)));
        assert!(caps(None, None).and(caps(None, None)).is_none() && !both.is_none());
    }

    #[test]
    fn calls_are_counted_by_the_callees_days_and_weeks() {
        let zone = Tz::Asia__Shanghai;
        let calls = |texts: &[&str]| -> Vec<PastCall> {
            texts.iter().map(|text| PastCall { at: at(text), from: None }).collect()
        };
        let caps = |a_day, a_week| Caps { a_day, a_week };
        let now = at("2026-11-24T10:00:00+08:00"); // a Tuesday
        let yesterday_evening = "2026-11-23T23:59:00+08:00";
        let today_early = "2026-11-24T00:01:00+08:00";
        let last_sunday = "2026-11-22T12:00:00+08:00";
        let tomorrow = at("2026-11-25T00:00:00+08:00");
        let next_week = at("2026-11-30T00:00:00+08:00");
        let cases: [(&str, Caps, &[&str], Option<Capped>); 8] = [
            ("none", caps(None, None), &[today_early, today_early], None),
            ("yesterday is another day", caps(Some(1), None), &[yesterday_evening], None),
            ("today is not", caps(Some(1), None), &[today_early], Some(Capped::Day(tomorrow))),
            ("one of two", caps(Some(2), None), &[today_early], None),
            ("last week", caps(None, Some(1)), &[last_sunday], None),
            ("this week", caps(None, Some(1)), &[yesterday_evening], Some(Capped::Week(next_week))),
            (
                "the longer one",
                caps(Some(1), Some(2)),
                &[yesterday_evening, today_early],
                Some(Capped::Week(next_week)),
            ),
            (
                "the day's alone",
                caps(Some(1), Some(3)),
                &[yesterday_evening, today_early],
                Some(Capped::Day(tomorrow)),
            ),
        ];
        for (name, caps, past, expected) in cases {
            assert_eq!(caps.reached(zone, &calls(past), now), expected, "{name}");
        }
    }
}
