//! What a termination means: the published causes, whose fault it was, and whether another trunk
//! may be tried (RESOLUTIONS, "Why a leg failed").

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::notice::HangUpWhy;
use crate::termination::{EndKind, Termination};

/// `callCause`, `cause` of the published interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallCause {
    /// Busy, rejected, cancelled, no reply, anything else.
    Failed,
    /// The network says that nobody answered.
    NoAnswer,
    /// Our own ring timer ran out.
    TimeOut,
    /// It was answered and ended.
    Completed,
}

impl CallCause {
    /// Its value on the published surface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::TimeOut => "time-out",
            Self::Completed => "completed",
        }
    }

    /// `reason` of a notice's or captcha's result callback: absent when it was answered, 1 for not
    /// answered, 2 for all else (RESOLUTIONS, result callback).
    pub const fn reason(self) -> Option<u8> {
        match self {
            Self::Completed => None,
            Self::NoAnswer | Self::TimeOut => Some(1),
            Self::Failed => Some(2),
        }
    }
}

/// What we know of a leg besides how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LegFacts {
    /// A 180, 183 or other 18x came: somebody may have been rung.
    pub saw_18x: bool,
    /// It was answered; not by a 200 that crossed our CANCEL.
    pub answered: bool,
    /// What we asked its end for first, if we did.
    pub hung_up: Option<HangUpWhy>,
}

/// What a leg's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The published cause.
    pub call_cause: CallCause,
    /// Whose fault it was.
    pub fault: Fault,
}

/// Judges a leg's end, in the order of RESOLUTIONS: our own ring timer, our own CANCEL, Q.850, 480,
/// 408 or 487 after an 18x, everything else.
pub fn judge(termination: &Termination, facts: &LegFacts) -> Verdict {
    if facts.answered {
        return Verdict {
            call_cause: CallCause::Completed,
            fault: fault_after_answer(termination, facts),
        };
    }
    let (call_cause, fault) = match facts.hung_up {
        Some(HangUpWhy::RingTimeout) => (CallCause::TimeOut, Fault::Callee),
        Some(HangUpWhy::NoReply) => (CallCause::Failed, Fault::Trunk),
        Some(HangUpWhy::PlatformFault) => (CallCause::Failed, Fault::Platform),
        Some(_) => (CallCause::Failed, Fault::Client),
        None => unasked(termination, facts.saw_18x),
    };
    Verdict { call_cause, fault }
}

/// Whether the next trunk may be dialled: only before any 18x and any answer, on 5xx, 408 or no
/// reply, so that nobody is rung twice (RESOLUTIONS, failover). A trunk that cannot be reached at
/// all counts as one that gives no reply. A leg that we ended for any other reason is not retried.
///
/// A trunk whose first reply comes too late has taken the call on. It is left for the next one only
/// if it says that the call is off (487, or a failure that would have allowed it anyway): as long as
/// it says nothing, the phone may be about to ring.
pub fn may_fail_over(termination: &Termination, facts: &LegFacts) -> bool {
    if facts.saw_18x || facts.answered {
        return false;
    }
    let gave_up_on_silence = match facts.hung_up {
        None => false,
        Some(HangUpWhy::NoReply) => true,
        Some(_) => return false,
    };
    match termination.kind {
        EndKind::NoReply | EndKind::Unreachable => true,
        EndKind::Rejected => matches!(termination.sip_code, Some(408 | 500..=599)),
        EndKind::Cancelled => {
            gave_up_on_silence && matches!(termination.sip_code, Some(408 | 487 | 500..=599))
        }
        EndKind::CancelledAfterAnswer
        | EndKind::LocalBye
        | EndKind::RemoteBye
        | EndKind::NoCommonMedia
        | EndKind::ConnectionLost
        | EndKind::SessionExpired
        | EndKind::Refused
        | EndKind::EngineFault => false,
    }
}

/// A failure that we did not ask for.
fn unasked(termination: &Termination, saw_18x: bool) -> (CallCause, Fault) {
    match (termination.q850, termination.sip_code) {
        (Some(18 | 19), _) => (CallCause::NoAnswer, Fault::Callee),
        (Some(17 | 20 | 21), _) => (CallCause::Failed, Fault::Callee),
        (_, Some(480 | 408 | 487)) if saw_18x => (CallCause::NoAnswer, Fault::Callee),
        (_, code) => (CallCause::Failed, fault_of(termination.kind, code)),
    }
}

fn fault_of(kind: EndKind, sip_code: Option<u16>) -> Fault {
    match (kind, sip_code) {
        (EndKind::EngineFault, _) => Fault::Platform,
        (EndKind::Refused, _) => Fault::Client,
        // RFC 3261 §21.4.24, §21.6: busy, away, unwilling; RFC 8197: unwanted
        (_, Some(480 | 486 | 487 | 600 | 603 | 607)) => Fault::Callee,
        // RFC 3261 §21.4.5, §21.4.11, §21.4.22, §21.6.3: no such number
        (_, Some(404 | 410 | 484 | 604)) => Fault::Client,
        _ => Fault::Trunk,
    }
}

fn fault_after_answer(termination: &Termination, facts: &LegFacts) -> Fault {
    match (termination.kind, facts.hung_up) {
        (EndKind::EngineFault, _) => Fault::Platform,
        (EndKind::RemoteBye, _) => Fault::Nobody,
        (EndKind::SessionExpired, _) => Fault::Trunk,
        (_, Some(HangUpWhy::PlatformFault)) => Fault::Platform,
        (_, Some(HangUpWhy::MediaLost)) => Fault::Trunk,
        _ => Fault::Nobody,
    }
}

#[cfg(test)]
mod tests;
