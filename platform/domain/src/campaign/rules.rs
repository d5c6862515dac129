//! What the tenant of a campaign chose, checked as a whole.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Caps, Lines, RetryRule, Schedule, TimeOfDay, Zones};

/// Windows, retry rules, pauses and caller IDs of one campaign have an end.
const MOST_WINDOWS: usize = 50;
const MOST_RETRIES: usize = 10;
const MOST_LINES: usize = 200;
const MOST_HOLIDAYS: usize = 366;
/// A week.
const LONGEST_PAUSE_MIN: u32 = 7 * 24 * 60;

/// The rules of a campaign, as stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// When it calls.
    pub schedule: Schedule,
    /// In whose zone.
    pub zones: Zones,
    /// When a number is called again; at most one for each kind of call.
    #[serde(default)]
    pub retries: Vec<RetryRule>,
    /// How often one callee is called at most.
    #[serde(default)]
    pub caps: Caps,
    /// What callees see.
    pub lines: Lines,
    /// Whether a confirming key is waited for.
    pub has_key: bool,
}

/// Rules that are not taken: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct RuleProblem {
    /// The field as the API writes it.
    pub field: String,
    /// What was expected and what was found.
    pub problem: String,
}

fn problem(field: impl Into<String>, problem: impl Into<String>) -> RuleProblem {
    RuleProblem { field: field.into(), problem: problem.into() }
}

impl Rules {
    /// Whether the rules make sense together. `hours` are the widest that the operator allows.
    ///
    /// # Errors
    /// [`RuleProblem`], the first one.
    pub fn check(&self, hours: (TimeOfDay, TimeOfDay)) -> Result<(), RuleProblem> {
        self.check_schedule(hours)?;
        self.check_retries()?;
        self.check_caps_and_lines()
    }

    fn check_schedule(&self, hours: (TimeOfDay, TimeOfDay)) -> Result<(), RuleProblem> {
        let schedule = &self.schedule;
        if let (Some(start), Some(end)) = (schedule.starts_at, schedule.ends_at)
            && end <= start
        {
            return Err(problem("endsAt", "expected an instant after startsAt"));
        }
        let count = schedule.windows.len();
        if !(1..=MOST_WINDOWS).contains(&count) {
            return Err(problem("windows", format!("expected 1 to {MOST_WINDOWS}, found {count}")));
        }
        for (index, window) in schedule.windows.iter().enumerate() {
            let (from, to) = (window.from, window.to);
            if from >= to {
                let said = format!("expected from before to, found {from} to {to}");
                return Err(problem(format!("windows[{index}]"), said));
            }
            if from < hours.0 || to > hours.1 {
                let said = format!(
                    "expected hours within {} to {}, which the operator allows, found {from} to {to}",
                    hours.0, hours.1
                );
                return Err(problem(format!("windows[{index}]"), said));
            }
        }
        if schedule.holidays.len() > MOST_HOLIDAYS {
            return Err(problem("holidays", format!("expected at most {MOST_HOLIDAYS}")));
        }
        Ok(())
    }

    fn check_retries(&self) -> Result<(), RuleProblem> {
        let mut seen = BTreeSet::new();
        for (index, rule) in self.retries.iter().enumerate() {
            if !seen.insert(rule.on) {
                let said = format!("{} has a rule already", rule.on.name());
                return Err(problem(format!("retries[{index}].on"), said));
            }
            let field = format!("retries[{index}].afterMin");
            if !(1..=MOST_RETRIES).contains(&rule.after_min.len()) {
                return Err(problem(field, format!("expected 1 to {MOST_RETRIES} pauses")));
            }
            if rule.after_min.iter().any(|pause| !(1..=LONGEST_PAUSE_MIN).contains(pause)) {
                let said = format!("expected pauses of 1 to {LONGEST_PAUSE_MIN} minutes");
                return Err(problem(field, said));
            }
            if rule.on == super::RetryOn::Unconfirmed && !self.has_key {
                let said = "unconfirmed needs a finishkey";
                return Err(problem(format!("retries[{index}].on"), said));
            }
        }
        Ok(())
    }

