//! Batches, decided purely: what a number's result counts as, how many numbers of each batch are
//! queued next, and when a batch is likely to be done.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Micros};

/// The rule that is stored with numbers that a cancelled batch did not call any more.
pub const CANCELLED_RULE: &str = "batch_cancelled";
/// Numbers of one account that are queued for the dispatcher: enough for more than a thousand new
/// calls a second at five looks a second, and few enough that a second batch of the account does
/// not wait long for its turn.
pub const WINDOW: u32 = 256;
/// Numbers of a batch that are queued at least, however many batches the account has.
const LEAST: u32 = 16;
/// Numbers of a cancelled batch that are given their results at a time.
const CANCELLED_WINDOW: u32 = 500;
/// The time over which a batch's rate is taken, milliseconds.
pub const RATE_OVER_MS: i64 = 60_000;

/// What became of one number of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum BatchOutcome {
    /// Somebody answered.
    Answered = 0,
    /// It rang, and nobody answered (reason 1).
    Unanswered = 1,
    /// It was dialled in vain (reason 2).
    Failed = 2,
    /// The gate or a limit let no call through.
    Refused = 3,
    /// It is no number that can be called.
    Invalid = 4,
    /// The batch was cancelled before its turn.
    Cancelled = 5,
}

/// What is known of the call of a number when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberResult<'a> {
    /// The callee answered.
    pub answered: bool,
    /// The result callback's reason.
    pub reason: Option<u8>,
    /// It was dialled.
    pub dialled: bool,
    /// The entry could be read as a number.
    pub readable: bool,
    /// The rule that decided.
    pub rule: Option<&'a str>,
}

impl BatchOutcome {
    /// All, in the order in which they are stored and shown.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Unanswered,
        Self::Failed,
        Self::Refused,
        Self::Invalid,
        Self::Cancelled,
    ];

    /// What a number counts as.
    pub fn of(result: &NumberResult<'_>) -> Self {
        match result {
            NumberResult { answered: true, .. } => Self::Answered,
            NumberResult { dialled: true, reason: Some(1), .. } => Self::Unanswered,
            NumberResult { dialled: true, .. } => Self::Failed,
            NumberResult { rule: Some(CANCELLED_RULE), .. } => Self::Cancelled,
            NumberResult { readable: false, .. } => Self::Invalid,
            NumberResult { .. } => Self::Refused,
        }
    }
}

/// A batch whose numbers are not all queued yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose it is.
    pub account: AccountId,
    /// It was cancelled: its numbers only get their results.
    pub is_cancelled: bool,
    /// Its numbers that are queued for the dispatcher already.
    pub queued: u32,
    /// Its numbers that are not queued yet.
    pub left: u32,
}

/// How many numbers of each batch are to be queued now, at most `turn` together. The running batches
/// of an account share its [`WINDOW`] equally, so that they go out side by side.
pub fn shares(backlogs: &[Backlog], turn: u32) -> Vec<u32> {
    let mut running: HashMap<&AccountId, u32> = HashMap::new();
    for backlog in backlogs.iter().filter(|backlog| !backlog.is_cancelled) {
        *running.entry(&backlog.account).or_default() += 1;
    }
    let wanted: Vec<u32> = backlogs
        .iter()
        .map(|backlog| {
            let beside = running.get(&backlog.account).copied().unwrap_or(1).max(1);
            let window =
                if backlog.is_cancelled { CANCELLED_WINDOW } else { (WINDOW / beside).max(LEAST) };
            window.saturating_sub(backlog.queued).min(backlog.left)
        })
        .collect();
    level(&wanted, turn)
}

/// Fills every want as far as `total` goes, the small ones first and wholly.
fn level(wanted: &[u32], total: u32) -> Vec<u32> {
    let mut given = vec![0; wanted.len()];
    let mut by_size: Vec<usize> = (0..wanted.len()).collect();
    by_size.sort_by_key(|index| wanted[*index]);
    let mut left = total;
    for (place, index) in by_size.iter().enumerate() {
        let open = u32::try_from(wanted.len() - place).unwrap_or(u32::MAX);
        let share = wanted[*index].min(left.div_ceil(open));
        given[*index] = share;
        left -= share;
    }
    given
}

/// How fast a batch goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Results a second over the last [`RATE_OVER_MS`], or since the batch began.
    pub per_s: f64,
    /// When the last result is likely to be there; none where nothing goes on.
    pub done_at: Option<Micros>,
}

