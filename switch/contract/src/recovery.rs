use crate::{Peer, Termination};

/// What is needed to end an answered leg without having set it up (RFC 3261 §12): stored with the
/// call when it is answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DialogState {
    /// Call-ID.
    pub call_id: String,
    /// From tag.
    pub local_tag: String,
    /// To tag.
    pub remote_tag: String,
    /// URI of From, without tag.
    pub local_uri: String,
    /// URI of To, without tag.
    pub remote_uri: String,
    /// The peer's Contact: where requests go.
    pub remote_target: String,
    /// Route set, in the order in which a request lists it.
    pub routes: Vec<String>,
    /// The last CSeq that we used.
    pub local_cseq: u32,
}

/// A leg that an earlier process left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Orphan {
    /// An INVITE may have left, and no answer was stored: CANCEL it; a 200 that comes is
    /// acknowledged and ended with BYE.
    Invited {
        /// As it was dialled.
        peer: Peer,
        /// As it was dialled.
        attempt: u8,
        /// As it was dialled.
        to: String,
        /// As it was dialled.
        from: String,
    },
    /// It had been answered: BYE.
    Answered {
        /// As it was dialled.
        peer: Peer,
        /// As stored.
        dialog: DialogState,
    },
}

/// What became of an orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReapOutcome {
    /// It had not been answered (487, or another final failure).
    NeverAnswered(Termination),
    /// It had been answered, and is ended now.
    Ended(Termination),
    /// The peer knows it no longer (481), or did not reply: it is over, how is not known.
    Unknown(Termination),
}
