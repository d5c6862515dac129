//! Settles recordings whose end was not noted, moves those that are still on the disk to the object
//! store, and deletes those whose time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_app::recordings;
use yunling_store::StoreError;

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;

/// Carries nothing. Any node may do it; what lies on another's disk is left to that one's turn.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recordings {}

impl Recurring for Recordings {
    const EVERY_S: u32 = 300;
}

impl Job for Recordings {
    const QUEUE: &'static str = "recordings";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        let settled = recordings::settle_late(desk.app()).await?;
        let moved = recordings::move_leftovers(desk.app()).await?;
        let deleted = recordings::expire(desk.app()).await?;
        if settled > 0 || moved > 0 || deleted > 0 {
            tracing::info!(settled, moved, deleted, "recordings were settled, moved and deleted");
        }
        Ok(())
    }
}
