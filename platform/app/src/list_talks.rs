//! An application's click-to-call conversations, those that run too, newest first.

use crate::click::ClickSpec;
use crate::get_talk::{ENDED, UNDER_WAY, WAITING};
use crate::number_privacy;
use crate::principal::{self, Granted, ReadCalls};
use crate::{App, Refusal};
use std::collections::HashMap;
use yunling_domain::error_code::UNKNOWN_APPLICATION;
use yunling_domain::{ApplicationId, ConversationId, RequestId};
use yunling_store::attempts;
use yunling_store::clicks::{self, Click, ClickFilter};
use yunling_store::requests;
use yunling_store::talks::{self, Talk};
use yunling_store::{Page, PageRequest};

/// One conversation in a list.
#[derive(Debug, Clone)]
pub struct TalkSummary {
    /// What was taken.
    pub click: Click,
    /// As [`crate::get_talk::TalkView::state`].
    pub state: &'static str,
    /// The caller's number, as callbacks show it.
    pub caller: String,
    /// The callee's, masked where this reader may not see it.
    pub callee: String,
    /// The request's `userData`.
    pub user_data: Option<String>,
    /// How it ended, once it has.
    pub ending: Option<Talk>,
}

/// One page of them.
///
/// # Errors
/// `UNKNOWN_APPLICATION`; `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    application: &ApplicationId,
    filter: ClickFilter,
    visitor: Option<&principal::Page>,
    page: &PageRequest,
) -> Result<Page<TalkSummary>, Refusal> {
    let account = caller.account();
    if app.directory().application(account, application).is_none() {
        return Err(Refusal::new(UNKNOWN_APPLICATION));
    }
    let subject = visitor.map(|page| page.subject.clone());
    let filter = ClickFilter { subject: subject.or(filter.subject), ..filter };
    let reader = app.store().reader();
    let found = clicks::list(reader, account, application, &filter, page).await?;
    let conversations: Vec<ConversationId> =
        found.rows.iter().map(|click| click.conversation.clone()).collect();
    let request_ids: Vec<RequestId> =
        found.rows.iter().map(|click| click.request.clone()).collect();
    // Memory first, then the rows: one that ends meanwhile is in either.
    let phase = |id: &ConversationId| app.talks().and_then(|talks| talks.phase(account, id));
    let live: HashMap<_, _> =
        conversations.iter().filter_map(|id| Some((id, phase(id)?))).collect();
    let endings = talks::these(reader, account, &conversations).await?;
    let mut endings: HashMap<_, _> =
        endings.into_iter().map(|talk| (talk.conversation.clone(), talk)).collect();
    let unknown: Vec<RequestId> = found
        .rows
        .iter()
        .filter(|click| !endings.contains_key(&click.conversation))
        .filter(|click| !live.contains_key(&click.conversation))
        .map(|click| click.request.clone())
        .collect();
    let dialled = attempts::dialled(reader, account, &unknown).await?;
    let requests = requests::these(reader, account, &request_ids).await?;
    let mut requests: HashMap<_, _> =
        requests.into_iter().map(|request| (request.accepted.id.clone(), request)).collect();
    let sees_all = number_privacy::sees_all(caller);
    let rows = found.rows.into_iter().map(|click| {
        let ending = endings.remove(&click.conversation);
        let request = requests.remove(&click.request);
        let state = match (&ending, live.get(&click.conversation)) {
            (Some(_), _) => ENDED,
            (None, Some(phase)) => phase.name(),
            (None, None) if dialled.contains(&click.request) => UNDER_WAY,
            (None, None) => WAITING,
        };
        let accepted = request.map(|request| request.accepted);
        let user_data = accepted.as_ref().and_then(|request| request.userdata.clone());
        let spec =
            accepted.and_then(|request| serde_json::from_value::<ClickSpec>(request.spec).ok());
        let (caller, callee) = spec.map(|spec| (spec.caller.shown, spec.callee)).unzip();
        let callee = callee.map(|side| match click.masked && !sees_all {
            true => number_privacy::hidden(&side.number),
            false => side.shown,
        });
        TalkSummary {
            click,
            state,
            caller: caller.unwrap_or_default(),
            callee: callee.unwrap_or_default(),
            user_data,
            ending,
        }
    });
    Ok(Page { rows: rows.collect(), next: found.next })
}
