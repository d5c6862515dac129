//! Recurring times as cron writes them: minute, hour, day of the month, month, day of the week.
//!
//! Each field is `*`, a number, a range `1-5`, any of these with a step `/2`, or several with commas
//! between; months and days of the week may be given by their first three letters, and 7 is Sunday
//! too. Where both the day of the month and the day of the week are limited, a day that fits either
//! is meant (POSIX, crontab).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Micros;

/// The 29th of February is eight years away at most (2096 to 2104).
const LOOK_DAYS: u64 = 8 * 366 + 1;
/// Zones skip an hour as a rule, and a whole day where they cross the date line.
const GAP_STEP_MIN: i64 = 15;
const GAP_STEPS: i64 = 2 * 24 * 60 / GAP_STEP_MIN;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A recurring time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
    /// Both kinds of days are limited: either will do.
    either_day: bool,
}

/// Numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set(u64);

impl Set {
    const fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }
}

/// Not a recurring time: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// Too few or too many fields.
    #[error(
        "expected five fields (minute, hour, day of the month, month, day of the week), found {0}"
    )]
    Fields(usize),
    /// A field that is not of the form.
    #[error("{field}: {found:?} is not of the form *, 5, 1-5, */2 or a list of these")]
    Form {
        /// Which one.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number outside of its range, or a range that runs backwards.
    #[error("{field}: expected {least} to {most}, the smaller one first, found {found:?}")]
    Range {
        /// Which one.
        field: &'static str,
        /// What stands there.
        found: String,
        /// The smallest number.
        least: u32,
        /// The greatest one.
        most: u32,
    },
}

/// What a field may hold.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

impl Field {
    fn parse(&self, text: &str) -> Result<Set, BadCron> {
        let mut set = 0;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    let step = self.plain(step, part)?;
                    if step == 0 {
                        return Err(self.form(part));
                    }
                    (range, Some(step))
                }
                None => (part, None),
            };
            let (from, to) = if range == "*" {
                (self.least, self.most)
            } else if let Some((from, to)) = range.split_once('-') {
                (self.number(from, part)?, self.number(to, part)?)
            } else {
                let number = self.number(range, part)?;
                // `5/15` runs from 5 to the field's end.
                (number, if step.is_some() { self.most } else { number })
            };
            if from < self.least || to > self.most || from > to {
                let (least, most) = (self.least, self.most);
                return Err(BadCron::Range { field: self.name, found: shown(part), least, most });
            }
            let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
            for number in (from..=to).step_by(step) {
                set |= 1 << number;
            }
        }
        Ok(Set(set))
    }

    fn number(&self, text: &str, part: &str) -> Result<u32, BadCron> {
        let lower = text.to_ascii_lowercase();
        if let Some(place) = self.names.iter().position(|name| *name == lower) {
            return Ok(u32::try_from(place).unwrap_or(u32::MAX).saturating_add(self.least));
        }
        self.plain(text, part)
    }

    fn plain(&self, text: &str, part: &str) -> Result<u32, BadCron> {
        if text.is_empty() || text.len() > 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.form(part));
        }
        text.parse().map_err(|_| self.form(part))
    }

    fn form(&self, part: &str) -> BadCron {
        BadCron::Form { field: self.name, found: shown(part) }
    }
}

fn shown(part: &str) -> String {
    part.chars().take(32).collect()
}

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(BadCron::Fields(fields.len()));
        };
        let field = |name, least, most, names| Field { name, least, most, names };
        let weekday_set = field("day of the week", 0, 7, &WEEKDAYS).parse(weekdays)?;
        Ok(Self {
            text: fields.join(" "),
            minutes: field("minute", 0, 59, &[]).parse(minutes)?,
            hours: field("hour", 0, 23, &[]).parse(hours)?,
            days: field("day of the month", 1, 31, &[]).parse(days)?,
            months: field("month", 1, 12, &MONTHS).parse(months)?,
            // 7 is 0.
            weekdays: Set(weekday_set.0 | weekday_set.0 >> 7),
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        })
    }
}

impl Cron {
    /// The first time after an instant, in a zone. A time that the zone's clocks skip comes right
    /// after the gap, and one that they show twice comes once. Nothing where no day fits (the 30th of
    /// February).
    pub fn next_after(&self, zone: Tz, after: Micros) -> Option<Micros> {
        let utc = DateTime::from_timestamp(after.second(), 0)?;
        let today = utc.with_timezone(&zone).date_naive();
        (0..=LOOK_DAYS)
            .map_while(|ahead| today.checked_add_days(Days::new(ahead)))
            .filter(|day| self.is_on(*day))
            .flat_map(|day| self.times().map(move |time| (day, time)))
            .filter_map(|(day, time)| instant(zone, day, time))
            .find(|at| *at > after)
    }

    fn is_on(&self, day: NaiveDate) -> bool {
        let of_month = self.days.has(day.day());
        let of_week = self.weekdays.has(day.weekday().num_days_from_sunday());
        let fits = if self.either_day { of_month || of_week } else { of_month && of_week };
        fits && self.months.has(day.month())
    }

