//! Deletes call records, campaigns and exports whose time is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_app::{campaigns, expire_cdrs, exports};
use yunling_store::StoreError;

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;

/// Carries nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CallRecords {}

impl Recurring for CallRecords {
    const EVERY_S: u32 = 600;
}

impl Job for CallRecords {
    const QUEUE: &'static str = "call_records";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        let files = exports::expire(desk.app()).await?;
        let calls = expire_cdrs::run(desk.app()).await?;
        // After their calls' records.
        let campaigns = campaigns::expire::run(desk.app()).await?;
        if calls > 0 || files > 0 || campaigns > 0 {
            tracing::info!(
                calls,
                files,
                campaigns,
                "call records, exports and campaigns were deleted"
            );
        }
        Ok(())
    }
}
