//! The end of a click-to-call conversation: the record of each of its legs, its story, how it ended
//! and the CDR callback that it causes, in one transaction and exactly once.

use crate::App;
use crate::tell_status::national;
use std::sync::Arc;
use yunling_domain::call_cause::CallCause;
use yunling_domain::callback::duration_s;
use yunling_domain::conversation::{CdrCallback, CdrFacts, CdrLeg, Ending, Party};
use yunling_domain::event::ConversationEvent;
use yunling_domain::numbers::masked;
use yunling_domain::{
    AccountId, ApplicationId, CallId, ConversationId, Fault, Micros, RecordingId, RequestId,
    Termination,
};
use yunling_store::calls::Cdr;
use yunling_store::conversations::{NewConversation, Story};
use yunling_store::deliveries::NewDelivery;
use yunling_store::requests::{Request, RequestState};
use yunling_store::talks::{Talk, TalkEnding};
use yunling_store::trace_contexts::platform_side::note;
use yunling_store::{Lane, RequestKind, StoreError, requests, talks};

/// What is known of a conversation that is over.
#[derive(Debug, Clone)]
pub struct ConversationFacts {
    /// Whose it was.
    pub account: AccountId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// Its identifier.
    pub conversation: ConversationId,
    /// The request that asked for it.
    pub request: RequestId,
    /// How it ended.
    pub ending: Ending,
    /// Additive `hangupReason`.
    pub hangup_reason: &'static str,
    /// When its parties were first connected.
    pub bridged_at: Option<Micros>,
    /// Its legs by `callSeq`; at least the caller's.
    pub legs: Vec<LegRecord>,
    /// Its recording.
    pub recording: Option<RecordingFacts>,
    /// Whether numbers of those who are called are shown masked.
    pub is_masked: bool,
    /// The place of its CDR callback among its callbacks.
    pub seq: u32,
    /// What makes the callback a part of the call's trace ([`crate::trace_context`]).
    pub traceparent: Option<String>,
}

/// What is known of one leg.
#[derive(Debug, Clone)]
pub struct LegRecord {
    /// Whose it was.
    pub party: Party,
    /// Its call.
    pub call: CallId,
    /// The number called, as it is stored.
    pub number: String,
    /// The same as callbacks show it.
    pub shown: String,
    /// The line number shown, as it is stored.
    pub line: String,
    /// The trunk that was tried last.
    pub trunk: Option<Arc<str>>,
    /// The first dial; never dialled: when that was decided.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer; none for one that crossed our CANCEL.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// The published cause.
    pub cause: CallCause,
    /// Whose fault it was.
    pub fault: Fault,
    /// Additive `hangupReason`.
    pub hangup_reason: &'static str,
    /// What the network said; nothing where it was never dialled.
    pub termination: Option<Termination>,
    /// Media measurements.
    pub figures: Option<serde_json::Value>,
    /// The rule of the gate that decided.
    pub rule: Option<String>,
}

/// What is known of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFacts {
    /// Its identifier.
    pub id: RecordingId,
    /// Where it can be had; nothing where that took too long.
    pub url: Option<String>,
    /// Its length.
    pub duration_s: Option<u64>,
}

/// Writes the end of a conversation. Gives false, and changes nothing, where it was written already:
/// it may be called again after any failure.
///
/// # Errors
/// The database did not take it. The facts must not be lost: the caller tries again.
pub async fn run(
    app: &App,
    facts: &ConversationFacts,
    story: &[ConversationEvent],
) -> Result<bool, StoreError> {
    let request = requests::platform_side::get(app.store().reader(), &facts.request)
        .await?
        .ok_or(StoreError::NotFound("request"))?;
    let ended_at = ended_at(facts);
    let ending = TalkEnding {
        talk: Talk {
            conversation: facts.conversation.clone(),
            application: facts.application.clone(),
            request: facts.request.clone(),
            bye_type: facts.ending.bye_type,
            ended_by: facts.ending.by.as_str().to_owned(),
            hangup_reason: facts.hangup_reason.to_owned(),
            bridged_at: facts.bridged_at,
            recording: facts.recording.as_ref().map(|recording| recording.id.clone()),
            ended_at,
        },
        calls: facts.legs.iter().map(|leg| record(facts, leg)).collect(),
        conversation: NewConversation {
            id: facts.conversation.clone(),
            application: facts.application.clone(),
            kind: RequestKind::Click,
            started_at: story.first().map_or(ended_at, |event| event.at),
            ended_at,
            story: Story::pack(&story)?,
        },
        deliveries: delivery(app, facts, &request, ended_at).into_iter().collect(),
    };
    let causes_delivery = !ending.deliveries.is_empty();
    let (account, traceparent) = (facts.account.clone(), facts.traceparent.clone());
    let first = app
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move {
                let first = talks::finish(tx, &account, &ending).await?;
                if !first {
                    return Ok(false);
                }
                if let Some(traceparent) = traceparent {
                    for caused in &ending.deliveries {
                        note(tx, &caused.id, &traceparent, caused.created_at).await?;
                    }
                }
                let request = &ending.talk.request;
                requests::set_state(tx, &account, request, RequestState::Finished).await?;
                Ok(true)
            })
        })
        .await?;
    if first {
        count(facts);
        if causes_delivery {
            app.poke().deliveries();
        }
    }
    Ok(first)
}

