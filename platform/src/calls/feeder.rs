//! Keeps batches and campaigns going beside the dispatcher: looks at them a few times a second, and
//! says which of them no number of is to be dialled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_app::campaigns;
use yunling_app::feed_batches::{self, Fed};
use yunling_domain::RequestId;
use yunling_store::StoreError;
use yunling_store::batches::BatchState;
use yunling_store::batches::platform_side::LiveBatch;

/// How often batches are looked at while there are any: see the window of
/// [`yunling_domain::batch::WINDOW`].
const BUSY: Duration = Duration::from_millis(200);
/// How often somebody looks whether there are any.
const IDLE: Duration = Duration::from_millis(500);
/// How often results are added up.
const ADD_UP_EVERY: Duration = Duration::from_secs(1);

/// What keeps the numbers of a batch or a campaign from being dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// It goes on later.
    Paused,
    /// Its numbers only get their results.
    Cancelled,
    /// It is a campaign, and its number goes back by this rule.
    Withdrawn(&'static str),
}

/// The batches and campaigns that no number of is to be dialled, as of the last look.
#[derive(Debug, Default)]
pub(super) struct Halted {
    batches: RwLock<HashMap<RequestId, Halt>>,
    campaigns: RwLock<HashMap<RequestId, Halt>>,
}

impl Halted {
    /// Whether this one is among them.
    pub(super) fn of(&self, id: &RequestId) -> Option<Halt> {
        let of_batch = self.batches.read().get(id).copied();
        of_batch.or_else(|| self.campaigns.read().get(id).copied())
    }

    fn set_campaigns(&self, halted: Vec<(RequestId, &'static str)>) {
        let halted = halted.into_iter().map(|(id, rule)| (id, Halt::Withdrawn(rule)));
        *self.campaigns.write() = halted.collect();
    }

    fn set(&self, batches: &[LiveBatch]) {
        let halted = batches.iter().filter_map(|live| {
            let halt = match live.batch.state {
                BatchState::Paused => Halt::Paused,
                BatchState::Cancelled => Halt::Cancelled,
                BatchState::Loading | BatchState::Running | BatchState::Finished => return None,
            };
            Some((live.batch.request_id.clone(), halt))
        });
        *self.batches.write() = halted.collect();
    }
}

/// The first look: before anything is dialled, so that nothing of a paused batch is. A campaign's
/// calls ask once more by themselves.
///
/// # Errors
/// Those of a read.
pub(super) async fn look(app: &App, halted: &Halted) -> Result<(), StoreError> {
    let batches = yunling_store::batches::platform_side::live(app.store().reader()).await?;
    halted.set(&batches);
    Ok(())
}

/// How often campaigns are looked at while there are any: calls of theirs that are over are counted
/// then, and as many as the window holds go out.
const CAMPAIGNS_BUSY: Duration = Duration::from_millis(250);
/// How often somebody looks whether there are any.
const CAMPAIGNS_IDLE: Duration = Duration::from_millis(1_000);

/// Feeds campaigns until the node drains. Apart from batches, so that neither waits for the other.
pub(super) async fn run_campaigns(app: App, halted: Arc<Halted>, draining: CancellationToken) {
    loop {
        let live = match campaigns::feed::run(&app).await {
            Ok(fed) => {
                halted.set_campaigns(fed.halted);
                fed.live
            }
            Err(error) => {
                tracing::warn!(%error, "campaigns were not looked at");
                0
            }
        };
        metrics::gauge!("yunling_campaigns_live").set(live as f64);
        let pause = if live == 0 { CAMPAIGNS_IDLE } else { CAMPAIGNS_BUSY };
        if draining.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Feeds until the node drains.
pub(super) async fn run(app: App, halted: Arc<Halted>, draining: CancellationToken) {
    let mut added_up = Instant::now();
    loop {
        let fed = match feed_batches::run(&app).await {
            Ok(fed) => {
                halted.set(&fed.batches);
                let waiting: f64 =
                    fed.batches.iter().map(|live| f64::from(live.batch.unqueued)).sum();
                metrics::gauge!("yunling_batch_numbers_waiting").set(waiting);
                fed
            }
            Err(error) => {
                // What is known to be halted stays so.
                tracing::warn!(%error, "batches were not looked at");
                Fed::default()
            }
        };
        if added_up.elapsed() >= ADD_UP_EVERY {
            added_up = Instant::now();
            if let Err(error) = feed_batches::add_up_and_finish(&app, &fed.batches).await {
                tracing::warn!(%error, "the results of batches were not added up");
            }
        }
        let pause = if fed.batches.is_empty() { IDLE } else { BUSY };
        if draining.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}
