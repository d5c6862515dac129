//! Whether a peer has fallen silent for longer than it may. Pure.

use std::time::{Duration, Instant};

/// Watches one peer.
#[derive(Debug, Default)]
pub(super) struct SilenceWatch {
    /// Signs of life at the last look.
    signs: u64,
    since: Option<Instant>,
    told: bool,
}

impl SilenceWatch {
    /// Looks. `signs` are the packets that have come so far, to either port: a peer that sends
    /// nothing while nobody speaks still reports by RTCP. `is_expected` is false while the peer may
    /// be silent for ever: on hold, or not answered yet. Gives the length of a silence that has just
    /// become too long, once.
    pub(super) fn look(
        &mut self,
        signs: u64,
        is_expected: bool,
        longest: Duration,
        now: Instant,
    ) -> Option<Duration> {
        if signs != self.signs || !is_expected {
            *self = Self { signs, since: Some(now), told: false };
            return None;
        }
        let silent = now.saturating_duration_since(*self.since.get_or_insert(now));
        let is_news = silent >= longest && !std::mem::replace(&mut self.told, silent >= longest);
        is_news.then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_is_told_once_and_none_on_hold() {
        const LONGEST: Duration = Duration::from_secs(3);
        let start = Instant::now();
        let mut watch = SilenceWatch::default();
        // Second, signs of life so far, whether any are expected, whether it is told.
        for (second, signs, is_expected, told) in [
            (0, 0, false, false),
            (9, 0, false, false),
            (11, 0, true, false),
            (12, 0, true, true),
            (13, 0, true, false),
            (20, 0, true, false),
            (21, 1, true, false),
            (23, 1, true, false),
            (24, 1, true, true),
            (25, 1, false, false),
            (40, 1, false, false),
            (42, 1, true, false),
            (43, 2, true, false),
            (45, 2, true, false),
            (46, 2, true, true),
        ] {
            let now = start + Duration::from_secs(second);
            let found = watch.look(signs, is_expected, LONGEST, now);
            assert_eq!(found.is_some(), told, "second {second}");
        }
    }
}
