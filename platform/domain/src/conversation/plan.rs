use serde::{Deserialize, Serialize};

/// What a conversation is to do: the request's wishes and the settings in force when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How the caller is reached.
    pub caller: Reach,
    /// How the callee is reached.
    pub callee: Reach,
    /// What is played round the callee's call.
    pub voices: Voices,
    /// When recording starts.
    pub record: Record,
    /// The longest talk, counted from the first bridge.
    pub max_duration_s: Option<u32>,
}

/// How a party is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How many trunks may be tried, in order; at least 1.
    pub trunks: usize,
    /// How long it may ring, from the INVITE on.
    pub ring_ms: u32,
    /// How long a trunk may keep silent before the next one is tried.
    pub no_reply_ms: u32,
}

/// What is played round one party's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Voices {
    /// `greetVoice`: before the party is dialled, to whoever has it called.
    pub greets: bool,
    /// `ringbackMode`.
    pub ringback: Ringback,
    /// `callerVoice`: once the party has answered, to whoever had it called.
    pub caller_voice: bool,
    /// `calleeVoice`: once it has answered, to the party.
    pub callee_voice: bool,
}

/// `ringbackMode`: what is heard while a party is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ringback {
    /// 0: the party's early media and announcements; tones where none flow.
    #[default]
    PassThrough,
    /// 1: `ringbackVoice` and `failVoice`, or their defaults.
    Custom,
}

/// `record`: when recording starts. It ends with the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// 0: never.
    #[default]
    Off,
    /// 1: when the party called rings; with its answer where it never rang.
    FromRinging,
    /// 2: when it answers.
    FromAnswer,
}

/// An addCall: the third party and what is played round its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addition {
    /// How the third party is reached; its `timeout` is the ring time.
    pub reach: Reach,
    /// What is played round its call.
    pub voices: Voices,
    /// Starts a recording where none runs.
    pub record: Record,
}
