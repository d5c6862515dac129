use std::fmt;

/// The network's fact about how a leg ended. What it means (`callCause`, `reason`, failover) is the
/// platform's to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// What ended it.
    pub kind: TerminationKind,
    /// The final SIP status, where there was one.
    pub sip_code: Option<u16>,
    /// The Q.850 cause of a Reason header (RFC 3326), where there was one.
    pub q850: Option<u8>,
    /// The peer's own words (reason phrase or Reason text), at most 128 characters.
    pub text: String,
}

/// What ended a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminationKind {
    /// A final answer of 300 to 699 that we did not ask for.
    Rejected,
    /// Not a single reply to the INVITE before the platform gave up, or before timer B.
    NoReply,
    /// We cancelled it before an answer.
    Cancelled,
    /// Our CANCEL crossed a 200: acknowledged and ended with BYE (RFC 3261 §9.1, §15).
    CancelledAfterAnswer,
    /// We sent BYE.
    LocalBye,
    /// The peer sent BYE.
    RemoteBye,
    /// The answer's media cannot be used; acknowledged and ended with BYE.
    NoCommonMedia,
    /// The trunk's address cannot be resolved or its connection not made.
    Unreachable,
    /// The connection to the trunk broke after it had replied to the INVITE and before an answer:
    /// whether a phone rings is not known, so nobody else may be tried.
    ConnectionLost,
    /// A session timer ran out without a refresh, or the peer no longer knew the call when it was
    /// refreshed (RFC 4028 §10).
    SessionExpired,
    /// A fault of the engine's.
    EngineFault,
}

impl Termination {
    /// A termination with no status of the network.
    pub fn new(kind: TerminationKind) -> Self {
        Self { kind, sip_code: None, q850: None, text: String::new() }
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        if let Some(code) = self.sip_code {
            write!(f, " {code}")?;
        }
        if let Some(cause) = self.q850 {
            write!(f, " Q.850 {cause}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {:?}", self.text)?;
        }
        Ok(())
    }
}
