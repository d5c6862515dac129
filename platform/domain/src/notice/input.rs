use serde::{Deserialize, Serialize};

use crate::Termination;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The dispatcher has taken the permits: begin.
    Start,
    /// The trunk replied 100.
    Trying,
    /// The trunk replied 180, 183 or another 18x.
    Ringing {
        /// The SIP status.
        code: u16,
        /// It carried media.
        early_media: bool,
    },
    /// The callee picked up, and media was agreed on.
    Answered,
    /// A key was pressed.
    Key(char),
    /// A play got to a mark.
    MarkReached {
        /// The play.
        play: u32,
        /// The mark.
        mark: u32,
    },
    /// A play is over.
    PlayFinished {
        /// The play.
        play: u32,
        /// It was played to its end.
        completed: bool,
    },
    /// The leg is over.
    LegEnded(Termination),
    /// A timer fired.
    Timer(TimerReason),
    /// The tenant or an operator wants the call to end.
    Cancel,
    /// The node stops and has waited long enough: end now.
    Shutdown,
}

/// What a timer is for. There is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerReason {
    /// The trunk has not replied at all; from the dial until any reply.
    NoReply,
    /// The phone has not been answered; from the dial until the answer.
    Ring,
    /// The call has reached its greatest length; from the answer.
    MaxDuration,
    /// Keys are no longer taken; from the end of a play.
    KeyWindow,
    /// A play was cut though we did not stop it: the leg's end should be reported at once.
    LegEnd,
}

impl TimerReason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NoReply, Self::Ring, Self::MaxDuration, Self::KeyWindow, Self::LegEnd];
}