    fn check_caps_and_lines(&self) -> Result<(), RuleProblem> {
        let caps = [("caps.aDay", self.caps.a_day), ("caps.aWeek", self.caps.a_week)];
        if let Some((field, _)) = caps.iter().find(|(_, cap)| *cap == Some(0)) {
            return Err(problem(*field, "expected at least 1"));
        }
        let lines = &self.lines;
        if lines.numbers.len() > MOST_LINES {
            return Err(problem("callerIds.numbers", format!("expected at most {MOST_LINES}")));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = lines.numbers.iter().find(|number| !seen.insert(number.as_str())) {
            return Err(problem("callerIds.numbers", format!("{twice} is there twice")));
        }
        if let Some(rest) = lines.rest {
            let sound = (1..=100).contains(&rest.below_percent)
                && (1..=500).contains(&rest.over_calls)
                && (1..=LONGEST_PAUSE_MIN).contains(&rest.rest_min);
            if !sound {
                let said = format!(
                    "expected belowPercent 1 to 100, overCalls 1 to 500, restMin 1 to {LONGEST_PAUSE_MIN}"
                );
                return Err(problem("callerIds.rest", said));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Micros;
    use crate::campaign::{RestRule, RetryOn, Window};
    use chrono_tz::Tz;

    /// Nine to eight in Shanghai, nothing else.
    pub(in crate::campaign) fn plain() -> Rules {
        Rules {
            schedule: Schedule {
                starts_at: None,
                ends_at: None,
                windows: vec![Window::daily("09:00".parse().unwrap(), "20:00".parse().unwrap())],
                holidays: BTreeSet::new(),
            },
            zones: Zones::with_default(Tz::Asia__Shanghai),
            retries: Vec::new(),
            caps: Caps::default(),
            lines: Lines {
                numbers: Vec::new(),
                rotate: false,
                sticky: false,
                local_presence: false,
                rest: None,
            },
            has_key: false,
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_field() {
        let hours = ("08:00".parse().unwrap(), "21:00".parse().unwrap());
        assert_eq!(plain().check(hours), Ok(()));
        let retry = |on, after_min: &[u32]| RetryRule {
            on,
            after_min: after_min.to_vec(),
            other_caller_id: false,
        };
        type Change = Box<dyn Fn(&mut Rules)>;
        fn change(by: impl Fn(&mut Rules) + 'static) -> Change {
            Box::new(by)
        }
        let window = |from: &str, to: &str| {
            let window = Window::daily(from.parse().unwrap(), to.parse().unwrap());
            change(move |rules| rules.schedule.windows = vec![window.clone()])
        };
        let retries =
            |retries: Vec<RetryRule>| change(move |rules| rules.retries.clone_from(&retries));
        let twice = vec![retry(RetryOn::Busy, &[1]), retry(RetryOn::Busy, &[2])];
        let cases: Vec<(Change, &str)> = vec![
            (change(|rules| rules.schedule.windows.clear()), "windows"),
            (window("12:00", "12:00"), "windows[0]"),
            (window("07:59", "12:00"), "windows[0]"),
            (window("12:00", "21:01"), "windows[0]"),
            (
                change(|rules| {
                    rules.schedule.starts_at = Some(Micros(2));
                    rules.schedule.ends_at = Some(Micros(2));
                }),
                "endsAt",
            ),
            (retries(twice), "retries[1].on"),
            (retries(vec![retry(RetryOn::Busy, &[])]), "retries[0].afterMin"),
            (retries(vec![retry(RetryOn::Busy, &[0])]), "retries[0].afterMin"),
            (retries(vec![retry(RetryOn::Unconfirmed, &[5])]), "retries[0].on"),
            (change(|rules| rules.caps.a_day = Some(0)), "caps.aDay"),
            (
                change(|rules| rules.lines.numbers = vec!["a".into(), "a".into()]),
                "callerIds.numbers",
            ),
            (
                change(|rules| {
                    let rest = RestRule { below_percent: 0, over_calls: 1, rest_min: 1 };
                    rules.lines.rest = Some(rest);
                }),
                "callerIds.rest",
            ),
        ];
        for (change, field) in cases {
            let mut rules = plain();
            change(&mut rules);
            assert_eq!(rules.check(hours).unwrap_err().field, field);
        }
    }

    #[test]
    fn rules_survive_storage() {
        let mut rules = plain();
        rules.schedule.holidays.insert("2026-10-01".parse().unwrap());
        rules.retries =
            vec![RetryRule { on: RetryOn::Busy, after_min: vec![5], other_caller_id: true }];
        let stored = serde_json::to_value(&rules).unwrap();
        assert_eq!(serde_json::from_value::<Rules>(stored).unwrap(), rules);
    }
}
