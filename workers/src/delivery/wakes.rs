//! When to look for due deliveries again. Retries that are near are remembered here, to the
//! millisecond; farther ones are left to stored wake-ups, which survive a restart. Both may be
//! lost: the sweep finds what is due without either.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use yunling_domain::Micros;

/// Retries that are due within this time are near.
const NEAR_MS: i64 = 60_000;
/// Near instants are rounded up to this grain, so that there are at most 1,200 of them.
const GRAIN_US: i64 = 50_000;
/// Far instants that may wait to be stored. Where there is no room the sweep finds the delivery.
const FAR_QUEUE: usize = 4_096;

/// Takes far instants to where they are stored, whole seconds, rounded up.
#[derive(Debug, Clone)]
pub(crate) struct FarWakes(mpsc::Sender<i64>);

impl FarWakes {
    /// A queue and its other end.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<i64>) {
        let (sender, receiver) = mpsc::channel(FAR_QUEUE);
        (Self(sender), receiver)
    }

    fn add(&self, at: Micros) {
        if self.0.try_send(ceil_second(at)).is_err() {
            metrics::counter!("yunling_delivery_wakes_dropped_total").increment(1);
        }
    }
}

/// A job that fires before its row is due finds nothing and is gone.
fn ceil_second(at: Micros) -> i64 {
    at.second() + i64::from(at.micros_of_second() > 0)
}

/// The instants to come.
#[derive(Debug)]
pub(crate) struct Wakes {
    near: BTreeSet<i64>,
    far: FarWakes,
}

impl Wakes {
    pub(crate) fn new(far: FarWakes) -> Self {
        Self { near: BTreeSet::new(), far }
    }

    /// A delivery is due again at `at`.
    pub(crate) fn add(&mut self, at: Micros, now: Micros) {
        if at.ms_since(now) <= NEAR_MS {
            self.near.insert((at.0 + GRAIN_US - 1).div_euclid(GRAIN_US) * GRAIN_US);
        } else {
            self.far.add(at);
        }
    }

    /// How long until the next near one, milliseconds, at least 1; forgets those that are past.
    pub(crate) fn wait_ms(&mut self, now: Micros) -> Option<u64> {
        self.near = self.near.split_off(&(now.0 + 1));
        let next = self.near.first()?;
        let wait_us = u64::try_from(next - now.0).unwrap_or(0);
        Some(wait_us.div_ceil(1_000).max(1))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn near_retries_are_waited_for_and_far_ones_stored() {
        let (far, mut stored) = FarWakes::channel();
        let mut wakes = Wakes::new(far);
        let now = Micros(1_000_000_000_000_000);
        assert_eq!(wakes.wait_ms(now), None);
        for wait_ms in [5_000, 1_010, 1_020, 60_000, 60_001, 300_000] {
            wakes.add(now.plus_ms(wait_ms), now);
        }
        assert_eq!(stored.try_recv().unwrap(), 1_000_000_061, "rounded up");
        assert_eq!(stored.try_recv().unwrap(), 1_000_000_300, "whole already");
        assert!(stored.try_recv().is_err());
        assert_eq!(wakes.wait_ms(now), Some(1_050), "never before one is due");
        assert_eq!(wakes.wait_ms(now.plus_ms(1_049)), Some(1));
        assert_eq!(wakes.wait_ms(now.plus_ms(1_050)), Some(3_950));
        assert_eq!(wakes.wait_ms(now.plus_ms(59_999)), Some(1));
        assert_eq!(wakes.wait_ms(now.plus_ms(60_000)), None);
    }

    #[test]
    fn far_wakes_without_room_are_left_to_the_sweep() {
        let (far, mut stored) = FarWakes::channel();
        let mut wakes = Wakes::new(far);
        for second in 0..FAR_QUEUE as i64 + 10 {
            wakes.add(Micros(0).plus_ms(100_000 + second * 1_000), Micros(0));
        }
        let mut count = 0;
        while stored.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, FAR_QUEUE);
    }
}
