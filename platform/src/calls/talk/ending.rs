//! What a conversation came to, once its last leg has ended.

use yunling_app::finish_conversation::{self, ConversationFacts, LegRecord};
use yunling_app::trace_context;
use yunling_domain::call_cause::CallCause;
use yunling_domain::conversation::{ByeType, EndedBy, Ending, LegOutcome, Outcome, Party};
use yunling_domain::event::EventBody;
use yunling_domain::notice::HangUpWhy;
use yunling_domain::{EndKind, Fault, Micros, RecordingId};
use yunling_switch_contract::MediaFigures;

use super::super::shell::Shell;
use super::super::supervision::{figures_json, until_written};
use super::leg::Leg;
use super::task::Talk;

/// Writes the record of a conversation, its story and its callbacks. Gives the recording that the
/// engine has still to complete.
pub(super) async fn finish(mut talk: Talk<'_>, outcome: Outcome) -> Option<RecordingId> {
    talk.close_orders();
    // What is still on its way to the writer is older than the end, so it goes first.
    let closing = talk.shell.closing.clone();
    for facts in talk.legs.iter_mut().filter_map(|leg| leg.facts.as_mut()) {
        closing.run_until_cancelled(facts.settle_all()).await;
    }
    let now = talk.anchor.now();
    let ended_at = outcome.legs.iter().map(|leg| leg.ended_at).max().unwrap_or(now);
    let Ending { bye_type, by } = outcome.ending;
    let recording = talk.recording_facts().await;
    talk.tell(ended_at, None, EventBody::TalkFinished { bye_type, by });
    talk.teller.finish().await;
    let mut legs: Vec<LegRecord> =
        outcome.legs.iter().map(|leg| record(talk.leg(leg.party), leg)).collect();
    if legs.is_empty() {
        // Cancelled before it began: the click was taken, so it has a record.
        let reason = outcome.hangup_reason();
        legs.push(undialled(talk.leg(Party::CALLER), now, Fault::Client, reason));
    }
    let facts = ConversationFacts {
        account: talk.queued.account.clone(),
        application: talk.queued.application.clone(),
        conversation: talk.queued.conversation_id.clone(),
        request: talk.queued.request_id.clone(),
        ending: outcome.ending,
        hangup_reason: outcome.hangup_reason(),
        bridged_at: outcome.bridged_at,
        legs,
        recording,
        is_masked: talk.spec.masked,
        seq: talk.teller.next_seq(),
        traceparent: trace_context::current(),
    };
    close(&talk.shell, &facts, talk.story.events()).await;
    talk.late
}

/// Writes what a conversation came to, however long the database is away.
pub(super) async fn close(
    shell: &Shell,
    facts: &ConversationFacts,
    story: &[yunling_domain::event::ConversationEvent],
) {
    let failed = |leg: &LegRecord| {
        leg.cause == CallCause::Failed || matches!(leg.fault, Fault::Trunk | Fault::Platform)
    };
    if trace_context::is_on() {
        let span = tracing::Span::current();
        span.record("result", facts.ending.bye_type.number());
        span.record("cause", facts.hangup_reason);
    }
    shell.traces.ended(&facts.conversation, facts.legs.iter().any(failed));
    until_written(shell, || finish_conversation::run(&shell.app, facts, story)).await;
}

fn record(leg: &Leg, outcome: &LegOutcome) -> LegRecord {
    let was_sent = leg.way.is_some();
    LegRecord {
        party: leg.party,
        call: leg.call.clone(),
        number: leg.side.number.clone(),
        shown: leg.side.shown.clone(),
        line: leg.line(),
        trunk: leg.trunk().map(|trunk| trunk.name.clone()),
        started_at: outcome.started_at,
        ring_at: outcome.ring_at,
        answered_at: outcome.answered_at,
        ended_at: outcome.ended_at,
        cause: outcome.cause,
        fault: leg.refusal.as_ref().map_or(outcome.fault, |(_, fault)| *fault),
        hangup_reason: outcome.hangup_reason(),
        termination: was_sent.then(|| outcome.termination.clone()),
        figures: (leg.figures != MediaFigures::default()).then(|| figures_json(&leg.figures)),
        rule: leg.refusal.as_ref().map(|(rule, _)| rule.clone()).or_else(|| leg.rule.clone()),
    }
}

/// A caller that was never dialled: decided so at `at`.
pub(super) fn undialled(
    leg: &Leg,
    at: Micros,
    fault: Fault,
    hangup_reason: &'static str,
) -> LegRecord {
    LegRecord {
        party: leg.party,
        call: leg.call.clone(),
        number: leg.side.number.clone(),
        shown: leg.side.shown.clone(),
        line: leg.side.line.clone(),
        trunk: None,
        started_at: at,
        ring_at: None,
        answered_at: None,
        ended_at: at,
        cause: CallCause::Failed,
        fault,
        hangup_reason,
        termination: None,
        figures: None,
        rule: None,
    }
}

/// How a conversation ended that never began for a reason of ours.
pub(super) const NEVER_BEGUN: (Ending, &str) = (
    Ending { bye_type: ByeType::CallerNotAnswered, by: EndedBy::Platform },
    EndKind::Refused.name(),
);

/// How a conversation ended that was cancelled before it began.
pub(super) const CANCELLED: (Ending, &str) = (
    Ending { bye_type: ByeType::CallerNotAnswered, by: EndedBy::Api },
    HangUpWhy::Requested.name(),
);
