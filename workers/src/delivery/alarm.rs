//! An endpoint is disabled and enabled in the open: with an audit row that the tenant sees.

use serde_json::json;
use yunling_domain::{AccountId, Micros};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::deliveries::Delivery;
use yunling_store::endpoints::{Endpoint, platform_side};
use yunling_store::{DatabaseTransaction, StoreError};

/// Whom audit rows name.
const WHO: &str = "deliveries";

/// Disables a receiver that was given up. What waits for it is [held back](super::hold_back) after
/// the commit.
///
/// # Errors
/// Those of a write.
pub(crate) async fn disable_receiver(
    tx: &DatabaseTransaction,
    receiver: &Endpoint,
    reason: &str,
    now: Micros,
) -> Result<(), StoreError> {
    platform_side::disable(tx, receiver.id, reason, now).await?;
    let object = (&receiver.account, receiver.id, receiver.url.as_str());
    append(tx, object, "endpoint.disable", reason, now).await
}

/// Disables the address of a delivery, if it still is in use.
///
/// # Errors
/// Those of a write.
pub(crate) async fn disable_address(
    tx: &DatabaseTransaction,
    delivery: &Delivery,
    reason: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let (account, url) = (&delivery.account, delivery.caused.url.as_str());
    match platform_side::disable_address(tx, account, url, reason, now).await? {
        Some(id) => append(tx, (account, id, url), "endpoint.disable", reason, now).await,
        None => Ok(()),
    }
}

/// Puts a delivery's receiver and address back into use, where they were disabled: it acknowledged
/// a callback that was re-sent.
///
/// # Errors
/// Those of a write.
pub(crate) async fn enable(
    tx: &DatabaseTransaction,
    delivery: &Delivery,
    now: Micros,
) -> Result<(), StoreError> {
    let (account, receiver) = (&delivery.account, delivery.endpoint_id);
    let url = &delivery.caused.url;
    let reason = "it acknowledged a callback that was re-sent";
    for enabled in platform_side::enable_both(tx, account, receiver, url).await? {
        let object = (account, enabled.id, enabled.url.as_str());
        append(tx, object, "endpoint.enable", reason, now).await?;
    }
    Ok(())
}

async fn append(
    tx: &DatabaseTransaction,
    (account, id, url): (&AccountId, i64, &str),
    action: &str,
    reason: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: WHO.to_owned(),
        action: action.to_owned(),
        object: format!("endpoint/{id}"),
        detail: json!({ "url": url, "reason": reason }),
    };
    audit::append(tx, &entry).await
}

/// Tells the operator.
pub(crate) fn tell(account: &AccountId, receiver: i64, why: &'static str, error: &str) {
    metrics::counter!("yunling_endpoints_disabled_total", "why" => why).increment(1);
    tracing::warn!(%account, endpoint = receiver, why, error, "an endpoint was disabled");
}
