//! The one stream of facts of a conversation: timeline, status callbacks, server-sent events and the
//! stored story are all views of it.

use serde::{Deserialize, Serialize};

use crate::call_cause::CallCause;
use crate::conversation::{self, ByeType, EndedBy, Party};
use crate::notice::{HangUpWhy, Segment};
use crate::{Fault, Micros, Number, Termination};

/// One fact of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationEvent {
    /// Its place in the conversation, rising by one from 0.
    pub seq: u32,
    /// When it happened.
    pub at: Micros,
    /// Whose leg it happened to, in a conversation of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

impl ConversationEvent {
    /// The stable name of what happened.
    pub const fn kind(&self) -> &'static str {
        self.body.kind()
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// The request was taken and stored.
    Accepted {
        /// Whom to call.
        to: String,
    },
    /// The gate has decided.
    GateDecided {
        /// The deciding rule ([`crate::policy::Rule::name`]).
        rule: String,
        /// Whether the call may go out.
        allowed: bool,
        /// The caller ID shown, where allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Number>,
        /// The trunks to try, in order, where allowed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trunks: Vec<String>,
        /// The prefix of the route that chose them, where one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// No line was free: it waits.
    Queued {
        /// The limit that it waits for.
        limit: String,
    },
    /// An INVITE is on its way.
    Dialling {
        /// 0 for the first trunk tried.
        attempt: u8,
        /// Which of the gate's trunks, counted from 0.
        trunk: usize,
    },
    /// The trunk has taken the call (100).
    Trying,
    /// The phone rings: the first 180, 183 or other 18x.
    Ringing {
        /// The SIP status.
        code: u16,
        /// It carried media.
        early_media: bool,
    },
    /// The callee picked up.
    Answered,
    /// The callee picked up while our CANCEL was on its way: not an answer.
    AnswerCrossedCancel,
    /// A play has begun.
    PlayStarted {
        /// Its number within the call, from 1.
        play: u32,
        /// What is played.
        what: Segment,
        /// The listener asked for it.
        replay: bool,
    },
    /// A key counted.
    KeyPressed {
        /// The key.
        key: char,
        /// What it was taken for.
        meaning: KeyMeaning,
    },
    /// A key did not count.
    KeyIgnored {
        /// The key.
        key: char,
        /// Why not.
        why: KeyIgnored,
    },
    /// A play is over.
    PlayFinished {
        /// Its number.
        play: u32,
        /// It was played to its end.
        completed: bool,
    },
    /// This trunk could not place the call; the next one is tried.
    TrunkFailed {
        /// Which of the gate's trunks, counted from 0.
        trunk: usize,
        /// What the network said.
        termination: Termination,
    },
    /// We asked for the leg's end.
    HangingUp {
        /// Why.
        why: HangUpWhy,
    },
    /// The leg is over.
    Ended {
        /// What the network said.
        termination: Termination,
    },
    /// A third party is to be called.
    ThirdPartyAdded,
    /// Something is played to the party, or over what it hears.
    VoiceStarted {
        /// What.
        what: conversation::Segment,
    },
    /// What was to be played cannot be: the library has lost it.
    VoiceMissing {
        /// What.
        what: conversation::Segment,
        /// Why.
        why: String,
    },
    /// Somebody hears the party before its answer: its network's ringback or announcement.
    EarlyAudio {
        /// Who.
        heard_by: Party,
    },
    /// These hear one another from now on.
    Connected {
        /// Two or three.
        parties: Vec<Party>,
    },
    /// Nobody hears anybody any more.
    Parted,
    /// Nothing is heard of the party: it is taken for gone.
    MediaLost {
        /// For so long, milliseconds.
        silent_ms: u64,
    },
    /// The conversation is being recorded.
    RecordingStarted {
        /// The recording.
        recording: String,
    },
    /// It was to be recorded, and cannot be.
    NotRecorded {
        /// Why.
        why: String,
    },
    /// The recording is complete, as far as it got.
    RecordingEnded {
        /// The recording.
        recording: String,
        /// What it holds, milliseconds.
        duration_ms: u64,
        /// Why it is incomplete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// The conversation is over.
    TalkFinished {
        /// The published `byeType`.
        bye_type: ByeType,
        /// Who or what ended it.
        by: EndedBy,
    },
    /// The call is over and judged.
    Finished {
        /// 0 answered, 1 not.
        result: u8,
        /// 1 not answered, 2 all else; absent when answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<u8>,
        /// The published cause.
        cause: CallCause,
        /// Whose fault it was.
        fault: Fault,
        /// The confirming key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_key: Option<char>,
    },
}

impl EventBody {
    /// Its stable name, as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::GateDecided { .. } => "gate_decided",
            Self::Queued { .. } => "queued",
            Self::Dialling { .. } => "dialling",
            Self::Trying => "trying",
            Self::Ringing { .. } => "ringing",
            Self::Answered => "answered",
            Self::AnswerCrossedCancel => "answer_crossed_cancel",
            Self::PlayStarted { .. } => "play_started",
            Self::KeyPressed { .. } => "key_pressed",
            Self::KeyIgnored { .. } => "key_ignored",
            Self::PlayFinished { .. } => "play_finished",
            Self::TrunkFailed { .. } => "trunk_failed",
            Self::HangingUp { .. } => "hanging_up",
            Self::Ended { .. } => "ended",
            Self::ThirdPartyAdded => "third_party_added",
            Self::VoiceStarted { .. } => "voice_started",
            Self::VoiceMissing { .. } => "voice_missing",
            Self::EarlyAudio { .. } => "early_audio",
            Self::Connected { .. } => "connected",
            Self::Parted => "parted",
            Self::MediaLost { .. } => "media_lost",
            Self::RecordingStarted { .. } => "recording_started",
            Self::NotRecorded { .. } => "not_recorded",
            Self::RecordingEnded { .. } => "recording_ended",
            Self::TalkFinished { .. } => "talk_finished",
            Self::Finished { .. } => "finished",
        }
    }
}

/// What a key was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMeaning {
    /// The listener confirms.
    Finish,
    /// The listener wants to hear it again.
    Repeat,
}

/// Why a key did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyIgnored {
    /// No key is listened for just now.
    OutsideWindow,
    /// It is neither finishkey nor repeatkey.
    NoMatch,
    /// A replay was asked for, but the call has had all the plays that it may have.
    NoMorePlays,
}
