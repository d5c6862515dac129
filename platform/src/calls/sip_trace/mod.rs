//! The SIP messages of conversations: taken from the engine while they run, and stored at their end
//! where the rule wants them (`sip_trace:` in deploy/yunling.yaml).

mod keeper;

use yunling_app::sip_trace::{Opening, SipTraces};
use yunling_domain::call_cause::CallCause;
use yunling_domain::notice::Outcome;
use yunling_domain::sip_trace::{Direction, SipMessage, Transport};
use yunling_domain::{CallId, Fault};
use yunling_store::attempts::NewAttempt;
use yunling_switch_contract as engine;

pub(super) use keeper::{Keeper, Keeping};

use super::anchor::Anchor;

/// From now on the messages of this owner's legs are the conversation's.
pub(super) fn open(
    traces: &SipTraces,
    owner: engine::Owner,
    attempt: &NewAttempt,
    anchor: &Anchor,
) {
    traces.open(Opening {
        owner: owner.0,
        conversation: attempt.conversation_id.clone(),
        account: attempt.account.clone(),
        clocks: anchor.clocks(),
    });
}

/// Adds a message that the engine saw.
pub(super) fn add(traces: &SipTraces, message: engine::SipTrace) {
    let engine::SipTrace {
        owner,
        leg,
        attempt,
        at,
        direction,
        transport,
        local,
        remote,
        message: text,
    } = message;
    let message = SipMessage {
        // By the conversation's own clock, once it is known whose it is.
        at: yunling_domain::Micros(0),
        leg: CallId::new(leg.as_str()),
        attempt,
        direction: match direction {
            engine::TraceDirection::Sent => Direction::Sent,
            engine::TraceDirection::Received => Direction::Received,
        },
        transport: match transport {
            engine::Transport::Udp => Transport::Udp,
            engine::Transport::Tcp => Transport::Tcp,
            engine::Transport::Tls => Transport::Tls,
        },
        local,
        remote,
        text,
    };
    traces.add(owner.0, at, message);
}

/// Whether a call is one whose messages somebody will want to see.
pub(super) fn is_failure(outcome: &Outcome) -> bool {
    outcome.cause == CallCause::Failed || matches!(outcome.fault, Fault::Trunk | Fault::Platform)
}
