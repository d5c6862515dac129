//! A click-to-call conversation as it stands: waiting, under way or over.

use crate::click::find;
use crate::finish_conversation::RecordingFacts;
use crate::number_privacy;
use crate::ports::{TalkLeg, TalkState};
use crate::principal::{Granted, Page, ReadCalls, Scope};
use crate::{App, Refusal, recordings};
use yunling_domain::conversation::CallStatus;
use yunling_domain::event::ConversationEvent;
use yunling_domain::{ApplicationId, CallId, ConversationId, Micros};
use yunling_store::attempts::{self, Attempt, AttemptState};
use yunling_store::calls::{self, Cdr};
use yunling_store::clicks::Click;
use yunling_store::requests::{self, Request};
use yunling_store::talks::{self, Talk};
use yunling_store::{StoreError, conversations};

/// What `state` says of one that is accepted and has not begun.
pub const WAITING: &str = "waiting";
/// What `state` says of one that runs on another node.
pub const UNDER_WAY: &str = "under_way";
/// What `state` says of one that is over.
pub const ENDED: &str = "ended";

/// A conversation.
#[derive(Debug, Clone)]
pub struct TalkView {
    /// What was taken.
    pub click: Click,
    /// The request behind it.
    pub request: Request,
    /// `waiting`, a phase's name ([`crate::ports::TalkPhase::name`]), `under_way` or `ended`.
    pub state: &'static str,
    /// Its legs in the order in which they were dialled.
    pub legs: Vec<LegView>,
    /// How it ended, once it has.
    pub ending: Option<Talk>,
    /// Its recording, if one was begun.
    pub recording: Option<RecordingFacts>,
    /// What has happened so far; nothing of one that runs on another node.
    pub events: Vec<ConversationEvent>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegView {
    /// `callSeq`
    pub seq: usize,
    /// Its call.
    pub call: CallId,
    /// The line number shown, as it is stored.
    pub line: String,
    /// The number called, as it is stored, or masked.
    pub number: String,
    /// How far it is: the published `callStatus`; nothing before it is dialled.
    pub status: Option<CallStatus>,
    /// The first dial.
    pub started_at: Option<Micros>,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Option<Micros>,
    /// The published `cause`, once it is over.
    pub cause: Option<String>,
    /// The final SIP status, once it is over.
    pub sip_code: Option<u16>,
}

/// The conversation of this identifier.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`, for another's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    application: &ApplicationId,
    conversation: &ConversationId,
    page: Option<&Page>,
) -> Result<TalkView, Refusal> {
    let account = caller.account();
    let click = find::find(app, account, application, conversation, page).await?;
    let reader = app.store().reader();
    // The request was stored with the click.
    let request = requests::get(reader, account, &click.request)
        .await?
        .ok_or(StoreError::NotFound("request"))?;
    // Memory first, then the rows: one that ends meanwhile is in either.
    let live = app.talks().and_then(|talks| talks.state(account, conversation));
    let ending = match live {
        Some(_) => None,
        None => talks::get(reader, account, conversation).await?,
    };
    let (state, mut legs, mut events) = match (live, &ending) {
        (Some(live), _) => (live.phase.name(), of_live(&live), live.events),
        (None, Some(_)) => {
            let calls = calls::of_conversation(reader, account, conversation).await?;
            let stored = conversations::get(reader, account, conversation).await?;
            let story = stored.map(|stored| stored.story.unpack()).transpose()?;
            (ENDED, of_records(&calls), story.unwrap_or_default())
        }
        (None, None) => {
            let attempts = attempts::of_request(reader, account, &click.request).await?;
            let begun = attempts.iter().any(|attempt| attempt.invited_at.is_some());
            // It may have begun here between the two looks.
            let live = app.talks().filter(|_| begun);
            match live.and_then(|talks| talks.state(account, conversation)) {
                Some(live) => (live.phase.name(), of_live(&live), live.events),
                None if begun => (UNDER_WAY, of_attempts(&attempts), Vec::new()),
                None => (WAITING, of_attempts(&attempts), Vec::new()),
            }
        }
    };
    if click.masked && !number_privacy::sees_all(caller) {
        for leg in legs.iter_mut().filter(|leg| leg.call != click.caller_call) {
            leg.number = number_privacy::hidden(&leg.number);
        }
        number_privacy::of_events(&mut events);
    }
    let mut recording = recordings::of_conversation(app, account, conversation).await?;
    // The link opens the recording to whoever holds it.
    if !caller.scopes().include(Scope::ReadRecordings)
        && let Some(recording) = &mut recording
    {
        recording.url = None;
    }
    Ok(TalkView { click, request, state, legs, ending, recording, events })
}

fn of_live(live: &TalkState) -> Vec<LegView> {
    let view = |leg: &TalkLeg| LegView {
        seq: leg.party.0.into(),
        call: leg.call.clone(),
        line: leg.line.clone(),
        number: leg.number.clone(),
        status: Some(leg.status),
        started_at: Some(leg.started_at),
        ring_at: leg.ring_at,
        answered_at: leg.answered_at,
        ended_at: leg.ended_at,
        cause: leg.outcome.as_ref().map(|outcome| outcome.cause.as_str().to_owned()),
        sip_code: leg.outcome.as_ref().and_then(|outcome| outcome.termination.sip_code),
    };
    live.legs.iter().map(view).collect()
}

fn of_records(calls: &[Cdr]) -> Vec<LegView> {
    let view = |(seq, record): (usize, &Cdr)| LegView {
        seq,
        call: record.call_id.clone(),
        line: record.from_number.clone(),
        number: record.to_number.clone(),
        status: Some(CallStatus::Completed),
        started_at: Some(record.started_at),
        ring_at: record.ring_at,
        answered_at: record.answered_at,
        ended_at: Some(record.ended_at),
        cause: Some(record.cause.clone()),
        sip_code: record.sip_code,
    };
    calls.iter().enumerate().map(view).collect()
}

fn of_attempts(attempts: &[Attempt]) -> Vec<LegView> {
    let view = |(seq, attempt): (usize, &Attempt)| LegView {
        seq,
        call: attempt.queued.call_id.clone(),
        line: attempt.queued.from_number.clone().unwrap_or_default(),
        number: attempt.queued.to_number.clone(),
        status: status(attempt),
        started_at: attempt.invited_at,
        ring_at: attempt.ring_at,
        answered_at: attempt.answered_at,
        ended_at: attempt.ended_at,
        cause: None,
        sip_code: None,
    };
    attempts.iter().enumerate().map(view).collect()
}

fn status(attempt: &Attempt) -> Option<CallStatus> {
    attempt.invited_at?;
    Some(match attempt.state {
        _ if attempt.ended_at.is_some() => CallStatus::Completed,
        AttemptState::Ended => CallStatus::Completed,
        AttemptState::Answered => CallStatus::Answered,
        _ if attempt.ring_at.is_some() => CallStatus::Ringing,
        AttemptState::Queued | AttemptState::Claimed | AttemptState::Invited => {
            CallStatus::Initiated
        }
    })
}
