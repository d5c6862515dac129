//! Holds back what waits for a receiver or an address that was disabled, in bulk turns. Where that
//! stops half-way, the rest is tried, answered as before, and held back then.

use yunling_app::App;
use yunling_store::deliveries::platform_side::{Waiting, hold_back, waiting};
use yunling_store::{BULK_ROWS, Cursor, Lane, StoreError};

/// Holds back all that waits now. Gives how many.
///
/// # Errors
/// The turns before the failed one are kept.
pub(crate) async fn run(app: &App, what: &Waiting) -> Result<u64, StoreError> {
    let store = app.store();
    let mut held = 0;
    let mut after: Option<Cursor> = None;
    loop {
        let some = waiting(store.reader(), what, after.as_ref(), BULK_ROWS as u64).await?;
        let Some(last) = some.last().cloned() else { return Ok(held) };
        let ids: Vec<String> = some.into_iter().map(|one| one.id).collect();
        held += store
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { hold_back(tx, &ids).await })
            })
            .await?;
        after = Some(last);
    }
}
