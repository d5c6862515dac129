use serde::{Deserialize, Serialize};

use super::{Outcome, Party, Timer};
use crate::Termination;
use crate::call_cause::CallCause;
use crate::notice::HangUpWhy;

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Call a party over a trunk. The leg's end is always reported with
    /// [`super::LegInput::Ended`].
    Dial {
        /// The party.
        party: Party,
        /// 0 for the first trunk tried.
        attempt: u8,
    },
    /// Play to one party alone, cutting what it was played before. Its end is reported with
    /// [`super::LegInput::PlayFinished`], but for what is [`Segment::repeats`].
    Play {
        /// The party.
        party: Party,
        /// The play's number within the party's leg, from 1.
        play: u32,
        /// What to play.
        what: Segment,
    },
    /// Stop a play at once.
    StopPlay {
        /// The party.
        party: Party,
        /// The play.
        play: u32,
    },
    /// Play over what a party hears, without any report.
    Announce {
        /// The party.
        party: Party,
        /// What to play.
        what: Segment,
    },
    /// Who hears whom from now on; replaces what was said before. What is played to a party goes
    /// before what it would hear.
    Connect(Connection),
    /// Start the conversation's recording. Comes once at most.
    StartRecording,
    /// End it; its file is complete then.
    StopRecording,
    /// End a leg.
    HangUp {
        /// The party.
        party: Party,
        /// Why.
        why: HangUpWhy,
    },
    /// Start a timer; one with the same name is replaced.
    Arm {
        /// What for.
        timer: Timer,
        /// When it fires, from now.
        after_ms: u32,
    },
    /// Stop a timer.
    Disarm(Timer),
    /// A status callback of a party is due.
    Status {
        /// The party.
        party: Party,
        /// Its state.
        status: CallStatus,
        /// `callCause`, on `completed` only.
        cause: Option<CallCause>,
        /// Additive `hangupReason`, on `completed` only.
        hangup_reason: Option<&'static str>,
    },
    /// A trunk could not place a party's call; the next one is tried.
    TrunkFailed {
        /// The party.
        party: Party,
        /// Which of its trunks, counted from 0.
        attempt: u8,
        /// What the network said.
        termination: Termination,
    },
    /// A party picked up while our CANCEL was on its way: not an answer.
    AnswerCrossedCancel(Party),
    /// The addCall was taken: this is the third party.
    Added(Party),
    /// The addCall was refused.
    NotAdded(AddRefusal),
    /// The conversation is over: write the record. Comes exactly once, and last.
    Finished(Outcome),
}

/// Who hears whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Nobody anybody.
    Apart,
    /// One party hears another, who has not answered yet.
    EarlyAudio {
        /// Who is heard.
        from: Party,
        /// Who hears.
        to: Party,
    },
    /// All of these hear one another; two or three.
    Together(Vec<Party>),
}

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// `greetVoice`.
    Greeting,
    /// 450 Hz, 1 s on, 4 s off.
    RingbackTone,
    /// `ringbackVoice` or its default.
    RingbackVoice,
    /// The busy tone, for some seconds.
    BusyTone,
    /// `failVoice` or its default.
    FailVoice,
    /// `callerVoice`.
    CallerVoice,
    /// `calleeVoice`.
    CalleeVoice,
    /// For those who wait while a third party is called.
    HoldMusic,
    /// `lastMinVoice` or its default.
    LastMinute,
}

impl Segment {
    /// Whether it begins anew at its end, until it is stopped or replaced.
    pub const fn repeats(self) -> bool {
        matches!(self, Self::RingbackTone | Self::RingbackVoice | Self::HoldMusic)
    }
}

/// `callStatus` of the published status callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStatus {
    /// An INVITE is about to leave.
    Initiated,
    /// The first 18x came.
    Ringing,
    /// It picked up.
    Answered,
    /// It is over.
    Completed,
}

impl CallStatus {
    /// Its value in callbacks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Completed => "completed",
        }
    }
}

/// Why an addCall is refused (RESOLUTIONS, addCall refused).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddRefusal {
    /// The two are not connected yet.
    NotBridged,
    /// There are three, the one being called included.
    AlreadyThree,
    /// It is ending, or over.
    Ended,
}
