//! The one decision: may this number be called now, with which caller ID, and if not, when next and
//! why.

use serde::{Deserialize, Serialize};

use super::caps::{Capped, PastCall};
use super::lines::{Choice, Line};
use super::{Opening, Rules};
use crate::{Micros, Number};

/// Caps, hours and resting caller IDs push one another on; each pass moves at least a day or a rest
/// ahead. A number that no pass settles is asked about again at the instant that was reached.
const PASSES: usize = 16;

/// What is known of a number.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The callee.
    pub to: &'a Number,
    /// The callee's area code, where the tenant told it (`0571`).
    pub area: Option<&'a str>,
    /// The account's list has it.
    pub do_not_call: bool,
    /// When its next call is due by the rules of retries.
    pub not_before: Micros,
    /// The caller ID that the next call shall not show, as stored.
    pub avoid: Option<&'a str>,
    /// Calls of the account to it that it had not asked for, at least those since
    /// [`Caps::known_since`](super::Caps::known_since).
    pub past: &'a [PastCall],
    /// The campaign's caller IDs; empty: the application's first one is shown.
    pub pool: &'a [Line],
}

/// What is to become of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is called now.
    Call {
        /// What it sees, as stored; absent: the application's first caller ID.
        from: Option<String>,
        /// Not at or after this instant any more.
        until: Micros,
    },
    /// It is asked about again.
    Later {
        /// Not before this instant, which lies ahead.
        at: Micros,
        /// What it waits for.
        rule: Rule,
    },
    /// It is not called any more.
    Never {
        /// Why.
        rule: Rule,
    },
}

/// What decides that a number is not called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The account's do-not-call list.
    DoNotCall,
    /// The campaign's end.
    ScheduleOver,
    /// The campaign's start.
    NotStarted,
    /// The pause before a retry.
    RetryPause,
    /// The cap of calls a day.
    DayCap,
    /// The cap of calls a week.
    WeekCap,
    /// The calling hours of the callee's zone, and holidays.
    CallingWindow,
    /// Every caller ID rests.
    CallerIdsRest,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 8] = [
        Self::DoNotCall,
        Self::ScheduleOver,
        Self::NotStarted,
        Self::RetryPause,
        Self::DayCap,
        Self::WeekCap,
        Self::CallingWindow,
        Self::CallerIdsRest,
    ];

    /// Its stable name, as stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoNotCall => "do_not_call",
            Self::ScheduleOver => "schedule_over",
            Self::NotStarted => "not_started",
            Self::RetryPause => "retry_pause",
            Self::DayCap => "day_cap",
            Self::WeekCap => "week_cap",
            Self::CallingWindow => "calling_window",
            Self::CallerIdsRest => "caller_ids_rest",
        }
    }

    /// The rule with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// What it did, in Chinese.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::DoNotCall => "号码在该账号的免打扰名单中",
            Self::ScheduleOver => "任务已到结束时间",
            Self::NotStarted => "任务尚未到开始时间",
            Self::RetryPause => "等待重呼间隔",
            Self::DayCap => "该号码当日呼叫次数已达上限",
            Self::WeekCap => "该号码本周呼叫次数已达上限",
            Self::CallingWindow => "不在被叫所在时区的允许呼叫时段内，或为节假日",
            Self::CallerIdsRest => "所有显号均在休息",
        }
    }

    /// What it did, in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::DoNotCall => "The number is on the account's do-not-call list",
            Self::ScheduleOver => "The campaign's end has come",
            Self::NotStarted => "The campaign's start has not come yet",
            Self::RetryPause => "The pause before the next try is not over",
            Self::DayCap => "The number has had its calls of the day",
            Self::WeekCap => "The number has had its calls of the week",
            Self::CallingWindow => {
                "It is outside the calling hours of the callee's zone, or a holiday"
            }
            Self::CallerIdsRest => "Every caller ID of the campaign rests",
        }
    }
}

