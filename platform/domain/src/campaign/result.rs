//! What a campaign's calls and numbers come to.

use serde::{Deserialize, Serialize};

use super::RetryOn;
use crate::Fault;

/// What one call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum CallResult {
    /// Answered, and the confirming key was pressed.
    Confirmed = 0,
    /// Answered.
    Answered = 1,
    /// The callee was on the phone.
    Busy = 2,
    /// It rang, and nobody answered.
    NoAnswer = 3,
    /// The callee sent it away.
    Declined = 4,
    /// The network knows no such number.
    NoSuchNumber = 5,
    /// The carriers or we could not connect it.
    Failed = 6,
    /// A rule of the gate let no call through.
    Refused = 7,
    /// It was not dialled, for a reason that passes: the number is put back.
    PutBack = 8,
}

/// What is known of a call that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallFacts<'a> {
    /// The callee answered.
    pub answered: bool,
    /// The confirming key was pressed.
    pub confirmed: bool,
    /// The result callback's reason.
    pub reason: Option<u8>,
    /// The carrier's last answer.
    pub sip_code: Option<u16>,
    /// ITU-T Q.850 cause.
    pub q850: Option<u8>,
    /// Whose fault the end was.
    pub fault: Fault,
    /// It was dialled.
    pub dialled: bool,
    /// The rule that decided.
    pub rule: Option<&'a str>,
}

/// Rules under which a row is given up undialled for good; under every other one its number is put
/// back, and [`decide`](super::decide) is asked again.
const FOR_GOOD: &[&str] = &[
    "emergency",
    "caller_id_owned",
    "caller_id_for_application",
    "caller_id_default",
    "destination_class",
    "trunk_configured",
    "route_trunks",
    "number_readable",
    "application_exists",
    "contents_renderable",
];

impl CallResult {
    /// All, as stored and shown.
    pub const ALL: [Self; 9] = [
        Self::Confirmed,
        Self::Answered,
        Self::Busy,
        Self::NoAnswer,
        Self::Declined,
        Self::NoSuchNumber,
        Self::Failed,
        Self::Refused,
        Self::PutBack,
    ];

    /// What a call counts as.
    pub fn of(facts: &CallFacts<'_>) -> Self {
        if !facts.dialled {
            let for_good = facts.rule.is_some_and(|rule| FOR_GOOD.contains(&rule));
            return if for_good { Self::Refused } else { Self::PutBack };
        }
        if facts.answered {
            return if facts.confirmed { Self::Confirmed } else { Self::Answered };
        }
        match (facts.reason, facts.q850, facts.sip_code, facts.fault) {
            (Some(1), ..) => Self::NoAnswer,
            // Q.850 17: user busy; RFC 3261 §21.4.24, §21.6.1.
            (_, Some(17), ..) | (_, _, Some(486 | 600), _) => Self::Busy,
            (_, _, _, Fault::Client) => Self::NoSuchNumber,
            (_, _, _, Fault::Callee) => Self::Declined,
            _ => Self::Failed,
        }
    }

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::NoSuchNumber => "no_such_number",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::PutBack => "put_back",
        }
    }

    /// The one that is stored as this.
    pub fn from_stored(stored: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|result| *result as i16 == stored)
    }

    /// Whether somebody was called.
    pub const fn was_dialled(self) -> bool {
        !matches!(self, Self::Refused | Self::PutBack)
    }

    /// Whether somebody answered.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Confirmed | Self::Answered)
    }

    /// Under which rule the number may be called again.
    pub(super) const fn retried_on(self, has_key: bool) -> Option<RetryOn> {
        match self {
            Self::Busy => Some(RetryOn::Busy),
            Self::NoAnswer => Some(RetryOn::NoAnswer),
            Self::Failed => Some(RetryOn::Failed),
            Self::Answered if has_key => Some(RetryOn::Unconfirmed),
            Self::Confirmed
            | Self::Answered
            | Self::Declined
            | Self::NoSuchNumber
            | Self::Refused
            | Self::PutBack => None,
        }
    }
}

