use std::fmt;
use std::str::FromStr;

/// A scope as a type.
pub trait ScopeKind {
    /// The scope that it stands for.
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident $text:literal;)+) => {
        /// What an API key may be allowed to do. The account's token may do all of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $name,)+
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As keys carry it: `area:verb`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl ScopeKind for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )+
    };
}

scopes! {
    /// Send notices and captchas.
    SendNotices "notices:send";
    /// Make click-to-call calls, steer them, and mint browser tokens that may do the same.
    Dial "calls:dial";
    /// Read requests and call records.
    ReadCalls "calls:read";
    /// See the numbers of calls that were made with masked ones.
    ReadNumbers "numbers:read";
    /// Read recordings of calls and listen to them.
    ReadRecordings "recordings:read";
    /// Read callbacks and how their delivery went.
    ReadDeliveries "deliveries:read";
    /// Send callbacks again.
    ResendDeliveries "deliveries:resend";
    /// Read media libraries and listen to them.
    ReadMedia "media:read";
    /// Put recordings into media libraries and take them out.
    WriteMedia "media:write";
    /// Mint and revoke API keys.
    ManageKeys "keys:manage";
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such scope; fault of whoever named it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {found:?}: expected one of {}", Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))]
pub struct UnknownScope {
    /// What was named.
    pub found: String,
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.iter().copied().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| UnknownScope { found: text.chars().take(64).collect() })
    }
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        crate::yaml::Parsed::deserialize(reader).map(|parsed| parsed.0)
    }
}
