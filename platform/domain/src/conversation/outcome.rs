use serde::{Deserialize, Serialize};

use super::Party;
use crate::call_cause::CallCause;
use crate::notice::HangUpWhy;
use crate::{Fault, Micros, Termination};

/// What a conversation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Every party's leg, by `callSeq`.
    pub legs: Vec<LegOutcome>,
    /// When its parties were first connected.
    pub bridged_at: Option<Micros>,
    /// When recording started.
    pub recorded_from: Option<Micros>,
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The published `byeType`.
    pub bye_type: ByeType,
    /// Additive `endedBy`.
    pub by: EndedBy,
}

/// `byeType` (RESOLUTIONS, byeType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum ByeType {
    /// 0: the caller's leg failed or was not answered.
    CallerNotAnswered,
    /// 1: the caller left, or the call was cancelled, between its answer and the callee's.
    CallerLeftEarly,
    /// 2: the callee's leg failed or was not answered.
    CalleeNotAnswered,
    /// 3: the caller hung up, or a third party did last, or the call was cancelled, from the
    /// callee's answer on.
    CallerHungUp,
    /// 4: the callee hung up.
    CalleeHungUp,
    /// 5: the greatest length was reached.
    TimeLimit,
}

impl ByeType {
    /// Its published number.
    pub const fn number(self) -> u8 {
        match self {
            Self::CallerNotAnswered => 0,
            Self::CallerLeftEarly => 1,
            Self::CalleeNotAnswered => 2,
            Self::CallerHungUp => 3,
            Self::CalleeHungUp => 4,
            Self::TimeLimit => 5,
        }
    }
}

impl TryFrom<u8> for ByeType {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        [
            Self::CallerNotAnswered,
            Self::CallerLeftEarly,
            Self::CalleeNotAnswered,
            Self::CallerHungUp,
            Self::CalleeHungUp,
            Self::TimeLimit,
        ]
        .into_iter()
        .find(|bye_type| bye_type.number() == number)
        .ok_or_else(|| format!("byeType {number}: expected 0 to 5"))
    }
}

impl From<ByeType> for u8 {
    fn from(bye_type: ByeType) -> Self {
        bye_type.number()
    }
}

/// Who or what ended a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The caller, or its leg's failure.
    Caller,
    /// The callee, or its leg's failure.
    Callee,
    /// A third party, the last but one to leave.
    ThirdParty,
    /// cancelCall, or an operator.
    Api,
    /// Its greatest length.
    TimeLimit,
    /// The node stopped.
    Platform,
}

impl EndedBy {
    /// Its value in callbacks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::ThirdParty => "third_party",
            Self::Api => "api",
            Self::TimeLimit => "time_limit",
            Self::Platform => "platform",
        }
    }
}

impl Outcome {
    /// Additive `hangupReason` of the whole: that of whoever ended it.
    pub fn hangup_reason(&self) -> &'static str {
        let of = |party: Party| self.legs.iter().find(|leg| leg.party == party);
        let last_third = || self.legs.iter().filter(|leg| leg.party > Party::CALLEE);
        let leg = match self.ending.by {
            EndedBy::Api => return HangUpWhy::Requested.name(),
            EndedBy::TimeLimit => return HangUpWhy::MaxDuration.name(),
            EndedBy::Platform => return HangUpWhy::PlatformFault.name(),
            EndedBy::Caller => of(Party::CALLER),
            EndedBy::Callee => of(Party::CALLEE),
            EndedBy::ThirdParty => last_third().max_by_key(|leg| leg.ended_at),
        };
        leg.map_or(HangUpWhy::Normal.name(), LegOutcome::hangup_reason)
    }
}

impl LegOutcome {
    /// Additive `hangupReason`: why we hung up, or else what ended it.
    pub const fn hangup_reason(&self) -> &'static str {
        match self.hung_up {
            Some(why) => why.name(),
            None => self.termination.kind.name(),
        }
    }
}

/// What one leg came to. Stored with a leg that has left, so its form is one that older rows have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegOutcome {
    /// Whose it was.
    pub party: Party,
    /// The first dial.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer; none for one that crossed our CANCEL.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// The published cause.
    pub cause: CallCause,
    /// Whose fault it was.
    pub fault: Fault,
    /// The network's fact of the last attempt.
    pub termination: Termination,
    /// How many trunks were tried.
    pub attempts: u8,
    /// What we asked its end for first, if we did.
    pub hung_up: Option<HangUpWhy>,
    /// It picked up while our CANCEL was on its way.
    pub crossed_answer: bool,
}
