//! cancelCall: ends a click-to-call conversation in any state. The same again is answered the same,
//! and one that is over is no error.

use crate::click::find;
use crate::principal::{Dial, Granted, Page};
use crate::{App, Refusal};
use yunling_domain::{ApplicationId, ConversationId};
use yunling_store::clicks::Click;
use yunling_store::{Lane, StoreError, attempts, talks};

/// Ends it. The answer does not wait for the phones. One that nobody was dialled for yet is marked in
/// its row, so that whichever node claims it, or has just claimed it, ends it undialled; one that
/// runs on another node is marked for that one, which looks every second.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`.
pub async fn run(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    conversation: &ConversationId,
    page: Option<&Page>,
) -> Result<(), Refusal> {
    let account = caller.account();
    let click = find::find(app, account, application, conversation, page).await?;
    let runs_here = app.talks().filter(|talks| talks.phase(account, conversation).is_some());
    if let Some(talks) = runs_here {
        talks.cancel(account, conversation);
        // Should this node put its row back undialled, whoever claims it next obeys the row.
        mark(app, &click).await?;
        return Ok(());
    }
    if talks::get(app.store().reader(), account, conversation).await?.is_some() {
        return Ok(());
    }
    mark(app, &click).await?;
    // Claimed here already, it ends without another look at its row.
    if let Some(talks) = app.talks() {
        talks.cancel(account, conversation);
    }
    app.poke().dispatcher();
    Ok(())
}

async fn mark(app: &App, click: &Click) -> Result<(), StoreError> {
    let (account, now) = (click.account.clone(), app.clock().now());
    let (request, conversation) = (click.request.clone(), click.conversation.clone());
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let (account, request, conversation) = (&account, &request, &conversation);
                if !attempts::mark_cancelled(tx, account, request, conversation, now).await? {
                    // Somebody has been dialled.
                    attempts::mark_to_end(tx, account, request, conversation, now).await?;
                }
                Ok(())
            })
        })
        .await
}
