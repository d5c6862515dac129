//! A shard's figures, handed to the metrics recorder once a second.

use std::time::{Duration, Instant};

use metrics::{counter, gauge};

/// How often the figures are handed over.
const INTERVAL: Duration = Duration::from_secs(1);

/// A frame that leaves later than this after its due time counts as late. Receivers hold at least
/// two frames of 20 ms back.
const LATE: Duration = Duration::from_millis(10);

/// What a shard counts between two publications.
#[derive(Debug)]
pub(super) struct Meter {
    shard: String,
    sent: u64,
    unsent: u64,
    received: u64,
    foreign: u64,
    late: u64,
    skipped_ms: u64,
    worst_lateness: Duration,
    due: Instant,
}

impl Meter {
    pub(super) fn new(shard: usize, now: Instant) -> Self {
        Self {
            shard: shard.to_string(),
            sent: 0,
            unsent: 0,
            received: 0,
            foreign: 0,
            late: 0,
            skipped_ms: 0,
            worst_lateness: Duration::ZERO,
            due: now + INTERVAL,
        }
    }

    /// A frame was sent, or the system would not take it.
    pub(super) fn frame(&mut self, left: bool, lateness: Duration) {
        if left {
            self.sent += 1
        } else {
            self.unsent += 1
        }
        self.late += u64::from(lateness > LATE);
        self.worst_lateness = self.worst_lateness.max(lateness);
    }

    /// A packet of another leg was passed on, or the system would not take it.
    pub(super) fn passed(&mut self, left: bool) {
        if left { self.sent += 1 } else { self.unsent += 1 }
    }

    pub(super) fn received(&mut self) {
        self.received += 1;
    }

    pub(super) fn foreign(&mut self) {
        self.foreign += 1;
    }

    /// The shard moved its schedule.
    pub(super) fn skipped(&mut self, ms: u64) {
        self.skipped_ms += ms;
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Hands the figures over. The recorder is asked anew each time, so that one that is installed
    /// after the start is served too.
    pub(super) fn publish(&mut self, now: Instant, legs: usize) {
        let shard = || self.shard.clone();
        counter!("media_sent_packets_total", "shard" => shard()).increment(self.sent);
        counter!("media_unsent_packets_total", "shard" => shard()).increment(self.unsent);
        counter!("media_received_packets_total", "shard" => shard()).increment(self.received);
        counter!("media_foreign_packets_total", "shard" => shard()).increment(self.foreign);
        counter!("media_late_frames_total", "shard" => shard()).increment(self.late);
        counter!("media_skipped_milliseconds_total", "shard" => shard()).increment(self.skipped_ms);
        gauge!("media_worst_lateness_seconds", "shard" => shard())
            .set(self.worst_lateness.as_secs_f64());
        gauge!("media_legs", "shard" => shard()).set(legs as f64);
        let shard = std::mem::take(&mut self.shard);
        *self = Self { shard, ..Self::new(0, now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_begins_a_new_second() {
        let start = Instant::now();
        let mut meter = Meter::new(3, start);
        meter.frame(true, Duration::from_millis(30));
        meter.frame(false, LATE);
        assert_eq!((meter.sent, meter.unsent, meter.late), (1, 1, 1));
        assert!(!meter.is_due(start + INTERVAL / 2));
        assert!(meter.is_due(start + INTERVAL));
        meter.publish(start + INTERVAL, 1);
        assert_eq!((meter.sent, meter.worst_lateness, &*meter.shard), (0, Duration::ZERO, "3"));
        assert!(!meter.is_due(start + INTERVAL));
    }
}
