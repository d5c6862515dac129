//! Stopping a batch for a while or for good, and letting it go on.

use crate::get_batch::{BatchView, not_found, view};
use crate::principal::{Granted, SendNotices};
use crate::{App, Refusal};
use yunling_domain::RequestId;
use yunling_domain::error_code::CONFLICT;
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::batches::{self, Changed};

/// What is to become of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// No further number is called for now.
    Pause,
    /// It goes on.
    Resume,
    /// No further number is called.
    Cancel,
}

impl Change {
    const fn action(self) -> &'static str {
        match self {
            Self::Pause => "batch.pause",
            Self::Resume => "batch.resume",
            Self::Cancel => "batch.cancel",
        }
    }
}

/// Pauses, resumes or cancels a batch. A second time changes nothing. Calls that are under way go on
/// to their end. Gives the batch as it is then.
///
/// # Errors
/// `NOT_FOUND`, for another account's too; `CONFLICT` where the batch is over, or cancelled and to be
/// paused or resumed.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    id: &RequestId,
    change: Change,
) -> Result<BatchView, Refusal> {
    let now = app.clock().now();
    let (account, request) = (caller.account().clone(), id.clone());
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: change.action().to_owned(),
        object: format!("batch/{id}"),
        detail: serde_json::json!({}),
    };
    let changed = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let changed = match change {
                    Change::Pause => batches::pause(tx, &account, &request).await?,
                    Change::Resume => batches::resume(tx, &account, &request, now).await?,
                    Change::Cancel => batches::cancel(tx, &account, &request, now).await?,
                };
                if changed == Some(Changed::Yes) {
                    audit::append(tx, &entry).await?;
                }
                Ok(changed)
            })
        })
        .await?;
    match changed {
        None => return Err(not_found(id)),
        Some(Changed::NotIn(state)) => {
            let detail = format!("the batch is {}", state.as_str());
            return Err(Refusal::new(CONFLICT).with_detail(detail));
        }
        Some(Changed::Yes | Changed::AlreadySo) => {}
    }
    app.poke().dispatcher();
    view(app, caller, id).await
}
