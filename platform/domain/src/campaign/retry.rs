//! Whether and when a number is called again.

use serde::{Deserialize, Serialize};

use super::CallResult;
use crate::Micros;

/// What a call came to that may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// The callee was on the phone.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The carriers or we could not connect it.
    Failed,
    /// Somebody answered and did not press the confirming key; only where there is one.
    Unconfirmed,
}

impl RetryOn {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Busy, Self::NoAnswer, Self::Failed, Self::Unconfirmed];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// How a number is called again after one kind of call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRule {
    /// After which calls.
    pub on: RetryOn,
    /// How long after the first such call, the second…, minutes; as many further calls as there are
    /// entries.
    pub after_min: Vec<u32>,
    /// The next call shows another caller ID, where the campaign has one.
    #[serde(default)]
    pub other_caller_id: bool,
}

/// How many calls to a number came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Calls in [`RetryOn::ALL`]'s order.
    pub by_kind: [u16; RetryOn::ALL.len()],
}

/// That a number is called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Not before this instant.
    pub at: Micros,
    /// It shows another caller ID.
    pub other_caller_id: bool,
}

impl Tries {
    /// Counts a call.
    pub fn count(&mut self, result: CallResult, has_key: bool) {
        if let Some(on) = result.retried_on(has_key) {
            let count = &mut self.by_kind[on as usize];
            *count = count.saturating_add(1);
        }
    }

    /// Whether the number is called again after a call that ended at `ended_at` and has been
    /// counted.
    pub fn next(
        &self,
        rules: &[RetryRule],
        result: CallResult,
        has_key: bool,
        ended_at: Micros,
    ) -> Option<Retry> {
        let on = result.retried_on(has_key)?;
        let rule = rules.iter().find(|rule| rule.on == on)?;
        let so_far = usize::from(self.by_kind[on as usize]);
        let wait_min = rule.after_min.get(so_far.checked_sub(1)?)?;
        Some(Retry {
            at: ended_at.plus_ms(i64::from(*wait_min) * 60_000),
            other_caller_id: rule.other_caller_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_call_has_its_own_pauses() {
        let rules = [
            RetryRule { on: RetryOn::Busy, after_min: vec![5, 15], other_caller_id: false },
            RetryRule { on: RetryOn::NoAnswer, after_min: vec![60], other_caller_id: true },
        ];
        let minutes = |n: i64| Micros(n * 60_000_000);
        let mut tries = Tries::default();
        // (result, whether there is a confirming key, called again after minutes, other caller ID)
        let script = [
            (CallResult::Busy, true, Some((5, false))),
            (CallResult::NoAnswer, true, Some((60, true))),
            (CallResult::Busy, true, Some((15, false))),
            (CallResult::Busy, true, None),
            (CallResult::NoAnswer, true, None),
            (CallResult::Failed, true, None),
            (CallResult::Declined, true, None),
            (CallResult::NoSuchNumber, true, None),
            (CallResult::Answered, true, None),
            (CallResult::Confirmed, true, None),
        ];
        for (place, (result, has_key, expected)) in script.into_iter().enumerate() {
            tries.count(result, has_key);
            let next = tries.next(&rules, result, has_key, minutes(100));
            let expected = expected.map(|(after, other_caller_id)| Retry {
                at: minutes(100 + after),
                other_caller_id,
            });
            assert_eq!(next, expected, "call {place}: {result:?}");
        }
        assert_eq!(tries.by_kind, [3, 2, 1, 1]);
    }

    #[test]
    fn an_answer_is_tried_again_only_where_a_key_was_asked_for() {
        let rules =
            [RetryRule { on: RetryOn::Unconfirmed, after_min: vec![30], other_caller_id: false }];
        for (has_key, again) in [(true, true), (false, false)] {
            let mut tries = Tries::default();
            tries.count(CallResult::Answered, has_key);
            let next = tries.next(&rules, CallResult::Answered, has_key, Micros(0));
            assert_eq!(next.is_some(), again);
        }
    }
}
