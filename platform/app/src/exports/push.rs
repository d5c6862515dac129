//! Pushing a range of records again: each page a callback with up to 500 of them
//! (RESOLUTIONS, CDR push, re-push, batch push, query).

use super::turn::{self, Pace, Stopped, TurnEnd};
use crate::App;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use yunling_domain::cdr::CdrObject;
use yunling_domain::{AccountId, ApplicationId, Micros};
use yunling_store::deliveries::{self, DeliveryState, NewDelivery};
use yunling_store::exports::{Export, Holder, Progress, platform_side};
use yunling_store::{Cursor, Lane, StoreError};

/// Records of one callback at most.
pub(crate) const MAX_RECORDS: usize = 500;
/// Callbacks of one push that may wait to be delivered; then it waits for its receiver.
const AHEAD: u32 = 20;
/// How long it waits before it looks again.
const WAIT_MS: i64 = 5_000;

/// What a push goes on from. Stored, so its form is one that older rows have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    after: Option<Cursor>,
    /// Callbacks so far.
    callbacks: u32,
}

pub(super) async fn turn(
    app: &App,
    export: &Export,
    holder: &mut Holder,
    pace: &Pace,
) -> Result<TurnEnd, Stopped> {
    let mut progress = export.progress.clone();
    let stored = progress.checkpoint.clone();
    let mut checkpoint: Checkpoint =
        stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default();
    let ordered = &export.ordered;
    for _ in 0..pace.pages {
        let now = app.clock().now();
        if app.is_draining() {
            return Ok(TurnEnd::GoesOn(now));
        }
        if is_far_ahead(app, export, checkpoint.callbacks).await? {
            return Ok(TurnEnd::GoesOn(now.plus_ms(WAIT_MS)));
        }
        let limit = pace.records.min(MAX_RECORDS as u64);
        let page = turn::read(app, export, checkpoint.after.clone(), limit, pace).await?;
        let mut callbacks = Vec::new();
        for (application, records) in by_application(&page.records) {
            let Some(url) = url(app, &ordered.account, &application) else { continue };
            progress.records += records.len() as u64;
            checkpoint.callbacks += 1;
            let id = callback_id(&ordered.id, checkpoint.callbacks);
            callbacks.push(batch(id, application, url, &records, now));
        }
        progress.reached_at = page.reached_at.or(progress.reached_at);
        checkpoint.after = page.next;
        progress.checkpoint = serde_json::to_value(&checkpoint).ok();
        if !keep(app, export, holder, &progress, callbacks).await? {
            return Ok(TurnEnd::Lost);
        }
        app.poke().deliveries();
        if checkpoint.after.is_none() {
            let whole = Progress { checkpoint: None, ..progress };
            return Ok(TurnEnd::Complete { whole, in_objects: false });
        }
    }
    Ok(TurnEnd::GoesOn(app.clock().now()))
}

/// A callback with these records.
pub(crate) fn batch(
    id: String,
    application: ApplicationId,
    url: String,
    records: &[&CdrObject],
    now: Micros,
) -> NewDelivery {
    let texts: Vec<String> = records.iter().map(|record| record.to_json()).collect();
    NewDelivery {
        id,
        application,
        conversation_id: None,
        seq: 0,
        kind: "cdr.batch".to_owned(),
        url,
        body: format!("{{\"cdrs\":[{}]}}", texts.join(",")),
        created_at: now,
    }
}

/// Where an application's records are pushed: the rest of a page is nobody's.
pub(crate) fn url(app: &App, account: &AccountId, application: &ApplicationId) -> Option<String> {
    let directory = app.directory();
    let application = directory.application(account, application)?;
    application.cdr_url.as_deref().map(str::to_owned)
}

/// Each application's records, in their order.
pub(crate) fn by_application(records: &[CdrObject]) -> BTreeMap<ApplicationId, Vec<&CdrObject>> {
    let mut parted: BTreeMap<ApplicationId, Vec<&CdrObject>> = BTreeMap::new();
    for record in records {
        let application = ApplicationId::new(record.app_sid.as_str());
        parted.entry(application).or_default().push(record);
    }
    parted
}

fn callback_id(export: &str, n: u32) -> String {
    format!("msg_{export}_{n}")
}

/// Whether the callback so many before the next one still waits to be delivered.
async fn is_far_ahead(app: &App, export: &Export, callbacks: u32) -> Result<bool, StoreError> {
    let Some(n) = callbacks.checked_sub(AHEAD).filter(|n| *n > 0) else { return Ok(false) };
    let id = callback_id(&export.ordered.id, n);
    let found = deliveries::get(app.store().reader(), &export.ordered.account, &id).await?;
    Ok(found.is_some_and(|(delivery, _)| delivery.state == DeliveryState::Pending))
}

async fn keep(
    app: &App,
    export: &Export,
    holder: &mut Holder,
    progress: &Progress,
    callbacks: Vec<NewDelivery>,
) -> Result<bool, StoreError> {
    turn::renew(app, holder);
    let (ordered, holder, progress) = (export.ordered.clone(), holder.clone(), progress.clone());
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                if !platform_side::keep(tx, &ordered.id, &holder, &progress).await? {
                    return Ok(false);
                }
                for callback in &callbacks {
                    deliveries::insert(tx, &ordered.account, callback).await?;
                }
                Ok(true)
            })
        })
        .await
}
