//! Sends callbacks again, with the same identifier and body: one, or all that were given up and fit
//! a filter.

use crate::principal::{Granted, ResendDeliveries};
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::{AccountId, Micros};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::deliveries::{self, DeliveryFilter, Resend};
use yunling_store::{BULK_ROWS, Cursor, Lane, StoreError};

/// Makes them due now. Gives how many. A range is taken in turns, each kept for itself: after a
/// failure the same request goes on with the rest.
///
/// # Errors
/// `NOT_FOUND` where one is named that the account does not have.
pub async fn run(
    app: &App,
    caller: &Granted<ResendDeliveries>,
    which: Resend,
) -> Result<u64, Refusal> {
    let now = app.clock().now();
    let account = caller.account().clone();
    let (object, filter) = match &which {
        Resend::One(id) => (format!("delivery/{id}"), json!({})),
        Resend::Matching(filter) => {
            let filter = json!({
                "state": filter.state.map(deliveries::DeliveryState::as_str),
                "endpoint": filter.endpoint_id,
                "conversation": filter.conversation_id,
                "from": filter.created.from,
                "to": filter.created.to,
            });
            ("delivery/*".to_owned(), filter)
        }
    };
    let mut entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: "delivery.resend".to_owned(),
        object,
        detail: filter,
    };
    // In a task of its own: a large range takes longer than its caller may wait, and is audited
    // all the same.
    let app = app.clone();
    let resending = tokio::spawn(async move {
        let mut resent = 0;
        let outcome = match which {
            Resend::One(id) => one(&app, &account, id, now).await.map(|()| resent = 1),
            Resend::Matching(filter) => in_turns(&app, &account, filter, now, &mut resent).await,
        };
        if resent > 0 || outcome.is_ok() {
            entry.detail["resent"] = json!(resent);
            app.store()
                .writer()
                .write(Lane::Live, move |tx| {
                    Box::pin(async move { audit::append(tx, &entry).await })
                })
                .await?;
        }
        outcome.map(|()| resent)
    });
    Ok(resending.await.map_err(|error| StoreError::Panicked(error.to_string()))??)
}

async fn one(app: &App, account: &AccountId, id: String, now: Micros) -> Result<(), StoreError> {
    let account = account.clone();
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move { deliveries::resend_one(tx, &account, &id, now).await })
        })
        .await?;
    app.poke().deliveries();
    Ok(())
}

/// How far a callback's stamp may be ahead of the wall clock: a call's stamps follow its own clock,
/// which a step of the wall clock leaves behind.
const GRACE_MS: i64 = 60_000;

/// A range may hold millions: no live operation waits for more than one turn of it. What was caused
/// or given up since `now` is left alone.
async fn in_turns(
    app: &App,
    account: &AccountId,
    mut filter: DeliveryFilter,
    now: Micros,
    resent: &mut u64,
) -> Result<(), StoreError> {
    let end = now.plus_ms(GRACE_MS);
    filter.created.to = Some(filter.created.to.map_or(end, |to| to.min(end)));
    let store = app.store();
    let mut after: Option<Cursor> = None;
    loop {
        let turn = BULK_ROWS as u64;
        let some =
            deliveries::resendable(store.reader(), account, &filter, after.as_ref(), turn).await?;
        let Some(last) = some.last().cloned() else { return Ok(()) };
        let ids: Vec<String> = some.into_iter().map(|one| one.id).collect();
        let (account, filter) = (account.clone(), filter.clone());
        *resent += store
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(
                    async move { deliveries::resend_these(tx, &account, &filter, &ids, now).await },
                )
            })
            .await?;
        app.poke().deliveries();
        after = Some(last);
    }
}
