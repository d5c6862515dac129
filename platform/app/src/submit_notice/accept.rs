//! Storing what was accepted: request, attempt and the key's answer, in one transaction.

use super::validate::Checked;
use super::{Accepted, Envelope, Passed, ROUTE};
use crate::directory::{Account, Application};
use crate::idempotency::{self, ANSWERED};
use crate::{App, Refusal};
use yunling_domain::{CallId, ConversationId, IdKind, Micros, RequestId};
use yunling_store::attempts::{AttemptLane, NewAttempt};
use yunling_store::idempotency::{Known, complete, reserve};
use yunling_store::requests::NewRequest;
use yunling_store::trace_contexts::platform_side::note;
use yunling_store::{Lane, RequestKind, StoreError, attempts, requests};

/// What the transaction came to.
enum Stored {
    Accepted,
    /// The key was taken by another request in the meantime.
    Known(Known),
}

pub(super) async fn store(
    app: &App,
    account: &Account,
    application: &Application,
    checked: Checked,
    passed: Passed,
    envelope: Envelope,
    now: Micros,
) -> Result<Accepted, Refusal> {
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
        kind: RequestKind::Notice,
        spec,
        to_raw: checked.to_raw,
        userdata: checked.userdata,
        // As they are now: a request keeps the addresses that it was accepted with.
        urls: serde_json::json!({
            "cdr": checked.cdr_url.or_else(|| application.notice_url.as_deref().map(str::to_owned)),
            "status": checked.status_url,
        }),
        from_number: checked.from.as_ref().map(|from| from.national().to_owned()),
        api_version: envelope.api_version,
        created_at: now,
    };
    let wait_ms = i64::from(app.settings().calls.queue_max_wait.notices_s) * 1_000;
    let attempt = NewAttempt {
        call_id: accepted.call_id.clone(),
        conversation_id: ConversationId::new(app.ids().mint(IdKind::Conversation)),
        request_id: accepted.request_id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        lane: AttemptLane::Notice,
        to_number: checked.to.stored(),
        to_shown: checked.to.national().to_owned(),
        from_number: Some(passed.from.stored()),
        due_at: passed.due_at,
        deadline_at: passed.due_at.plus_ms(wait_ms),
        rule: Some(passed.rule.to_owned()),
        created_at: now,
    };
    let traceparent = envelope.traceparent;
    let key = envelope.idempotency.map(|given| {
        let answer = serde_json::to_string(&accepted).expect("two texts become JSON");
        (given.stored_key(&account.id, ROUTE), given.body_sha().to_owned(), answer)
    });
    let stored = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                if let Some((key, body_sha, answer)) = &key {
                    let known = reserve(tx, key, body_sha, now).await?;
                    if known != Known::New {
                        return Ok(Stored::Known(known));
                    }
                    complete(tx, key, ANSWERED, answer).await?;
                }
                requests::insert(tx, &request).await?;
                attempts::insert(tx, &[attempt]).await?;
                if let Some(traceparent) = &traceparent {
                    note(tx, request.id.as_str(), traceparent, now).await?;
                }
                Ok::<_, StoreError>(Stored::Accepted)
            })
        })
        .await?;
    match stored {
        Stored::Accepted => Ok(accepted),
        Stored::Known(known) => {
            let earlier: Option<Accepted> = idempotency::replayed(known)?;
            let earlier =
                earlier.expect("a key that was not reserved is known: Known::New reserves it");
            Ok(Accepted { replayed: true, ..earlier })
        }
    }
}
