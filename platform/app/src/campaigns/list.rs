//! Campaigns of an account, newest first.

use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_domain::RequestId;
use yunling_store::campaigns::{self, Progress};
use yunling_store::{Page, PageRequest};

/// One page of the account's campaigns, newest first; with `parent` of the runs of that one.
///
/// # Errors
/// `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    parent: Option<&RequestId>,
    page: &PageRequest,
) -> Result<Page<Progress>, Refusal> {
    Ok(campaigns::list(app.store().reader(), caller.account(), parent, page).await?)
}
