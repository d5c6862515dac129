//! One request of an account.

use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal, number_privacy};
use yunling_domain::RequestId;
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::requests::{self, Request};

/// The request with this identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
) -> Result<Request, Refusal> {
    let found = requests::get(app.store().reader(), caller.account(), id).await?;
    let mut found = found.ok_or_else(|| {
        Refusal::new(NOT_FOUND).with_detail(format!("the account has no request {id}"))
    })?;
    number_privacy::of_request(caller, &mut found);
    Ok(found)
}