/// Decides about one number. What it says of later is a promise under the facts as they are: at that
/// instant the same facts give [`Decision::Call`], if no pass beyond [`PASSES`] is needed.
pub fn decide(rules: &Rules, facts: &Facts<'_>, now: Micros) -> Decision {
    if facts.do_not_call {
        return Decision::Never { rule: Rule::DoNotCall };
    }
    let zone = rules.zones.of(facts.to);
    let mut at = now;
    let mut because = Rule::RetryPause;
    if facts.not_before > at {
        at = facts.not_before;
    }
    for _ in 0..PASSES {
        match rules.caps.reached(zone, facts.past, at) {
            Some(Capped::Week(until)) if until > at => (at, because) = (until, Rule::WeekCap),
            Some(Capped::Day(until)) if until > at => (at, because) = (until, Rule::DayCap),
            Some(_) | None => {}
        }
        let until = match rules.schedule.at(zone, at) {
            Opening::Over => return Decision::Never { rule: Rule::ScheduleOver },
            Opening::Opens { at: opens, before_start } => {
                at = opens;
                because = match because {
                    _ if before_start => Rule::NotStarted,
                    // The hours only say when on the day that the cap has led to.
                    Rule::DayCap | Rule::WeekCap => because,
                    _ => Rule::CallingWindow,
                };
                // The hours may have led into a day whose cap is another one.
                continue;
            }
            Opening::Open { until } => until,
        };
        let chosen =
            rules.lines.choose(facts.pool, facts.to, facts.area, facts.past, facts.avoid, at);
        match chosen {
            Choice::AllRest(back) if back > at => {
                (at, because) = (back, Rule::CallerIdsRest);
            }
            Choice::AllRest(_) => break,
            Choice::Show(from) if at <= now => {
                return Decision::Call { from: from.map(str::to_owned), until };
            }
            Choice::Show(_) => break,
        }
    }
    // Only a pass that moved on can end without a call.
    Decision::Later { at: at.max(now.plus_ms(1)), rule: because }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::campaign::rules::tests::plain;
    use crate::campaign::{Caps, Lines};
    use chrono::DateTime;
    use proptest::prelude::*;

    fn at(text: &str) -> Micros {
        Micros(DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    fn callee() -> Number {
        Number::parse_dialable("13800100001").unwrap()
    }

    fn facts<'a>(to: &'a Number, past: &'a [PastCall], pool: &'a [Line]) -> Facts<'a> {
        Facts { to, area: None, do_not_call: false, not_before: Micros(0), avoid: None, past, pool }
    }

    #[test]
    fn the_rule_that_decides_is_told() {
        let to = callee();
        let line = |until: Option<&str>| Line {
            number: "+861080001001".to_owned(),
            calls: 0,
            rests_until: until.map(at),
        };
        let called = |texts: &[&str]| -> Vec<PastCall> {
            texts.iter().map(|text| PastCall { at: at(text), from: None }).collect()
        };
        let later = |text: &str, rule| Decision::Later { at: at(text), rule };
        let noon = at("2026-11-24T12:00:00+08:00");
        let today = ["2026-11-24T09:30:00+08:00"];
        let capped = Rules { caps: Caps { a_day: Some(1), a_week: Some(2) }, ..plain() };
        let mut ending = plain();
        ending.schedule.ends_at = Some(at("2026-11-24T19:00:00+08:00"));

        let up = [line(None)];
        let resting = [line(Some("2026-11-24T14:00:00+08:00"))];
        let resting_long = [line(Some("2026-11-24T21:00:00+08:00"))];
        let none: [PastCall; 0] = [];
        let once = called(&today);
        let twice = called(&["2026-11-23T09:30:00+08:00", today[0]]);
        let from = Some("+861080001001".to_owned());
        let evening = at("2026-11-24T20:00:00+08:00");

        let cases = [
            (
                "nothing against it",
                plain(),
                facts(&to, &none, &up),
                Decision::Call { from: from.clone(), until: evening },
            ),
            (
                "the application's caller ID",
                plain(),
                facts(&to, &none, &[]),
                Decision::Call { from: None, until: evening },
            ),
            (
                "the list",
                plain(),
                Facts { do_not_call: true, ..facts(&to, &none, &up) },
                Decision::Never { rule: Rule::DoNotCall },
            ),
            (
                "a retry later today",
                plain(),
                Facts { not_before: noon.plus_ms(60_000), ..facts(&to, &none, &up) },
                later("2026-11-24T12:01:00+08:00", Rule::RetryPause),
            ),
            (
                "a retry in the night",
                plain(),
                Facts { not_before: noon.plus_ms(9 * 3_600_000), ..facts(&to, &none, &up) },
                later("2026-11-25T09:00:00+08:00", Rule::CallingWindow),
            ),
            (
                "the cap of the day",
                capped.clone(),
                facts(&to, &once, &up),
                later("2026-11-25T09:00:00+08:00", Rule::DayCap),
            ),
            (
                "the cap of the week",
                capped,
                facts(&to, &twice, &up),
                later("2026-11-30T09:00:00+08:00", Rule::WeekCap),
            ),
            (
                "a rest",
                plain(),
                facts(&to, &none, &resting),
                later("2026-11-24T14:00:00+08:00", Rule::CallerIdsRest),
            ),
            (
                "a rest into the night",
                plain(),
                facts(&to, &none, &resting_long),
                later("2026-11-25T09:00:00+08:00", Rule::CallingWindow),
            ),
            (
                "a rest beyond the end",
                ending.clone(),
                facts(&to, &none, &resting_long),
                Decision::Never { rule: Rule::ScheduleOver },
            ),
            (
                "the end before the hours'",
                ending,
                facts(&to, &none, &up),
                Decision::Call { from, until: at("2026-11-24T19:00:00+08:00") },
            ),
        ];
        for (name, rules, facts, expected) in cases {
            assert_eq!(decide(&rules, &facts, noon), expected, "{name}");
        }
    }

    #[test]
    fn rules_have_names_of_their_own() {
        for rule in Rule::ALL {
            assert_eq!(Rule::by_name(rule.name()), Some(rule));
            // The list is the same for both.
            let is_the_gates = crate::policy::Rule::by_name(rule.name()).is_some();
            assert_eq!(is_the_gates, rule == Rule::DoNotCall, "{rule:?}");
        }
    }

    fn any_facts() -> impl Strategy<Value = (Vec<i64>, Option<i64>, i64, Option<u32>, Option<u32>)>
    {
        (
            prop::collection::vec(-8 * 24 * 60..0_i64, 0..6),
            prop::option::of(-100..3 * 24 * 60_i64),
            -100..5 * 24 * 60_i64,
            prop::option::of(1..3_u32),
            prop::option::of(1..4_u32),
        )
    }

    proptest! {
        /// Whatever is put off is called at the instant that was told, nobody is called outside the
        /// hours or beyond a cap, and what is told lies ahead.
        #[test]
        fn what_is_put_off_comes_and_what_is_called_may_be(
            second in 1_700_000_000_i64..1_800_000_000,
            (past, rest, not_before, a_day, a_week) in any_facts(),
        ) {
            let minutes = |n: i64| n * 60_000;
            let now = Micros(second * 1_000_000);
            let to = callee();
            let past: Vec<PastCall> = past
                .iter()
                .map(|ago| PastCall { at: now.plus_ms(minutes(*ago)), from: None })
                .collect();
            let pool = [Line {
                number: "+861080001001".to_owned(),
                calls: 0,
                rests_until: rest.map(|in_min| now.plus_ms(minutes(in_min))),
            }];
            let rules = Rules {
                caps: Caps { a_day, a_week },
                lines: Lines { rotate: true, ..plain().lines },
                ..plain()
            };
            let facts =
                Facts { not_before: now.plus_ms(minutes(not_before)), ..facts(&to, &past, &pool) };
            let called_at = match decide(&rules, &facts, now) {
                Decision::Call { until, .. } => {
                    prop_assert!(until > now);
                    now
                }
                Decision::Later { at, .. } => {
                    prop_assert!(at > now);
                    match decide(&rules, &facts, at) {
                        Decision::Call { .. } => at,
                        other => return Err(TestCaseError::fail(format!("{other:?}"))),
                    }
                }
                Decision::Never { rule } => {
                    return Err(TestCaseError::fail(format!("{rule:?}")));
                }
            };
            prop_assert!(called_at >= facts.not_before);
            prop_assert!(pool[0].rests_until.is_none_or(|until| until <= called_at));
            let zone = chrono_tz::Tz::Asia__Shanghai;
            prop_assert!(rules.caps.reached(zone, &past, called_at).is_none());
            let open = matches!(rules.schedule.at(zone, called_at), Opening::Open { .. });
            prop_assert!(open);
        }
    }
}
