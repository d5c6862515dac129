//! What is known of a conversation whose task is gone (a crash, a panic): its rows, and what the
//! network has said of its legs since.

use std::sync::Arc;
use std::time::Duration;

use yunling_app::App;
use yunling_app::click::ClickSpec;
use yunling_app::finish_conversation::{ConversationFacts, LegRecord, RecordingFacts};
use yunling_app::ports::TalkLeg;
use yunling_app::recordings;
use yunling_app::tell_status::{self, LegStatus, Listener};
use yunling_app::trace_context;
use yunling_domain::call_cause::CallCause;
use yunling_domain::conversation::{ByeType, CallStatus, EndedBy, Ending, LegOutcome, Party};
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::notice::HangUpWhy;
use yunling_domain::{CallId, Fault, Micros};
use yunling_store::attempts::{self, Attempt};
use yunling_store::requests::{self, Request};
use yunling_store::{StoreError, deliveries};

use super::super::shell::Shell;
use super::super::story::Story;
use super::super::supervision::{Reaped, last_alive};
use super::desk::Live;
use super::ending::close;

/// Between two tries to read what is known.
const PAUSE: Duration = Duration::from_millis(500);

/// What the network has said of a leg.
pub(in super::super) type Told = (CallId, Option<Reaped>);

/// What onlookers saw of a conversation.
#[derive(Default)]
struct Seen {
    legs: Vec<TalkLeg>,
    events: Vec<ConversationEvent>,
}

/// Ends a conversation that panicked: onlookers have seen how far it was, which may be further than
/// its rows say.
pub(super) async fn panicked(shell: &Shell, row: Attempt, live: &Arc<Live>) {
    if let Some(told) = live.told.get() {
        // What was to be told goes before what is missing.
        shell.closing.run_until_cancelled(told.cancelled()).await;
    }
    let seen = {
        let view = live.view.lock();
        Seen { legs: view.legs.clone(), events: view.events.clone() }
    };
    record(shell, row, Vec::new(), seen).await;
}

/// Ends a conversation whose process is gone.
pub(in super::super) async fn interrupted(shell: &Shell, row: Attempt, told: Vec<Told>) {
    record(shell, row, told, Seen::default()).await;
}

/// Writes what is known, and tells the states that were not told.
async fn record(shell: &Shell, row: Attempt, told: Vec<Told>, seen: Seen) {
    let now = shell.app.clock().now();
    let queued = &row.queued;
    let Some(known) = Known::read(shell, &row).await else { return };
    let Known { mut rows, asked, is_masked, mut seq, recording } = known;
    for row in &mut rows {
        if let Some(leg) = seen.legs.iter().find(|leg| leg.call == row.queued.call_id) {
            row.ring_at = row.ring_at.or(leg.ring_at);
            row.answered_at = row.answered_at.or(leg.answered_at);
            row.ended_at = row.ended_at.or(leg.ended_at);
            let seen_as = leg.outcome.as_ref().and_then(|seen| serde_json::to_value(seen).ok());
            row.left_as = row.left_as.take().or(seen_as);
        }
    }
    let legs: Vec<LegRecord> =
        rows.iter().zip(0..).map(|(row, party)| leg(row, Party(party), &told, now)).collect();
    let end = Ending { bye_type: bye_type(&legs), by: EndedBy::Platform };
    let ended_at = legs.iter().map(|leg| leg.ended_at).max().unwrap_or(now);
    let mut story = Story::resumed(queued.conversation_id.clone(), shell.app.clone(), seen.events);
    if story.events().is_empty() {
        story.tell(queued.created_at, EventBody::Accepted { to: queued.to_shown.clone() });
    }
    story.tell(ended_at, EventBody::TalkFinished { bye_type: end.bye_type, by: end.by });
    if let Some(request) = &asked
        && let Some(listener) =
            Listener::of(&shell.app, request, &queued.conversation_id, is_masked)
    {
        tell_missing(shell, &listener, &legs, &rows, &mut seq).await;
    }
    let facts = ConversationFacts {
        account: queued.account.clone(),
        application: queued.application.clone(),
        conversation: queued.conversation_id.clone(),
        request: queued.request_id.clone(),
        ending: end,
        hangup_reason: HangUpWhy::PlatformFault.name(),
        bridged_at: None,
        legs,
        recording,
        is_masked,
        seq,
        traceparent: trace_context::current(),
    };
    close(shell, &facts, story.events()).await;
}

