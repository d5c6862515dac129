//! When a campaign calls: from a start to an end, on days and at hours of the callee's own zone, and
//! not on holidays.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
};
use chrono::{Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::TimeOfDay;
use crate::Micros;

/// How far is looked ahead for an open day: longer than any run of holidays.
const LOOK_DAYS: u64 = 400;
/// Zones skip an hour as a rule, and a whole day where they cross the date line (Apia, 2011).
const GAP_STEP_MIN: i64 = 15;
const GAP_STEPS: i64 = 2 * 24 * 60 / GAP_STEP_MIN;

/// Hours of some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On these days; empty: on every day.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// From this time on.
    pub from: TimeOfDay,
    /// Up to this time, which is later than `from`.
    pub to: TimeOfDay,
}

impl Window {
    /// Every day between two times.
    pub const fn daily(from: TimeOfDay, to: TimeOfDay) -> Self {
        Self { days: Vec::new(), from, to }
    }

    fn is_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

/// When a campaign calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Nobody is called before.
    #[serde(default)]
    pub starts_at: Option<Micros>,
    /// Nobody is called at or after it.
    #[serde(default)]
    pub ends_at: Option<Micros>,
    /// The hours, in the callee's zone.
    pub windows: Vec<Window>,
    /// Days in the callee's zone on which nobody is called.
    #[serde(default)]
    pub holidays: BTreeSet<NaiveDate>,
}

/// Whether a schedule lets somebody be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Now.
    Open {
        /// Not at or after this instant any more.
        until: Micros,
    },
    /// Later.
    Opens {
        /// The first instant.
        at: Micros,
        /// It is before the campaign's own start.
        before_start: bool,
    },
    /// Never again.
    Over,
}

impl Schedule {
    /// Whether somebody in this zone may be called at `now`.
    pub fn at(&self, zone: Tz, now: Micros) -> Opening {
        if self.ends_at.is_some_and(|end| now >= end) {
            return Opening::Over;
        }
        let from = self.starts_at.map_or(now, |start| start.max(now));
        let Some((opens, closes)) = self.next_span(zone, from) else { return Opening::Over };
        let begins = opens.max(from);
        if self.ends_at.is_some_and(|end| begins >= end) {
            return Opening::Over;
        }
        if begins > now {
            return Opening::Opens { at: begins, before_start: from > now };
        }
        Opening::Open { until: self.ends_at.map_or(closes, |end| end.min(closes)) }
    }

    /// The first stretch of open time that is not over at `from`.
    fn next_span(&self, zone: Tz, from: Micros) -> Option<(Micros, Micros)> {
        let today = local(zone, from).date();
        let days = (0..=LOOK_DAYS).map_while(|ahead| today.checked_add_days(Days::new(ahead)));
        days.filter(|day| !self.holidays.contains(day))
            .find_map(|day| self.spans(zone, day).into_iter().find(|(_, closes)| *closes > from))
    }

    /// A day's open stretches in their order; what overlaps or meets is one.
    fn spans(&self, zone: Tz, day: NaiveDate) -> Vec<(Micros, Micros)> {
        let windows = self.windows.iter().filter(|window| window.is_on(day.weekday()));
        let mut all: Vec<(Micros, Micros)> = windows
            .map(|window| {
                let opens = instant(zone, day, window.from, Side::Opening);
                (opens, instant(zone, day, window.to, Side::Closing))
            })
            .filter(|(opens, closes)| opens < closes)
            .collect();
        all.sort_unstable();
        let mut joined: Vec<(Micros, Micros)> = Vec::with_capacity(all.len());
        for (opens, closes) in all {
            match joined.last_mut() {
                Some(last) if opens <= last.1 => last.1 = last.1.max(closes),
                _ => joined.push((opens, closes)),
            }
        }
        joined
    }
}

/// Which of two readings of a time that a clock shows twice is meant: always the one that keeps the
/// window shorter.
#[derive(Clone, Copy)]
enum Side {
    Opening,
    Closing,
}

