//! Which caller ID a call shows: the same as before, one of the callee's own area, or the one that
//! has been shown least; never one that rests.

use serde::{Deserialize, Serialize};

use super::caps::PastCall;
use crate::{Micros, Number, NumberClass};

/// How a campaign chooses among its caller IDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Its caller IDs, as stored, in order; empty: the application's first one.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Call after call another one, so that each is shown equally often; else the first that may be.
    #[serde(default)]
    pub rotate: bool,
    /// A callee sees the caller ID that called last time.
    #[serde(default)]
    pub sticky: bool,
    /// A callee sees a caller ID of the own area, where there is one.
    #[serde(default)]
    pub local_presence: bool,
    /// When a caller ID is left alone for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestRule>,
}

/// A caller ID rests when hardly anybody answers it any more: callees or carriers take it for a
/// nuisance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestRule {
    /// Fewer answers than this, percent, 1 to 100…
    pub below_percent: u8,
    /// …of so many calls, at least 1; with fewer it is not judged.
    pub over_calls: u32,
    /// It rests so long, minutes, at least 1. Then it is judged anew.
    pub rest_min: u32,
}

/// A call that has ended, for judging its caller ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCall {
    /// When it was made.
    pub at: Micros,
    /// Whether it was answered.
    pub answered: bool,
}

impl RestRule {
    /// Until when a caller ID rests, if its calls, the newest first, call for it. Calls from before
    /// its last rest do not count.
    pub fn rests_until(&self, newest_first: &[LineCall]) -> Option<Micros> {
        let rest_ms = i64::from(self.rest_min) * 60_000;
        let newest = newest_first.first()?;
        let pause =
            newest_first.windows(2).position(|two| two[0].at.ms_since(two[1].at) >= rest_ms);
        let since_rest = &newest_first[..pause.map_or(newest_first.len(), |place| place + 1)];
        let over = usize::try_from(self.over_calls.max(1)).unwrap_or(usize::MAX);
        let judged = since_rest.get(..over)?;
        let answered = judged.iter().filter(|call| call.answered).count();
        (answered * 100 < usize::from(self.below_percent) * over)
            .then(|| newest.at.plus_ms(rest_ms))
    }
}

/// A caller ID of a campaign as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As stored.
    pub number: String,
    /// How often the campaign has shown it.
    pub calls: u64,
    /// It rests until then.
    pub rests_until: Option<Micros>,
}

impl Line {
    fn is_up(&self, at: Micros) -> bool {
        self.rests_until.is_none_or(|until| until <= at)
    }
}

/// What there is to choose from.
pub(super) enum Choice<'a> {
    /// This one; absent: the application's first.
    Show(Option<&'a str>),
    /// All rest; the first one until then.
    AllRest(Micros),
}

impl Lines {
    /// Which of `pool` a call to this callee shows at `at`. `avoid` is passed over where there is
    /// another one.
    pub(super) fn choose<'a>(
        &self,
        pool: &'a [Line],
        to: &Number,
        area: Option<&str>,
        past: &[PastCall],
        avoid: Option<&str>,
        at: Micros,
    ) -> Choice<'a> {
        if pool.is_empty() {
            return Choice::Show(None);
        }
        let up: Vec<&Line> = pool.iter().filter(|line| line.is_up(at)).collect();
        if up.is_empty() {
            let soonest = pool.iter().filter_map(|line| line.rests_until).min();
            // Every line of the pool rests, so there is one.
            return Choice::AllRest(soonest.unwrap_or(at));
        }
        let others = narrowed(up, |line| Some(line.number.as_str()) != avoid);
        if self.sticky {
            let last = past.iter().filter(|call| call.from.is_some()).max_by_key(|call| call.at);
            let last = last.and_then(|call| call.from.as_deref());
            if let Some(same) = others.iter().find(|line| Some(line.number.as_str()) == last) {
                return Choice::Show(Some(&same.number));
            }
        }
        let candidates = match area.or_else(|| area_of(to)).filter(|_| self.local_presence) {
            Some(area) => narrowed(others, |line| has_area(line, area)),
            None => others,
        };
        let chosen = if self.rotate {
            candidates.into_iter().min_by_key(|line| line.calls)
        } else {
            candidates.into_iter().next()
        };
        Choice::Show(chosen.map(|line| line.number.as_str()))
    }
}

/// Those that fit, or all where none does.
fn narrowed(lines: Vec<&Line>, fits: impl Fn(&Line) -> bool) -> Vec<&Line> {
    if lines.iter().any(|line| fits(line)) {
        lines.into_iter().filter(|line| fits(line)).collect()
    } else {
        lines
    }
}

fn has_area(line: &Line, area: &str) -> bool {
    Number::parse_dialable(&line.number).is_ok_and(|number| area_of(&number) == Some(area))
}

