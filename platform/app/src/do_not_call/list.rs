//! The account's do-not-call list.

use super::stored;
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_store::do_not_call::{self, Listed};
use yunling_store::{Page, PageRequest};

/// One page of the list, newest first; with `number` only that one, if it is there.
///
/// # Errors
/// `BAD_NUMBER`; `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    number: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Listed>, Refusal> {
    let number = number.map(|text| stored("number", text)).transpose()?;
    let reader = app.store().reader();
    Ok(do_not_call::list(reader, caller.account(), number.as_deref(), page).await?)
}
