//! Wakes the delivery of callbacks when a retry is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_store::StoreError;

use super::desk::Desk;
use super::worker::Job;

/// Carries nothing: the rows say what is due.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WakeDelivery {}

impl Job for WakeDelivery {
    const QUEUE: &'static str = "wake_delivery";
    const POLL: Duration = Duration::from_millis(200);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        desk.poke_deliveries();
        Ok(())
    }
}