/// The area code of a mainland landline: 010, 02x, or four digits. A mobile shows no area by its
/// number alone.
fn area_of(number: &Number) -> Option<&str> {
    if number.class() != NumberClass::Landline {
        return None;
    }
    let national = number.national();
    let digits = if national.starts_with("01") || national.starts_with("02") { 3 } else { 4 };
    national.get(..digits)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const BEIJING: &str = "+861080001001";
    const SHANGHAI: &str = "+862180001001";
    const HANGZHOU: &str = "+8657180001001";

    fn minutes(n: i64) -> Micros {
        Micros(n * 60_000_000)
    }

    fn line(number: &str, calls: u64) -> Line {
        Line { number: number.to_owned(), calls, rests_until: None }
    }

    fn lines() -> Lines {
        Lines { numbers: Vec::new(), rotate: true, sticky: true, local_presence: true, rest: None }
    }

    /// What is shown, or in which minute the first one is back.
    fn shown(
        lines: &Lines,
        pool: &[Line],
        to: &str,
        area: Option<&str>,
        last: Option<&str>,
        avoid: Option<&str>,
    ) -> Result<Option<String>, i64> {
        let to = Number::parse_dialable(to).unwrap();
        let past: Vec<PastCall> = last
            .map(|from| PastCall { at: minutes(1), from: Some(from.to_owned()) })
            .into_iter()
            .collect();
        match lines.choose(pool, &to, area, &past, avoid, minutes(100)) {
            Choice::Show(number) => Ok(number.map(str::to_owned)),
            Choice::AllRest(at) => Err(at.0 / 60_000_000),
        }
    }

    #[test]
    fn the_caller_id_that_fits_best_is_shown() {
        let pool = [line(BEIJING, 5), line(SHANGHAI, 3), line(HANGZHOU, 4)];
        let mobile = "13800100001";
        let off = Lines { rotate: false, sticky: false, local_presence: false, ..lines() };
        // (rules, callee, area, shown last, to be avoided, expected)
        let cases = [
            ("in order", &off, mobile, None, None, None, BEIJING),
            ("not the one before", &off, mobile, None, None, Some(BEIJING), SHANGHAI),
            ("in turns", &lines(), mobile, None, None, None, SHANGHAI),
            ("the same as before", &lines(), mobile, None, Some(BEIJING), None, BEIJING),
            ("not the same", &lines(), mobile, None, Some(BEIJING), Some(BEIJING), SHANGHAI),
            ("one that it has no more", &lines(), mobile, None, Some("+8620"), None, SHANGHAI),
            ("of the callee's area", &lines(), "057112345678", None, None, None, HANGZHOU),
            ("of the area in the list", &lines(), mobile, Some("010"), None, None, BEIJING),
            ("of no area that it has", &lines(), "02012345678", None, None, None, SHANGHAI),
            ("another one first", &lines(), "02112345678", None, None, Some(SHANGHAI), HANGZHOU),
        ];
        for (name, rules, to, area, last, avoid, expected) in cases {
            let found = shown(rules, &pool, to, area, last, avoid);
            assert_eq!(found, Ok(Some(expected.to_owned())), "{name}");
        }
        assert_eq!(shown(&lines(), &[], mobile, None, None, None), Ok(None));
        let alone = [line(BEIJING, 0)];
        let found = shown(&lines(), &alone, mobile, None, None, Some(BEIJING));
        assert_eq!(found, Ok(Some(BEIJING.to_owned())), "there is no other");
    }

    #[test]
    fn one_that_rests_is_not_shown() {
        let rests =
            |number: &str, until| Line { rests_until: Some(minutes(until)), ..line(number, 0) };
        let pool = [rests(BEIJING, 130), line(SHANGHAI, 9)];
        let found = shown(&lines(), &pool, "13800100001", None, Some(BEIJING), None);
        assert_eq!(found, Ok(Some(SHANGHAI.to_owned())));
        let pool = [rests(BEIJING, 130), rests(SHANGHAI, 120)];
        assert_eq!(shown(&lines(), &pool, "13800100001", None, None, None), Err(120));
        let pool = [rests(BEIJING, 100)];
        let found = shown(&lines(), &pool, "13800100001", None, None, None);
        assert_eq!(found, Ok(Some(BEIJING.to_owned())), "its rest is over");
    }

    #[test]
    fn a_caller_id_rests_when_its_answers_collapse() {
        let rule = RestRule { below_percent: 20, over_calls: 5, rest_min: 60 };
        // Minutes at which calls were made, the newest first, and whether they were answered.
        let cases: [(&str, &[(i64, bool)], Option<i64>); 6] = [
            ("too few to judge", &[(4, false), (3, false), (2, false), (1, false)], None),
            (
                "nobody answers",
                &[(5, false), (4, false), (3, false), (2, false), (1, false)],
                Some(65),
            ),
            (
                "one of five does",
                &[(5, false), (4, true), (3, false), (2, false), (1, false)],
                None,
            ),
            (
                "older answers are forgotten",
                &[(6, false), (5, false), (4, false), (3, false), (2, false), (1, true)],
                Some(66),
            ),
            (
                "after its rest it is judged anew",
                &[(66, false), (5, false), (4, false), (3, false), (2, false), (1, false)],
                None,
            ),
            ("no call", &[], None),
        ];
        for (name, calls, expected) in cases {
            let calls: Vec<LineCall> = calls
                .iter()
                .map(|(at, answered)| LineCall { at: minutes(*at), answered: *answered })
                .collect();
            assert_eq!(rule.rests_until(&calls), expected.map(minutes), "{name}");
        }
    }
}
