//! What became of a trunk's calls, and how fast they come.

use std::collections::BTreeMap;
use yunling_domain::Micros;

/// Parts of the last second that are counted apart.
const SLOTS: usize = 10;
const SLOT_US: i64 = 1_000_000 / SLOTS as i64;

/// What became of the calls that were sent to a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// INVITEs sent.
    pub dialled: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, ended without an answer, by SIP status or by the way in which they ended. As many
    /// entries as there are statuses.
    pub failed: BTreeMap<String, u64>,
    /// Of these, tried again over the next trunk.
    pub failed_over: u64,
    /// Calls that went past it while it was down or being drained.
    pub skipped: u64,
}

impl Counts {
    /// The share of answered calls among those that were answered or failed, 0 to 1; nothing before
    /// the first.
    pub fn answer_seizure_ratio(&self) -> Option<f64> {
        let failed: u64 = self.failed.values().sum();
        let decided = self.answered + failed;
        (decided > 0).then(|| self.answered as f64 / decided as f64)
    }
}

/// Counts, and the calls of the last second.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// Calls by tenth of a second, each with its number since the epoch.
    slots: [(i64, u32); SLOTS],
}

impl Tally {
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn dialled(&mut self, now: Micros) {
        self.counts.dialled += 1;
        let number = now.0.div_euclid(SLOT_US);
        let index = usize::try_from(number.rem_euclid(SLOTS as i64)).unwrap_or(0);
        let slot = &mut self.slots[index];
        if slot.0 != number {
            *slot = (number, 0);
        }
        slot.1 += 1;
    }

    pub(super) fn failed(&mut self, how: &str) {
        match self.counts.failed.get_mut(how) {
            Some(count) => *count += 1,
            None => drop(self.counts.failed.insert(how.to_owned(), 1)),
        }
    }

    /// Calls within the last second.
    pub(super) fn cps(&self, now: Micros) -> u32 {
        let newest = now.0.div_euclid(SLOT_US);
        let oldest = newest - SLOTS as i64 + 1;
        let lately = self.slots.iter().filter(|(number, _)| (oldest..=newest).contains(number));
        lately.map(|(_, calls)| calls).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_is_counted() {
        let mut tally = Tally::default();
        let at = |ms: i64| Micros(1_795_500_000_000_000).plus_ms(ms);
        for ms in [0, 50, 400, 990, 1_100] {
            tally.dialled(at(ms));
        }
        let cases = [(0, 2), (999, 4), (1_100, 3), (1_399, 3), (1_400, 2), (2_000, 1), (2_100, 0)];
        for (ms, cps) in cases {
            assert_eq!(tally.cps(at(ms)), cps, "at {ms} ms");
        }
        assert_eq!(tally.counts().dialled, 5);
    }

    #[test]
    fn ratios() {
        let mut tally = Tally::default();
        assert_eq!(tally.counts().answer_seizure_ratio(), None);
        tally.failed("503");
        tally.failed("503");
        tally.failed("no_reply");
        tally.counts.answered = 1;
        assert_eq!(tally.counts().failed["503"], 2);
        assert_eq!(tally.counts().answer_seizure_ratio(), Some(0.25));
    }
}
