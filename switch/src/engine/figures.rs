//! Metrics of the signalling. No labels of tenants or trunks: their number has no limit.

use std::net::SocketAddr;
use std::time::Duration;

use yunling_switch_contract::TerminationKind;

/// A leg began.
pub(super) fn leg_began() {
    metrics::gauge!("switch_legs_live").increment(1);
}

/// A leg ended.
pub(super) fn leg_ended(kind: TerminationKind) {
    metrics::gauge!("switch_legs_live").decrement(1);
    metrics::counter!("switch_legs_total", "outcome" => outcome(kind)).increment(1);
}

/// The first reply to an INVITE came after so long.
pub(super) fn first_reply(after: Duration) {
    metrics::histogram!("switch_invite_first_reply_seconds").record(after.as_secs_f64());
}

/// A leg was answered so long after its INVITE.
pub(super) fn answered(after: Duration) {
    metrics::histogram!("switch_invite_answer_seconds").record(after.as_secs_f64());
}

/// A command was dropped because its leg's queue was full.
pub(super) fn command_dropped() {
    metrics::counter!("switch_commands_dropped_total").increment(1);
}

/// A leg panicked.
pub(super) fn leg_panicked() {
    metrics::counter!("switch_leg_panics_total").increment(1);
}

/// A response that asks for a trunk's password came from an address that is not the trunk's, and was
/// dropped: somebody wants the password, or the trunk answers from elsewhere than it is called at.
pub(crate) fn foreign_challenge(source: SocketAddr) {
    tracing::debug!(%source, "a challenge from an address that is not the trunk's was dropped");
    metrics::counter!("switch_sip_dropped_total", "why" => "foreign_challenge").increment(1);
}

const fn outcome(kind: TerminationKind) -> &'static str {
    match kind {
        TerminationKind::Rejected => "rejected",
        TerminationKind::NoReply => "no_reply",
        TerminationKind::Cancelled => "cancelled",
        TerminationKind::CancelledAfterAnswer => "cancelled_after_answer",
        TerminationKind::LocalBye => "local_bye",
        TerminationKind::RemoteBye => "remote_bye",
        TerminationKind::NoCommonMedia => "no_common_media",
        TerminationKind::Unreachable => "unreachable",
        TerminationKind::ConnectionLost => "connection_lost",
        TerminationKind::SessionExpired => "session_expired",
        TerminationKind::EngineFault => "engine_fault",
    }
}
