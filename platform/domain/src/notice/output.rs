use serde::{Deserialize, Serialize};

use super::{Outcome, TimerReason};
use crate::event::EventBody;

/// The mark that the shell sets before the last content of every play of the contents: keys are
/// taken from there on.
pub const LAST_CONTENT_MARK: u32 = 1;

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Place the call. The leg's end is always reported with [`super::Input::LegEnded`].
    Dial {
        /// 0 for the first, 1 for the next.
        attempt: u8,
        /// Which trunk, counted from 0.
        trunk: usize,
    },
    /// Play to the leg; its end is reported with [`super::Input::PlayFinished`].
    Play {
        /// The play's number within the call, from 1.
        play: u32,
        /// What to play.
        what: Segment,
    },
    /// Stop a play at once.
    StopPlay {
        /// The play.
        play: u32,
    },
    /// Whether keys are awaited from now on.
    AwaitKeys(bool),
    /// End the leg.
    HangUp(HangUpWhy),
    /// Start a timer; one with the same reason is replaced.
    Arm {
        /// What for.
        timer: TimerReason,
        /// When it fires, from now.
        after_ms: u32,
    },
    /// Stop a timer.
    Disarm(TimerReason),
    /// Tell the story on.
    Event(EventBody),
    /// The call is over: write the record. Comes exactly once, and last.
    Finished(Outcome),
}

/// What a play is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// All contents, with [`LAST_CONTENT_MARK`] before the last one.
    Contents,
    /// `finishvoice`.
    FinishVoice,
}

/// Why we end a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangUpWhy {
    /// All was said.
    Normal,
    /// It rang for too long.
    RingTimeout,
    /// The trunk gave no sign of life in time.
    NoReply,
    /// The call reached its greatest length.
    MaxDuration,
    /// Somebody asked for it.
    Requested,
    /// The other party left.
    OtherPartyLeft,
    /// Nothing was heard of it any more: its network or its media is gone.
    MediaLost,
    /// A fault of ours, or shutdown.
    PlatformFault,
}

impl HangUpWhy {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::RingTimeout => "ring_timeout",
            Self::NoReply => "no_reply",
            Self::MaxDuration => "max_duration",
            Self::Requested => "requested",
            Self::OtherPartyLeft => "other_party_left",
            Self::MediaLost => "media_lost",
            Self::PlatformFault => "platform_fault",
        }
    }
}
