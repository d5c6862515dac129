//! Call records of an account, newest first.

use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal, number_privacy};
use yunling_store::calls::{self, CallFilter, Cdr};
use yunling_store::{Page, PageRequest};

/// One page of the records that the filter picks.
///
/// # Errors
/// `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    filter: &CallFilter,
    page: &PageRequest,
) -> Result<Page<Cdr>, Refusal> {
    let filter = CallFilter { masked_numbers: !number_privacy::sees_all(caller), ..filter.clone() };
    let mut found = calls::list(app.store().reader(), caller.account(), &filter, page).await?;
    number_privacy::of_records(app, caller, &mut found.rows).await?;
    Ok(found)
}
