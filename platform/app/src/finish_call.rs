//! The end of a call: its record, its conversation's story and the result callback that it causes,
//! in one transaction and exactly once.

use crate::App;
use crate::directory::{Account, Application};
use std::sync::Arc;
use yunling_domain::Micros;
use yunling_domain::batch::{BatchOutcome, NumberResult};
use yunling_domain::callback::{ResultCallback, ResultFacts, ResultKind, duration_s};
use yunling_domain::campaign::{CallFacts, CallResult};
use yunling_domain::event::ConversationEvent;
use yunling_domain::notice::Outcome;
use yunling_store::attempts::{Attempt, Ending, NewAttempt, finish_attempt};
use yunling_store::calls::Cdr;
use yunling_store::campaigns;
use yunling_store::conversations::{NewConversation, Story};
use yunling_store::deliveries::NewDelivery;
use yunling_store::requests::{Request, RequestState};
use yunling_store::trace_contexts::platform_side::note;
use yunling_store::{Lane, RequestKind, StoreError, batches, requests};

/// As wide as a call record's column of the callee.
const RECORDED_CHARS: usize = 32;

/// What the dispatcher knows of a call that is over.
#[derive(Debug, Clone)]
pub struct AttemptFacts {
    /// Its row.
    pub attempt: Attempt,
    /// When dialling began; never dialled: when that was decided.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer; none for one that crossed our CANCEL.
    pub answered_at: Option<Micros>,
    /// The end; never dialled: the same as `started_at`.
    pub ended_at: Micros,
    /// The trunk that was tried last.
    pub trunk: Option<Arc<str>>,
    /// The line number shown, where it is known better than the row knows it.
    pub from_number: Option<String>,
    /// The rule that decided; absent: the row's.
    pub rule: Option<String>,
    /// Media measurements.
    pub figures: Option<serde_json::Value>,
    /// What makes the callback a part of the call's trace ([`crate::trace_context`]).
    pub traceparent: Option<String>,
}

impl AttemptFacts {
    /// Of a call that was never dialled: decided so at `at` by `rule`.
    pub fn never_dialled(attempt: Attempt, at: Micros, rule: Option<String>) -> Self {
        Self {
            attempt,
            started_at: at,
            ring_at: None,
            answered_at: None,
            ended_at: at,
            trunk: None,
            from_number: None,
            rule,
            figures: None,
            traceparent: None,
        }
    }
}

