//! When a callback is tried again: pure.

/// Waits before the second and each further attempt.
const STEPS_S: [u32; 7] = [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600];
/// Where the first attempt of a round found no connection, one more is made after this wait, for a
/// receiver that restarts. It is given on top and takes no step.
const EXTRA_TRY_S: u32 = 1;
/// A receiver cannot put us off for longer.
const LONGEST_RETRY_AFTER_MS: i64 = 24 * 3_600 * 1_000;
/// How long a callback waits that could not be signed: the operator has to act.
const UNSIGNED_MS: i64 = 60_000;
/// Waits are prolonged by this part at most, so that a receiver that comes back is not met by all
/// its callbacks in one instant.
pub(crate) const JITTER_PER_MILLE: u16 = 100;

/// How one attempt came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Any 2xx.
    Acknowledged,
    /// 410: the receiver wants no more callbacks at this address.
    Gone,
    /// Another answer, no answer in time, or an address that must not be called.
    Failed,
    /// No connection came about, or it broke before the answer.
    NoConnection,
    /// Nothing was sent: the application's secret cannot be used. That is our fault, so it is no
    /// attempt.
    Unsigned,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing more to do.
    Delivered,
    /// Tried again after so many milliseconds.
    After(i64),
    /// Looked at again after so many milliseconds; this was no attempt.
    Postpone(i64),
    /// The last attempt has failed.
    GiveUp,
    /// The address is disabled.
    Disable,
}

/// What follows from an attempt. `tries` counts the attempts of this round before it; `extra_tried`
/// tells whether one of them was the extra one, that is whether the first found no connection;
/// `retry_after_ms` is what the receiver asked for; `jitter_per_mille` is drawn by the caller.
///
/// `Retry-After` never shortens a wait: an attempt is one of few, and is not spent early.
pub(crate) fn next(
    tries: u32,
    extra_tried: bool,
    outcome: Outcome,
    retry_after_ms: Option<i64>,
    jitter_per_mille: u16,
) -> Next {
    let wait_s = match outcome {
        Outcome::Acknowledged => return Next::Delivered,
        Outcome::Gone => return Next::Disable,
        Outcome::Unsigned => return Next::Postpone(UNSIGNED_MS),
        Outcome::NoConnection if tries == 0 => EXTRA_TRY_S,
        Outcome::Failed | Outcome::NoConnection => {
            let step = tries.saturating_sub(u32::from(extra_tried));
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            let Some(wait_s) = STEPS_S.get(step) else { return Next::GiveUp };
            *wait_s
        }
    };
    let wait_ms = i64::from(wait_s) * 1_000;
    let jitter = i64::from(jitter_per_mille.min(JITTER_PER_MILLE));
    let asked_ms = retry_after_ms.unwrap_or(0).clamp(0, LONGEST_RETRY_AFTER_MS);
    let wait_ms = wait_ms.max(asked_ms);
    Next::After(wait_ms + wait_ms * jitter / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Acknowledged, Failed, Gone, NoConnection, Unsigned};

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_follows_from_an_attempt() {
        let cases: [(u32, Outcome, Option<i64>, u16, Next); 24] = [
            (0, Acknowledged, None, 0, Next::Delivered),
            (7, Acknowledged, Some(HOUR), 0, Next::Delivered),
            (0, Gone, None, 0, Next::Disable),
            (0, Failed, None, 0, Next::After(5_000)),
            (1, Failed, None, 0, Next::After(300_000)),
            (2, Failed, None, 0, Next::After(1_800_000)),
            (3, Failed, None, 0, Next::After(2 * HOUR)),
            (4, Failed, None, 0, Next::After(5 * HOUR)),
            (5, Failed, None, 0, Next::After(10 * HOUR)),
            (6, Failed, None, 0, Next::After(10 * HOUR)),
            (7, Failed, None, 0, Next::GiveUp),
            (u32::MAX, Failed, None, 0, Next::GiveUp),
            (0, NoConnection, None, 0, Next::After(1_000)),
            (0, Unsigned, None, 0, Next::Postpone(60_000)),
            (9, Unsigned, None, 0, Next::Postpone(60_000)),
            // Retry-After prolongs, never shortens, and has an end.
            (0, Failed, Some(60_000), 0, Next::After(60_000)),
            (1, Failed, Some(60_000), 0, Next::After(300_000)),
            (0, Failed, Some(100 * HOUR), 0, Next::After(24 * HOUR)),
            (0, Failed, Some(-5), 0, Next::After(5_000)),
            (7, Failed, Some(60_000), 0, Next::GiveUp),
            // Jitter only prolongs, by a tenth at most.
            (0, Failed, None, 100, Next::After(5_500)),
            (0, Failed, None, 50, Next::After(5_250)),
            (0, Failed, None, 9_999, Next::After(5_500)),
            (0, Failed, Some(60_000), 100, Next::After(66_000)),
        ];
        for (tries, outcome, retry_after, jitter, expected) in cases {
            let found = next(tries, false, outcome, retry_after, jitter);
            assert_eq!(found, expected, "{tries} {outcome:?} {retry_after:?} {jitter}");
        }
    }

    /// Every wait of a round, seconds; the last outcome is repeated until it is given up.
    fn waits(outcomes: &[Outcome]) -> Vec<i64> {
        let mut waits = Vec::new();
        for tries in 0.. {
            let at = |index: usize| outcomes[index.min(outcomes.len() - 1)];
            let extra_tried = tries > 0 && at(0) == NoConnection;
            match next(tries, extra_tried, at(tries as usize), None, 0) {
                Next::After(wait_ms) => waits.push(wait_ms / 1_000),
                _ => break,
            }
        }
        waits
    }

    #[test]
    fn the_extra_try_takes_no_step() {
        let steps = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
        let with_extra = [&[1][..], &steps].concat();
        let cases: [(&[Outcome], &[i64]); 6] = [
            (&[Failed], &steps),
            (&[NoConnection], &with_extra),
            // It restarts, and its proxy answers before it does.
            (&[NoConnection, Failed], &with_extra),
            (&[NoConnection, Failed, NoConnection, Failed], &with_extra),
            (&[Failed, NoConnection], &steps),
            (&[Failed, NoConnection, Failed], &steps),
        ];
        for (outcomes, expected) in cases {
            assert_eq!(waits(outcomes), expected, "{outcomes:?}");
        }
    }
}