/// What a number came to in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum NumberResult {
    /// Somebody answered and pressed the confirming key.
    Confirmed = 0,
    /// Somebody answered.
    Answered = 1,
    /// The last call met a busy line.
    Busy = 2,
    /// Nobody answered the last call.
    NoAnswer = 3,
    /// The callee sent the last call away.
    Declined = 4,
    /// There is no such number.
    NoSuchNumber = 5,
    /// The last call could not be connected.
    Failed = 6,
    /// A rule let no call through.
    Refused = 7,
    /// The campaign was cancelled before.
    Cancelled = 8,
}

impl NumberResult {
    /// All, in the order in which they are stored and shown.
    pub const ALL: [Self; 9] = [
        Self::Confirmed,
        Self::Answered,
        Self::Busy,
        Self::NoAnswer,
        Self::Declined,
        Self::NoSuchNumber,
        Self::Failed,
        Self::Refused,
        Self::Cancelled,
    ];

    /// What a number came to whose last call came to this; none where that call put it back.
    pub const fn of_last_call(result: CallResult) -> Option<Self> {
        match result {
            CallResult::Confirmed => Some(Self::Confirmed),
            CallResult::Answered => Some(Self::Answered),
            CallResult::Busy => Some(Self::Busy),
            CallResult::NoAnswer => Some(Self::NoAnswer),
            CallResult::Declined => Some(Self::Declined),
            CallResult::NoSuchNumber => Some(Self::NoSuchNumber),
            CallResult::Failed => Some(Self::Failed),
            CallResult::Refused => Some(Self::Refused),
            CallResult::PutBack => None,
        }
    }

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::NoSuchNumber => "no_such_number",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }

    /// The one that is stored as this.
    pub fn from_stored(stored: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|result| *result as i16 == stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    #[test]
    fn a_call_counts_as_what_the_network_said() {
        let failed = CallFacts {
            answered: false,
            confirmed: false,
            reason: Some(2),
            sip_code: Some(503),
            q850: None,
            fault: Fault::Trunk,
            dialled: true,
            rule: Some("passed"),
        };
        let not_dialled = CallFacts { dialled: false, sip_code: None, ..failed };
        let cases = [
            (CallFacts { answered: true, reason: None, ..failed }, CallResult::Answered),
            (
                CallFacts { answered: true, confirmed: true, reason: None, ..failed },
                CallResult::Confirmed,
            ),
            (CallFacts { reason: Some(1), ..failed }, CallResult::NoAnswer),
            (CallFacts { sip_code: Some(486), fault: Fault::Callee, ..failed }, CallResult::Busy),
            (CallFacts { q850: Some(17), fault: Fault::Callee, ..failed }, CallResult::Busy),
            (
                CallFacts { sip_code: Some(603), fault: Fault::Callee, ..failed },
                CallResult::Declined,
            ),
            (
                CallFacts { sip_code: Some(404), fault: Fault::Client, ..failed },
                CallResult::NoSuchNumber,
            ),
            (failed, CallResult::Failed),
            (CallFacts { fault: Fault::Platform, ..failed }, CallResult::Failed),
            (CallFacts { rule: Some("destination_class"), ..not_dialled }, CallResult::Refused),
            (CallFacts { rule: Some("queue_max_wait"), ..not_dialled }, CallResult::PutBack),
            (CallFacts { rule: Some("campaign_paused"), ..not_dialled }, CallResult::PutBack),
            (CallFacts { rule: Some("trunks_down"), ..not_dialled }, CallResult::PutBack),
        ];
        for (facts, expected) in cases {
            assert_eq!(CallResult::of(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn every_rule_of_the_gate_is_sorted() {
        for rule in policy::Rule::ALL {
            // What is noted of the callee is asked again by the campaign's own rules.
            let passes = matches!(
                rule,
                policy::Rule::TrunksDown
                    | policy::Rule::Passed
                    | policy::Rule::DoNotCall
                    | policy::Rule::CalleeCap
            );
            assert_eq!(FOR_GOOD.contains(&rule.name()), !passes, "{rule:?}");
        }
    }

    #[test]
    fn results_are_stored_by_number() {
        for result in CallResult::ALL {
            assert_eq!(CallResult::from_stored(result as i16), Some(result));
        }
        for result in NumberResult::ALL {
            assert_eq!(NumberResult::from_stored(result as i16), Some(result));
        }
        assert_eq!(CallResult::from_stored(9), None);
    }
}
