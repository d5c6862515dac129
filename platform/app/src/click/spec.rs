use serde::{Deserialize, Serialize};
use yunling_domain::conversation::{Record, Ringback};

/// What a click2call asks for, as it is stored with the request: every default is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickSpec {
    /// `caller`: rung first.
    pub caller: Side,
    /// `callee`: rung on the caller's behalf.
    pub callee: Side,
    /// What is played round the callee's call.
    pub voices: VoiceNames,
    /// `ringbackMode`.
    pub ringback: Ringback,
    /// `record`.
    pub record: Record,
    /// `maxDuration`, seconds from the first bridge; absent: no limit.
    pub max_duration_s: Option<u32>,
    /// `lastMinVoice`, by its name in the application's media library.
    pub last_minute_voice: Option<String>,
    /// Additive `maskedCallee`: numbers of those who are called are shown masked.
    #[serde(default)]
    pub masked: bool,
    /// For whom a browser token made it: the token's subject, who may read and cancel it; absent
    /// where it was made with other credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

impl ClickSpec {
    /// The prompts of the media library that it names.
    pub(crate) fn prompts(&self) -> impl Iterator<Item = &str> {
        let VoiceNames { greet, ringback, fail, caller, callee } = &self.voices;
        let names = [greet, ringback, fail, caller, callee, &self.last_minute_voice];
        names.into_iter().filter_map(Option::as_deref)
    }
}

/// One party as it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The number as it is stored and dialled ([`yunling_domain::Number::stored`]).
    pub number: String,
    /// The same as callbacks show it: the national form.
    pub shown: String,
    /// The line number shown to the party, as it is stored.
    pub line: String,
}

/// Prompts by their names in the application's media library; absent: the default, or none where
/// there is no default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoiceNames {
    /// `greetVoice`: before the party is dialled.
    pub greet: Option<String>,
    /// `ringbackVoice`.
    pub ringback: Option<String>,
    /// `failVoice`.
    pub fail: Option<String>,
    /// `callerVoice`.
    pub caller: Option<String>,
    /// `calleeVoice`.
    pub callee: Option<String>,
}

/// What an addCall asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdditionSpec {
    /// The third party.
    pub callee: Side,
    /// What is played round its call.
    pub voices: VoiceNames,
    /// `ringbackMode`.
    pub ringback: Ringback,
    /// `record`: from when a recording is started where none runs.
    pub record: Record,
    /// `timeout`: how long it may ring, seconds.
    pub timeout_s: u32,
}
