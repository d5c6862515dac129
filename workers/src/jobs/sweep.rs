//! Finds deliveries that are due without a wake-up (another process wrote them, a claim ran out, a
//! wake-up was lost), and shows how late the latest is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_store::StoreError;
use yunling_store::deliveries::platform_side::next_due_at;

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;

/// Carries nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sweep {}

impl Recurring for Sweep {
    const EVERY_S: u32 = 10;
}

impl Job for Sweep {
    const QUEUE: &'static str = "sweep";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        let now = desk.app().clock().now();
        let next = next_due_at(desk.app().store().reader()).await?;
        let late_ms = next.map_or(0, |at| now.ms_since(at).max(0));
        metrics::gauge!("yunling_delivery_oldest_due_seconds").set(late_ms as f64 / 1_000.0);
        if next.is_some_and(|at| at <= now) {
            desk.poke_deliveries();
        }
        Ok(())
    }
}
