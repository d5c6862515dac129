//! One call of an account, waiting, live or over.

use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal, number_privacy};
use yunling_domain::error_code::NOT_FOUND;
use yunling_domain::event::ConversationEvent;
use yunling_domain::{CallId, ConversationId};
use yunling_store::attempts::{self, Attempt};
use yunling_store::calls::{self, Cdr};
use yunling_store::conversations;

/// How far a call is.
#[derive(Debug, Clone, PartialEq)]
pub enum CallView {
    /// It waits, or is under way.
    Live(Box<Attempt>),
    /// It is over.
    Ended(Box<Cdr>),
}

/// The call with this identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(app: &App, caller: &Granted<ReadCalls>, id: &CallId) -> Result<CallView, Refusal> {
    let reader = app.store().reader();
    if let Some(mut record) = calls::get(reader, caller.account(), id).await? {
        number_privacy::of_records(app, caller, std::slice::from_mut(&mut record)).await?;
        return Ok(CallView::Ended(Box::new(record)));
    }
    let attempt = attempts::of_call(reader, caller.account(), id).await?;
    match attempt {
        Some(mut attempt) => {
            number_privacy::of_attempt(app, caller, &mut attempt).await?;
            Ok(CallView::Live(Box::new(attempt)))
        }
        None => Err(Refusal::new(NOT_FOUND).with_detail(format!("the account has no call {id}"))),
    }
}

/// The whole story of a conversation that is over, event by event.
///
/// # Errors
/// `NOT_FOUND`: there is none yet, or it is another account's.
pub async fn story(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &ConversationId,
) -> Result<Vec<ConversationEvent>, Refusal> {
    let found = conversations::get(app.store().reader(), caller.account(), id).await?;
    let conversation = found.ok_or_else(|| {
        Refusal::new(NOT_FOUND)
            .with_detail(format!("the account has no conversation {id} that is over"))
    })?;
    let mut events: Vec<ConversationEvent> = conversation.story.unpack()?;
    if number_privacy::is_masked(app, caller, id).await? {
        number_privacy::of_events(&mut events);
    }
    Ok(events)
}
