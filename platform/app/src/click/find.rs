//! Finding what a caller may see of click-to-call: its account's, of the path's application, and of
//! a browser token only what its subject has made. Everything else does not exist.

use crate::principal::Page;
use crate::{App, Refusal};
use yunling_domain::error_code::{CONVERSATION_ELSEWHERE, NOT_FOUND, UNKNOWN_APPLICATION};
use yunling_domain::{AccountId, ApplicationId, ConversationId};
use yunling_store::attempts::{self, AttemptState};
use yunling_store::clicks::{self, Click};

/// The click of a conversation.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`.
pub(crate) async fn find(
    app: &App,
    account: &AccountId,
    application: &ApplicationId,
    conversation: &ConversationId,
    page: Option<&Page>,
) -> Result<Click, Refusal> {
    if app.directory().application(account, application).is_none() {
        return Err(Refusal::new(UNKNOWN_APPLICATION));
    }
    let found = clicks::get(app.store().reader(), account, conversation).await?;
    found
        .filter(|click| click.application == *application)
        .filter(|click| {
            page.is_none_or(|page| click.subject.as_deref() == Some(page.subject.as_str()))
        })
        .ok_or_else(|| {
            let detail = format!("the application has no conversation {conversation}");
            Refusal::field(NOT_FOUND, "conversationSid", detail)
        })
}

/// Makes sure that a conversation which is not over can be steered from here: it runs on this node,
/// or on none yet.
///
/// # Errors
/// `CONVERSATION_ELSEWHERE`.
pub(crate) async fn is_steered_here(app: &App, click: &Click) -> Result<(), Refusal> {
    let elsewhere = |node: &str| {
        let detail = format!("the conversation runs on node {node}");
        Refusal::new(CONVERSATION_ELSEWHERE).with_detail(detail)
    };
    let Some(talks) = app.talks() else {
        return Err(elsewhere("that makes calls; this one makes none"));
    };
    if talks.phase(&click.account, &click.conversation).is_some() {
        return Ok(());
    }
    let own = app.settings().node.0.to_string();
    let attempts =
        attempts::of_request(app.store().reader(), &click.account, &click.request).await?;
    let under_way = |attempt: &&attempts::Attempt| attempt.state != AttemptState::Ended;
    let other = attempts
        .iter()
        .filter(under_way)
        .filter_map(|attempt| attempt.node.as_deref())
        .find(|node| *node != own);
    other.map_or(Ok(()), |node| Err(elsewhere(node)))
}
