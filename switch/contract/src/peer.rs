use std::fmt;

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
}

impl Transport {
    /// The value of the URI's `transport` parameter, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The far end of a trunk, as the engine needs it to place one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The trunk's name, for logs only.
    pub name: String,
    /// Host name or address, without port.
    pub host: String,
    /// Port, 1 to 65535.
    pub port: u16,
    /// How to reach it.
    pub transport: Transport,
    /// What to answer a 401 or 407 with; absent: a challenge ends the call.
    pub credentials: Option<Credentials>,
    /// Where the caller's number is asserted besides From.
    pub identity: IdentityHeader,
}

/// A digest user (RFC 7616, RFC 8760).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password; never printed.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
}

/// Which header carries the caller's identity besides From.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityHeader {
    /// From alone.
    None,
    /// `P-Asserted-Identity` (RFC 3325 §9.1).
    #[default]
    PAssertedIdentity,
    /// `Remote-Party-ID` (a draft that many gateways speak).
    RemotePartyId,
}