/// Writes the end of a call. Gives false, and changes nothing, where it was written already: it may
/// be called again after any failure.
///
/// # Errors
/// The database did not take it. The facts must not be lost: the caller tries again.
pub async fn run(
    app: &App,
    facts: AttemptFacts,
    outcome: &Outcome,
    story: &[ConversationEvent],
) -> Result<bool, StoreError> {
    let queued = &facts.attempt.queued;
    let mut request = requests::platform_side::get(app.store().reader(), &queued.request_id)
        .await?
        .ok_or(StoreError::NotFound("request"))?;
    let of_campaign = match request.accepted.kind {
        RequestKind::Campaign => {
            let briefing =
                campaigns::platform_side::briefing(app.store().reader(), &queued.call_id);
            if let Some(own) = briefing.await?.and_then(|briefing| briefing.userdata) {
                request.accepted.userdata = Some(own);
            }
            Some(campaign_result(&facts, outcome))
        }
        RequestKind::Notice | RequestKind::Captcha | RequestKind::Batch | RequestKind::Click => {
            None
        }
    };
    // A campaign's number that was put back has had no call: there is nothing to tell of it.
    let is_told = of_campaign.as_ref().is_none_or(|ended| ended.result != CallResult::PutBack);
    let directory = app.directory();
    let account = directory.account(&queued.account);
    let application = directory.application(&queued.account, &queued.application);
    let kind = request.accepted.kind;
    let delivery = delivery(app, &facts, outcome, &request, account, application);
    let ending = Ending {
        attempt_id: facts.attempt.id,
        ended_at: facts.ended_at,
        calls: if is_told { vec![record(&facts, outcome, kind)] } else { Vec::new() },
        conversation: is_told.then_some(NewConversation {
            id: queued.conversation_id.clone(),
            application: queued.application.clone(),
            kind,
            started_at: story.first().map_or(facts.started_at, |event| event.at),
            ended_at: facts.ended_at,
            story: Story::pack(&story)?,
        }),
        deliveries: delivery.filter(|_| is_told).into_iter().collect(),
    };
    let causes_delivery = !ending.deliveries.is_empty();
    let traceparent = facts.traceparent.clone();
    let of_batch =
        (kind == RequestKind::Batch).then(|| (facts.ended_at, batch_outcome(&facts, outcome)));
    let (tenant, request_id) = (queued.account.clone(), queued.request_id.clone());
    let call_id = queued.call_id.clone();
    let first = app
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move {
                let first = finish_attempt(tx, &tenant, &ending).await?;
                if let Some(traceparent) = traceparent.filter(|_| first) {
                    for caused in &ending.deliveries {
                        note(tx, &caused.id, &traceparent, caused.created_at).await?;
                    }
                }
                if let Some(ended) = &of_campaign {
                    if first {
                        campaigns::note_result(tx, &call_id, ended).await?;
                    }
                    // A campaign is finished when its last number is: campaigns::feed sees to that.
                    return Ok(first);
                }
                match of_batch {
                    // A batch is finished when its last number is: feed_batches sees to that.
                    Some((at, result)) if first => {
                        batches::note_result(tx, &request_id, at, result).await?;
                    }
                    None if first => {
                        let over = RequestState::Finished;
                        requests::set_state(tx, &tenant, &request_id, over).await?;
                    }
                    _ => {}
                }
                Ok(first)
            })
        })
        .await?;
    if first && is_told {
        count(outcome, kind);
        if causes_delivery {
            app.poke().deliveries();
        }
    }
    Ok(first)
}

/// What the call counts as among its batch's results.
fn batch_outcome(facts: &AttemptFacts, outcome: &Outcome) -> BatchOutcome {
    let queued = &facts.attempt.queued;
    BatchOutcome::of(&NumberResult {
        answered: outcome.answered,
        reason: outcome.reason,
        dialled: outcome.attempts > 0,
        readable: !queued.to_number.is_empty(),
        rule: facts.rule.as_deref().or(queued.rule.as_deref()),
    })
}

/// What the call came to for its campaign.
fn campaign_result(facts: &AttemptFacts, outcome: &Outcome) -> campaigns::Ended {
    let queued = &facts.attempt.queued;
    let termination = outcome.termination.as_ref();
    let result = CallResult::of(&CallFacts {
        answered: outcome.answered,
        confirmed: outcome.input_key.is_some(),
        reason: outcome.reason,
        sip_code: termination.and_then(|termination| termination.sip_code),
        q850: termination.and_then(|termination| termination.q850),
        fault: outcome.fault,
        // A row that is marked so may have been dialled, though nobody knows (after a restore): its
        // number is not just put back.
        dialled: outcome.attempts > 0 || facts.attempt.invited_at.is_some(),
        rule: facts.rule.as_deref().or(queued.rule.as_deref()),
    });
    let talk_s = duration_s(facts.answered_at, facts.ended_at);
    campaigns::Ended {
        at: facts.started_at,
        answered_at: facts.answered_at,
        ended_at: facts.ended_at,
        talk_s: u32::try_from(talk_s).unwrap_or(u32::MAX),
        result,
        from_number: facts.from_number.clone(),
    }
}

/// The callee in the call's record; of an entry that is no number, its beginning.
fn recorded_number(queued: &NewAttempt) -> String {
    if queued.to_number.is_empty() {
        return queued.to_shown.chars().take(RECORDED_CHARS).collect();
    }
    queued.to_number.clone()
}

