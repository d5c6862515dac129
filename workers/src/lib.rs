//! The jobs that go on beside the calls, and the delivery of callbacks.

mod delivery;
mod jobs;

pub mod signature;

use std::sync::Arc;

use tokio::sync::Notify;
use yunling_app::App;
use yunling_store::StoreError;

pub use delivery::{Deliveries, DeliverySettings, callback_refusal};

use delivery::FarWakes;
pub use jobs::tables;
use jobs::{Desk, Jobs};

/// The running `workers` role of a node.
#[derive(Debug)]
pub struct Workers {
    deliveries: Deliveries,
    jobs: Jobs,
}

impl Workers {
    /// Starts. `poked` is notified when deliveries may have become due.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the jobs' tables cannot be made, or are behind and left to the
    /// operator.
    pub async fn start(app: App, poked: Arc<Notify>) -> Result<Self, StoreError> {
        let (far, far_wakes) = FarWakes::channel();
        let desk = Desk::new(app.clone(), Arc::clone(&poked));
        let jobs = Jobs::start(desk, far_wakes).await?;
        let settings = DeliverySettings::of(&app);
        let deliveries = Deliveries::start_with(app, poked, &settings, far)?;
        Ok(Self { deliveries, jobs })
    }

    /// Lets what is under way end for some seconds.
    pub async fn stop(self) {
        self.deliveries.stop().await;
        self.jobs.stop().await;
    }
}
