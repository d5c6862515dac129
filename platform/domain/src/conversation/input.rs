use super::{Addition, Party};
use crate::Termination;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The permits are taken: begin.
    Start,
    /// Something happened to a party's leg.
    Leg(Party, LegInput),
    /// A timer fired.
    Timer(Timer),
    /// addCall. Answered by [`super::Output::Added`] or [`super::Output::NotAdded`].
    Add(Addition),
    /// cancelCall, or an operator.
    Cancel,
    /// The node stops and has waited long enough: end now.
    Shutdown,
}

/// What happened to a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegInput {
    /// The gate has said over how many trunks it may be tried; before that it is
    /// [`super::Reach::trunks`].
    Routed {
        /// At least 1.
        trunks: usize,
    },
    /// It has no line yet and looks for one: its time to reply and to ring has not begun.
    Waits,
    /// Its INVITE leaves: from now on it may keep silent, and ring, for so long.
    Sent,
    /// The trunk replied 100.
    Trying,
    /// The trunk replied 180, 183 or another 18x.
    Ringing {
        /// The SIP status.
        code: u16,
        /// It carried a description of media.
        early_media: bool,
    },
    /// The first audio of it arrived before its answer.
    EarlyAudio,
    /// It picked up, and media was agreed on.
    Answered,
    /// A play is over.
    PlayFinished {
        /// The play.
        play: u32,
    },
    /// Nothing is heard of it any more: taken for a hang-up (RESOLUTIONS, byeType).
    MediaLost,
    /// It is over.
    Ended(Termination),
}

/// What a timer is for. There is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The trunk has not replied at all; from the INVITE until any reply.
    NoReply(Party),
    /// The phone has not been answered; from the INVITE until the answer.
    Ring(Party),
    /// Audio was promised with a 18x and does not flow: the ringback tone is played instead.
    EarlyAudio(Party),
    /// A minute of talk is left.
    LastMinute,
    /// The talk has reached its greatest length; from the first bridge.
    MaxDuration,
}
