//! The rows of what was accepted.

use super::validate::{Callee, Checked};
use super::{Accepted, Envelope, Passed, Single};
use crate::directory::{Account, Application};
use crate::{App, Refusal, store_call};
use yunling_domain::{CallId, ConversationId, IdKind, RequestId};
use yunling_store::attempts::NewAttempt;
use yunling_store::requests::NewRequest;

pub(super) async fn store(
    app: &App,
    single: Single,
    account: &Account,
    application: &Application,
    checked: Checked<Callee>,
    passed: Passed,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    let now = passed.asked_at;
    let accepted = Accepted {
        request_id: RequestId::new(app.ids().mint(IdKind::Request)),
        call_id: CallId::new(app.ids().mint(IdKind::Call)),
        replayed: false,
    };
    let spec = serde_json::to_value(&checked.spec)
        .expect("a spec is texts and numbers, which become JSON");
    let request = NewRequest {
        id: accepted.request_id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        kind: single.kind(),
        spec,
        to_raw: checked.to.raw,
        userdata: checked.userdata,
        // As they are now: a request keeps the addresses that it was accepted with.
        urls: urls(checked.cdr_url, checked.status_url, application),
        from_number: checked.from.as_ref().map(|from| from.national().to_owned()),
        api_version: envelope.api_version,
        created_at: now,
    };
    let wait_ms = i64::from(single.max_wait_s(app)) * 1_000;
    let attempt = NewAttempt {
        call_id: accepted.call_id.clone(),
        conversation_id: ConversationId::new(app.ids().mint(IdKind::Conversation)),
        request_id: accepted.request_id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        lane: single.lane(),
        to_number: checked.to.number.stored(),
        to_shown: checked.to.number.national().to_owned(),
        from_number: Some(passed.from.stored()),
        due_at: passed.due_at,
        deadline_at: passed.due_at.plus_ms(wait_ms),
        rule: Some(passed.rule.to_owned()),
        created_at: now,
    };
    let stored = store_call::Stored {
        request,
        attempt,
        click: None,
        traceparent: envelope.traceparent,
        answer: envelope
            .idempotency
            .map(|given| given.answered_by(&account.id, single.route(), &accepted)),
    };
    let earlier = store_call::run::<Accepted>(app, stored).await?;
    Ok(earlier.map_or(accepted, Accepted::replayed))
}

/// Where a request's callbacks go, as stored with it.
pub(crate) fn urls(
    cdr_url: Option<String>,
    status_url: Option<String>,
    application: &Application,
) -> serde_json::Value {
    serde_json::json!({
        "cdr": cdr_url.or_else(|| application.notice_url.as_deref().map(str::to_owned)),
        "status": status_url,
    })
}
