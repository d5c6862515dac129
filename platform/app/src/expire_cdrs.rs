//! Deletes call records whose time is over, with everything else that tells of their conversations:
//! stories, callbacks, requests. Recordings have a time of their own.

use crate::App;
use yunling_domain::{AccountId, Micros};
use yunling_store::cdrs::platform_side;
use yunling_store::{Cursor, Lane, StoreError};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Calls of one turn: with their stories, callbacks and requests some 500 rows.
const TURN: u64 = 100;

/// Deletes what is older than each account's `cdr_keep_days`; an account that says nothing keeps its
/// records. Gives how many calls.
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

/// In bulk turns, so that no call waits for it.
async fn of_account(app: &App, account: &AccountId, before: Micros) -> Result<u64, StoreError> {
    let (mut deleted, mut after) = (0, None::<Cursor>);
    loop {
        let reader = app.store().reader();
        let old =
            platform_side::begun_before(reader, account, before, after.as_ref(), TURN).await?;
        let Some(last) = old.last() else { return Ok(deleted) };
        after = Some(last.place.clone());
        let (account, old) = (account.clone(), old);
        deleted += app
            .store()
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { platform_side::purge(tx, &account, &old).await })
            })
            .await?;
    }
}
