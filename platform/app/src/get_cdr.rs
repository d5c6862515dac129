//! One call detail record, by its conversation or by any of its calls.

use crate::compose_cdr::{self, Sight};
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_domain::cdr::CdrObject;
use yunling_domain::error_code::NOT_FOUND;
use yunling_domain::{AccountId, CallId, ConversationId};
use yunling_store::StoreError;
use yunling_store::calls::{self, Cdr};

/// The record that a `conversationSid`, a `callSid` or a `callid` names.
///
/// # Errors
/// `NOT_FOUND`: none of the account's, or not over yet.
pub async fn run(app: &App, caller: &Granted<ReadCalls>, id: &str) -> Result<CdrObject, Refusal> {
    let account = caller.account();
    let row = find(app, account, id).await?.ok_or_else(|| unknown(id))?;
    let composed = compose_cdr::run(app, account, Sight::of(caller), &[row]).await?;
    composed.into_iter().next().ok_or_else(|| unknown(id))
}

/// The first leg of the conversation that an identifier means.
///
/// # Errors
/// Those of a read.
pub(crate) async fn find(
    app: &App,
    account: &AccountId,
    id: &str,
) -> Result<Option<Cdr>, StoreError> {
    let reader = app.store().reader();
    let conversation = match calls::get(reader, account, &CallId::new(id)).await? {
        Some(call) => call.conversation_id,
        None => ConversationId::new(id),
    };
    let legs = calls::of_conversation(reader, account, &conversation).await?;
    Ok(legs.into_iter().min_by_key(|leg| leg.leg))
}

pub(crate) fn unknown(id: &str) -> Refusal {
    Refusal::new(NOT_FOUND).with_detail(format!("the account has no call record {id}"))
}
