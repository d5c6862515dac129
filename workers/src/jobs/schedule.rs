//! Jobs that come again and again: one for each slot of time, whichever node pushes it first.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Keyed};
use super::worker::Job;

/// A job with a schedule.
pub(crate) trait Recurring: Job + Default {
    /// The length of a slot, seconds.
    const EVERY_S: u32;
}

/// Pushes one job a slot until `stopping`.
pub(crate) async fn keep<J: Recurring>(desk: Desk, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(J::EVERY_S.into()));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(tick.tick()).await.is_some() {
        let slot = desk.app().clock().now().second() / i64::from(J::EVERY_S);
        let job = Keyed { job: J::default(), key: slot.to_string(), run_at_s: None };
        if let Err(error) = desk.push(vec![job]).await {
            tracing::warn!(
                queue = J::QUEUE,
                error,
                "a job was not pushed; the next slot's will be"
            );
        }
    }
}
