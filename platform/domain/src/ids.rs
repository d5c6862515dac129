//! Identifiers: the form that the published interface shows, and opaque types for what comes in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::Micros;

/// The longest identifier that is taken from outside, in characters (RESOLUTIONS, identifiers).
pub const MAX_ID_CHARS: usize = 64;
/// Sequence numbers wrap here: seven digits. 10 million within one microsecond cannot be minted.
const SEQUENCE_MODULUS: u32 = 10_000_000;

/// What an identifier names; its two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// `RQ`: a request.
    Request,
    /// `CV`: a conversation.
    Conversation,
    /// `CA`: a call, that is one leg.
    Call,
    /// `RE`: a recording.
    Recording,
    /// `EX`: an export of call records, or its schedule. Ours: the document has none.
    Export,
}

impl IdKind {
    /// The two letters.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Request => "RQ",
            Self::Conversation => "CV",
            Self::Call => "CA",
            Self::Recording => "RE",
            Self::Export => "EX",
        }
    }
}

/// Prints an identifier of 34 characters: prefix (2), node (5), `YYYYMMDDHHmmss` in the node's zone
/// (14), microseconds (6), sequence (7, wrapping) (RESOLUTIONS, identifiers). Whoever mints sees to
/// it that (`at`, `sequence`) never comes twice on a node.
pub fn format_id(kind: IdKind, node: NodeNumber, at: Micros, zone: Tz, sequence: u32) -> String {
    format!(
        "{}{}{}{:06}{:07}",
        kind.prefix(),
        node,
        at.stamp14(zone),
        at.micros_of_second(),
        sequence % SEQUENCE_MODULUS
    )
}

/// A node's number: exactly five digits, part of every identifier that it mints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeNumber(u32);

impl FromStr for NodeNumber {
    type Err = BadNodeNumber;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = s.len() == 5 && s.bytes().all(|b| b.is_ascii_digit());
        match s.parse() {
            Ok(number) if digits => Ok(Self(number)),
            _ => Err(BadNodeNumber(s.chars().take(MAX_ID_CHARS).collect())),
        }
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}", self.0)
    }
}

impl TryFrom<String> for NodeNumber {
    type Error = BadNodeNumber;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

impl From<NodeNumber> for String {
    fn from(node: NodeNumber) -> Self {
        node.to_string()
    }
}

/// Not a node number: fault of the node's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a node number: expected exactly five digits, such as \"10000\"")]
pub struct BadNodeNumber(pub String);

/// An identifier from outside that cannot be one of ours: fault of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Nothing there.
    #[error("the identifier is empty")]
    Empty,
    /// More than [`MAX_ID_CHARS`].
    #[error("the identifier has more than {MAX_ID_CHARS} characters")]
    TooLong,
}

macro_rules! opaque_ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        ///
        /// Opaque: nothing parses it and nothing sorts by it.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an identifier that we minted or stored ourselves, as it is.
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            /// The identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Takes an identifier from outside: 1 to [`MAX_ID_CHARS`] characters.
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                check(s).map(Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

opaque_ids! {
    /// Names one request (`RQ…`).
    RequestId
    /// Names one call, that is one leg (`CA…`).
    CallId
    /// Names one conversation (`CV…`).
    ConversationId
    /// Names one recording (`RE…`).
    RecordingId
    /// Names an account (its AccountSid): the tenant in every repository function.
    AccountId
    /// Names an application (its appid).
    ApplicationId
}

fn check(id: &str) -> Result<&str, BadId> {
    match id.chars().count() {
        0 => Err(BadId::Empty),
        1..=MAX_ID_CHARS => Ok(id),
        _ => Err(BadId::TooLong),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_documents_own_cdr_sample() {
        // RESOLUTIONS, identifiers: 34 characters; CA 10002 20190814122702 594510 0000184
        let node = "10002".parse().unwrap();
        let at = Micros(1_565_756_822_594_510);
        let id = format_id(IdKind::Call, node, at, Tz::Asia__Shanghai, 184);
        assert_eq!(id, "CA10002201908141227025945100000184");
        for kind in
            [IdKind::Request, IdKind::Conversation, IdKind::Call, IdKind::Recording, IdKind::Export]
        {
            for sequence in [0, 9_999_999, 10_000_000, u32::MAX] {
                let id = format_id(kind, node, at, Tz::UTC, sequence);
                assert_eq!(id.len(), 34);
                assert!(id.starts_with(kind.prefix()));
            }
        }
    }

    #[test]
    fn node_numbers_are_five_digits() {
        for good in ["10000", "00007", "99999"] {
            assert_eq!(good.parse::<NodeNumber>().unwrap().to_string(), good);
        }
        for bad in ["", "1000", "100000", "1000a", "+1000", "１００００"] {
            let error = bad.parse::<NodeNumber>().unwrap_err();
            assert!(error.to_string().contains("five digits"), "{bad}");
        }
    }

    #[test]
    fn identifiers_from_outside_are_opaque_and_at_most_64_characters() {
        for good in ["x", "2016010000000205", &"长".repeat(64)] {
            assert_eq!(good.parse::<CallId>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<CallId>(), Err(BadId::Empty));
        assert_eq!("x".repeat(65).parse::<RequestId>(), Err(BadId::TooLong));
    }
}
