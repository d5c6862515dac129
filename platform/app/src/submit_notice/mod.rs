//! VoiceNotices: takes a request for one notice call. The answer never waits for SIP: what is
//! accepted is a row, and the dispatcher is woken.

mod accept;
mod request;
mod validate;

pub use request::NoticeRequest;

use crate::directory::{Account, Application};
use crate::field_text::FieldText;
use crate::idempotency::{self, Idempotency};
use crate::principal::{Granted, SendNotices};
use crate::queue_room::{self, Taking};
use crate::{App, Refusal};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use yunling_domain::error_code::{MISSING_APPLICATION, SHUTTING_DOWN, UNKNOWN_APPLICATION};
use yunling_domain::policy::{Decision, Facts, decide};
use yunling_domain::{ApplicationId, CallId, Micros, RequestId};

/// The operation that idempotency keys of this use case are for.
const ROUTE: &str = "VoiceNotices";
/// When a node that stops is likely to be back, seconds.
const DRAIN_RETRY_S: u32 = 5;

/// What is known of a request besides its fields.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The SoftVersion of the path; empty where there was none.
    pub api_version: String,
    /// The `Idempotency-Key` with its request.
    pub idempotency: Option<Idempotency>,
    /// What makes the call a part of the caller's trace ([`crate::trace_context`]).
    pub traceparent: Option<String>,
}

/// The request was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `requestid`
    pub request_id: RequestId,
    /// `callid`
    pub call_id: CallId,
    /// Whether this is the answer to an earlier request with the same `Idempotency-Key`.
    #[serde(skip)]
    pub replayed: bool,
}

/// Takes a notice: checks its fields in the order of docs/spec/RESOLUTIONS.md ("Voice surface",
/// codes), asks the gate, and stores request and attempt in one transaction.
///
/// # Errors
/// [`Refusal`]: `-3` for the appid, `-4` for any other field, `-5` where the gate or the queue's
/// limit refuses, `-6` where every allowed trunk is known to be down, `-5` for faults of the
/// platform's. What was refused causes no call and no callback.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    request: &NoticeRequest,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    let outcome = decide_and_store(app, caller, request, envelope).await;
    match &outcome {
        Ok(accepted) if accepted.replayed => {}
        Ok(_) => {
            metrics::counter!("yunling_requests_accepted_total", "kind" => "notice").increment(1)
        }
        Err(refusal) => {
            metrics::counter!("yunling_requests_refused_total", "kind" => "notice", "code" => refusal.code.name)
                .increment(1);
        }
    }
    outcome
}

async fn decide_and_store(
    app: &App,
    caller: &Granted<SendNotices>,
    request: &NoticeRequest,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    if let Some(idempotency) = &envelope.idempotency
        && let Some(earlier) =
            idempotency::earlier_answer(app, caller.account(), ROUTE, idempotency).await?
    {
        return Ok(Accepted { replayed: true, ..earlier });
    }
    if app.is_draining() {
        return Err(Refusal::new(SHUTTING_DOWN).retry_after(DRAIN_RETRY_S));
    }
    let directory = app.directory();
    let account =
        directory.account(caller.account()).ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let application = application(account, request)?;
    let checked = validate::check(request, application)?;

    let now = app.clock().now();
    let passed = ask_gate(app, application, &checked, now)?;
    let taking = match envelope.idempotency {
        Some(_) => Taking::WhenUsed,
        None => Taking::AtOnce,
    };
    let room = queue_room::take(app, account, (1, taking), now, retry_after_s(app)).await?;
    let accepted = accept::store(app, account, application, checked, passed, envelope, now).await?;
    if !accepted.replayed {
        room.used();
        app.poke().dispatcher();
    }
    Ok(accepted)
}

fn application<'a>(
    account: &'a Account,
    request: &NoticeRequest,
) -> Result<&'a Arc<Application>, Refusal> {
    let Some(appid) = request.appid.text() else {
        return Err(match request.appid {
            FieldText::Absent => Refusal::field(MISSING_APPLICATION, "appid", "missing appid"),
            _ => Refusal::field(
                UNKNOWN_APPLICATION,
                "appid",
                "expected the application's appid, a text",
            ),
        });
    };
    let id = ApplicationId::new(appid.trim());
    account
        .applications
        .get(&id)
        .ok_or_else(|| Refusal::field(UNKNOWN_APPLICATION, "appid", UNKNOWN_APPLICATION.en))
}

/// What the gate let through.
struct Passed {
    from: yunling_domain::Number,
    rule: &'static str,
    due_at: Micros,
}

fn ask_gate(
    app: &App,
    application: &Application,
    checked: &validate::Checked,
    now: Micros,
) -> Result<Passed, Refusal> {
    let (directory, trunks_down) = (app.directory(), app.trunks().known_down());
    let facts = Facts {
        to: &checked.to,
        from: checked.from.as_ref(),
        caller_ids: &application.caller_ids,
        open_classes: &application.open_classes,
        routes: directory.routes(),
        trunks_down: &trunks_down,
    };
    match decide(&facts, now) {
        Decision::Allow { from, rule, .. } => Ok(Passed { from, rule: rule.name(), due_at: now }),
        Decision::Refuse { code, rule } => Err(Refusal::new(code).with_detail(rule.en())),
        // Which line it will show is settled when it is due; until then it is asked for as it came.
        Decision::Defer { rule, until } => {
            let from = checked
                .from
                .clone()
                .or_else(|| application.caller_ids.first().map(|id| id.number.clone()));
            let from =
                from.ok_or_else(|| Refusal::new(yunling_domain::error_code::NO_CALLER_ID))?;
            Ok(Passed { from, rule: rule.name(), due_at: until })
        }
    }
}

/// Half the time that a call may wait: by then part of the queue has gone.
fn retry_after_s(app: &App) -> u32 {
    (app.settings().calls.queue_max_wait.notices_s / 2).max(1)
}

#[cfg(test)]
mod tests;