/// What the database knows of a conversation.
struct Known {
    /// In the order of its calls; at least the one at hand.
    rows: Vec<Attempt>,
    /// What was asked for, where it can still be read.
    asked: Option<Request>,
    is_masked: bool,
    /// The next status callback's number.
    seq: u32,
    recording: Option<RecordingFacts>,
}

impl Known {
    /// Reads it, however long the database is away: without it legs would stay unrecorded for ever,
    /// and numbers be told that are masked. Nothing where the node stops meanwhile; the next start
    /// reads it again.
    async fn read(shell: &Shell, row: &Attempt) -> Option<Self> {
        loop {
            match Self::read_once(&shell.app, row).await {
                Ok(known) => return Some(known),
                Err(error) => {
                    tracing::warn!(%error, "a lost conversation cannot be read yet");
                    let pause = tokio::time::sleep(PAUSE);
                    shell.closing.run_until_cancelled(pause).await?;
                }
            }
        }
    }

    /// An error where the same may go well later.
    async fn read_once(app: &App, row: &Attempt) -> Result<Self, StoreError> {
        let (reader, queued) = (app.store().reader(), &row.queued);
        let (account, conversation) = (&queued.account, &queued.conversation_id);
        let stored = attempts::of_request(reader, account, &queued.request_id).await;
        let mut rows = lasting(stored)?.unwrap_or_default();
        rows.retain(|stored| stored.queued.conversation_id == *conversation);
        if rows.is_empty() {
            rows.push(row.clone());
        }
        let asked = requests::get(reader, account, &queued.request_id).await;
        let asked = lasting(asked)?.flatten();
        let spec = asked.as_ref().map(|request| request.accepted.spec.clone());
        let spec = spec.and_then(|spec| serde_json::from_value::<ClickSpec>(spec).ok());
        let seq = deliveries::next_seq(reader, account, conversation).await;
        let recording = recordings::of_conversation(app, account, conversation).await;
        Ok(Self {
            rows,
            asked,
            // What cannot be read may have been masked.
            is_masked: spec.is_none_or(|spec| spec.masked),
            seq: lasting(seq)?.unwrap_or_default(),
            recording: lasting(recording)?.flatten(),
        })
    }
}

/// Nothing for what will never be read, an error for what may be later.
fn lasting<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::error!(%error, "a part of a lost conversation cannot be read");
            Ok(None)
        }
    }
}

/// Tells the end of a call that was told to be dialled, where it was, and then was not. Gives the
/// place of the conversation's next callback; nothing where the node stops meanwhile, and the next
/// start does it all again.
pub(super) async fn tell_end(shell: &Shell, row: &Attempt, leg: &LegRecord) -> Option<u32> {
    let known = Known::read(shell, row).await?;
    let mut seq = known.seq;
    if let Some(request) = &known.asked
        && seq > 0
        && let Some(listener) =
            Listener::of(&shell.app, request, &row.queued.conversation_id, known.is_masked)
    {
        let told = status(leg, CallStatus::Completed, leg.ended_at, seq);
        tell(shell, &listener, &told, &mut seq).await;
    }
    Some(seq)
}

/// What a leg came to that had left its conversation before; nothing of one that had not, and of
/// one that an older release wrote.
fn left(row: &Attempt) -> Option<LegOutcome> {
    serde_json::from_value(row.left_as.clone()?).ok()
}

