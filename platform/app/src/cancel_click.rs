//! cancelCall: ends a click-to-call conversation in any state. The same again is answered the same,
//! and one that is over is no error.

use crate::click::find;
use crate::principal::{Dial, Granted, Page};
use crate::{App, Refusal};
use yunling_domain::{ApplicationId, ConversationId};
use yunling_store::talks;

/// Ends it. The answer does not wait for the phones.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`; `CONVERSATION_ELSEWHERE` where it runs on another node.
pub async fn run(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    conversation: &ConversationId,
    page: Option<&Page>,
) -> Result<(), Refusal> {
    let click = find::find(app, caller.account(), application, conversation, page).await?;
    let reader = app.store().reader();
    if talks::get(reader, caller.account(), conversation).await?.is_some() {
        return Ok(());
    }
    find::is_steered_here(app, &click).await?;
    if let Some(talks) = app.talks() {
        talks.cancel(caller.account(), conversation);
    }
    Ok(())
}
