//! How often a worker asks for jobs.

use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{PollSnapshot, PollStrategy};
use tokio::time::{Interval, MissedTickBehavior};

/// Asks at a steady tick. The library's own interval does not register its next wake-up when it
/// fires, so that a worker may sleep on until its heartbeat, half a minute later.
#[derive(Debug)]
pub(crate) struct PollTick(Interval);

impl PollTick {
    /// Must be called within a tokio runtime.
    pub(crate) fn new(every: Duration) -> Self {
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(interval)
    }
}

impl PollStrategy for PollTick {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut fired = Poll::Pending;
        // Polled until it is pending: only then is the waker kept.
        while self.0.poll_tick(cx).is_ready() {
            fired = Poll::Ready(Some(()));
        }
        fired
    }
}