fn leg(row: &Attempt, party: Party, told: &[Told], now: Micros) -> LegRecord {
    let common = LegRecord {
        party,
        call: row.queued.call_id.clone(),
        number: row.queued.to_number.clone(),
        shown: row.queued.to_shown.clone(),
        line: row.queued.from_number.clone().unwrap_or_default(),
        trunk: row.trunk.clone().map(Into::into),
        started_at: row.invited_at.unwrap_or(now),
        ring_at: row.ring_at,
        answered_at: row.answered_at,
        ended_at: row.ended_at.unwrap_or(now),
        cause: CallCause::Failed,
        fault: Fault::Platform,
        hangup_reason: HangUpWhy::PlatformFault.name(),
        termination: None,
        figures: None,
        rule: row.queued.rule.clone(),
    };
    if let Some(left) = left(row) {
        return LegRecord {
            started_at: left.started_at,
            ring_at: left.ring_at,
            answered_at: left.answered_at,
            ended_at: left.ended_at,
            cause: left.cause,
            fault: left.fault,
            hangup_reason: left.hangup_reason(),
            // A leg that never went out has met no network.
            termination: row.trunk.is_some().then_some(left.termination),
            ..common
        };
    }
    let reaped = told
        .iter()
        .find(|(call, _)| *call == row.queued.call_id)
        .and_then(|(_, reaped)| reaped.as_ref());
    let ended_at = row.ended_at.unwrap_or_else(|| match (row.answered_at, reaped) {
        // The downtime of a node is not talk.
        (Some(answered_at), Some(reaped)) if !reaped.was_up => last_alive(row, answered_at, now),
        _ => now,
    });
    let cause = if row.answered_at.is_some() { CallCause::Completed } else { CallCause::Failed };
    let termination = reaped.map(|reaped| reaped.termination.clone());
    LegRecord { ended_at, cause, termination, ..common }
}

/// By how far it had come (RESOLUTIONS, byeType): a lost conversation is ended as cancelCall ends
/// one.
fn bye_type(legs: &[LegRecord]) -> ByeType {
    let answered =
        |party: Party| legs.iter().any(|leg| leg.party == party && leg.answered_at.is_some());
    match (answered(Party::CALLER), answered(Party::CALLEE)) {
        (false, _) => ByeType::CallerNotAnswered,
        (true, false) => ByeType::CallerLeftEarly,
        (true, true) => ByeType::CallerHungUp,
    }
}

/// Tells every state that was reached and had not been told when the task was lost.
async fn tell_missing(
    shell: &Shell,
    listener: &Listener,
    legs: &[LegRecord],
    rows: &[Attempt],
    seq: &mut u32,
) {
    let mut states: Vec<(Micros, CallStatus, &LegRecord)> = Vec::new();
    for (leg, row) in legs.iter().zip(rows) {
        // One that was refused has been begun and ended without an INVITE.
        let begun_at = row.invited_at.or_else(|| left(row).map(|left| left.started_at));
        let reached = [
            (begun_at, CallStatus::Initiated),
            (leg.ring_at, CallStatus::Ringing),
            (leg.answered_at, CallStatus::Answered),
            (begun_at.map(|_| leg.ended_at), CallStatus::Completed),
        ];
        states.extend(reached.into_iter().filter_map(|(at, status)| Some((at?, status, leg))));
    }
    states.sort_by_key(|(at, status, _)| (*at, *status));
    for (at, state, leg) in states {
        let told = status(leg, state, at, *seq);
        tell(shell, listener, &told, seq).await;
    }
}

fn status(leg: &LegRecord, status: CallStatus, at: Micros, seq: u32) -> LegStatus {
    let is_over = status == CallStatus::Completed;
    LegStatus {
        call: leg.call.clone(),
        line: leg.line.clone(),
        shown: leg.shown.clone(),
        is_called: leg.party != Party::CALLER,
        status,
        at,
        cause: is_over.then_some(leg.cause),
        hangup_reason: is_over.then_some(leg.hangup_reason),
        sip_code: leg.termination.as_ref().filter(|_| is_over).and_then(|end| end.sip_code),
        seq,
    }
}

/// Tells a state unless it was told before.
async fn tell(shell: &Shell, listener: &Listener, told: &LegStatus, seq: &mut u32) {
    match tell_status::run(&shell.app, listener, told).await {
        Ok(true) => *seq += 1,
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "a status of a lost conversation was not told"),
    }
}