    /// Minutes from midnight.
    fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let (hours, minutes) = (self.hours, self.minutes);
        (0..24).filter(move |hour| hours.has(*hour)).flat_map(move |hour| {
            let in_hour = (0..60).filter(move |minute| minutes.has(*minute));
            in_hour.map(move |minute| i64::from(hour) * 60 + i64::from(minute))
        })
    }
}

fn instant(zone: Tz, day: NaiveDate, minute: i64) -> Option<Micros> {
    let wanted = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute);
    (0..=GAP_STEPS).find_map(|step| {
        match zone.from_local_datetime(&(wanted + TimeDelta::minutes(step * GAP_STEP_MIN))) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                Some(Micros(at.timestamp_micros()))
            }
            LocalResult::None => None,
        }
    })
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Cron {
    type Error = BadCron;

    fn try_from(text: String) -> Result<Self, BadCron> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Micros {
        Micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn the_next_time_is_the_next_that_fits() {
        let shanghai = Tz::Asia__Shanghai;
        // 2026-11-24 is a Tuesday. (cron, zone, after, next)
        let cases = [
            ("* * * * *", shanghai, "2026-11-24T10:00:00+08:00", "2026-11-24T10:01:00+08:00"),
            ("0 9 * * *", shanghai, "2026-11-24T10:00:00+08:00", "2026-11-25T09:00:00+08:00"),
            ("0 9 * * *", shanghai, "2026-11-24T08:59:59+08:00", "2026-11-24T09:00:00+08:00"),
            ("0 9 * * 1-5", shanghai, "2026-11-27T09:00:00+08:00", "2026-11-30T09:00:00+08:00"),
            ("30 8,20 * * *", shanghai, "2026-11-24T08:30:00+08:00", "2026-11-24T20:30:00+08:00"),
            ("*/20 * * * *", shanghai, "2026-11-24T08:30:00+08:00", "2026-11-24T08:40:00+08:00"),
            ("5/25 * * * *", shanghai, "2026-11-24T08:30:00+08:00", "2026-11-24T08:55:00+08:00"),
            ("0 0 1 * *", shanghai, "2026-11-24T00:00:00+08:00", "2026-12-01T00:00:00+08:00"),
            ("0 0 1 * fri", shanghai, "2026-11-24T00:00:00+08:00", "2026-11-27T00:00:00+08:00"),
            ("0 0 29 feb *", shanghai, "2096-03-01T00:00:00+08:00", "2104-02-29T00:00:00+08:00"),
            ("0 12 * * SUN", shanghai, "2026-11-24T00:00:00+08:00", "2026-11-29T12:00:00+08:00"),
            ("0 12 * * 7", shanghai, "2026-11-24T00:00:00+08:00", "2026-11-29T12:00:00+08:00"),
            // Skipped on 2026-03-29, and shown twice on 2026-10-25.
            ("30 2 * * *", Tz::Europe__Berlin, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", Tz::Europe__Berlin, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ];
        for (text, zone, after, next) in cases {
            let cron: Cron = text.parse().unwrap();
            assert_eq!(cron.next_after(zone, at(after)), Some(at(next)), "{text} after {after}");
        }
        let never: Cron = "0 0 30 2 *".parse().unwrap();
        assert_eq!(never.next_after(shanghai, at("2026-11-24T00:00:00Z")), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            ("", "five fields"),
            ("* * * *", "five fields"),
            ("* * * * * *", "five fields"),
            ("60 * * * *", "minute: expected 0 to 59"),
            ("* 24 * * *", "hour: expected 0 to 23"),
            ("* * 0 * *", "day of the month: expected 1 to 31"),
            ("* * * 13 *", "month: expected 1 to 12"),
            ("* * * * 8", "day of the week: expected 0 to 7"),
            ("5-1 * * * *", "smaller one first"),
            ("*/0 * * * *", "not of the form"),
            ("a * * * *", "not of the form"),
            ("-1 * * * *", "not of the form"),
            ("1,,2 * * * *", "not of the form"),
            ("@daily", "five fields"),
        ];
        for (text, said) in cases {
            let problem = text.parse::<Cron>().unwrap_err().to_string();
            assert!(problem.contains(said), "{text:?}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn times_go_forward(
            minute in 0_u32..60,
            step in 1_u32..24,
            day in 0_u32..7,
            second in 1_600_000_000_i64..1_900_000_000,
        ) {
            let cron: Cron = format!("{minute} */{step} * * {day}").parse().unwrap();
            let mut now = Micros(second * 1_000_000);
            for _ in 0..5 {
                let next = cron.next_after(Tz::America__New_York, now).unwrap();
                prop_assert!(next > now);
                prop_assert!(next.ms_since(now) <= 8 * 24 * 3_600_000);
                now = next;
            }
        }
    }
}
