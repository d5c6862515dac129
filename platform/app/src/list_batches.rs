//! Batches of an account, newest first.

use crate::get_batch::BatchView;
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_domain::batch::RATE_OVER_MS;
use yunling_store::{Page, PageRequest, batches};

/// One page of the account's batches, newest first.
///
/// # Errors
/// `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    page: &PageRequest,
) -> Result<Page<BatchView>, Refusal> {
    let now = app.clock().now();
    let since = now.plus_ms(-RATE_OVER_MS);
    let found = batches::list(app.store().reader(), caller.account(), since, page).await?;
    let rows = found.rows.into_iter().map(|progress| BatchView::of(progress, now)).collect();
    Ok(Page { rows, next: found.next })
}
