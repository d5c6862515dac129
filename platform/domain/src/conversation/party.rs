use serde::{Deserialize, Serialize};
use std::fmt;

/// A party of a conversation, by the order in which the parties were dialled: `callSeq` of the
/// published call record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Party(pub u8);

impl Party {
    /// Who is rung first.
    pub const CALLER: Self = Self(0);
    /// Whom the caller is connected to. When the callee leaves, the conversation is over.
    pub const CALLEE: Self = Self(1);
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CALLER => f.write_str("caller"),
            Self::CALLEE => f.write_str("callee"),
            Self(seq) => write!(f, "third-{seq}"),
        }
    }
}
