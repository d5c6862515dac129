//! The one place where the engine's words become the domain's, and back. Every `match` is
//! exhaustive: a new event or command of the engine fails to compile here until it has a meaning.

use yunling_domain::conversation::LegInput;
use yunling_domain::notice::{HangUpWhy, Input};
use yunling_domain::termination::{EndKind, Termination};
use yunling_domain::trunk_health::TrunkFact;
use yunling_switch_contract as engine;

/// What an engine event of a notice's leg means to the machine; nothing for a recovery's.
pub(super) fn input(kind: &engine::EventKind) -> Option<Input> {
    Some(match kind {
        engine::EventKind::Trying => Input::Trying,
        engine::EventKind::Ringing { code, early_media } => {
            Input::Ringing { code: *code, early_media: *early_media }
        }
        engine::EventKind::Answered { .. } => Input::Answered,
        engine::EventKind::Key { key, source: _ } => Input::Key(*key),
        engine::EventKind::PlayMark { play, mark } => {
            Input::MarkReached { play: play.0, mark: *mark }
        }
        engine::EventKind::PlayFinished { play, end } => Input::PlayFinished {
            play: play.0,
            completed: match end {
                engine::PlayEnd::Completed => true,
                engine::PlayEnd::Cut | engine::PlayEnd::LegEnded | engine::PlayEnd::Refused => {
                    false
                }
            },
        },
        engine::EventKind::Ended { termination: ended, figures: _ } => {
            Input::LegEnded(termination(ended))
        }
        // A notice connects nobody and records nobody; its legs end by themselves.
        engine::EventKind::EarlyAudio
        | engine::EventKind::MediaLost { .. }
        | engine::EventKind::Recorded { .. }
        | engine::EventKind::Reaped { .. } => return None,
    })
}

/// What an engine event of a click-to-call leg means to the machine.
pub(super) fn leg_input(kind: &engine::EventKind) -> Option<LegInput> {
    Some(match kind {
        engine::EventKind::Trying => LegInput::Trying,
        engine::EventKind::Ringing { code, early_media } => {
            LegInput::Ringing { code: *code, early_media: *early_media }
        }
        engine::EventKind::EarlyAudio => LegInput::EarlyAudio,
        engine::EventKind::Answered { .. } => LegInput::Answered,
        engine::EventKind::PlayFinished { play, end } => match end {
            engine::PlayEnd::Completed | engine::PlayEnd::Refused => {
                LegInput::PlayFinished { play: play.0 }
            }
            // Whoever has left has not heard it to its end: its own end follows.
            engine::PlayEnd::Cut | engine::PlayEnd::LegEnded => return None,
        },
        engine::EventKind::MediaLost { .. } => LegInput::MediaLost,
        engine::EventKind::Ended { termination: ended, figures: _ } => {
            LegInput::Ended(termination(ended))
        }
        // Keys go from phone to phone; a recording is the conversation's, not a leg's.
        engine::EventKind::Key { .. }
        | engine::EventKind::PlayMark { .. }
        | engine::EventKind::Recorded { .. }
        | engine::EventKind::Reaped { .. } => return None,
    })
}

/// The network's fact in the domain's words.
pub(super) fn termination(ended: &engine::Termination) -> Termination {
    Termination {
        kind: match ended.kind {
            engine::TerminationKind::Rejected => EndKind::Rejected,
            engine::TerminationKind::NoReply => EndKind::NoReply,
            engine::TerminationKind::Cancelled => EndKind::Cancelled,
            engine::TerminationKind::CancelledAfterAnswer => EndKind::CancelledAfterAnswer,
            engine::TerminationKind::LocalBye => EndKind::LocalBye,
            engine::TerminationKind::RemoteBye => EndKind::RemoteBye,
            engine::TerminationKind::NoCommonMedia => EndKind::NoCommonMedia,
            engine::TerminationKind::Unreachable => EndKind::Unreachable,
            engine::TerminationKind::ConnectionLost => EndKind::ConnectionLost,
            engine::TerminationKind::SessionExpired => EndKind::SessionExpired,
            engine::TerminationKind::EngineFault => EndKind::EngineFault,
        },
        sip_code: ended.sip_code,
        q850: ended.q850,
        text: ended.text.clone(),
    }
}

/// What the engine's news of a trunk say of its health.
pub(super) fn trunk_fact(kind: &engine::TrunkEventKind) -> TrunkFact {
    match kind {
        engine::TrunkEventKind::Registered { expires_s } => {
            TrunkFact::Registered { expires_s: *expires_s }
        }
        engine::TrunkEventKind::NotRegistered { sip_code, text, retry_ms: _ } => {
            TrunkFact::NotRegistered { sip_code: *sip_code, text: text.clone() }
        }
        engine::TrunkEventKind::Alive { sip_code: _, round_trip_ms } => {
            TrunkFact::ProbeAnswered { round_trip_ms: *round_trip_ms }
        }
        engine::TrunkEventKind::Silent { sip_code, text, times } => {
            TrunkFact::ProbeSilent { sip_code: *sip_code, text: text.clone(), times: *times }
        }
    }
}

/// Why the machine hangs up, in the engine's words.
pub(super) fn hang_up(why: HangUpWhy) -> engine::HangUpWhy {
    match why {
        HangUpWhy::Normal => engine::HangUpWhy::Normal,
        HangUpWhy::RingTimeout => engine::HangUpWhy::RingTimeout,
        HangUpWhy::NoReply => engine::HangUpWhy::NoReply,
        HangUpWhy::MaxDuration => engine::HangUpWhy::MaxDuration,
        HangUpWhy::Requested => engine::HangUpWhy::Requested,
        HangUpWhy::OtherPartyLeft => engine::HangUpWhy::OtherPartyLeft,
        // In case that it still hears us: all has been said.
        HangUpWhy::MediaLost => engine::HangUpWhy::Normal,
        HangUpWhy::PlatformFault => engine::HangUpWhy::PlatformFault,
    }
}
