//! The SIP messages of a conversation: from memory while it runs, from the database once it is over
//! and they were kept.

use crate::config::Keep;
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal, number_privacy};
use yunling_domain::ConversationId;
use yunling_domain::error_code::{NOT_FOUND, SIP_TRACE_NOT_KEPT};
use yunling_domain::sip_trace::{SipTrace, tenant};
use yunling_store::{conversations, sip_traces};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// The platform's operator, who sees everything but credentials.
    Operator,
    /// The tenant, who is not told who the carrier is or where it can be reached.
    Tenant,
}

/// The trace, as this viewer sees it.
///
/// # Errors
/// `NOT_FOUND`: the account has no such conversation; `SIP_TRACE_NOT_KEPT`: it has, and its messages
/// were not kept, or it runs on another node; `SCOPE_MISSING` for a tenant's reader who may not see
/// its numbers.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &ConversationId,
    viewer: Viewer,
) -> Result<SipTrace, Refusal> {
    let (reader, account) = (app.store().reader(), caller.account());
    if viewer == Viewer::Tenant {
        number_privacy::refuse_if_masked(app, caller, id).await?;
    }
    // Memory first: a conversation that ends meanwhile is stored before it leaves it.
    let live = app.sip_traces().live(account, id);
    let runs = live.is_some();
    let trace = match live {
        Some(live) if !live.messages.is_empty() => Some(live),
        _ => sip_traces::get(reader, account, id).await?,
    };
    if let Some(trace) = trace {
        return Ok(match viewer {
            Viewer::Operator => trace,
            Viewer::Tenant => tenant::view(&trace),
        });
    }
    match conversations::get(reader, account, id).await? {
        Some(_) => Err(Refusal::new(SIP_TRACE_NOT_KEPT).with_detail(why_not(app))),
        None if runs => Err(Refusal::new(SIP_TRACE_NOT_KEPT)
            .with_detail("the conversation is under way, and nothing of it was sent yet")),
        None if !app.sip_traces().rule().gathers() => {
            Err(Refusal::new(NOT_FOUND).with_detail(format!(
                "the account has no conversation {id} that is over; of one under way {}",
                why_not(app)
            )))
        }
        None => Err(Refusal::new(NOT_FOUND).with_detail(format!(
            "the account has no conversation {id} that is over or under way on this node"
        ))),
    }
}

/// Whether the messages of a conversation that is over were kept.
///
/// # Errors
/// Those of a read.
pub async fn is_kept(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &ConversationId,
) -> Result<bool, Refusal> {
    Ok(sip_traces::is_kept(app.store().reader(), caller.account(), id).await?)
}

fn why_not(app: &App) -> String {
    let rule = app.sip_traces().rule();
    let kept = match (rule.gathers(), rule.keep) {
        (false, _) => {
            return "this node gathers no SIP messages: its setting sip_trace.ring_mib is 0".into();
        }
        (true, Keep::Failed) => "of calls that failed",
        (true, Keep::All) => "of every call that was dialled",
        (true, Keep::None) => "of no call",
    };
    format!(
        "the SIP messages of this conversation were not kept: the node keeps those {kept} \
         (sip_trace.keep) and of {} in a hundred others (sip_trace.sample_percent), for {} days \
         (sip_trace.keep_days)",
        rule.sample_percent, rule.keep_days
    )
}
