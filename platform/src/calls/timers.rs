//! The timers of one conversation, each with the machine's reason.

use std::time::{Duration, Instant};

/// Armed timers, by what they are for; a conversation has a handful at most, so a scan beats a heap.
#[derive(Debug)]
pub(crate) struct Timers<Reason> {
    armed: Vec<(Instant, Reason)>,
}

impl<Reason> Default for Timers<Reason> {
    fn default() -> Self {
        Self { armed: Vec::new() }
    }
}

impl<Reason: Copy + PartialEq> Timers<Reason> {
    /// Arms or re-arms a timer.
    pub(crate) fn arm(&mut self, reason: Reason, now: Instant, after_ms: u32) {
        self.disarm(reason);
        self.armed.push((now + Duration::from_millis(u64::from(after_ms)), reason));
    }

    /// Forgets a timer; nothing happens if it is not armed.
    pub(crate) fn disarm(&mut self, reason: Reason) {
        self.armed.retain(|(_, armed)| *armed != reason);
    }

    /// Waits for the next timer and takes it out; for ever if none is armed. Cancel-safe: it is
    /// taken out only once it is due.
    pub(crate) async fn next(&mut self) -> Reason {
        let Some(index) = (0..self.armed.len()).min_by_key(|index| self.armed[*index].0) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(self.armed[index].0.into()).await;
        self.armed.swap_remove(index).1
    }
}

#[cfg(test)]
mod tests {
    use yunling_domain::notice::TimerReason;

    use super::*;

    #[tokio::test]
    async fn the_earliest_comes_first_and_re_arming_moves_it() {
        let mut timers = Timers::default();
        let now = Instant::now();
        timers.arm(TimerReason::Ring, now, 20);
        timers.arm(TimerReason::NoReply, now, 1);
        timers.arm(TimerReason::KeyWindow, now, 2);
        timers.arm(TimerReason::NoReply, now, 40);
        timers.disarm(TimerReason::KeyWindow);
        assert_eq!(timers.next().await, TimerReason::Ring);
        assert_eq!(timers.next().await, TimerReason::NoReply);
    }
}