/// When the last leg ended.
fn ended_at(facts: &ConversationFacts) -> Micros {
    let last = facts.legs.iter().map(|leg| leg.ended_at).max();
    last.expect("a conversation has its caller's leg at least")
}

fn record(facts: &ConversationFacts, leg: &LegRecord) -> Cdr {
    let duration_s = duration_s(leg.answered_at, leg.ended_at);
    let termination = leg.termination.as_ref();
    Cdr {
        call_id: leg.call.clone(),
        conversation_id: facts.conversation.clone(),
        request_id: facts.request.clone(),
        application: facts.application.clone(),
        kind: RequestKind::Click,
        from_number: leg.line.clone(),
        to_number: leg.number.clone(),
        trunk: leg.trunk.as_deref().map(str::to_owned),
        started_at: leg.started_at,
        ring_at: leg.ring_at,
        answered_at: leg.answered_at,
        ended_at: leg.ended_at,
        duration_s: u32::try_from(duration_s).unwrap_or(u32::MAX),
        result: u8::from(leg.answered_at.is_none()),
        reason: leg.cause.reason(),
        cause: leg.cause.as_str().to_owned(),
        fault: Some(leg.fault.name().to_owned()),
        sip_code: termination.and_then(|termination| termination.sip_code),
        q850: termination.and_then(|termination| termination.q850),
        input_key: None,
        figures: leg.figures.clone(),
        rule: leg.rule.clone(),
        leg: leg.party.0,
        bye_type: Some(facts.ending.bye_type),
        hangup_reason: Some(leg.hangup_reason.to_owned()),
    }
}

/// The CDR callback, if anybody wants one: to the request's own `cdrUrl`, else the application's.
fn delivery(
    app: &App,
    facts: &ConversationFacts,
    request: &Request,
    ended_at: Micros,
) -> Option<NewDelivery> {
    let directory = app.directory();
    let account = directory.account(&facts.account);
    let application = directory.application(&facts.account, &facts.application);
    let own_url = request.accepted.urls.get("cdr").and_then(|url| url.as_str()).map(str::to_owned);
    let url = own_url.or_else(|| application?.cdr_url.as_deref().map(str::to_owned))?;
    let shown = |leg: &LegRecord| match facts.is_masked && leg.party != Party::CALLER {
        true => masked(&leg.shown),
        false => leg.shown.clone(),
    };
    let numbers: Vec<(String, String)> =
        facts.legs.iter().map(|leg| (national(&leg.line), shown(leg))).collect();
    let legs = facts.legs.iter().zip(&numbers).map(|(leg, (from, to))| CdrLeg {
        seq: leg.party.0,
        call: leg.call.as_str(),
        from,
        to,
        started_at: leg.started_at,
        ring_at: leg.ring_at,
        answered_at: leg.answered_at,
        ended_at: leg.ended_at,
        cause: leg.cause,
        hangup_reason: leg.hangup_reason,
        sip_code: leg.termination.as_ref().and_then(|termination| termination.sip_code),
    });
    let recording = facts.recording.as_ref();
    let body = CdrCallback::new(&CdrFacts {
        account: facts.account.as_str(),
        application: facts.application.as_str(),
        conversation: facts.conversation.as_str(),
        recording_url: recording.and_then(|recording| recording.url.as_deref()),
        recording_duration_s: recording.and_then(|recording| recording.duration_s),
        user_data: request.accepted.userdata.as_deref(),
        ending: facts.ending,
        hangup_reason: facts.hangup_reason,
        legs: legs.collect(),
        zone: account.map_or(app.settings().zone.0, |account| account.zone),
    });
    Some(NewDelivery {
        // One event per conversation: the id follows from the conversation's.
        id: format!("msg_{}", facts.conversation),
        application: facts.application.clone(),
        conversation_id: Some(facts.conversation.clone()),
        seq: facts.seq,
        kind: "click.cdr".to_owned(),
        url,
        body: body.to_json(),
        created_at: ended_at,
    })
}

fn count(facts: &ConversationFacts) {
    for leg in &facts.legs {
        metrics::counter!(
            "yunling_calls_ended_total",
            "kind" => RequestKind::Click.as_str(),
            "cause" => leg.cause.as_str(),
            "fault" => leg.fault.name()
        )
        .increment(1);
    }
    let bye_type = facts.ending.bye_type.number().to_string();
    metrics::counter!("yunling_talks_ended_total", "bye_type" => bye_type).increment(1);
}
