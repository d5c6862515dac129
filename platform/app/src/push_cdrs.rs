//! Pushes call detail records again, through the one delivery of callbacks: one as it was sent, or
//! up to 500 in a callback. Ranges are exports of the format `push`.

use crate::compose_cdr::{self, Sight};
use crate::exports::{MAX_RECORDS, batch, by_application, push_url};
use crate::get_cdr;
use crate::principal::{Granted, ResendDeliveries};
use crate::{App, Refusal};
use serde_json::json;
use std::collections::BTreeSet;
use yunling_domain::error_code::{BAD_PARAMETER, MISSING_PARAMETER, NO_CDR_URL};
use yunling_domain::{AccountId, ApplicationId, IdKind};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::calls::Cdr;
use yunling_store::deliveries::{self, NewDelivery};
use yunling_store::{Lane, RequestKind, StoreError};

/// What a push came to: the `webhook-id` of each callback.
pub type Pushed = Vec<String>;

/// Pushes one record. What was sent of it before is sent again, with the same `webhook-id` and body;
/// where nothing was, for there was no address then, its record goes to the application's `cdr_url`.
///
/// # Errors
/// `NOT_FOUND`; `NO_CDR_URL` where there is no address now either.
pub async fn one(
    app: &App,
    caller: &Granted<ResendDeliveries>,
    id: &str,
) -> Result<Pushed, Refusal> {
    let account = caller.account();
    let row = get_cdr::find(app, account, id).await?.ok_or_else(|| get_cdr::unknown(id))?;
    let sent = sent_as(&row);
    let (tenant, again, now) = (account.clone(), sent.clone(), app.clock().now());
    let entry = entry(app, caller, format!("delivery/{sent}"), 1);
    let resent = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                deliveries::resend_one(tx, &tenant, &again, now).await?;
                audit::append(tx, &entry).await
            })
        })
        .await;
    match resent {
        Ok(()) => {
            app.poke().deliveries();
            Ok(vec![sent])
        }
        Err(StoreError::NotFound(_)) => rows(app, caller, vec![row]).await,
        Err(error) => Err(error.into()),
    }
}

/// Pushes up to 500 records, those of each application in one callback to its `cdr_url`.
///
/// # Errors
/// `MISSING_PARAMETER`, `BAD_PARAMETER` for none or too many; `NOT_FOUND` for one that the account
/// does not have; `NO_CDR_URL` where an application has no address. Nothing is pushed then.
pub async fn these(
    app: &App,
    caller: &Granted<ResendDeliveries>,
    ids: &[String],
) -> Result<Pushed, Refusal> {
    if ids.is_empty() {
        return Err(Refusal::field(MISSING_PARAMETER, "ids", "expected at least one record"));
    }
    if ids.len() > MAX_RECORDS {
        let detail = format!("expected at most {MAX_RECORDS} records, found {}", ids.len());
        return Err(Refusal::field(BAD_PARAMETER, "ids", detail));
    }
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let row = get_cdr::find(app, caller.account(), id).await?;
        let row = row.ok_or_else(|| get_cdr::unknown(id))?;
        // Its conversation may be named twice, by two of its calls.
        if known.insert(row.conversation_id.clone()) {
            found.push(row);
        }
    }
    rows(app, caller, found).await
}

/// The `webhook-id` under which a record was sent when its conversation ended.
fn sent_as(row: &Cdr) -> String {
    match row.kind {
        RequestKind::Click => format!("msg_{}", row.conversation_id),
        RequestKind::Notice | RequestKind::Captcha | RequestKind::Batch | RequestKind::Campaign => {
            format!("msg_{}", row.call_id)
        }
    }
}

async fn rows(
    app: &App,
    caller: &Granted<ResendDeliveries>,
    rows: Vec<Cdr>,
) -> Result<Pushed, Refusal> {
    let (account, now) = (caller.account().clone(), app.clock().now());
    let records = compose_cdr::run(app, &account, Sight::CALLBACK, &rows).await?;
    let mut callbacks: Vec<NewDelivery> = Vec::new();
    for (application, records) in by_application(&records) {
        let url = address(app, &account, &application)?;
        let id = format!("msg_{}", app.ids().mint(IdKind::Export));
        callbacks.push(batch(id, application, url, &records, now));
    }
    let ids: Pushed = callbacks.iter().map(|callback| callback.id.clone()).collect();
    let entry = entry(app, caller, "cdr/*".to_owned(), rows.len());
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                for callback in &callbacks {
                    deliveries::insert(tx, &account, callback).await?;
                }
                audit::append(tx, &entry).await
            })
        })
        .await?;
    app.poke().deliveries();
    Ok(ids)
}

fn address(app: &App, account: &AccountId, application: &ApplicationId) -> Result<String, Refusal> {
    push_url(app, account, application).ok_or_else(|| {
        Refusal::new(NO_CDR_URL).with_detail(format!("the application is {application}"))
    })
}

fn entry(
    app: &App,
    caller: &Granted<ResendDeliveries>,
    object: String,
    records: usize,
) -> AuditEntry {
    AuditEntry {
        at: app.clock().now(),
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "cdr.push".to_owned(),
        object,
        detail: json!({ "records": records }),
    }
}
