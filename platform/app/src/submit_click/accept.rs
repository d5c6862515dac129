//! Taking what was accepted: the caller's line first, then the rows. The line is given back where
//! nothing was stored.

use super::validate::Checked;
use super::{Accepted, Envelope, ROUTE, gate};
use crate::click::{ClickSpec, Side};
use crate::directory::{Account, Application};
use crate::{App, Refusal, store_call};
use yunling_domain::{CallId, ConversationId, IdKind, Micros, RequestId};
use yunling_store::RequestKind;
use yunling_store::attempts::{AttemptLane, NewAttempt};
use yunling_store::clicks::Click;
use yunling_store::requests::NewRequest;

/// A click that is not dialled within this time is not dialled at all: whoever clicked has gone.
const WAITS_MS: i64 = 10_000;

/// What the gate let through.
pub(super) struct Passed {
    pub(super) caller: Side,
    pub(super) callee: Side,
    pub(super) rule: &'static str,
}

/// Gives the caller's line back unless the click was stored.
struct Line<'a> {
    app: &'a App,
    conversation: &'a ConversationId,
    is_taken_over: bool,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.is_taken_over
            && let Some(talks) = self.app.talks()
        {
            talks.release(self.conversation);
        }
    }
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
        conversation: ConversationId::new(app.ids().mint(IdKind::Conversation)),
        request: RequestId::new(app.ids().mint(IdKind::Request)),
        replayed: false,
    };
    // In a process that makes no calls the limit is asked for when another one claims the row.
    if let Some(talks) = app.talks() {
        let turns = gate::Turns::begin(app);
        let (conversation, side) = (&accepted.conversation, &passed.caller);
        while let Err(busy) = talks.reserve(&account.id, &application.id, conversation, side) {
            if !turns.next(&busy).await {
                return Err(gate::busy(busy));
            }
        }
    }
    let mut line = Line { app, conversation: &accepted.conversation, is_taken_over: false };
    let subject = envelope.page.as_ref().map(|page| page.subject.clone());
    let caller_call = CallId::new(app.ids().mint(IdKind::Call));
    let click = Click {
        conversation: accepted.conversation.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        request: accepted.request.clone(),
        caller_call: caller_call.clone(),
        subject: subject.clone(),
        masked: checked.masked,
        created_at: now,
    };
    let attempt = NewAttempt {
        call_id: caller_call,
        conversation_id: accepted.conversation.clone(),
        request_id: accepted.request.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        lane: AttemptLane::Talk,
        to_number: passed.caller.number.clone(),
        to_shown: passed.caller.shown.clone(),
        from_number: Some(passed.caller.line.clone()),
        due_at: now,
        deadline_at: now.plus_ms(WAITS_MS),
        rule: Some(passed.rule.to_owned()),
        created_at: now,
    };
    let spec = ClickSpec {
        caller: passed.caller,
        callee: passed.callee,
        voices: checked.voices,
        ringback: checked.ringback,
        record: checked.record,
        max_duration_s: checked.max_duration_s,
        last_minute_voice: checked.last_minute_voice,
        masked: checked.masked,
        subject,
    };
    let request = NewRequest {
        id: accepted.request.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        kind: RequestKind::Click,
        spec: serde_json::to_value(&spec).expect("a spec is texts and numbers, which become JSON"),
        to_raw: checked.callee_raw,
        userdata: checked.user_data,
        // As they are now: a request keeps the addresses that it was accepted with.
        urls: serde_json::json!({
            "cdr": checked.cdr_url.or_else(|| application.cdr_url.as_deref().map(str::to_owned)),
            "status": checked
                .status_url
                .or_else(|| application.status_url.as_deref().map(str::to_owned)),
        }),
        from_number: checked.callee_cli.as_ref().map(|line| line.national().to_owned()),
        api_version: envelope.api_version,
        created_at: now,
    };
    let stored = store_call::Stored {
        request,
        attempt,
        click: Some(click),
        traceparent: envelope.traceparent,
        answer: envelope.idempotency.map(|given| given.answered_by(&account.id, ROUTE, &accepted)),
    };
    match store_call::run::<Accepted>(app, stored).await? {
        None => {
            line.is_taken_over = true;
            drop(line);
            Ok(accepted)
        }
        Some(earlier) => Ok(Accepted { replayed: true, ..earlier }),
    }
}
