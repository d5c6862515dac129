//! The network's fact about how a leg ended: the domain's own mirror of what a call engine reports.
//! What it means (callCause, reason, failover) is decided in [`crate::call_cause`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// How and by whom a leg was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// What ended it.
    pub kind: EndKind,
    /// The final SIP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sip_code: Option<u16>,
    /// The Q.850 cause of a Reason header (RFC 3326), where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q850: Option<u8>,
    /// The peer's own words, at most 128 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// A final answer of 300 to 699 that we did not ask for.
    Rejected,
    /// Not a single reply to the INVITE.
    NoReply,
    /// We cancelled it before an answer.
    Cancelled,
    /// Our CANCEL crossed a 200, which was acknowledged and ended with BYE.
    CancelledAfterAnswer,
    /// We sent BYE.
    LocalBye,
    /// The peer sent BYE.
    RemoteBye,
    /// The answer's media could not be used; acknowledged and ended with BYE.
    NoCommonMedia,
    /// The trunk's address could not be resolved or its connection not made.
    Unreachable,
    /// The connection to the trunk broke after a reply and before an answer: whether a phone rings is
    /// not known.
    ConnectionLost,
    /// The call's session timer ran out: the peer is gone.
    SessionExpired,
    /// The gate or a limit of ours refused it: nothing was dialled.
    Refused,
    /// A fault of the engine's.
    EngineFault,
}

impl EndKind {
    /// Its stable name in stories and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::NoReply => "no_reply",
            Self::Cancelled => "cancelled",
            Self::CancelledAfterAnswer => "cancelled_after_answer",
            Self::LocalBye => "local_bye",
            Self::RemoteBye => "remote_bye",
            Self::NoCommonMedia => "no_common_media",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection_lost",
            Self::SessionExpired => "session_expired",
            Self::Refused => "refused",
            Self::EngineFault => "engine_fault",
        }
    }
}

impl Termination {
    /// A termination with no status of the network.
    pub fn new(kind: EndKind) -> Self {
        Self { kind, sip_code: None, q850: None, text: String::new() }
    }

    /// A final SIP answer that we did not ask for.
    pub fn rejected(sip_code: u16) -> Self {
        Self { sip_code: Some(sip_code), ..Self::new(EndKind::Rejected) }
    }

    /// The same with a Q.850 cause.
    #[must_use]
    pub fn with_q850(self, cause: u8) -> Self {
        Self { q850: Some(cause), ..self }
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(code) = self.sip_code {
            write!(f, ", SIP {code}")?;
        }
        if let Some(cause) = self.q850 {
            write!(f, ", Q.850 {cause}")?;
        }
        if !self.text.is_empty() {
            write!(f, ", {:?}", self.text)?;
        }
        Ok(())
    }
}
