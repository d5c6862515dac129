//! Callbacks of an account and how their delivery went, newest first.

use crate::principal::{Granted, ReadDeliveries};
use crate::{App, Refusal};
use yunling_store::deliveries::{self, Delivery, DeliveryFilter};
use yunling_store::{Page, PageRequest};

/// One page of the deliveries that the filter picks.
///
/// # Errors
/// `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadDeliveries>,
    filter: &DeliveryFilter,
    page: &PageRequest,
) -> Result<Page<Delivery>, Refusal> {
    Ok(deliveries::list(app.store().reader(), caller.account(), filter, page).await?)
}
