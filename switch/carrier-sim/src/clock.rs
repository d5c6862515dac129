//! The one place that reads the time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::g711::RATE_HZ;

/// Wall time, anchored once and carried on by the monotonic clock: a step of the system's clock
/// never disorders the event log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    anchor: Instant,
    anchor_us: i64,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own, without the platform's Clock port: this file is its port"
)]
impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            anchor: Instant::now(),
            anchor_us: i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now()
    }

    /// Samples of 8 kHz since the network began: the same for all telephones.
    pub(crate) fn samples(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.anchor).as_micros();
        u64::try_from(since * u128::from(RATE_HZ) / 1_000_000).unwrap_or(u64::MAX)
    }

    /// Microseconds since the Unix epoch, UTC.
    pub(crate) fn unix_us(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.anchor).as_micros();
        self.anchor_us.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }
}
