//! Numbers of those who were called with `maskedCallee`: whoever reads without the scope
//! `numbers:read` sees `138****0001`. The rows keep them whole.

use crate::principal::{Granted, ReadCalls, Scope};
use crate::tell_status::national;
use crate::{App, Refusal};
use std::collections::BTreeSet;
use yunling_domain::conversation::Party;
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::numbers::masked;
use yunling_domain::{AccountId, ConversationId};
use yunling_store::attempts::Attempt;
use yunling_store::calls::Cdr;
use yunling_store::clicks::{self, Click};
use yunling_store::requests::Request;
use yunling_store::{RequestKind, StoreError};

/// Whether this reader sees every number whole.
pub(crate) fn sees_all(caller: &Granted<ReadCalls>) -> bool {
    caller.scopes().include(Scope::ReadNumbers)
}

/// The masked form of a stored number.
pub(crate) fn hidden(stored: &str) -> String {
    masked(&national(stored))
}

/// Masks what this reader may not see of call records.
///
/// # Errors
/// Those of a read.
pub(crate) async fn of_records(
    app: &App,
    caller: &Granted<ReadCalls>,
    records: &mut [Cdr],
) -> Result<(), StoreError> {
    let clicks = records.iter().filter(|record| record.kind == RequestKind::Click);
    let conversations = clicks.map(|record| record.conversation_id.clone()).collect();
    for click in of_conversations(app, caller, conversations).await? {
        for record in records.iter_mut() {
            if record.conversation_id == click.conversation && record.call_id != click.caller_call {
                record.to_number = hidden(&record.to_number);
            }
        }
    }
    Ok(())
}

/// Masks what this reader may not see of a call that is not over.
///
/// # Errors
/// Those of a read.
pub(crate) async fn of_attempt(
    app: &App,
    caller: &Granted<ReadCalls>,
    attempt: &mut Attempt,
) -> Result<(), StoreError> {
    let conversations = [attempt.queued.conversation_id.clone()].into();
    for click in of_conversations(app, caller, conversations).await? {
        let queued = &mut attempt.queued;
        if queued.call_id != click.caller_call {
            (queued.to_number, queued.to_shown) =
                (hidden(&queued.to_number), masked(&queued.to_shown));
        }
    }
    Ok(())
}

/// Masks what events of a masked conversation say of those who were called.
pub(crate) fn of_events(events: &mut [ConversationEvent]) {
    for event in events {
        if event.party != Some(Party::CALLER)
            && let EventBody::Accepted { to } = &mut event.body
        {
            *to = masked(&national(to));
        }
    }
}

/// Masks what this reader may not see of a request.
pub(crate) fn of_request(caller: &Granted<ReadCalls>, request: &mut Request) {
    let accepted = &mut request.accepted;
    let is_masked = accepted.kind == RequestKind::Click
        && accepted.spec.get("masked").and_then(serde_json::Value::as_bool) == Some(true);
    if is_masked && !sees_all(caller) {
        accepted.to_raw = masked(&national(&accepted.to_raw));
    }
}

/// Refuses to show what would give masked numbers away, such as SIP messages.
///
/// # Errors
/// `SCOPE_MISSING`.
pub(crate) async fn refuse_if_masked(
    app: &App,
    caller: &Granted<ReadCalls>,
    conversation: &ConversationId,
) -> Result<(), Refusal> {
    if is_masked(app, caller, conversation).await? {
        let detail = "its numbers are masked: the API key has no scope numbers:read";
        return Err(Refusal::new(yunling_domain::error_code::SCOPE_MISSING).with_detail(detail));
    }
    Ok(())
}

/// Whether this reader sees a conversation's numbers masked.
///
/// # Errors
/// Those of a read.
pub(crate) async fn is_masked(
    app: &App,
    caller: &Granted<ReadCalls>,
    conversation: &ConversationId,
) -> Result<bool, StoreError> {
    let found = of_conversations(app, caller, [conversation.clone()].into()).await?;
    Ok(!found.is_empty())
}

async fn of_conversations(
    app: &App,
    caller: &Granted<ReadCalls>,
    conversations: BTreeSet<ConversationId>,
) -> Result<Vec<Click>, StoreError> {
    if sees_all(caller) {
        return Ok(Vec::new());
    }
    let account: &AccountId = caller.account();
    clicks::masked(app.store().reader(), account, &conversations).await
}
