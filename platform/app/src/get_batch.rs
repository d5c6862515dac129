//! One batch of an account, with its counts and its pace.

use crate::principal::{Granted, ReadCalls, ScopeKind};
use crate::{App, Refusal};
use yunling_domain::batch::{Pace, RATE_OVER_MS, pace};
use yunling_domain::error_code::NOT_FOUND;
use yunling_domain::{Micros, RequestId};
use yunling_store::batches::{self, BatchState, Progress};

/// A batch as its tenant sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchView {
    /// The batch and its counts.
    pub progress: Progress,
    /// How fast it goes, and until when.
    pub pace: Pace,
}

impl BatchView {
    pub(crate) fn of(progress: Progress, now: Micros) -> Self {
        let batch = &progress.batch;
        let runs = batch.state == BatchState::Running && batch.finished_at.is_none();
        let left = batch.total.saturating_sub(progress.done());
        let recent = if runs { progress.recent } else { 0 };
        Self { pace: pace(batch.created_at, recent, left, now), progress }
    }
}

pub(crate) fn not_found(id: &RequestId) -> Refusal {
    Refusal::new(NOT_FOUND).with_detail(format!("the account has no batch {id}"))
}

/// The batch with this identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
) -> Result<BatchView, Refusal> {
    view(app, caller, id).await
}

/// The same for whoever has just changed it.
pub(crate) async fn view<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    id: &RequestId,
) -> Result<BatchView, Refusal> {
    let now = app.clock().now();
    let since = now.plus_ms(-RATE_OVER_MS);
    let found = batches::get(app.store().reader(), caller.account(), id, since).await?;
    found.map(|progress| BatchView::of(progress, now)).ok_or_else(|| not_found(id))
}
