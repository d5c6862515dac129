//! Delivery of callbacks: what the outbox holds and is due goes out as a signed POST, again and
//! again by the schedule, each endpoint in a lane of its own. The rows are the truth: whatever is
//! lost here is found there.

pub(crate) mod alarm;
mod deliverer;
mod guard;
pub(crate) mod hold_back;
mod lanes;
mod record;
mod resolver;
mod retry_after;
mod schedule;
mod sender;
mod wakes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_app::config::Callbacks;
use yunling_store::StoreError;

use deliverer::Deliverer;
use guard::Guard;
use lanes::{Lanes, Limits};
use sender::Sender;
use wakes::Wakes;

pub use guard::callback_refusal;
pub(crate) use wakes::FarWakes;

/// How deliveries are made.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// What the operator has set.
    pub callbacks: Callbacks,
    /// How often the outbox is looked at without a reason, milliseconds.
    pub sweep_ms: u64,
    /// How long attempts in flight may go on at the stop, milliseconds.
    pub finish_ms: u64,
}

impl DeliverySettings {
    /// As the node's settings have it.
    pub fn of(app: &App) -> Self {
        Self { callbacks: app.settings().callbacks.clone(), sweep_ms: 5_000, finish_ms: 5_000 }
    }
}

/// The delivery of callbacks, running.
#[derive(Debug)]
pub struct Deliveries {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl Deliveries {
    /// Starts. `poked` is notified when deliveries may have become due.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] where the HTTP client cannot be made.
    pub fn start(
        app: App,
        poked: Arc<Notify>,
        settings: &DeliverySettings,
    ) -> Result<Self, StoreError> {
        let (far, _) = FarWakes::channel();
        Self::start_with(app, poked, settings, far)
    }

    /// As [`start`](Self::start), with far retries stored as wake-up jobs.
    pub(crate) fn start_with(
        app: App,
        poked: Arc<Notify>,
        settings: &DeliverySettings,
        far: FarWakes,
    ) -> Result<Self, StoreError> {
        let callbacks = &settings.callbacks;
        let guard = Guard::new(callbacks.allow.iter().map(|range| range.0).collect());
        let sender = Sender::new(guard, callbacks.timeout_ms).map_err(|error| {
            StoreError::Configuration {
                what: format!("the HTTP client of callbacks: {error}"),
                expected: "a TLS library that starts",
            }
        })?;
        let lanes = Lanes::new(Limits {
            total: at_least_one(callbacks.max_in_flight),
            per_endpoint: at_least_one(callbacks.max_in_flight_per_endpoint),
        });
        let stopping = CancellationToken::new();
        let deliverer = Deliverer::new(app, sender, lanes, Wakes::new(far), settings);
        let task = tokio::spawn(deliverer.run(poked, stopping.clone()));
        Ok(Self { stopping, task })
    }

    /// Takes nothing new, lets attempts in flight end for a while, then drops the rest: their
    /// claims run out and they are sent again.
    pub async fn stop(self) {
        self.stopping.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the delivery of callbacks did not end in order");
        }
    }
}

fn at_least_one(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX).max(1)
}

/// Longer than an attempt can last, with its record.
fn claim_ms(timeout_ms: u32) -> i64 {
    i64::from(timeout_ms) + 15_000
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
