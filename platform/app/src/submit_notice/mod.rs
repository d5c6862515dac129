//! VoiceNotices: takes a request for one notice call. The answer never waits for SIP: what is
//! accepted is a row, and the dispatcher is woken.

pub(crate) mod accept;
mod request;
mod single;
pub(crate) mod validate;

pub use request::NoticeRequest;
pub(crate) use single::Single;

use crate::directory::{Account, Application};
use crate::field_text::FieldText;
use crate::idempotency::{self, Idempotency};
use crate::principal::{Granted, SendNotices};
use crate::queue_room::{self, Taking};
use crate::{App, Refusal, callee_facts};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use validate::{Callee, Checked};
use yunling_domain::error_code::{MISSING_APPLICATION, UNKNOWN_APPLICATION};
use yunling_domain::policy::{CalleeFacts, Decision, Facts, decide};
use yunling_domain::{ApplicationId, CallId, Micros, Number, RequestId};

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

impl Accepted {
    fn replayed(self) -> Self {
        Self { replayed: true, ..self }
    }
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
    let check = |application: &Application| validate::check(request, application, validate::callee);
    submit(app, Single::Notice, caller, &request.appid, check, envelope).await
}

/// Takes a request for one call, a notice's or a captcha's.
pub(crate) async fn submit(
    app: &App,
    single: Single,
    caller: &Granted<SendNotices>,
    appid: &FieldText,
    check: impl FnOnce(&Application) -> Result<Checked<Callee>, Refusal>,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    let outcome = decide_and_store(app, single, caller, appid, check, envelope).await;
    let kind = single.kind().as_str();
    match &outcome {
        Ok(accepted) if accepted.replayed => {}
        Ok(_) => metrics::counter!("yunling_requests_accepted_total", "kind" => kind).increment(1),
        Err(refusal) => count_refusal(kind, refusal),
    }
    outcome
}

pub(crate) fn count_refusal(kind: &'static str, refusal: &Refusal) {
    let code = refusal.code.name;
    metrics::counter!("yunling_requests_refused_total", "kind" => kind, "code" => code)
        .increment(1);
}

async fn decide_and_store(
    app: &App,
    single: Single,
    caller: &Granted<SendNotices>,
    appid: &FieldText,
    check: impl FnOnce(&Application) -> Result<Checked<Callee>, Refusal>,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    if let Some(key) = &envelope.idempotency {
        let account = caller.account();
        let earlier =
            idempotency::earlier_answer::<Accepted>(app, account, single.route(), key).await?;
        if let Some(earlier) = earlier {
            return Ok(earlier.replayed());
        }
    }
    app.takes_requests()?;
    let directory = app.directory();
    let account =
        directory.account(caller.account()).ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let application = application(account, appid)?;
    let checked = check(application)?;

    let now = app.clock().now();
    let callee = callee_facts::gather(app, account, single.kind(), &checked.to.number, now).await?;
    let to = (&checked.to.number, callee);
    let passed = ask_gate(app, application, to, checked.from.as_ref(), now)?;
    let taking = match envelope.idempotency {
        Some(_) => Taking::WhenUsed,
        None => Taking::AtOnce,
    };
    // Half the time that a call may wait: by then part of the queue has gone.
    let retry_s = (single.max_wait_s(app) / 2).max(1);
    let queue = (&**account, single.lane());
    let room = queue_room::take(app, queue, (1, taking), now, retry_s).await?;
    let accepted =
        accept::store(app, single, account, application, checked, passed, envelope).await?;
    if !accepted.replayed {
        room.used();
        app.poke().dispatcher();
    }
    Ok(accepted)
}

pub(crate) fn application<'a>(
    account: &'a Account,
    appid: &FieldText,
) -> Result<&'a Arc<Application>, Refusal> {
    let Some(text) = appid.text() else {
        return Err(match appid {
            FieldText::Absent => Refusal::field(MISSING_APPLICATION, "appid", "missing appid"),
            _ => Refusal::field(
                UNKNOWN_APPLICATION,
                "appid",
                "expected the application's appid, a text",
            ),
        });
    };
    let id = ApplicationId::new(text.trim());
    account
        .applications
        .get(&id)
        .ok_or_else(|| Refusal::field(UNKNOWN_APPLICATION, "appid", UNKNOWN_APPLICATION.en))
}

/// What the gate let through.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) from: Number,
    pub(crate) rule: &'static str,
    pub(crate) due_at: Micros,
    pub(crate) asked_at: Micros,
}

pub(crate) fn ask_gate(
    app: &App,
    application: &Application,
    (to, callee): (&Number, CalleeFacts),
    from: Option<&Number>,
    now: Micros,
) -> Result<Passed, Refusal> {
    let (directory, trunks_down) = (app.directory(), app.trunks().known_down());
    let facts = Facts {
        to,
        from,
        caller_ids: &application.caller_ids,
        open_classes: &application.open_classes,
        routes: directory.routes(),
        trunks_down: &trunks_down,
        callee,
    };
    match decide(&facts, now) {
        Decision::Allow { from, rule, .. } => {
            Ok(Passed { from, rule: rule.name(), due_at: now, asked_at: now })
        }
        Decision::Refuse { code, rule } => Err(Refusal::new(code).with_detail(rule.en())),
        // Which line it will show is settled when it is due; until then it is asked for as it came.
        Decision::Defer { rule, until } => {
            let from = from
                .cloned()
                .or_else(|| application.caller_ids.first().map(|id| id.number.clone()));
            let from =
                from.ok_or_else(|| Refusal::new(yunling_domain::error_code::NO_CALLER_ID))?;
            Ok(Passed { from, rule: rule.name(), due_at: until, asked_at: now })
        }
    }
}

#[cfg(test)]
mod tests;
