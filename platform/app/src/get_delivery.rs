//! One callback of an account, with every attempt at its delivery.

use crate::principal::{Granted, ReadDeliveries};
use crate::{App, Refusal};
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::deliveries::platform_side::DeliveryAttempt;
use yunling_store::deliveries::{self, Delivery};

/// The delivery with this `webhook-id`, and the attempts at it, oldest first.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadDeliveries>,
    id: &str,
) -> Result<(Delivery, Vec<DeliveryAttempt>), Refusal> {
    let found = deliveries::get(app.store().reader(), caller.account(), id).await?;
    found.ok_or_else(|| {
        Refusal::new(NOT_FOUND).with_detail(format!("the account has no delivery {id}"))
    })
}