/// The pace of a batch that began at `began_at`, has had `recent` results within the last
/// [`RATE_OVER_MS`], and lacks `left`.
pub fn pace(began_at: Micros, recent: u32, left: u32, now: Micros) -> Pace {
    let over_ms = now.ms_since(began_at).clamp(1_000, RATE_OVER_MS);
    #[expect(clippy::cast_precision_loss, reason = "at most 60,000")]
    let per_s = f64::from(recent) * 1_000.0 / over_ms as f64;
    let done_at = (recent > 0 && left > 0).then(|| {
        let left_ms = i64::from(left) * over_ms / i64::from(recent);
        now.plus_ms(left_ms)
    });
    Pace { per_s, done_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_counts_once_and_as_the_right_thing() {
        let result = NumberResult {
            answered: false,
            reason: Some(2),
            dialled: false,
            readable: true,
            rule: None,
        };
        let cases = [
            (NumberResult { answered: true, dialled: true, ..result }, BatchOutcome::Answered),
            (NumberResult { dialled: true, reason: Some(1), ..result }, BatchOutcome::Unanswered),
            (NumberResult { dialled: true, ..result }, BatchOutcome::Failed),
            (NumberResult { rule: Some("destination_class"), ..result }, BatchOutcome::Refused),
            (
                NumberResult { readable: false, rule: Some("number_readable"), ..result },
                BatchOutcome::Invalid,
            ),
            (NumberResult { rule: Some(CANCELLED_RULE), ..result }, BatchOutcome::Cancelled),
            // A cancelled batch's invalid entry was never looked at.
            (
                NumberResult { readable: false, rule: Some(CANCELLED_RULE), ..result },
                BatchOutcome::Cancelled,
            ),
            // Dialled, and cancelled while it rang.
            (
                NumberResult { dialled: true, rule: Some(CANCELLED_RULE), ..result },
                BatchOutcome::Failed,
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(BatchOutcome::of(&result), expected, "{result:?}");
        }
    }

    fn backlog(account: &str, queued: u32, left: u32) -> Backlog {
        Backlog { account: AccountId::new(account), is_cancelled: false, queued, left }
    }

    #[test]
    fn the_batches_of_an_account_share_its_window() {
        let cancelled = Backlog { is_cancelled: true, ..backlog("a", 100, 9_000) };
        let many: Vec<_> = (0..64).map(|_| backlog("a", 0, 9_000)).collect();
        let cases: [(&str, Vec<Backlog>, u32, Vec<u32>); 7] = [
            ("alone", vec![backlog("a", 0, 9_000)], 500, vec![256]),
            ("topped up", vec![backlog("a", 200, 9_000)], 500, vec![56]),
            ("the end", vec![backlog("a", 0, 9)], 500, vec![9]),
            (
                "two of one",
                vec![backlog("a", 256, 9_000), backlog("a", 0, 9_000)],
                500,
                vec![0, 128],
            ),
            (
                "a turn has an end",
                vec![backlog("a", 0, 9_000), backlog("b", 0, 9_000), backlog("c", 0, 9)],
                100,
                vec![46, 45, 9],
            ),
            ("cancelled", vec![cancelled, backlog("a", 0, 9_000)], 1_000, vec![400, 256]),
            ("none is left out", many, 10_000, vec![16; 64]),
        ];
        for (name, backlogs, turn, expected) in cases {
            let mut shares = shares(&backlogs, turn);
            if name == "a turn has an end" {
                shares[..2].sort_unstable_by(|a, b| b.cmp(a));
            }
            assert_eq!(shares, expected, "{name}");
        }
    }

    #[test]
    fn a_pace_is_of_the_last_minute() {
        let began = Micros(0);
        // (elapsed ms, recent, left, per second, done after ms)
        let cases = [
            (600_000, 600, 1_200, 10.0, Some(120_000)),
            (10_000, 100, 50, 10.0, Some(5_000)),
            (0, 5, 10, 5.0, Some(2_000)),
            (600_000, 0, 1_200, 0.0, None),
            (600_000, 60, 0, 1.0, None),
        ];
        for (elapsed_ms, recent, left, per_s, after_ms) in cases {
            let now = began.plus_ms(elapsed_ms);
            let found = pace(began, recent, left, now);
            assert!((found.per_s - per_s).abs() < 1e-9, "{elapsed_ms} {recent}: {found:?}");
            assert_eq!(found.done_at, after_ms.map(|ms| now.plus_ms(ms)), "{elapsed_ms} {recent}");
        }
    }
}
