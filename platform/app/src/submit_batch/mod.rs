//! BatchVoiceNotices: takes a notice to many numbers (RESOLUTIONS, batch `to`). Its numbers are
//! written in turns that let live calls pass; only when the last one is in is the batch anything to
//! anybody, and only then is the request answered.

mod discard;
mod load;
mod numbers;
mod room;

pub use discard::unready as discard_unready;
pub use room::{BatchPlace, BatchRoom};

use crate::directory::{Account, Application};
use crate::field_text::number;
use crate::idempotency;
use crate::principal::{Granted, SendNotices};
use crate::submit_notice::validate::{self, Checked};
use crate::submit_notice::{self, Envelope, NoticeRequest, Passed};
use crate::{App, Refusal};
use numbers::Numbers;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use yunling_domain::error_code::{
    ALL_TRUNKS_DOWN, DESTINATION_NOT_ALLOWED, EMERGENCY_NUMBER, INTERNAL, NO_CALLER_ID, QUEUE_FULL,
    ROUTE_WITHOUT_TRUNK, UNKNOWN_APPLICATION,
};
use yunling_domain::policy::CalleeFacts;
use yunling_domain::{Number, RequestId};
use yunling_store::batches;

/// The operation, as idempotency keys are stored for it.
const ROUTE: &str = "BatchVoiceNotices";
const KIND: &str = "batch";
/// When an account's batches are likely to have gone on, seconds.
const QUEUE_RETRY_S: u32 = 60;

/// The batch was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedBatch {
    /// `requestid`
    pub request_id: RequestId,
    /// Whether this is the answer to an earlier request with the same `Idempotency-Key`.
    #[serde(skip)]
    pub replayed: bool,
}

/// Takes a batch. An entry that is no number, and a number that the gate lets nobody call, gets a
/// result of its own later.
///
/// # Errors
/// [`Refusal`] as for a notice; for `to` `-4` where no entry is a number or there are too many, and
/// `-5` or `-6` where the gate lets through none.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    request: NoticeRequest,
    envelope: Envelope,
    place: &BatchPlace,
) -> Result<AcceptedBatch, Refusal> {
    let outcome = decide_and_store(app, caller, request, envelope, place).await;
    match &outcome {
        Ok(accepted) if accepted.replayed => {}
        Ok(_) => metrics::counter!("yunling_requests_accepted_total", "kind" => KIND).increment(1),
        Err(refusal) => submit_notice::count_refusal(KIND, refusal),
    }
    outcome
}

async fn decide_and_store(
    app: &App,
    caller: &Granted<SendNotices>,
    request: NoticeRequest,
    envelope: Envelope,
    place: &BatchPlace,
) -> Result<AcceptedBatch, Refusal> {
    if let Some(key) = &envelope.idempotency {
        let earlier =
            idempotency::earlier_answer::<AcceptedBatch>(app, caller.account(), ROUTE, key).await?;
        if let Some(earlier) = earlier {
            return Ok(AcceptedBatch { replayed: true, ..earlier });
        }
    }
    app.takes_requests()?;
    let directory = app.directory();
    let account =
        directory.account(caller.account()).ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let application = submit_notice::application(account, &request.appid)?;
    let (checked, passed) = examine(app, application, request, place).await?;
    let total = checked.to.total();
    room_for(app, account, total).await?;
    let answered = load::Answered { passed, envelope, place: place.clone() };
    let accepted = load::run(app, account, application, checked, answered).await?;
    if !accepted.replayed {
        tracing::info!(request = %accepted.request_id, total, "a batch was accepted");
    }
    Ok(accepted)
}

/// Checks the fields, and asks the gate for number after number until it lets one through. Apart
/// from the threads that serve calls: a hundred thousand numbers take a while.
async fn examine(
    app: &App,
    application: &Arc<Application>,
    request: NoticeRequest,
    place: &BatchPlace,
) -> Result<(Checked<Numbers>, Passed), Refusal> {
    let (app, application, place) = (app.clone(), Arc::clone(application), place.clone());
    let examined = tokio::task::spawn_blocking(move || {
        let _place = place;
        let limit = app.settings().calls.batch_max_numbers;
        let now = app.clock().now();
        let from = request.from.text().and_then(|from| number("from", from).ok());
        let mut asked: Option<Result<Passed, Refusal>> = None;
        let ask = |to: &Number| {
            if asked.as_ref().is_none_or(depends_on_number) {
                // Of each callee is asked when its turn comes.
                let to = (to, CalleeFacts::default());
                let answer = submit_notice::ask_gate(&app, &application, to, from.as_ref(), now);
                // The first refusal is told, if no later number passes.
                if asked.is_none() || answer.is_ok() {
                    asked = Some(answer);
                }
            }
        };
        let read = |to: &str| numbers::read(to, limit, ask);
        let checked = validate::check(&request, &application, read)?;
        let passed = asked.unwrap_or_else(|| Err(Refusal::new(NO_CALLER_ID)))?;
        Ok((checked, passed))
    });
    examined.await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading the numbers of a batch failed");
        Err(Refusal::new(INTERNAL))
    })
}

/// Whether another number may be answered otherwise: what the tenant has not configured, no number
/// has.
fn depends_on_number(answer: &Result<Passed, Refusal>) -> bool {
    let of_number =
        [ALL_TRUNKS_DOWN, DESTINATION_NOT_ALLOWED, EMERGENCY_NUMBER, ROUTE_WITHOUT_TRUNK];
    answer.as_ref().is_err_and(|refusal| of_number.contains(&refusal.code))
}

/// Whether the account may have so many numbers more that wait.
async fn room_for(app: &App, account: &Account, total: u32) -> Result<(), Refusal> {
    let most = app.settings().calls.batch_max_waiting;
    let waiting = batches::waiting_of(app.store().reader(), &account.id).await?;
    if waiting + u64::from(total) > u64::from(most) {
        let detail = format!(
            "{waiting} numbers of the account's batches wait already, and this one has {total}: at most {most} may"
        );
        return Err(Refusal::new(QUEUE_FULL).with_detail(detail).retry_after(QUEUE_RETRY_S));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
