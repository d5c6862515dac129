//! Deletes campaigns whose time is over, by the rule of their calls' records. The do-not-call list
//! has no end.

use crate::App;
use yunling_domain::{AccountId, Micros, RequestId};
use yunling_store::campaigns::platform_side::{finished_before, purge, purge_rows};
use yunling_store::{BULK_ROWS, Lane, StoreError};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Campaigns that are looked for at once.
const TURN: u32 = 100;

/// Deletes what was over before each account's `cdr_keep_days`, once the records of its calls have
/// gone; an account that says nothing keeps its campaigns. Gives how many campaigns.
///
/// # Errors
/// The database cannot be read or written.
pub async fn run(app: &App) -> Result<u64, StoreError> {
    let (directory, now) = (app.directory(), app.clock().now());
    let mut deleted = 0;
    for account in directory.accounts() {
        if let Some(days) = account.cdr_keep_days {
            let before = now.plus_ms(-i64::from(days) * DAY_MS);
            deleted += of_account(app, &account.id, before).await?;
        }
    }
    Ok(deleted)
}

async fn of_account(app: &App, account: &AccountId, before: Micros) -> Result<u64, StoreError> {
    let (mut deleted, mut after) = (0, None::<RequestId>);
    loop {
        let reader = app.store().reader();
        let old = finished_before(reader, account, before, after.as_ref(), TURN).await?;
        let Some(last) = old.last() else { return Ok(deleted) };
        after = Some(last.clone());
        for id in old {
            deleted += u64::from(one(app, account, &id).await?);
        }
    }
}

/// In bulk turns, so that no call waits for it. False where something still refers to its request.
async fn one(app: &App, account: &AccountId, id: &RequestId) -> Result<bool, StoreError> {
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    let writer = app.store().writer();
    loop {
        let (tenant, campaign) = (account.clone(), id.clone());
        let gone = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { purge_rows(tx, &tenant, &campaign, turn).await })
            })
            .await?;
        if gone == 0 {
            break;
        }
    }
    let (tenant, campaign) = (account.clone(), id.clone());
    writer
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { purge(tx, &tenant, &campaign).await })
        })
        .await
}
