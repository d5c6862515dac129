//! Dropping what of a batch was written and never became ready: after a failure at once, after a
//! crash by the next start.

use crate::App;
use yunling_domain::{AccountId, RequestId};
use yunling_store::batches::{self, platform_side::unready_of};
use yunling_store::{BULK_ROWS, Lane, StoreError};

/// Drops every batch that this node had begun to take in when it ended. To be called at the start,
/// before anything is taken in. Gives how many there were.
///
/// # Errors
/// Those of the database.
pub async fn unready(app: &App) -> Result<usize, StoreError> {
    let left = unready_of(app.store().reader(), app.settings().node.0).await?;
    for (account, id) in &left {
        drop_all(app, account, id).await?;
        tracing::info!(request = %id, "a batch that was never answered was dropped");
    }
    Ok(left.len())
}

/// Drops one. Where that fails the next start does it.
pub(super) async fn one(app: &App, account: &AccountId, id: &RequestId) {
    if let Err(error) = drop_all(app, account, id).await {
        tracing::warn!(%error, request = %id, "a batch that was refused is dropped by the next start");
    }
}

async fn drop_all(app: &App, account: &AccountId, id: &RequestId) -> Result<(), StoreError> {
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    loop {
        let (tenant, request) = (account.clone(), id.clone());
        let dropped = app
            .store()
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move {
                    let dropped = batches::drop_numbers(tx, &tenant, &request, turn).await?;
                    if dropped == 0 {
                        batches::drop_unready(tx, &tenant, &request).await?;
                    }
                    Ok::<_, StoreError>(dropped)
                })
            })
            .await?;
        if dropped == 0 {
            return Ok(());
        }
    }
}