fn instant(zone: Tz, day: NaiveDate, time: TimeOfDay, side: Side) -> Micros {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    let wanted = midnight + TimeDelta::minutes(i64::from(time.minutes()));
    let found = (0..=GAP_STEPS).find_map(|step| {
        // A time that the clocks skip is the first one after it.
        let shown = wanted + TimeDelta::minutes(step * GAP_STEP_MIN);
        match (zone.from_local_datetime(&shown), side) {
            (LocalResult::Single(at), _) => Some(at),
            (LocalResult::Ambiguous(_, later), Side::Opening) => Some(later),
            (LocalResult::Ambiguous(earlier, _), Side::Closing) => Some(earlier),
            (LocalResult::None, _) => None,
        }
    });
    let at = found.map_or_else(|| Utc.from_utc_datetime(&wanted), |at| at.to_utc());
    Micros(at.timestamp_micros())
}

/// What clocks in the zone show.
pub(super) fn local(zone: Tz, at: Micros) -> NaiveDateTime {
    let second = DateTime::from_timestamp(at.second(), at.micros_of_second() * 1_000);
    second.unwrap_or_default().with_timezone(&zone).naive_local()
}

/// When a day begins in the zone.
pub(super) fn midnight(zone: Tz, day: NaiveDate) -> Micros {
    instant(zone, day, TimeOfDay::from_minutes(0), Side::Opening)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn utc(text: &str) -> Micros {
        Micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    fn window(days: &[Weekday], from: &str, to: &str) -> Window {
        Window { days: days.to_vec(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    const WORKDAYS: [Weekday; 5] =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

    fn office() -> Schedule {
        Schedule {
            starts_at: None,
            ends_at: None,
            windows: vec![
                window(&WORKDAYS, "09:00", "12:00"),
                window(&WORKDAYS, "14:00", "18:00"),
                window(&[Weekday::Sat], "10:00", "11:00"),
            ],
            holidays: BTreeSet::from(["2026-10-01".parse().unwrap()]),
        }
    }

    #[test]
    fn hours_are_those_of_the_callee() {
        let shanghai = Tz::Asia__Shanghai;
        let opens = |at: &str| Opening::Opens { at: utc(at), before_start: false };
        let open = |until: &str| Opening::Open { until: utc(until) };
        // 2026-11-24 is a Tuesday. (zone, now, expected)
        let cases = [
            (shanghai, "2026-11-24T00:59:59Z", opens("2026-11-24T09:00:00+08:00")),
            (shanghai, "2026-11-24T01:00:00Z", open("2026-11-24T12:00:00+08:00")),
            (shanghai, "2026-11-24T04:00:00Z", opens("2026-11-24T14:00:00+08:00")),
            (shanghai, "2026-11-24T09:59:59Z", open("2026-11-24T18:00:00+08:00")),
            (shanghai, "2026-11-24T10:00:00Z", opens("2026-11-25T09:00:00+08:00")),
            (shanghai, "2026-11-27T10:00:00Z", opens("2026-11-28T10:00:00+08:00")),
            (shanghai, "2026-11-28T05:00:00Z", opens("2026-11-30T09:00:00+08:00")),
            // The day before a holiday, in the evening.
            (shanghai, "2026-09-30T12:00:00Z", opens("2026-10-02T09:00:00+08:00")),
            (Tz::Europe__London, "2026-11-24T01:00:00Z", opens("2026-11-24T09:00:00Z")),
        ];
        for (zone, now, expected) in cases {
            assert_eq!(office().at(zone, utc(now)), expected, "{zone} {now}");
        }
    }

    #[test]
    fn a_campaign_has_a_start_and_an_end() {
        let schedule = Schedule {
            starts_at: Some(utc("2026-11-25T10:00:00+08:00")),
            ends_at: Some(utc("2026-11-25T17:00:00+08:00")),
            ..office()
        };
        let zone = Tz::Asia__Shanghai;
        let cases = [
            (
                "2026-11-24T10:00:00+08:00",
                Opening::Opens { at: utc("2026-11-25T10:00:00+08:00"), before_start: true },
            ),
            (
                "2026-11-25T10:00:00+08:00",
                Opening::Open { until: utc("2026-11-25T12:00:00+08:00") },
            ),
            (
                "2026-11-25T16:59:59+08:00",
                Opening::Open { until: utc("2026-11-25T17:00:00+08:00") },
            ),
            ("2026-11-25T17:00:00+08:00", Opening::Over),
        ];
        for (now, expected) in cases {
            assert_eq!(schedule.at(zone, utc(now)), expected, "{now}");
        }
        // It ends before it ever opens.
        let late = Schedule { ends_at: Some(utc("2026-11-25T08:00:00+08:00")), ..office() };
        assert_eq!(late.at(zone, utc("2026-11-24T19:00:00+08:00")), Opening::Over);
        let closed = Schedule { windows: Vec::new(), ..office() };
        assert_eq!(closed.at(zone, utc("2026-11-24T10:00:00+08:00")), Opening::Over);
    }

    #[test]
    fn windows_that_meet_are_one_and_clocks_that_change_shorten_none_of_it_wrongly() {
        let schedule = |from: &str, to: &str| Schedule {
            windows: vec![window(&[], from, "12:00"), window(&[], "12:00", to)],
            holidays: BTreeSet::new(),
            ..office()
        };
        let zone = Tz::Asia__Shanghai;
        assert_eq!(
            schedule("09:00", "18:00").at(zone, utc("2026-11-24T11:00:00+08:00")),
            Opening::Open { until: utc("2026-11-24T18:00:00+08:00") }
        );
        // 02:00 to 03:00 is skipped on 2026-03-29 and 02:00 to 03:00 comes twice on 2026-10-25.
        let berlin = Tz::Europe__Berlin;
        assert_eq!(
            schedule("02:30", "24:00").at(berlin, utc("2026-03-28T23:30:00Z")),
            Opening::Opens { at: utc("2026-03-29T01:00:00Z"), before_start: false }
        );
        assert_eq!(
            schedule("02:30", "24:00").at(berlin, utc("2026-10-25T00:40:00Z")),
            Opening::Opens { at: utc("2026-10-25T01:30:00Z"), before_start: false }
        );
        // The day that Apia left out.
        let apia = schedule("09:00", "18:00").at(Tz::Pacific__Apia, utc("2011-12-30T05:00:00Z"));
        let Opening::Opens { at, .. } = apia else { panic!("{apia:?}") };
        assert_eq!(local(Tz::Pacific__Apia, at).to_string(), "2011-12-31 09:00:00");
    }

    fn any_zone() -> impl Strategy<Value = Tz> {
        prop::sample::select(vec![
            Tz::Asia__Shanghai,
            Tz::Europe__Berlin,
            Tz::America__New_York,
            Tz::Australia__Lord_Howe,
            Tz::Asia__Kathmandu,
        ])
    }

    proptest! {
        /// What opens later is open then, and what is open lies in a window of a day that is none of
        /// the holidays.
        #[test]
        fn openings_keep_their_word(
            zone in any_zone(),
            second in 1_700_000_000_i64..1_900_000_000,
            from in 0_u16..1_400,
            length in 1_u16..600,
            day in 0_u8..7,
        ) {
            let (from, to) = (TimeOfDay::from_minutes(from), TimeOfDay::from_minutes(from + length));
            let day = Weekday::try_from(day).unwrap();
            let now = Micros(second * 1_000_000);
            let holiday = local(zone, now).date();
            let schedule = Schedule {
                starts_at: None,
                ends_at: None,
                windows: vec![Window { days: vec![day, day.succ()], from, to }],
                holidays: BTreeSet::from([holiday]),
            };
            let (begins, until) = match schedule.at(zone, now) {
                Opening::Open { until } => (now, until),
                Opening::Opens { at, .. } => {
                    prop_assert!(at > now);
                    match schedule.at(zone, at) {
                        Opening::Open { until } => (at, until),
                        other => return Err(TestCaseError::fail(format!("{other:?}"))),
                    }
                }
                // A window that lies wholly in an hour that is skipped.
                Opening::Over => return Ok(()),
            };
            prop_assert!(begins < until);
            let shown = local(zone, begins);
            prop_assert_ne!(shown.date(), holiday);
            prop_assert!([day, day.succ()].contains(&shown.date().weekday()));
        }
    }
}
