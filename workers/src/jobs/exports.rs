//! Orders the exports whose schedules are due, and writes what is ordered. A job that finds this node
//! at it already leaves it to that one; after a crash whichever node is next goes on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_app::exports::{self, Pace};
use yunling_store::StoreError;

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;

/// Carries nothing: the rows say what is to be written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Exports {}

impl Recurring for Exports {
    const EVERY_S: u32 = 2;
}

impl Job for Exports {
    const QUEUE: &'static str = "exports";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        exports::fire_due(desk.app()).await?;
        exports::write_due(desk.app(), &Pace::default()).await?;
        Ok(())
    }
}
