//! Which UDP port pairs are free.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The free pairs, in the order in which they will be used: a pair that comes back goes to the end
/// of the queue, and rests there for the quarantine before it is given out again.
#[derive(Debug)]
pub(super) struct PortPool {
    free: VecDeque<Free>,
    quarantine: Duration,
}

#[derive(Debug)]
struct Free {
    /// The even port; RTCP has the one above.
    rtp: u16,
    /// Absent: never used.
    since: Option<Instant>,
}

impl PortPool {
    /// All pairs of an even port and the odd one above it that lie within `ports`.
    pub(super) fn new(ports: RangeInclusive<u16>, quarantine: Duration) -> Self {
        let last = *ports.end();
        let free = ports
            .filter(|port| port % 2 == 0 && *port != 0 && *port < last)
            .map(|rtp| Free { rtp, since: None })
            .collect();
        Self { free, quarantine }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// The pair that has rested longest, by its RTP port; none if all are in use or resting.
    pub(super) fn take(&mut self, now: Instant) -> Option<u16> {
        let first = self.free.front()?;
        let rested =
            first.since.is_none_or(|since| now.saturating_duration_since(since) >= self.quarantine);
        if rested { self.free.pop_front().map(|free| free.rtp) } else { None }
    }

    /// Takes a pair back.
    pub(super) fn give_back(&mut self, rtp: u16, now: Instant) {
        self.free.push_back(Free { rtp, since: Some(now) });
    }
}

/// A pair in use; goes back to its pool when dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    rtp: u16,
    pool: Arc<Mutex<PortPool>>,
}

impl PortLease {
    /// Takes a pair from the pool.
    pub(super) fn take(pool: &Arc<Mutex<PortPool>>, now: Instant) -> Option<Self> {
        let rtp = pool.lock().take(now)?;
        Some(Self { rtp, pool: Arc::clone(pool) })
    }

    /// The even port.
    pub(super) fn rtp(&self) -> u16 {
        self.rtp
    }

    /// The odd port.
    pub(super) fn rtcp(&self) -> u16 {
        self.rtp + 1
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.pool.lock().give_back(self.rtp, Instant::now());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(4);

    #[test]
    fn pairs_are_even_and_whole() {
        for (range, pairs) in [
            (20_000..=20_005, vec![20_000, 20_002, 20_004]),
            (20_001..=20_004, vec![20_002]),
            (20_000..=20_000, vec![]),
            (20_001..=20_001, vec![]),
            (65_534..=65_535, vec![65_534]),
            (0..=3, vec![2]),
            (RangeInclusive::new(1, 0), vec![]),
        ] {
            let mut pool = PortPool::new(range.clone(), REST);
            let now = Instant::now();
            let got: Vec<_> = std::iter::from_fn(|| pool.take(now)).collect();
            assert_eq!(got, pairs, "{range:?}");
        }
    }

    #[test]
    fn a_pair_rests_and_the_longest_rested_is_next() {
        let mut pool = PortPool::new(100..=105, REST);
        let start = Instant::now();
        let (first, second) = (pool.take(start).unwrap(), pool.take(start).unwrap());
        pool.give_back(second, start);
        pool.give_back(first, start + Duration::from_secs(1));
        assert_eq!(pool.take(start), Some(104), "an unused pair comes before those given back");
        assert_eq!(pool.take(start + REST - Duration::from_millis(1)), None);
        assert_eq!(pool.take(start + REST), Some(second));
        assert_eq!(pool.take(start + REST), None);
        assert_eq!(pool.take(start + REST + Duration::from_secs(1)), Some(first));
        assert_eq!(pool.take(start + REST * 9), None, "all in use");
    }

    #[test]
    fn a_lease_gives_its_pair_back() {
        let pool = Arc::new(Mutex::new(PortPool::new(100..=101, Duration::ZERO)));
        let lease = PortLease::take(&pool, Instant::now()).unwrap();
        assert_eq!((lease.rtp(), lease.rtcp()), (100, 101));
        assert!(PortLease::take(&pool, Instant::now()).is_none());
        drop(lease);
        assert!(PortLease::take(&pool, Instant::now()).is_some());
    }
}
