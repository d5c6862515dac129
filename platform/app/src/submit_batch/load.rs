//! Writing a batch.

use super::{AcceptedBatch, BatchPlace, ROUTE, discard, numbers::Numbers};
use crate::directory::{Account, Application};
use crate::idempotency;
use crate::submit_notice::accept::urls;
use crate::submit_notice::validate::Checked;
use crate::submit_notice::{Envelope, Passed};
use crate::{App, Refusal};
use yunling_domain::error_code::INTERNAL;
use yunling_domain::{AccountId, IdKind, Micros, RequestId};
use yunling_store::batches::{self, BatchNumber, NewBatch};
use yunling_store::idempotency::{KeptAnswer, Known, keep};
use yunling_store::requests::NewRequest;
use yunling_store::trace_contexts::platform_side::note;
use yunling_store::{Lane, RequestKind, StoreError, requests};

/// What goes in with the last commit.
struct Last {
    account: AccountId,
    id: RequestId,
    /// What the key stands for from now on.
    answer: Option<KeptAnswer>,
    traceparent: Option<String>,
    now: Micros,
}

/// What a batch is stored with, beside what its fields say.
pub(super) struct Answered {
    /// Where the gate would send its calls.
    pub(super) passed: Passed,
    pub(super) envelope: Envelope,
    /// Held until the batch is stored.
    pub(super) place: BatchPlace,
}

/// Writes a batch and makes it ready. It goes on to its end even if nobody waits for the answer any
/// more: half a batch is nothing.
pub(super) async fn run(
    app: &App,
    account: &Account,
    application: &Application,
    checked: Checked<Numbers>,
    Answered { passed, envelope, place }: Answered,
) -> Result<AcceptedBatch, Refusal> {
    let now = app.clock().now();
    let id = RequestId::new(app.ids().mint(IdKind::Request));
    let accepted = AcceptedBatch { request_id: id.clone(), replayed: false };
    let request = NewRequest {
        id: id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        kind: RequestKind::Batch,
        spec: serde_json::to_value(&checked.spec)
            .expect("a spec is texts and numbers, which become JSON"),
        // Every call reads its request: it must not carry all the other numbers.
        to_raw: String::new(),
        userdata: checked.userdata,
        // As they are now: a request keeps the addresses that it was accepted with.
        urls: urls(checked.cdr_url, checked.status_url, application),
        from_number: checked.from.as_ref().map(|from| from.national().to_owned()),
        api_version: envelope.api_version,
        created_at: now,
    };
    let batch = NewBatch {
        request_id: id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        node: app.settings().node.0,
        from_number: Some(passed.from.stored()),
        total: checked.to.total(),
        duplicates: checked.to.duplicates,
        created_at: now,
    };
    let last = Last {
        account: account.id.clone(),
        id,
        answer: envelope.idempotency.map(|given| given.answered_by(&account.id, ROUTE, &accepted)),
        traceparent: envelope.traceparent,
        now,
    };
    let (app, numbers) = (app.clone(), checked.to.entries);
    let loading = tokio::spawn(async move {
        let _place = place;
        let (account, id) = (last.account.clone(), last.id.clone());
        let loaded = load(&app, request, batch, numbers, last).await;
        match loaded {
            Ok(Known::New) => Ok(accepted),
            Ok(known) => {
                discard::one(&app, &account, &id).await;
                let earlier: AcceptedBatch = idempotency::answer_of_another(known)?;
                Ok(AcceptedBatch { replayed: true, ..earlier })
            }
            Err(error) => {
                discard::one(&app, &account, &id).await;
                Err(error.into())
            }
        }
    });
    loading.await.unwrap_or_else(|error| {
        tracing::error!(%error, "writing a batch failed");
        Err(Refusal::new(INTERNAL))
    })
}

/// Gives what the key stood for at the end: [`Known::New`] where the batch is ready.
async fn load(
    app: &App,
    request: NewRequest,
    batch: NewBatch,
    numbers: Vec<BatchNumber>,
    last: Last,
) -> Result<Known, StoreError> {
    let writer = app.store().writer();
    writer
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                requests::insert(tx, &request).await?;
                batches::begin(tx, &batch).await
            })
        })
        .await?;
    let id = last.id.clone();
    writer
        .write_rows(numbers, move |tx, turn| {
            let id = id.clone();
            Box::pin(async move { batches::add(tx, &id, &turn).await })
        })
        .await
        .map_err(|stopped| stopped.error)?;
    writer
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move {
                let known = keep(tx, last.answer.as_ref(), last.now).await?;
                if known != Known::New {
                    return Ok(known);
                }
                batches::make_ready(tx, &last.account, &last.id).await?;
                if let Some(traceparent) = &last.traceparent {
                    note(tx, last.id.as_str(), traceparent, last.now).await?;
                }
                Ok(Known::New)
            })
        })
        .await
}
