//! Rows that this node has claimed and that wait for a line: held in memory with their lease, so
//! that a full trunk costs no writes.

use std::collections::HashMap;

use yunling_domain::{AccountId, Micros};
use yunling_store::attempts::{Attempt, AttemptLane};

use super::admission::Full;
use super::story::Story;

/// How many rows of a lane wait here at most; the others wait in the database. Each lane has its
/// own places, so that a flood of notices keeps no captcha out.
const CAPACITY: usize = 2_048;
/// From how many rows of one account and lane on no more of them are claimed: enough to fill every
/// line that comes free until the next round, and few enough to leave the places to others.
const ENOUGH: usize = 8;
/// The same for rows whose trunks are all down: more, because they keep none of the account's other
/// rows from lines that are free, and with an end, because they take the places of other accounts.
const ENOUGH_FOR_TRUNKS: usize = 64;

/// Rows that wait, in the order in which they are to be tried.
#[derive(Default)]
pub(super) struct Waiting {
    rows: Vec<Waiter>,
    /// In which turn an account that waits was served last.
    served: HashMap<AccountId, u64>,
    turn: u64,
}

/// One row that waits.
pub(super) struct Waiter {
    pub(super) attempt: Attempt,
    pub(super) story: Story,
    /// Not before this instant, where the limit says so.
    pub(super) until: Option<Micros>,
    /// What it waited for when it was last looked at; its story has told so.
    pub(super) waited_for: Option<Full>,
}

impl Waiting {
    /// How many more rows of each lane may be claimed.
    pub(super) fn room(&self) -> [usize; AttemptLane::ALL.len()] {
        AttemptLane::ALL.map(|lane| {
            let rows = self.rows.iter().filter(|row| row.attempt.queued.lane == lane).count();
            CAPACITY.saturating_sub(rows)
        })
    }

    /// Accounts that have enough rows of a lane here.
    pub(super) fn saturated(&self) -> Vec<(AttemptLane, AccountId)> {
        let waiters = self.rows.iter().map(|row| {
            let for_trunks = row.waited_for.as_ref().is_some_and(Full::is_for_trunks);
            (row.attempt.queued.lane, &row.attempt.queued.account, for_trunks)
        });
        saturated(waiters)
    }

    /// Takes all rows out in the order in which they are to be tried: by lane, within a lane the
    /// accounts in turns (whoever was served longest ago comes first), each account's by age.
    pub(super) fn take(&mut self) -> Vec<Waiter> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|row| (row.attempt.queued.due_at, row.attempt.id));
        let origins = rows.iter().map(|row| (row.attempt.queued.lane, &row.attempt.queued.account));
        let places = places(origins, &self.served);
        let mut placed: Vec<_> = places.into_iter().zip(rows).collect();
        // Stable: what is alike stays in the order of age.
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, row)| row).collect()
    }

    /// Notes that an account got a line.
    pub(super) fn served(&mut self, account: &AccountId) {
        self.turn += 1;
        self.served.insert(account.clone(), self.turn);
    }

    /// Forgets whom it served once nobody waits.
    pub(super) fn settle(&mut self) {
        if self.rows.is_empty() {
            self.served.clear();
        }
    }

    /// Keeps a row for the next round.
    pub(super) fn put(&mut self, row: Waiter) {
        self.rows.push(row);
    }

    /// When a row has to be looked at again though no line comes free: the earliest of what the
    /// limits and the deadlines say.
    pub(super) fn next_at(&self) -> Option<Micros> {
        self.rows
            .iter()
            .map(|row| {
                row.until
                    .unwrap_or(row.attempt.queued.deadline_at)
                    .min(row.attempt.queued.deadline_at)
            })
            .min()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Whoever has enough among rows that wait, each for a line or for trunks to come up.
fn saturated<'a>(
    waiters: impl Iterator<Item = (AttemptLane, &'a AccountId, bool)>,
) -> Vec<(AttemptLane, AccountId)> {
    let mut counts: HashMap<(AttemptLane, &AccountId), [usize; 2]> = HashMap::new();
    for (lane, account, for_trunks) in waiters {
        counts.entry((lane, account)).or_default()[usize::from(for_trunks)] += 1;
    }
    let many = counts.into_iter().filter(|(_, [for_lines, for_trunks])| {
        *for_lines >= ENOUGH || *for_trunks >= ENOUGH_FOR_TRUNKS
    });
    many.map(|((lane, account), _)| (lane, account.clone())).collect()
}

/// A row's place in the order: its lane, the how manieth of its account it is there, and when that
/// account was served last.
type Place = (AttemptLane, usize, u64);

/// The places of rows that come in the order of their age.
fn places<'a>(
    origins: impl Iterator<Item = (AttemptLane, &'a AccountId)>,
    served: &HashMap<AccountId, u64>,
) -> Vec<Place> {
    let mut ranks: HashMap<(AttemptLane, &AccountId), usize> = HashMap::new();
    origins
        .map(|(lane, account)| {
            let rank = ranks.entry((lane, account)).or_default();
            *rank += 1;
            (lane, *rank, served.get(account).copied().unwrap_or(0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_trunks_has_an_end_too() {
        let account = AccountId::new("a");
        for (rows, for_trunks, expected) in
            [(7, false, 0), (8, false, 1), (63, true, 0), (64, true, 1)]
        {
            let waiters = (0..rows).map(|_| (AttemptLane::Notice, &account, for_trunks));
            assert_eq!(saturated(waiters).len(), expected, "{rows} {for_trunks}");
        }
    }

    #[test]
    fn lanes_come_first_and_accounts_take_turns() {
        use AttemptLane::{Batch, Captcha, Notice};
        let (a, b, c) = (AccountId::new("a"), AccountId::new("b"), AccountId::new("c"));
        // By age: a has a backlog, b and c came later; a was served last, b before it, c never.
        let rows =
            [(Notice, &a), (Notice, &a), (Batch, &c), (Notice, &a), (Notice, &b), (Captcha, &b)];
        let served = HashMap::from([(a.clone(), 9), (b.clone(), 4)]);
        let mut order: Vec<_> = places(rows.into_iter(), &served).into_iter().zip(rows).collect();
        order.sort_by_key(|(place, _)| *place);
        let order: Vec<_> =
            order.iter().map(|(_, (lane, account))| (*lane, account.as_str())).collect();
        let expected = [
            (Captcha, "b"),
            (Notice, "b"),
            (Notice, "a"),
            (Notice, "a"),
            (Notice, "a"),
            (Batch, "c"),
        ];
        assert_eq!(order, expected);
    }
}
