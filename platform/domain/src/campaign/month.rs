//! A simulated month: some thousand callees in three zones, retries, caps, a do-not-call list that
//! grows, and caller IDs that rest, by the same functions that production calls. Whatever happens,
//! the promises of the rules hold.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Weekday};
use chrono_tz::Tz;

use super::caps::PastCall;
use super::schedule::local;
use super::*;
use crate::{Micros, Number};

const MINUTE_MS: i64 = 60_000;

/// Chance that is the same in every run (Knuth, MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A callee and what has happened so far.
struct Callee {
    number: Number,
    zone: Tz,
    tries: Tries,
    not_before: Micros,
    avoid: Option<String>,
    past: Vec<PastCall>,
    /// When it went onto the list, if it does.
    listed_at: Option<Micros>,
    end: Option<(Micros, Result<CallResult, Rule>)>,
}

fn at(text: &str) -> Micros {
    Micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
}

const LINES: [&str; 3] = ["+861080001001", "+862180001001", "+8657180001001"];

fn rules() -> Rules {
    let window = |days: &[Weekday], from: &str, to: &str| Window {
        days: days.to_vec(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let workdays = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
    let retry = |on, after_min: &[u32], other_caller_id| RetryRule {
        on,
        after_min: after_min.to_vec(),
        other_caller_id,
    };
    Rules {
        schedule: Schedule {
            starts_at: Some(at("2026-10-01T00:00:00+08:00")),
            ends_at: Some(at("2026-11-01T00:00:00+08:00")),
            windows: vec![
                window(&workdays, "09:00", "12:00"),
                window(&workdays, "14:00", "20:00"),
                window(&[Weekday::Sat], "10:00", "12:00"),
            ],
            holidays: (1..=7).map(|day| NaiveDate::from_ymd_opt(2026, 10, day).unwrap()).collect(),
        },
        zones: Zones::with_default(Tz::Asia__Shanghai)
            .and("+1212".parse().unwrap(), Tz::America__New_York),
        retries: vec![
            retry(RetryOn::Busy, &[10, 60, 240], false),
            retry(RetryOn::NoAnswer, &[120, 24 * 60], true),
            retry(RetryOn::Failed, &[1, 5, 15], true),
            retry(RetryOn::Unconfirmed, &[24 * 60], false),
        ],
        caps: Caps { a_day: Some(2), a_week: Some(3) },
        lines: Lines {
            numbers: LINES.map(str::to_owned).to_vec(),
            rotate: true,
            sticky: true,
            local_presence: true,
            rest: Some(RestRule { below_percent: 15, over_calls: 30, rest_min: 180 }),
        },
        has_key: true,
    }
}

fn callees(count: u32, dice: &mut Dice) -> Vec<Callee> {
    let month_min = 31 * 24 * 60;
    (0..count)
        .map(|n| {
            let (text, zone) = match n % 10 {
                0 => (format!("+44207{n:07}"), Tz::Europe__London),
                1 => (format!("+1212555{n:04}"), Tz::America__New_York),
                2 => (format!("0571{n:08}"), Tz::Asia__Shanghai),
                _ => (format!("138{n:08}"), Tz::Asia__Shanghai),
            };
            let listed_min = i64::try_from(dice.roll(month_min)).unwrap();
            let listed_at = (n % 17 == 0)
                .then(|| rules().schedule.starts_at.unwrap().plus_ms(listed_min * MINUTE_MS));
            Callee {
                number: Number::parse_dialable(&text).unwrap(),
                zone,
                tries: Tries::default(),
                not_before: Micros(0),
                avoid: None,
                past: Vec::new(),
                listed_at,
                end: None,
            }
        })
        .collect()
}

/// What a call comes to. One of the caller IDs is hardly answered for some days.
fn outcome(from: &str, called_at: Micros, dice: &mut Dice) -> CallResult {
    let shunned =
        (at("2026-10-12T00:00:00+08:00")..at("2026-10-16T00:00:00+08:00")).contains(&called_at);
    if from == LINES[1] && shunned {
        return if dice.roll(20) == 0 { CallResult::Answered } else { CallResult::NoAnswer };
    }
    match dice.roll(100) {
        0..35 => CallResult::Confirmed,
        35..45 => CallResult::Answered,
        45..60 => CallResult::Busy,
        60..85 => CallResult::NoAnswer,
        85..90 => CallResult::Declined,
        90..93 => CallResult::NoSuchNumber,
        _ => CallResult::Failed,
    }
}

/// The history of a caller ID.
#[derive(Default)]
struct Shown {
    calls: u64,
    newest_first: Vec<LineCall>,
}

impl Shown {
    fn line(&self, number: &str, rule: RestRule) -> Line {
        Line {
            number: number.to_owned(),
            calls: self.calls,
            rests_until: rule.rests_until(&self.newest_first),
        }
    }
}

#[test]
fn a_month_of_calls_keeps_every_rule() {
    let rules = rules();
    let rest = rules.lines.rest.unwrap();
    let mut dice = Dice(20_261_124);
    let mut callees = callees(3_000, &mut dice);
    let mut shown: BTreeMap<&str, Shown> =
        LINES.into_iter().map(|number| (number, Shown::default())).collect();
    // As the rows are: whoever is due is asked about. The list grows for three weeks.
    let first = at("2026-09-30T00:00:00+08:00");
    let mut added = || first.plus_ms(i64::try_from(dice.roll(21 * 24 * 60)).unwrap() * MINUTE_MS);
    let mut due: BinaryHeap<Reverse<(Micros, usize)>> =
        (0..callees.len()).map(|index| Reverse((added(), index))).collect();
    let (mut asked, mut calls, mut passed_over) = (0_u32, 0_u32, 0_u32);

    while let Some(Reverse((now, index))) = due.pop() {
        asked += 1;
        assert!(asked < 200_000, "a number is asked about again and again");
        let pool: Vec<Line> = LINES.iter().map(|number| shown[number].line(number, rest)).collect();
        let callee = &mut callees[index];
        let facts = Facts {
            to: &callee.number,
            area: None,
            do_not_call: callee.listed_at.is_some_and(|listed| listed <= now),
            not_before: callee.not_before,
            avoid: callee.avoid.as_deref(),
            past: &callee.past,
            pool: &pool,
        };
        match decide(&rules, &facts, now) {
            Decision::Never { rule } => callee.end = Some((now, Err(rule))),
            Decision::Later { at, rule } => {
                assert!(at > now, "{rule:?} leads nowhere");
                due.push(Reverse((at, index)));
            }
            Decision::Call { from, until } => {
                let from = from.unwrap();
                holds(&rules, callee, &pool, &from, now, until);
                calls += 1;
                passed_over += u32::from(pool[1].rests_until.is_some_and(|until| until > now));
                let result = outcome(&from, now, &mut dice);
                let ended_at = now.plus_ms(30_000);
                let of_line = shown.get_mut(from.as_str()).unwrap();
                of_line.calls += 1;
                let answered = result.is_answered();
                of_line.newest_first.insert(0, LineCall { at: now, answered });
                of_line.newest_first.truncate(100);
                callee.past.push(PastCall { at: now, from: Some(from.clone()) });
                callee.tries.count(result, true);
                match callee.tries.next(&rules.retries, result, true, ended_at) {
                    Some(retry) => {
                        callee.not_before = retry.at;
                        callee.avoid = retry.other_caller_id.then_some(from);
                        due.push(Reverse((retry.at, index)));
                    }
                    None => callee.end = Some((ended_at, Ok(result))),
                }
            }
        }
    }

    assert!(callees.iter().all(|callee| callee.end.is_some()), "every number has its end");
    let of_rule = |rule: Rule| {
        callees
            .iter()
            .filter(|callee| matches!(callee.end, Some((_, Err(by))) if by == rule))
            .count()
    };
    let with_result =
        callees.iter().filter(|callee| matches!(callee.end, Some((_, Ok(_))))).count();
    assert!(of_rule(Rule::DoNotCall) > 10 && with_result > 1_000, "{with_result}");
    assert_eq!(
        of_rule(Rule::DoNotCall) + of_rule(Rule::ScheduleOver) + with_result,
        callees.len(),
        "no other rule ends a number"
    );
    assert!(calls > 3_000, "retries were made: {calls}");
    assert!(passed_over > 10, "the caller ID that nobody answered rested: {passed_over}");
    assert!(LINES.iter().all(|number| shown[number].calls > 500), "and all of them called");
}

/// What must be true of every call.
fn holds(rules: &Rules, callee: &Callee, pool: &[Line], from: &str, now: Micros, until: Micros) {
    let shown = local(callee.zone, now);
    let told = format!("{} at {shown} in {}", callee.number, callee.zone);
    assert!(callee.end.is_none(), "{told}: it was over");
    assert!(now >= callee.not_before && until > now, "{told}");
    assert!(callee.listed_at.is_none_or(|listed| listed > now), "{told}: it is on the list");
    let schedule = &rules.schedule;
    assert!(schedule.starts_at <= Some(now) && Some(now) < schedule.ends_at, "{told}");
    assert!(!schedule.holidays.contains(&shown.date()), "{told}: a holiday");
    let minute = shown.hour() * 60 + shown.minute();
    let is_open = match shown.weekday() {
        Weekday::Sun => false,
        Weekday::Sat => (600..720).contains(&minute),
        _ => (540..720).contains(&minute) || (840..1_200).contains(&minute),
    };
    assert!(is_open, "{told}: outside of the hours");
    let same_day = |call: &&PastCall| local(callee.zone, call.at).date() == shown.date();
    let week = shown.date().iso_week();
    let same_week = |call: &&PastCall| local(callee.zone, call.at).date().iso_week() == week;
    assert!(callee.past.iter().filter(same_day).count() < 2, "{told}: beyond the day's cap");
    assert!(callee.past.iter().filter(same_week).count() < 3, "{told}: beyond the week's cap");
    let line = pool.iter().find(|line| line.number == from).unwrap();
    assert!(line.rests_until.is_none_or(|until| until <= now), "{told}: {from} rests");
    let has_other = pool
        .iter()
        .any(|line| line.number != from && line.rests_until.is_none_or(|until| until <= now));
    assert!(callee.avoid.as_deref() != Some(from) || !has_other, "{told}: the same caller ID");
}