fn record(facts: &AttemptFacts, outcome: &Outcome, kind: RequestKind) -> Cdr {
    let queued = &facts.attempt.queued;
    let duration_s = duration_s(facts.answered_at, facts.ended_at);
    let termination = outcome.termination.as_ref();
    Cdr {
        call_id: queued.call_id.clone(),
        conversation_id: queued.conversation_id.clone(),
        request_id: queued.request_id.clone(),
        application: queued.application.clone(),
        kind,
        from_number: facts
            .from_number
            .clone()
            .or_else(|| queued.from_number.clone())
            .unwrap_or_default(),
        to_number: recorded_number(queued),
        trunk: facts.trunk.as_deref().map(str::to_owned),
        started_at: facts.started_at,
        ring_at: facts.ring_at,
        answered_at: facts.answered_at,
        ended_at: facts.ended_at,
        duration_s: u32::try_from(duration_s).unwrap_or(u32::MAX),
        result: outcome.result,
        reason: outcome.reason,
        cause: outcome.cause.as_str().to_owned(),
        fault: Some(outcome.fault.name().to_owned()),
        sip_code: termination.and_then(|termination| termination.sip_code),
        q850: termination.and_then(|termination| termination.q850),
        input_key: outcome.input_key.map(String::from),
        figures: facts.figures.clone(),
        rule: facts.rule.clone().or_else(|| queued.rule.clone()),
        leg: 0,
        bye_type: None,
        hangup_reason: None,
    }
}

/// The result callback, if anybody wants one: to the request's own `cdrUrl`, else the application's
/// URL for notices.
fn delivery(
    app: &App,
    facts: &AttemptFacts,
    outcome: &Outcome,
    request: &Request,
    account: Option<&Arc<Account>>,
    application: Option<&Arc<Application>>,
) -> Option<NewDelivery> {
    let own_url = request.accepted.urls.get("cdr").and_then(|url| url.as_str()).map(str::to_owned);
    let url = own_url.or_else(|| application?.notice_url.as_deref().map(str::to_owned))?;
    let queued = &facts.attempt.queued;
    let was_dialled = outcome.attempts > 0;
    let (kind, told_as) = match request.accepted.kind {
        RequestKind::Captcha => (ResultKind::Captcha, "captcha.result"),
        RequestKind::Notice | RequestKind::Batch | RequestKind::Campaign => {
            (ResultKind::Notice, "notice.result")
        }
        // Its record is written by `finish_conversation`.
        RequestKind::Click => return None,
    };
    let body = ResultCallback::new(&ResultFacts {
        kind,
        request_id: queued.request_id.as_str(),
        call_id: was_dialled.then(|| queued.call_id.as_str()),
        app_id: queued.application.as_str(),
        to: &queued.to_shown,
        started_at: facts.started_at,
        ring_at: facts.ring_at,
        answered_at: facts.answered_at,
        ended_at: facts.ended_at,
        reason: outcome.reason,
        userdata: request.accepted.userdata.as_deref(),
        input_key: outcome.input_key,
        zone: account.map_or(app.settings().zone.0, |account| account.zone),
        answerime: application.is_some_and(|application| application.answerime),
    });
    Some(NewDelivery {
        // One event per call: the id follows from the call's, so that it can never have two.
        id: format!("msg_{}", queued.call_id),
        application: queued.application.clone(),
        conversation_id: Some(queued.conversation_id.clone()),
        seq: 0,
        kind: told_as.to_owned(),
        url,
        body: body.to_json(),
        created_at: facts.ended_at,
    })
}

fn count(outcome: &Outcome, kind: RequestKind) {
    metrics::counter!(
        "yunling_calls_ended_total",
        "kind" => kind.as_str(),
        "cause" => outcome.cause.as_str(),
        "fault" => outcome.fault.name()
    )
    .increment(1);
}

#[cfg(test)]
#[path = "finish_call_tests.rs"]
mod tests;
