//! Storing a request for one call: request, attempt, whatever goes with them and the key's answer, in
//! one transaction.

use crate::idempotency;
use crate::{App, Refusal};
use serde::de::DeserializeOwned;
use yunling_store::attempts::NewAttempt;
use yunling_store::clicks::{self, Click};
use yunling_store::idempotency::{KeptAnswer, Known, keep};
use yunling_store::requests::NewRequest;
use yunling_store::trace_contexts::platform_side::note;
use yunling_store::{Lane, StoreError, attempts, requests};

/// What is stored of a request that is accepted.
pub(crate) struct Stored {
    pub(crate) request: NewRequest,
    /// Its call.
    pub(crate) attempt: NewAttempt,
    /// Where it is a click.
    pub(crate) click: Option<Click>,
    /// What makes the call a part of the caller's trace.
    pub(crate) traceparent: Option<String>,
    /// What its `Idempotency-Key` stands for from now on.
    pub(crate) answer: Option<KeptAnswer>,
}

/// Stores it. Where the key was taken by another request in the meantime nothing is stored, and that
/// one's answer comes back.
///
/// # Errors
/// Those of a write, and of a key that stands for something else.
pub(crate) async fn run<T: DeserializeOwned>(
    app: &App,
    stored: Stored,
) -> Result<Option<T>, Refusal> {
    let Stored { request, attempt, click, traceparent, answer } = stored;
    let now = request.created_at;
    let known = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let known = keep(tx, answer.as_ref(), now).await?;
                if known != Known::New {
                    return Ok(known);
                }
                requests::insert(tx, &request).await?;
                if let Some(click) = &click {
                    clicks::insert(tx, click).await?;
                }
                attempts::insert(tx, &[attempt]).await?;
                if let Some(traceparent) = &traceparent {
                    note(tx, request.id.as_str(), traceparent, now).await?;
                }
                Ok::<_, StoreError>(Known::New)
            })
        })
        .await?;
    match known {
        Known::New => Ok(None),
        taken => idempotency::answer_of_another(taken).map(Some),
    }
}
